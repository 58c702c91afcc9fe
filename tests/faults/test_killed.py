"""A stage that is killed anywhere leaves each output absent, old or new, and its next run gives the same bytes."""

import json
import shutil
import signal
from collections import Counter

import numpy as np
import pytest

LIGHT = ("ingest", "tokens", "split", "vocabulary", "shards", "baselines")
HEAVY = ("train@classifier", "train@seq2seq", "evaluate@classifier", "evaluate@seq2seq")


@pytest.fixture
def die(faults, make_pipeline, tmp_path, record_property):
    # Kills a stage, looks at what it left, runs it again and looks again; returns what came of the killed run.
    happened = Counter()

    def run(stage, many=False, **kill):
        pipeline = make_pipeline(stage, many)
        expected = pipeline.digests(stage)
        folder = pipeline.with_old_outputs(stage, tmp_path / "run")
        old, others = pipeline.digests(stage, folder), pipeline.others(stage, folder)
        killed = faults.run(folder, stage, **kill)
        place = f"{stage} {kill} {killed.last}: {killed.text}"
        assert killed.status in (-signal.SIGKILL, 0), place
        pipeline.assert_live_files_are_whole(stage, folder, place)
        for name, found in pipeline.digests(stage, folder).items():
            if name in faults.stages[stage].live:
                continue
            assert found in (None, old[name], expected[name]), f"{name} is half-written by {place}"
        for name in pipeline.timing(stage):
            if (folder / name).exists():
                json.loads((folder / name).read_text(encoding="utf-8"))
        saved = any((folder / ".lengthwise").rglob("state.safetensors"))
        again = faults.run(folder, stage, workers=kill.get("workers", 1), save_seconds=1e9)
        assert again.status == 0, f"{place}\nand then {again.text}"
        assert pipeline.digests(stage, folder) == expected, f"{place}\nand then {again.text}"
        assert ("goes on at step" in again.text) == saved, f"{place}\nand then {again.text}"
        assert pipeline.others(stage, folder) == others, f"left over by {place}"
        happened.update(kills=int(killed.status != 0), too_late=int(killed.status == 0), resumed=int(saved))
        shutil.rmtree(folder)
        return killed

    yield run
    record_property("faults", json.dumps({"section": "killed", **happened}))


@pytest.fixture
def operations(faults, make_pipeline, tmp_path):
    # How many operations on files a stage has when it saves its state, if it has one, at every opportunity.
    def count(stage):
        if faults.preload is None:
            pytest.skip("there is no C++ compiler")
        folder = make_pipeline(stage).with_old_outputs(stage, tmp_path / "counted")
        done = faults.run(folder, stage)
        assert done.status == 0, done.text
        assert done.operations > 10
        return done.operations

    return count


@pytest.mark.sampled(1)
@pytest.mark.parametrize("stage", [*LIGHT, HEAVY[0]])
def test_stage_killed_at_some_operation_on_files_runs_again_to_the_same_bytes(die, operations, stage):
    at = np.random.default_rng(len(stage)).integers(1, operations(stage) + 1)
    assert die(stage, at=int(at)).status == -signal.SIGKILL


# The other task takes the same path.
@pytest.mark.long
@pytest.mark.parametrize("stage", [*LIGHT, *HEAVY[::2]])
def test_stage_killed_at_every_operation_on_files_runs_again_to_the_same_bytes(die, operations, stage):
    for number in range(1, operations(stage) + 1):
        assert die(stage, at=number).status == -signal.SIGKILL


@pytest.mark.long
@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.long)])
def test_tokens_killed_at_random_times_with_their_workers_run_again_to_the_same_bytes(die, kills):
    for seconds in np.random.default_rng(kills).uniform(0, 3, kills):
        die("tokens", many=True, seconds=seconds, workers=2)


@pytest.mark.long
@pytest.mark.parametrize("stage", [*LIGHT, *HEAVY])
def test_stage_killed_at_random_times_runs_again_to_the_same_bytes(die, faults, make_pipeline, tmp_path, stage):
    folder = make_pipeline(stage).copy_for(stage, tmp_path / "timed")
    longest = faults.run(folder, stage, workers=2).seconds
    rng = np.random.default_rng(len(stage))
    for _ in range(10):
        die(stage, seconds=rng.uniform(0, longest), workers=2)
