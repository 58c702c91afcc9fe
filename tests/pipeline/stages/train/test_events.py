import os
import resource
import struct

import numpy as np
import pytest
import tensorflow as tf

from lengthwise.pipeline.stages.train import events
from lengthwise.pipeline.stages.train.events import DEFAULT_FOLDER, EventFolder, tensorboard_folder

DIGEST, OTHER = "0123456789abcdef", "fedcba9876543210"


def steps_to(last, first=1):
    return [
        {"step": number, "loss": 1 / number, "accuracy": 0.5, "learning_rate": 0.01, "wall_time": 1e9 + number}
        for number in range(first, last + 1)
    ]


def epochs_to(last):
    return [
        {"epoch": number, "train_loss": 1 / number, "validation_loss": 0.7, "wall_time": 1e9 + 10 * number}
        for number in range(1, last + 1)
    ]


def event_files(root):
    return sorted(path for path in root.rglob("*") if "tfevents" in path.name)


def records_of(path):
    # The frame by hand: length, its checksum, the record, its checksum.
    content, place = path.read_bytes(), 0
    while place < len(content):
        (length,) = struct.unpack_from("<Q", content, place)
        record = content[place + 12 : place + 12 + length]
        assert len(record) == length
        yield tf.compat.v1.Event.FromString(record)
        place += 16 + length


def points_of(root):
    # tag -> [(step, wall time, value)] of the one event file.
    (path,) = event_files(root)
    first, second, *rest = records_of(path)
    assert first.file_version == "brain.Event:2"
    assert (second.session_log.status, second.step) == (tf.compat.v1.SessionLog.START, 0)
    points = {}
    for event in rest:
        for value in event.summary.value:
            points.setdefault(value.tag, []).append((event.step, event.wall_time, value.simple_value))
    return points


def assert_points_are_those_of(root, epochs, steps):
    points = points_of(root)
    expected = {
        f"{kind}s/{name}": [(row[kind], row["wall_time"], np.float32(row[name])) for row in rows]
        for kind, rows in (("epoch", epochs), ("step", steps))
        for name in (rows[0] if rows else ())
        if name not in (kind, "wall_time")
    }
    assert points == expected


def test_event_folder_has_every_point_of_a_run_at_once(tmp_path):
    folder = EventFolder(tmp_path, "classifier", DIGEST, resumed=False)
    folder.begin([], [])
    assert points_of(tmp_path) == {}
    folder.add("step", steps_to(3))
    assert_points_are_those_of(tmp_path, [], steps_to(3))
    folder.add("epoch", epochs_to(1))
    folder.add("step", steps_to(5, first=4))
    assert_points_are_those_of(tmp_path, epochs_to(1), steps_to(5))
    folder.close(complete=True)
    assert_points_are_those_of(tmp_path, epochs_to(1), steps_to(5))


@pytest.mark.parametrize("seed", range(10))
def test_event_folder_of_a_run_that_goes_on_has_each_step_once(tmp_path, seed):
    rng = np.random.default_rng(seed)
    saved, folders = 0, set()
    for number in range(6):
        folder = EventFolder(tmp_path, "classifier", DIGEST, resumed=number > 0)
        folder.begin([], steps_to(saved))
        assert_points_are_those_of(tmp_path, [], steps_to(saved))
        reached = saved + int(rng.integers(1, 6))
        folder.add("step", steps_to(reached, first=saved + 1))
        assert_points_are_those_of(tmp_path, [], steps_to(reached))
        # The killed run's last record is torn, or its file gone.
        (path,) = event_files(tmp_path)
        folders.add(path.parent)
        fate = rng.integers(3)
        if fate == 1:
            path.write_bytes(path.read_bytes()[: -int(rng.integers(1, 60))])
        elif fate == 2:
            path.unlink()
        saved = int(rng.integers(saved, reached + 1))
    assert len(folders) == 1


def test_event_folders_of_other_runs_and_tasks_stand_beside_each_other(tmp_path, monkeypatch):
    for task, name, digest in (("classifier", "a", DIGEST), ("classifier", "b", OTHER), ("seq2seq", "", DIGEST)):
        monkeypatch.setenv("DVC_EXP_NAME", name)
        EventFolder(tmp_path, task, digest, resumed=False).begin([], steps_to(2))
    names = [str(path.parent.relative_to(tmp_path)) for path in event_files(tmp_path)]
    assert names[:2] == ["classifier/a-01234567", "classifier/b-fedcba98"]
    assert names[2].startswith("seq2seq/")
    assert names[2].endswith("-01234567")


def test_event_folder_of_a_run_that_begins_anew_takes_the_place_of_its_old_one(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "old")
    EventFolder(tmp_path, "classifier", DIGEST, resumed=False).begin([], steps_to(9))
    monkeypatch.setenv("DVC_EXP_NAME", "new")
    EventFolder(tmp_path, "classifier", DIGEST, resumed=False).begin([], [])
    (path,) = event_files(tmp_path)
    assert path.parent.name == "new-01234567"
    assert points_of(tmp_path) == {}


def test_event_folders_are_the_newest_and_nothing_else_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(events, "KEPT_RUNS", 3)
    for name in ("mine", "also-mine-0123456"):
        (tmp_path / "classifier" / name).mkdir(parents=True)
    (tmp_path / "classifier" / "file-01234567").write_text("no folder", encoding="utf-8")
    for number in range(7):
        monkeypatch.setenv("DVC_EXP_NAME", f"run{number}")
        EventFolder(tmp_path, "classifier", f"{number:08x}", resumed=False).begin([], [])
        folder = tmp_path / "classifier" / f"run{number}-{number:08x}"
        os.utime(folder, (number, number))
    there = {path.name for path in (tmp_path / "classifier").iterdir()}
    assert there == {
        *("mine", "also-mine-0123456", "file-01234567"),
        *(f"run{number}-{number:08x}" for number in (4, 5, 6)),
    }


@pytest.mark.parametrize("name", ["../../up", "a b;$(touch F)", "line\nbreak", "-rf", "..", "ü", "x" * 300, "/root"])
def test_event_folder_of_a_hostile_name_is_one_folder_below_its_task(tmp_path, monkeypatch, name):
    monkeypatch.setenv("DVC_EXP_NAME", name)
    EventFolder(tmp_path / "root", "classifier", DIGEST, resumed=False).begin([], steps_to(1))
    (path,) = event_files(tmp_path)
    assert path.parent.parent == tmp_path / "root" / "classifier"
    assert path.parent.name.isascii()
    assert path.parent.name.isprintable()
    assert " " not in path.parent.name


def test_event_folder_that_cannot_be_written_is_said_once_and_stops_nothing(tmp_path, capsys, monkeypatch):
    (tmp_path / "classifier").write_text("no folder", encoding="utf-8")
    folder = EventFolder(tmp_path, "classifier", DIGEST, resumed=False)
    folder.begin([], [])
    folder.add("step", steps_to(1))
    # What ends a run is one line: so this one waits until other outputs have been written.
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(events, "SILENT_SECONDS", 0.0)
    folder.add("step", steps_to(2))
    said = capsys.readouterr().err
    assert said.startswith(f"train: {tmp_path}/classifier: no event file for TensorBoard (File exists); goes on")
    assert said.count("\n") == 1
    folder.add("step", steps_to(3))
    folder.close(complete=True)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("complete", [True, False])
def test_event_file_without_room_is_said_by_a_run_that_succeeds_and_stops_nothing(tmp_path, capsys, complete):
    folder = EventFolder(tmp_path, "classifier", DIGEST, resumed=False)
    folder.begin([], [])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        for number in range(1, 5):
            folder.add("step", steps_to(number, first=number))
        folder.close(complete)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    said = capsys.readouterr().err
    assert said.count("no event file for TensorBoard (") == said.count("\n") == int(complete)


def test_tensorboard_folder_is_the_variable_or_beside_the_other_states(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tensorboard_folder({}) == DEFAULT_FOLDER
    assert tensorboard_folder({"LENGTHWISE_TENSORBOARD": "elsewhere"}).name == "elsewhere"
    for off in ("", "0"):
        assert tensorboard_folder({"LENGTHWISE_TENSORBOARD": off}) is None
    # DVC runs `--temp` and its queue in copies, and says which repository they are of.
    assert tensorboard_folder({"DVC_ROOT": str(tmp_path)}) == DEFAULT_FOLDER
    copy = tmp_path / ".dvc" / "tmp" / "exps" / "tmp123" / "below"
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    assert tensorboard_folder({"DVC_ROOT": str(tmp_path)}) == tmp_path / DEFAULT_FOLDER
    assert tensorboard_folder({"DVC_ROOT": str(tmp_path), "LENGTHWISE_TENSORBOARD": "0"}) is None
    assert tensorboard_folder({"DVC_ROOT": str(tmp_path / "another")}) == DEFAULT_FOLDER


@pytest.mark.filterwarnings("ignore")  # Of TensorBoard's own.
def test_tensorboard_that_is_open_reads_each_step_once_also_after_a_kill(tmp_path):
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    folder = EventFolder(tmp_path, "classifier", DIGEST, resumed=False)
    folder.begin([], [])
    (path,) = event_files(tmp_path)
    reader = accumulators.EventAccumulator(str(path.parent))

    def steps(tag="steps/loss"):
        reader.Reload()
        return [scalar.step for scalar in reader.Scalars(tag)]

    folder.add("step", steps_to(4))
    assert steps() == [1, 2, 3, 4]
    folder.add("step", steps_to(6, first=5))
    folder.add("epoch", epochs_to(1))
    assert steps() == [1, 2, 3, 4, 5, 6]
    # Killed; the saved state has five steps and no epoch.
    again = EventFolder(tmp_path, "classifier", DIGEST, resumed=True)
    again.begin([], steps_to(5))
    assert steps() == [1, 2, 3, 4, 5]
    again.add("step", steps_to(7, first=6))
    again.add("epoch", epochs_to(1))
    assert steps() == [1, 2, 3, 4, 5, 6, 7]
    assert steps("epochs/train_loss") == [1]
    assert reader.Scalars("steps/loss")[0].value == 1.0
    assert reader.Scalars("steps/learning_rate")[-1].value == pytest.approx(0.01)
