"""Sweeps by DVC itself, over a pipeline in which nothing is trained."""

import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow

LONG = 60_000
ERROR = "error: train.model.units: got 7; expected another number; change it"


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def assert_nothing_is_left(project):
    end = time.monotonic() + 30
    while any(is_alive(int(event[3])) for event in project.traced()):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert [path.name for path in (project.folder / ".dvc" / "tmp" / "lengthwise").iterdir()] == ["lock"]


def test_runs_two_at_once_of_which_one_fails(project):
    (project.folder / "notes.txt").write_text("not committed\n", encoding="utf-8")
    project.run("git", "add", "notes.txt")
    before = project.files()
    units = [4, 5, 7]
    said = project.sweep(units=units, milliseconds=20, jobs=2, together=2, expect=1)

    assert project.experiments() == sorted(f"units={number},log_every=20" for number in units if number != 7)
    assert project.files() == before
    assert_nothing_is_left(project)
    # The stage that no run changes is the workspace's own, from the cache.
    trace = project.traced()
    assert {event[0] for event in trace} == {"begin", "end"}
    assert {int(event[2]) for event in trace} == {max(1, len(os.sched_getaffinity(0)) // 2)}
    at_once = running = 0
    for kind, number, *_ in trace:
        # The one that fails has no end.
        running += (kind == "begin" and number != "7") - (kind == "end")
        at_once = max(at_once, running)
    assert at_once == 2

    assert "units=7,log_every=20: failed after 00:" in said
    end = said[said.index("\nfailed: ") :].splitlines()
    assert end[1:4] == [
        "failed: units=7,log_every=20, whose log .lengthwise/sweeps/grid/3.log ends with",
        f"    {ERROR}",
        "    line 12",
    ]
    assert "2 of 3 runs are kept as experiments (`make exps` shows them); 1 failed" in said
    rows = [line.split()[0] for line in said.splitlines() if re.match(r"units=\d+,log_every=20 ", line)]
    assert rows == [f"units={number},log_every=20" for number in [*reversed([n for n in units if n != 7]), 7]]

    # Again: what is there is not run again.
    project.trace.unlink()
    assert said.count(": is there already") == 0
    assert project.sweep(units=units, milliseconds=20, jobs=2, expect=1).count(": is there already") == 2
    assert [event[:2] for event in project.traced()] == [("begin", "7")]


@pytest.mark.long
def test_twelve_runs_of_plain_dvc_and_a_sweep_beside_its_queue(project):
    before = project.files()
    project.run(
        *["dvc", "exp", "run", "--queue", "--name", "q", "-S", "train.model.units=2,3,4,5,6,7,8,9,10,11,12,13"],
    )
    project.run("dvc", "queue", "start", "--jobs", "2")
    end = time.monotonic() + 200
    while (status := project.run("dvc", "queue", "status")).count("Success") < 11 or "Failed" not in status:
        assert time.monotonic() < end, status
        time.sleep(1)
    assert re.search(r"q-6 .*Failed", status)
    assert ERROR in project.run("dvc", "queue", "logs", "q-6")
    assert project.experiments() == sorted(f"q-{number}" for number in range(1, 13) if number != 6)
    assert project.files() == before

    # What waits and what has failed are the user's: a sweep neither runs nor removes them.
    project.run("dvc", "exp", "run", "--queue", "--name", "waits", "-S", "train.model.units=20")
    queue = [line.split()[1::4] for line in project.run("dvc", "queue", "status").splitlines() if "q-6" in line]
    project.sweep(units=[5], jobs=2)
    status = project.run("dvc", "queue", "status")
    assert [line.split()[1::4] for line in status.splitlines() if "q-6" in line] == queue
    assert re.search(r"waits .*Queued", status)
    assert "units=5" in project.experiments()
    assert "waits" not in project.experiments()
    assert project.files() == before


@pytest.mark.long
def test_sweep_that_is_interrupted_leaves_nothing_running_and_goes_on_where_it_was(project):
    before = project.files()
    sweep = project.start(units=[3, 4], milliseconds=LONG, jobs=2)
    project.wait_for("begin", 2)
    sweep.send_signal(signal.SIGINT)
    said = sweep.communicate(timeout=100)[0]
    assert sweep.returncode == 130, said
    assert "stopping units=3,log_every=60000, units=4,log_every=60000" in said
    assert "interrupted: 0 of 2 runs are kept as experiments" in said
    assert sorted(event[1] for event in project.traced() if event[0] == "saved") == ["3", "4"]
    assert project.experiments() == []
    assert project.files() == before
    assert_nothing_is_left(project)

    said = project.sweep(units=[3, 4], milliseconds=LONG, jobs=2)
    assert "2 of 2 runs are kept" in said
    # Its figure says that it has gone on.
    assert "the same in all:  clf.acc 0.5000  clf.nll 3.0000" in said
    assert not list((project.folder / ".lengthwise" / "sweeps" / "grid" / "states").iterdir())


@pytest.mark.long
def test_sweep_that_is_killed_ends_its_runs_and_the_next_one_goes_on(project):
    before = project.files()
    sweep = project.start(units=[3], milliseconds=LONG)
    project.wait_for("begin")
    sweep.kill()
    sweep.communicate()
    # At once: it waits for the ends of the first one's.
    said = project.sweep(units=[3], milliseconds=LONG)
    assert [event[0] for event in project.traced()] == ["begin", "saved", "begin", "end"]
    assert "1 of 1 runs are kept" in said
    assert_nothing_is_left(project)
    assert project.files() == before


@pytest.mark.long
def test_sweep_whose_dvc_is_killed_names_the_run_and_goes_on_with_the_next(project):
    sweep = project.start(units=[3, 7], milliseconds=[LONG])
    project.wait_for("begin")
    # DVC leads the group of its stage.
    os.kill(os.getpgid(int(project.traced()[0][3])), signal.SIGKILL)
    project.wait_for("begin", 2)
    assert not is_alive(int(project.traced()[0][3]))
    sweep.send_signal(signal.SIGTERM)
    said = sweep.communicate(timeout=100)[0]
    assert sweep.returncode == 130
    assert re.search(r"units=3,log_every=60000: failed after .*: error: it was killed by SIGKILL\n", said)
    assert_nothing_is_left(project)


@pytest.mark.long
def test_sweep_in_a_subfolder_takes_what_is_not_committed_and_leaves_it_as_it_is(project, tmp_path):
    outer = tmp_path / "outer"
    inner = type(project)(outer / "models" / "mine", project.trace)
    shutil.copytree(project.folder, inner.folder, symlinks=True, ignore=shutil.ignore_patterns(".git", "tmp"))
    (outer / "other").mkdir()
    (outer / "other" / "file.txt").write_text("outside\n", encoding="utf-8")
    (inner.folder / "old.txt").write_text("old\n", encoding="utf-8")
    (inner.folder / ".dvc" / "config.local").write_text("['remote \"here\"']\n    url = ../../storage\n")
    inner.run("git", "init", "--quiet", str(outer))
    inner.run("git", "add", str(outer))
    inner.run("git", "commit", "--quiet", "--message", "start")
    (inner.folder / "old.txt").unlink()
    (inner.folder / "new.txt").write_text("new\n", encoding="utf-8")
    inner.run("git", "add", "new.txt")
    with (inner.folder / "stages" / "fake.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    # Somebody has given this name to something else.
    head = inner.run("git", "rev-parse", "HEAD").strip()
    inner.run("git", "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/units=3", head)
    before = inner.files()
    said = inner.sweep(units=[3])
    assert inner.files() == before
    assert inner.experiments() == ["units=3", "units=3-2"]
    assert "run 1 of 1: units=3-2: done" in said
    reference = f"refs/exps/{head[:2]}/{head[2:]}/units=3-2"
    listed = inner.run("git", "ls-tree", "-r", "--name-only", "--full-tree", reference).split()
    assert {"other/file.txt", "models/mine/new.txt", "models/mine/dvc.lock"} <= set(listed)
    assert "models/mine/old.txt" not in listed
    assert inner.run("git", "show", f"{reference}:./stages/fake.py").endswith("# changed\n")
    assert yaml.safe_load(inner.run("git", "show", f"{reference}:./params.yaml"))["train"]["model"]["units"] == 3
    assert json.loads(inner.run("git", "show", f"{reference}:./metrics/live/classifier.json"))
    # Its outputs are in the project's own cache.
    inner.run("dvc", "exp", "apply", "units=3-2")
    assert (inner.folder / "data" / "model.bin").read_text() == "prepared3"
