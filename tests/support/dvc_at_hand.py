"""Commands of DVC by forks of a process that has imported it: the imports take longer than most commands."""

import atexit
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

# A line of the input is a command, its folder, its environment and the files that take what it says; a line of the
# output is its exit status. What DVC imports late is imported here.
SERVER = """
import gc, importlib, json, os, sys
gc.disable()
for name in ("cli.parser", "lock", "repo", "repo.experiments.queue.tempdir", "repo.open_repo", "repo.plots", "scm"):
    importlib.import_module(f"dvc.{name}")
for name in ("networkx", "pygit2", "pyparsing", "ruamel.yaml"):
    importlib.import_module(name)
from dvc.cli import main

gc.freeze()
gc.enable()
for line in sys.stdin:
    words, folder, environment, files = json.loads(line)
    child = os.fork()
    if child == 0:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()
for number, name in enumerate((os.devnull, *files)):
    os.dup2(os.open(name, os.O_RDWR), number)
os.chdir(folder)
os.environ.clear()
os.environ.update(environment)
sys.argv = ["dvc", *words]
sys.exit(main(words))
"""
# With them DVC leaves work to processes in the background, which it starts as it was started itself.
IN_BACKGROUND = {"queue", "--queue", "--run-all", "--temp"}


@cache
def _server() -> subprocess.Popen:
    # Not with the environment of a test: a command has its own.
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    atexit.register(process.communicate)
    return process


def run_dvc(words: list[str], folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess:
    """Run `dvc WORDS` in a process of its own, which has the given folder and environment and an empty input."""
    server = _server()
    with tempfile.TemporaryDirectory() as made:
        files = [Path(made) / name for name in ("stdout", "stderr")]
        for path in files:
            path.touch()
        order = (words, str(folder), dict(environment), [*map(str, files)])
        print(json.dumps(order), file=server.stdin, flush=True)
        status = server.stdout.readline()
        assert status, f"the process that runs dvc has ended: {server.poll()}"
        said = [path.read_text(encoding="utf-8") for path in files]
    return subprocess.CompletedProcess(["dvc", *words], int(status), *said)


def run_command(command: tuple[str, ...], folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess:
    """Run any command, those of DVC by a fork; the two streams of what it says are text."""
    name, *words = command
    if name == "dvc" and not IN_BACKGROUND & {*words}:
        return run_dvc(words, folder, environment)
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
