"""A network that trains is seen while it does, through DVC's own commands and in TensorBoard's event file."""

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import yaml

pytestmark = pytest.mark.slow

STAGE = "train@classifier"
EVERY = 5
# Of a run of any length: reading all points takes less time than the next one.
SELDOM = 500
HEADLINE = Path("metrics") / "live" / "classifier.json"
CURVES = Path("metrics") / "train" / "classifier"
UNCACHED = (HEADLINE, CURVES / "epochs.csv", CURVES / "steps.csv")
# Far longer than all of a test: nothing here says how fast anything is.
PATIENCE_SECONDS = 300


@pytest.fixture
def project(tmp_path, make_project, corpus, root):
    # The stage train alone, on shards that are there.
    stages = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    project = make_project(tmp_path / "project", without=stages.keys() - {"train"})
    shutil.copytree(corpus.shards, project.folder / "data" / "shards")
    params = yaml.safe_load((project.folder / "params.yaml").read_text(encoding="utf-8"))
    batching, model = {**params["train"]["batching"], "batch_size": 16}, {**params["train"]["model"], "units": 8}
    project.change_params("train", epochs=1, log_every=EVERY, batching=batching, model=model)
    project.commit("start")
    return project


@contextmanager
def running(project, *command):
    # In a session of its own, and killed with all that it has started, if that is still there.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    identity = {f"GIT_{who}_{what}": "tester" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    log = project.folder.with_name("log")
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(
            command,
            cwd=project.folder,
            env={**os.environ, **identity, "PATH": path},
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(condition, process, project):
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        said = project.folder.with_name("log").read_text(encoding="utf-8")
        assert process.poll() is None, said
        assert time.monotonic() < until, said
        time.sleep(0.05)


def points_of(project):
    # tag -> steps of the one event file, as far as it goes.
    (path,) = (project.folder / ".lengthwise" / "tensorboard" / "classifier").glob("*/*tfevents*")
    points = {}
    for record in records_of(path.read_bytes()):
        event = tf.compat.v1.Event.FromString(record)
        for value in event.summary.value:
            points.setdefault(value.tag, []).append(event.step)
    return points


def records_of(data):
    # As TFRecord has them: a length of 8 bytes and its checksum, the record and its checksum; the last may be cut.
    # TensorFlow's own reader is slower than the run that writes.
    place = 0
    while place + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        if place + 16 + length > len(data):
            return
        yield data[place + 12 : place + 12 + length]
        place += 16 + length


def shown_of(project):
    # The headline in the row of the workspace.
    rows = json.loads(project.run("dvc", "exp", "show", "--json"))
    (workspace,) = [row for row in rows if row["rev"] == "workspace"]
    files = workspace["data"]["metrics"]
    return files.get(str(HEADLINE), {}).get("data", {}).get("clf", {})


def steps_of(project):
    try:
        return pd.read_csv(project.folder / CURVES / "steps.csv")["step"].tolist()
    except FileNotFoundError:
        return []


# Curves after kills, without DVC around them, are in tests/pipeline/stages/train.
@pytest.mark.long
def test_experiment_that_runs_is_shown_and_goes_on_in_the_same_curves_after_a_kill(project):
    project.change_params("train", epochs=100_000, log_every=SELDOM)
    state = project.folder / ".lengthwise" / "resume"
    shown, lengths = [], []

    def seen():
        found = shown_of(project)
        if "val_acc" in found and found["loss"] not in shown:
            shown.append(found["loss"])
            lengths.append(len(points_of(project)["steps/loss"]))
        return len(shown) >= 3 and any(state.rglob("state.safetensors"))

    with running(project, "dvc", "exp", "run", STAGE) as process:
        wait_for(seen, process, project)
    assert lengths == sorted(set(lengths))
    before = steps_of(project)
    assert before == list(range(SELDOM, before[-1] + 1, SELDOM))
    with running(project, "dvc", "repro", STAGE) as process:
        # DVC has cleared them; the first that is there is all that the saved state has.
        wait_for(lambda: not steps_of(project), process, project)
        wait_for(lambda: (project.folder / CURVES / "steps.csv").exists(), process, project)
        first = steps_of(project)
        wait_for(lambda: len(steps_of(project)) > len(before), process, project)
        wait_for(lambda: len(points_of(project).get("steps/loss", ())) > len(before), process, project)
    assert len(first) > 1
    for steps in (first, steps_of(project), points_of(project)["steps/loss"]):
        assert steps == list(range(SELDOM, steps[-1] + 1, SELDOM))
    epochs = pd.read_csv(project.folder / CURVES / "epochs.csv")["epoch"].to_numpy()
    np.testing.assert_array_equal(epochs, np.arange(1, len(epochs) + 1))


@pytest.mark.long
def test_run_that_was_before_is_taken_from_the_cache_with_what_is_outside_of_it(project):
    project.run("dvc", "repro", STAGE)
    first = {path: (project.folder / path).read_bytes() for path in UNCACHED}
    project.change_params("train", log_every=EVERY + 1)
    assert "skipping run" not in project.run("dvc", "repro", STAGE)
    assert (project.folder / UNCACHED[2]).read_bytes() != first[UNCACHED[2]]
    project.change_params("train", log_every=EVERY)
    assert f"Stage '{STAGE}' is cached - skipping run" in project.run("dvc", "repro", STAGE)
    assert {path: (project.folder / path).read_bytes() for path in UNCACHED} == first
