"""Every verb of DVC that users of the pipeline need, in a colleague's clone: each works, and fits a terminal."""

import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow

COLUMNS = 160
# Of a command; nothing here says how fast anything is.
PATIENCE_SECONDS = 120
# Only the stage baselines reads it: an experiment takes seconds.
OVERRIDE = "baselines.max_iterations"
NO_STAGES_RUN = "Data and pipelines are up to date."


@pytest.fixture(scope="module")
def author(tmp_path_factory, project_that_ran, root):
    """Whoever ran the pipeline, pushed the code with Git and the outputs with DVC, and has not run the ablations."""
    project = project_that_ran(tmp_path_factory.mktemp("author") / "project")
    shutil.copy(root / "ablations" / "dvc.yaml", project.folder / "ablations")
    (project.folder / "metrics" / "ablations").mkdir(parents=True)
    (project.folder / "metrics" / "ablations" / "full.json").write_text('{"accuracy": 0.5}', encoding="utf-8")
    for name in ("ablations.csv", "timing_ablations.csv", "timing_ablations.md"):
        shutil.copy(root / "metrics" / name, project.folder / "metrics")
    # Their results are in Git, and in nobody's cache.
    project.run("dvc", "commit", "--quiet", "--force", "ablations/dvc.yaml")
    project.run("dvc", "remote", "modify", "--quiet", "storage", "url", str(project.folder.parent / "storage"))
    project.commit("run")
    project.run("dvc", "push", "--quiet")
    return project


@pytest.fixture
def clone_at(author, tmp_path_factory, project_at):
    """Make a colleague's clone of the project, or of a larger repository that has it at `place`; its cache is empty."""

    def make(place):
        return _clone(author, tmp_path_factory, project_at, place)

    return make


def _clone(author, tmp_path_factory, project_at, place):
    origin = author.folder
    if place:
        origin = tmp_path_factory.mktemp("larger")
        files = author.run("git", "ls-files").splitlines()
        for name in files:
            (origin / place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(author.folder / name, origin / place / name)
        larger = project_at(origin)
        larger.run("git", "init", "--quiet")
        larger.commit("everything")
    folder = tmp_path_factory.mktemp("colleague") / "clone"
    project_at(folder.parent).run("git", "clone", "--quiet", str(origin), str(folder))
    return project_at(folder / place)


def run(project, *words, expect=0):
    """Run a command of DVC; what it prints fits a terminal and warns of nothing."""
    output = project.run("dvc", *words, expect=expect)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", output).splitlines()
    # A command that DVC repeats is as long as it is.
    printed = [line for line in lines if not line.startswith(("> ", "file://"))]
    assert max(map(len, printed), default=0) <= COLUMNS, max(printed, key=len)
    # That is what gc is asked for.
    assert "WARNING" not in output.replace("WARNING: This will remove all cache", ""), output
    assert "Traceback" not in output, output
    assert len(lines) < 100, output
    return output


def in_terminal(project, *words):
    """What a terminal of 160 columns shows of a command first, through DVC's own pager."""
    screen, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    unset = {"LESS", "PAGER", "DVC_PAGER", "COLUMNS", "LINES"}
    environment = {name: value for name, value in os.environ.items() if name not in unset} | {"TERM": "xterm"}
    command = [str(Path(sys.executable).with_name("dvc")), *words]
    with subprocess.Popen(
        command, cwd=project.folder, stdin=side, stdout=side, stderr=side, env=environment
    ) as process:
        os.close(side)
        shown, end = b"", time.monotonic() + PATIENCE_SECONDS
        while process.poll() is None and time.monotonic() < end:
            if select.select([screen], [], [], 0.5)[0]:
                try:
                    shown += os.read(screen, 65_536)
                except OSError:  # The other end is closed.
                    break
            elif shown:
                # The pager waits for a key.
                os.write(screen, b"q")
        assert process.wait(PATIENCE_SECONDS) == 0
    os.close(screen)
    return [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\r", "", line) for line in shown.decode().split("\n")]


def columns_of_experiments(project):
    """The columns of `dvc exp show` that a terminal shows first; the others are to the right of it."""
    lines = in_terminal(project, "exp", "show")
    assert max(map(len, lines)) <= COLUMNS
    return next(line for line in lines if "Experiment" in line).split()


def stages_run(output):
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


def test_a_clone_computes_nothing_and_saves_an_experiment(clone_at, monkeypatch):
    # Those of the verbs, all of which are below, that outputs in nobody's cache would break.
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    clone = clone_at("models/text")
    run(clone, "pull")
    assert stages_run(run(clone, "repro")) == []
    assert clone.run("git", "status", "--short") == ""
    run(clone, "status")
    run(clone, "exp", "save", "--force", "--name", "saved")
    if shutil.which("less"):
        # Without it DVC has no pager, and warns.
        headline = {f"{task}.{name}" for task in ("clf", "s2s") for name in ("loss", "val_acc", "acc", "nll")}
        assert headline | {"linear.acc", "majority.acc"} <= {*columns_of_experiments(clone)}


@pytest.mark.long
@pytest.mark.parametrize("place", ["", "models/text"])
def test_every_verb_works_in_a_clone(clone_at, monkeypatch, place):
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    clone = clone_at(place)
    # What a colleague has computed is not computed again.
    run(clone, "pull")
    assert stages_run(run(clone, "repro")) == []
    assert clone.run("git", "status", "--short") == ""
    assert NO_STAGES_RUN in run(clone, "status", "dvc.yaml")
    run(clone, "status")
    run(clone, "dag")

    shown = run(clone, "metrics", "show")
    assert all(name in shown for name in ("clf.acc", "s2s.val_acc", "linear.acc", "majority.acc"))
    run(clone, "metrics", "show", "metrics/ablations")
    run(clone, "metrics", "diff")
    run(clone, "params", "diff")
    run(clone, "plots", "show")
    run(clone, "plots", "diff")

    output = run(clone, "exp", "run", "-S", f"{OVERRIDE}=2", "--name", "two")
    assert stages_run(output) == ["check", "baselines"]
    assert OVERRIDE in run(clone, "params", "diff")
    run(clone, "metrics", "diff")
    run(clone, "exp", "run", "--temp", "-S", f"{OVERRIDE}=3", "--name", "three")
    run(clone, "exp", "run", "--queue", "-S", f"{OVERRIDE}=4", "--name", "four")
    run(clone, "exp", "run", "--run-all")
    table = run(clone, "exp", "show", "--only-changed", "--no-pager")
    assert all(name in table for name in ("two", "three", "four", OVERRIDE))
    run(clone, "exp", "diff", "two", "three")
    run(clone, "exp", "apply", "three")
    assert yaml.safe_load((clone.folder / "params.yaml").read_text())["baselines"]["max_iterations"] == 3
    run(clone, "exp", "branch", "three", "of-three")
    clone.run("git", "checkout", "--quiet", "--", ".")
    run(clone, "checkout")
    run(clone, "exp", "save", "--force", "--name", "saved")

    # To another, trained networks and all.
    run(clone, "exp", "push", "origin", "two")
    run(clone, "exp", "remove", "two", "saved")
    run(clone, "exp", "pull", "origin", "two")
    run(clone, "exp", "apply", "two")
    clone.run("git", "checkout", "--quiet", "--", ".")
    run(clone, "checkout")

    run(clone, "push")
    run(clone, "fetch")
    run(clone, "commit", "--force")
    run(clone, "freeze", "tokens")
    run(clone, "unfreeze", "tokens")
    # The file has the form that DVC writes.
    assert clone.run("git", "status", "--short", "dvc.yaml") == ""
    run(clone, "gc", "--workspace", "--force")
    assert stages_run(run(clone, "repro")) == []
    assert clone.run("git", "status", "--short") == ""


@pytest.mark.long
def test_an_experiment_that_one_pushed_is_applied_by_another_trained_network_and_all(author, tmp_path, project_at):
    author.run("dvc", "exp", "run", "--quiet", "-S", "train.seed=7", "--name", "seven", "train@classifier")
    weights = author.folder / "data" / "models" / "classifier" / "weights.safetensors"
    trained = weights.read_bytes()
    author.run("git", "checkout", "--quiet", "--", ".")
    author.run("dvc", "checkout", "--quiet")
    assert weights.read_bytes() != trained
    author.run("dvc", "push", "--quiet", "--run-cache")

    here = project_at(tmp_path)
    here.run("git", "init", "--quiet", "--bare", "hub.git")
    author.run("git", "push", "--quiet", str(tmp_path / "hub.git"), "HEAD:refs/heads/main")
    author.run("dvc", "exp", "push", "--quiet", str(tmp_path / "hub.git"), "seven")
    here.run("git", "clone", "--quiet", "--branch", "main", "hub.git", "clone")
    colleague = project_at(tmp_path / "clone")
    colleague.run("dvc", "exp", "pull", "--quiet", "origin", "seven")
    colleague.run("dvc", "exp", "apply", "--quiet", "seven")
    found = colleague.folder / "data" / "models" / "classifier" / "weights.safetensors"
    assert found.read_bytes() == trained
    assert (colleague.folder / "metrics" / "live" / "classifier.json").exists()
