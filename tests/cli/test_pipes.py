import os
import signal
import subprocess
import sys

import pytest

# A command without a network, so that each case takes a moment.
COMMAND = """
import sys
from lengthwise.cli.pipes import standard_streams, write
from lengthwise.errors import FormatError, exit_on_user_error
with exit_on_user_error(), standard_streams():
    {body}
"""
FULL = "error: standard output: cannot be written (No space left on device); expected room for it; make some\n"


def command(body, unbuffered=False):
    flags = ["-u"] if unbuffered else []
    return [sys.executable, *flags, "-c", COMMAND.format(body=body)]


def run(body, redirected="", unbuffered=False, **environment):
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        ["sh", "-c", f'"$@" {redirected}', "sh", *command(body, unbuffered)],
        env={**kept, **environment},
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize("body", ["write('a')", "write('a' * 100_000)"])
def test_full_disk_is_one_line_and_status_2(body, unbuffered):
    done = run(body, ">/dev/full", unbuffered)
    assert (done.returncode, done.stderr.decode()) == (2, FULL)


def test_full_disk_is_said_also_where_a_command_only_asks_for_help():
    done = run("print('usage'), sys.exit(0)", ">/dev/full")
    assert (done.returncode, done.stderr.decode()) == (2, FULL)


def test_full_disk_does_not_hide_another_error():
    done = run("write('a'); raise FormatError('of the text')", ">/dev/full")
    assert (done.returncode, done.stderr.decode()) == (2, "error: of the text\n")


@pytest.mark.parametrize("body", ["write('a\\n')", "write('a\\n' * 100_000)", "write('a\\n'); raise SystemExit(0)"])
def test_reader_that_has_enough_ends_a_command_quietly(body):
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as nobody:
        done = subprocess.run(command(body), stdout=nobody, stderr=subprocess.PIPE, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_closed_streams_are_no_traceback():
    done = run("write('a')", ">&-")
    assert done.returncode == 2
    assert done.stderr.decode().startswith("error: standard output: is closed")
    done = run("write('a'); print('b', file=sys.stderr)", "2>&-")
    assert (done.returncode, done.stdout) == (0, b"a")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16", "cp1252:strict"])
def test_output_is_utf_8_and_what_is_no_text_is_escaped(encoding):
    done = run("write('é你\\udce9')", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stdout) == (0, "é你\\udce9".encode())


def test_interruption_keeps_what_was_written_and_says_nothing():
    # Who starts the tests in the background has the signal ignored.
    heard = "import os, signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    body = f"{heard}; write('a'); os.kill(os.getpid(), signal.SIGINT)"
    done = run(body)
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGINT, b"a", b"")
