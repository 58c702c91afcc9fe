import os
import signal
import sys
import time
from pathlib import Path

import pytest

import lengthwise.pipeline.sweeps.process as module
from lengthwise.pipeline.sweeps.process import DvcProcess, stop


@pytest.fixture
def start(tmp_path, monkeypatch):
    # Starts a Python program in the place of DVC; what it is called with is the first line of the log.
    def start(body, arguments=(), **more):
        script = tmp_path / "bin" / "python"
        script.parent.mkdir(exist_ok=True)
        head = "import os, signal, sys, time\nprint(sys.argv[1:], flush=True)\n"
        script.write_text(f"#!{sys.executable}\n{head}{body}\n", encoding="utf-8")
        script.chmod(0o755)
        with monkeypatch.context() as patch:
            patch.setattr(module.sys, "executable", str(script))
            return DvcProcess(arguments, tmp_path, tmp_path / "logs" / "1.log", **more)

    return start


@pytest.fixture
def log(tmp_path):
    def log(until=""):
        end = time.monotonic() + 30
        while until not in (text := (tmp_path / "logs" / "1.log").read_text(encoding="utf-8")):
            assert time.monotonic() < end, text
            time.sleep(0.01)
        return text.splitlines()

    return log


def status_of(process):
    end = time.monotonic() + 30
    while (status := process.status()) is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    return status


def test_process_runs_dvc_in_its_folder_and_keeps_what_it_prints(start, log, tmp_path):
    body = "print(os.getcwd(), flush=True); print('error', file=sys.stderr)"
    process = start(body, ["exp", "run"])
    assert status_of(process) == 0
    command, *rest = log()
    assert command.startswith("['-m', 'lengthwise.pipeline.sweeps.attended', '")
    assert command.endswith("', 'exp', 'run']")
    assert rest == [str(tmp_path), "error"]


def test_process_finds_the_interpreter_of_this_environment_first(start, log, tmp_path):
    assert status_of(start("print(os.environ['PATH'])")) == 0
    assert log()[1].startswith(f"{tmp_path / 'bin'}:")


@pytest.mark.parametrize(("body", "status"), [("sys.exit(255)", 255), ("os.abort()", -signal.SIGABRT)])
def test_process_that_fails_has_its_status(start, body, status):
    assert status_of(start(body)) == status


def test_process_and_what_it_starts_use_its_processors(start, log):
    chosen = {max(os.sched_getaffinity(0))}
    body = "time.sleep(0.3); os.system(f'{sys.executable} -c \"import os; print(os.sched_getaffinity(0))\"')"
    assert status_of(start(body, processors=chosen)) == 0
    assert log()[-1] == str(chosen)


# A shell has interrupts ignored in what a script starts in the background.
@pytest.mark.sampled(1)
@pytest.mark.parametrize("inherited", [signal.default_int_handler, signal.SIG_IGN])
def test_process_that_is_stopped_is_interrupted_and_waited_for(start, log, inherited):
    before = signal.signal(signal.SIGINT, inherited)
    try:
        process = start(
            "try:\n    print('ready', flush=True); time.sleep(60)\n"
            "except KeyboardInterrupt:\n    time.sleep(0.3); print('clean', flush=True)"
        )
        assert signal.getsignal(signal.SIGINT) is inherited
        log("ready")
        stop([process])
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.status() == 0
    assert log()[1:] == ["ready", "clean"]


STUBBORN = "signal.signal(signal.SIGINT, lambda *_: print('no', flush=True))\nprint('ready', flush=True)\n"
STUBBORN += "while True: time.sleep(1)"


def test_process_that_does_not_end_is_killed_after_a_while(start, log, monkeypatch):
    monkeypatch.setattr(module, "STOP_SECONDS", 0.5)
    process = start(STUBBORN)
    log("ready")
    stop([process])
    assert process.status() == -signal.SIGKILL
    assert log()[-1] == "no"


def test_process_is_killed_by_a_second_interrupt(start, log):
    process = start(STUBBORN)
    log("ready")
    kept = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(KeyboardInterrupt):
            stop([process])
    finally:
        signal.signal(signal.SIGALRM, kept)
    assert process.status() == -signal.SIGKILL


def test_process_that_is_killed_takes_along_what_it_has_started(start, log):
    process = start("import subprocess; print('child', subprocess.Popen(['sleep', '60']).pid, flush=True); os.abort()")
    assert status_of(process) == -signal.SIGABRT
    child = Path("/proc") / log("child")[1].split()[1]
    end = time.monotonic() + 30
    while child.exists() and "Z" not in (child / "stat").read_text(encoding="utf-8").split():
        assert time.monotonic() < end
        time.sleep(0.01)
