import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from dvc_at_hand import run_command

# A pipeline in which nothing is trained. Units of 7 fail, and `train.log_every` says how many milliseconds a run takes.
PIPELINE = {
    "stages": {
        "prepare": {
            "cmd": "python stages/fake.py prepare",
            "deps": ["stages/fake.py"],
            "params": ["ingest"],
            "outs": ["data/prepared.txt"],
        },
        "train": {
            "cmd": "python stages/fake.py train",
            "deps": ["stages/fake.py", "data/prepared.txt"],
            "params": ["train"],
            "outs": [
                "data/model.bin",
                {"metrics/live/classifier.json": {"cache": False}},
                {"metrics/test/classifier.json": {"cache": False}},
            ],
        },
    },
    "metrics": ["metrics/live/classifier.json", "metrics/test/classifier.json"],
}
STAGE = """
import json, os, sys, time
from pathlib import Path
import yaml

def trace(what):
    cores = len(os.sched_getaffinity(0))
    with open(os.environ.get("TRACE", os.devnull), "a") as file:
        file.write(f"{what} {cores} {os.getpid()} {os.getcwd()}\\n")

if sys.argv[1] == "prepare":
    trace("prepare - ")
    Path("data/prepared.txt").write_text("prepared")
    sys.exit()
train = yaml.safe_load(Path("params.yaml").read_text())["train"]
units = train["model"]["units"]
state = Path(f".lengthwise/resume/digest-{units}")
went_on = state.exists()
try:
    # Whoever waits for this line may interrupt at once.
    trace(f"begin {units}")
    # As many wait for each other as are to run at once.
    together, end = int(os.environ.get("TOGETHER", 0)), time.monotonic() + 300
    while together and Path(os.environ["TRACE"]).read_text().count("begin ") < together:
        if time.monotonic() > end:
            sys.exit("error: alone")
        time.sleep(0.02)
    print(f"training {units} units", flush=True)
    time.sleep(0 if went_on else 0.001 * train["log_every"])
except KeyboardInterrupt:
    state.parent.mkdir(parents=True, exist_ok=True)
    state.write_text("state")
    trace(f"saved {units}")
    sys.exit(130)
if units == 7:
    for number in range(20):
        print("line", number)
    print("error: train.model.units: got 7; expected another number; change it", file=sys.stderr)
    sys.exit(2)
for folder, figures in (
    ("live", {"loss": 1 / units, "val_acc": 1 - 1 / units}), ("test", {"acc": 0.5, "nll": 2 + went_on})
):
    path = Path(f"metrics/{folder}/classifier.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"clf": figures}) + "\\n")
Path("data/model.bin").write_text(Path("data/prepared.txt").read_text() + str(units))
trace(f"end {units}")
"""
IDENTITY = {f"GIT_{who}_{what}": "tester" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@dataclass(frozen=True)
class FakeProject:
    """A pipeline of a few milliseconds under Git and DVC, with the real params.yaml.

    Attributes:
        folder: of the project; it may lie within the repository.
        trace: file in which the stages say what they do.
    """

    folder: Path
    trace: Path

    @property
    def environment(self):
        binaries = str(Path(sys.executable).parent)
        path = f"{binaries}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, **IDENTITY, "PATH": path, "TRACE": str(self.trace), "COLUMNS": "120"}

    def run(self, *command, expect=0, **variables):
        environment = {**self.environment, **variables}
        done = run_command(command, self.folder, environment)
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    def write_grid(self, **grid):
        keys = {"units": "train.model.units", "milliseconds": "train.log_every"}
        content = {keys.get(key, key.replace("__", ".")): value for key, value in grid.items()}
        (self.folder / "grid.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def sweep(self, expect=0, jobs=1, together=1, **grid):
        """What a sweep says; none of its runs goes on before `together` of them have begun."""
        self.write_grid(**grid)
        command = [sys.executable, "-m", "lengthwise.cli", "sweep", "grid.yaml", "--jobs", str(jobs)]
        return self.run(*command, expect=expect, TOGETHER=str(together))

    def start(self, jobs=1, **grid):
        """The sweep as a process that goes on in the background."""
        self.write_grid(**grid)
        command = [sys.executable, "-m", "lengthwise.cli", "sweep", "grid.yaml", "--jobs", str(jobs)]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def traced(self):
        """What the stages have said: kind, units, processors, process, folder."""
        lines = self.trace.read_text(encoding="utf-8").splitlines() if self.trace.exists() else []
        return [tuple(line.split(maxsplit=4)) for line in lines]

    def wait_for(self, kind, count=1):
        end = time.monotonic() + 60
        while sum(event[0] == kind for event in self.traced()) < count:
            assert time.monotonic() < end, self.traced()
            time.sleep(0.02)

    def experiments(self):
        references = self.run("git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
        # Of the queue there are references at another depth.
        return sorted(reference.rpartition("/")[2] for reference in references if reference.count("/") == 4)

    def files(self):
        """Bytes of all that Git tracks here and what it says of the rest."""
        tracked = self.run("git", "ls-files", "-z").split("\0")
        contents = {name: (self.folder / name).read_bytes() for name in tracked if (self.folder / name).is_file()}
        head = (self.run("git", "status", "--porcelain"), self.run("git", "symbolic-ref", "HEAD"))
        return contents, head, self.run("git", "stash", "list")


def _make(folder, root):
    (folder / "stages").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").write_text("[core]\n    analytics = false\n    check_update = false\n")
    (folder / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (folder / ".gitignore").write_text(".lengthwise/\ngrid.yaml\n")
    (folder / "stages" / "fake.py").write_text(STAGE)
    (folder / "dvc.yaml").write_text(yaml.safe_dump(PIPELINE))
    shutil.copy(root / "params.yaml", folder)
    return FakeProject(folder, folder.parent / "trace")


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory, root):
    """The folder above a project that has been run and committed."""
    project = _make(tmp_path_factory.mktemp("finished") / "project", root)
    project.run("git", "init", "--quiet")
    project.run("git", "config", "user.name", "tester")
    project.run("git", "config", "user.email", "tester")
    project.run("dvc", "repro", "--quiet")
    project.run("git", "add", ".")
    project.run("git", "commit", "--quiet", "--message", "results")
    return project.folder


@pytest.fixture
def project(finished_project, tmp_path):
    shutil.copytree(finished_project, tmp_path / "project", symlinks=True)
    return FakeProject(tmp_path / "project", tmp_path / "trace")
