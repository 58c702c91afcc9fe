"""Searches by DVC itself, over a pipeline that trains nothing: accuracy rises to the hundredth part of the units."""

import json
import shutil
import signal
import subprocess
import sys

import pytest
import yaml

pytestmark = pytest.mark.slow

PIPELINE = {
    "stages": {
        "train": {
            "matrix": {"task": ["classifier"]},
            "cmd": "python stages/fake.py",
            "deps": ["stages/fake.py"],
            "params": ["train"],
            "metrics": [{"metrics/live/${item.task}.json": {"cache": False}}],
            "plots": [{"metrics/train/${item.task}/epochs.csv": {"cache": False}}],
        },
    },
}
STAGE = """
import json, os, sys, time
from pathlib import Path
import yaml

train = yaml.safe_load(Path("params.yaml").read_text())["train"]
units, epochs = train["model"]["units"], train["epochs"]
state = Path(f".lengthwise/resume/{units}")
done = int(state.read_text()) if state.exists() else 0

def trace(what):
    with open(os.environ["TRACE"], "a") as file:
        file.write(f"{what} {units} {done} {os.getpid()} {os.getcwd()}\\n")

trace("begin")
curve, live = Path("metrics/train/classifier/epochs.csv"), Path("metrics/live/classifier.json")
curve.parent.mkdir(parents=True, exist_ok=True)
live.parent.mkdir(parents=True, exist_ok=True)
try:
    for end in range(epochs + 1):
        right = [units * epoch / epochs / 100 for epoch in range(1, end + 1)]
        rows = [f"{epoch},{1 - of},{of}" for epoch, of in enumerate(right, 1)]
        curve.write_text("\\n".join(["epoch,validation_loss,validation_accuracy", *rows, ""]))
        if end > done:
            done = end
            trace("epoch")
        time.sleep(0 if end < done or end == epochs else 0.001 * train["log_every"])
except KeyboardInterrupt:
    state.parent.mkdir(parents=True, exist_ok=True)
    state.write_text(str(done))
    trace("saved")
    sys.exit(130)
if units == 97:
    sys.exit("error: 97 is no number")
live.write_text(json.dumps({"clf": {"loss": 0.5, "val_acc": units / 100}}) + "\\n")
trace("end")
"""


@pytest.fixture(scope="module")
def template(finished_project, tmp_path_factory):
    folder = tmp_path_factory.mktemp("search") / "project"
    shutil.copytree(finished_project, folder, symlinks=True)
    (folder / "stages" / "fake.py").write_text(STAGE, encoding="utf-8")
    (folder / "dvc.yaml").write_text(yaml.safe_dump(PIPELINE), encoding="utf-8")
    for path in ("dvc.lock", "metrics"):
        shutil.rmtree(folder / path, ignore_errors=True)
        (folder / path).unlink(missing_ok=True)
    return folder


@pytest.fixture
def copy(template, project, tmp_path):
    def copy(name):
        made = type(project)(tmp_path / name, tmp_path / f"{name}.trace")
        shutil.copytree(template, made.folder, symlinks=True)
        made.run("git", "add", "--all")
        # The same commit, whenever it is made.
        dates = {f"GIT_{who}_DATE": "2026-01-01T00:00:00Z" for who in ("AUTHOR", "COMMITTER")}
        made.run("git", "commit", "--quiet", "--message", "search", **dates)
        return made

    return copy


def command(project, jobs=1, **content):
    content = {"maximize": "classifier.validation_accuracy", **{k.replace("__", "."): v for k, v in content.items()}}
    (project.folder / "grid.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return [sys.executable, "-m", "lengthwise.cli", "sweep", "grid.yaml", "--jobs", str(jobs)]


def study(project):
    return json.loads((project.folder / ".lengthwise" / "sweeps" / "grid" / "study.json").read_text())


@pytest.mark.long
def test_a_search_stops_what_is_hopeless_says_why_and_runs_nothing_twice(copy):
    project = copy("stops")
    before = project.files()
    units = [50, 60, 70, 80, 90, 20, 95, 97]
    content = {"search": "grid", "stop": "median", "train__model__units": units, "train__epochs": 4}
    content["train__log_every"] = 500
    said = project.run(*command(project, **content), expect=1)
    assert "run 6 of 8: log_every" not in said
    # Of 50 to 90 the median is 70: 35 after half of the epochs.
    reason = (
        "after epoch 2 of 4 its best classifier.validation_accuracy, 0.1, is behind the median of 5 runs then, 0.35"
    )
    name = "units=20,epochs=4,log_every=500"
    assert f"run 6 of 8: {name}: stopped after 00:" in said
    assert f"stopped: {name}: {reason}" in said
    assert "best: units=95,epochs=4,log_every=500, classifier.validation_accuracy 0.95, of 6 complete runs" in said
    assert "6 of 8 runs are kept as experiments (`make exps` shows them), 1 were stopped; 1 failed" in said
    table = [line.split() for line in said[said.index("\nexperiment") :].splitlines()[1:]]
    assert [row[0].partition(",")[0] for row in table[1:9]] == [
        f"units={number}" for number in (95, 90, 80, 70, 60, 50, 20, 97)
    ]
    assert table[7][1:4] == ["stopped", "at", "2"]
    assert "20" not in {event[1] for event in project.traced() if event[0] == "end"}
    assert len(project.experiments()) == 6
    assert project.files() == before
    states = project.folder / ".lengthwise" / "sweeps" / "grid" / "states"
    assert not [path for path in states.rglob("*") if path.is_file()]

    # Again: only what failed.
    project.trace.unlink()
    said = project.run(*command(project, **content), expect=1)
    assert "the search goes on: 6 complete and 1 stopped runs are known" in said
    assert said.count(": is there already") == 6
    assert f"run 6 of 8: {name}: was stopped before" in said
    assert f"stopped: {name}: {reason}" in said
    assert {event[1] for event in project.traced()} == {"97"}


@pytest.mark.long
def test_a_search_that_was_killed_ends_as_one_that_was_not(copy):
    content = {
        "search": "tpe",
        "trials": 4,
        "stop": "hyperband",
        "train__model__units": {"low": 1, "high": 60},
        "train__epochs": 3,
        "train__log_every": 1000,
    }
    whole, killed = copy("whole"), copy("killed")
    whole.run(*command(whole, **content))
    sweep = subprocess.Popen(
        command(killed, **content),
        cwd=killed.folder,
        env=killed.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    killed.wait_for("begin", 2)
    killed.wait_for("epoch", 4)
    sweep.send_signal(signal.SIGKILL)
    sweep.wait()
    assert [trial["state"] for trial in study(killed)["trials"]] in (["complete", "running"], ["stopped", "running"])
    said = killed.run(*command(killed, **content))
    assert "the search goes on: " in said
    assert study(killed) == study(whole)
    assert killed.experiments() == whole.experiments()
    # The one that was killed went on where it was.
    begun = [event for event in killed.traced() if event[0] == "begin"]
    assert begun[2][1] == begun[1][1]
    assert int(begun[2][2]) >= 1


@pytest.mark.long
def test_a_search_may_be_made_longer_and_begins_anew_if_it_is_another(copy):
    project = copy("longer")
    content = {"search": "random", "train__model__units": {"low": 1, "high": 60}, "train__epochs": 1}
    content["train__log_every"] = 1
    project.run(*command(project, trials=2, jobs=2, **content))
    first = study(project)["trials"]
    said = project.run(*command(project, trials=3, jobs=2, **content))
    assert study(project)["trials"][:2] == first
    assert said.count(": is there already") == 2
    said = project.run(*command(project, trials=2, seed=5, **content))
    assert "is of another search; grid.yaml, params.yaml or the code changed; begins anew" in said
    assert study(project)["trials"] != first
