import json
import math
import resource

import numpy as np
import pytest

from lengthwise.core.names import LABEL_TASKS
from lengthwise.errors import OutputError
from lengthwise.pipeline.published import SHORT_NAMES, write_headline
from lengthwise.pipeline.stages.train.live import GrowingTable, LiveFigures, LiveFiles

COLUMNS = ("step", "loss")


def invent_rows(rng, count):
    return [{"step": number + 1, "loss": float(rng.lognormal(0, 9)), "more": 1.0} for number in range(count)]


def read(path):
    # By hand, so that a torn line or a second header is an error.
    header, *lines = path.read_text(encoding="utf-8").split("\n")
    assert header == "step,loss"
    assert lines.pop() == ""
    return [(int(step), float(loss)) for step, loss in (line.split(",") for line in lines)]


def in_short(rows):
    return [(row["step"], float(f"{row['loss']:.5e}")) for row in rows]


@pytest.mark.parametrize("seed", range(20))
def test_growing_table_has_each_row_once_whatever_happens_to_its_file(tmp_path, seed):
    rng = np.random.default_rng(seed)
    path = tmp_path / "deep" / "table.csv"
    rows = invent_rows(rng, 40)
    table, there = GrowingTable(path, COLUMNS), int(rng.integers(0, 5))
    table.write(rows[:there])
    happens = {
        "nothing": lambda: None,
        "gone": path.unlink,
        "emptied": lambda: path.write_text("", encoding="utf-8"),
        "torn": lambda: path.write_bytes(path.read_bytes()[:-3]),
        "added to": lambda: path.write_bytes(path.read_bytes() + b"40,"),
    }
    while there < len(rows):
        new = int(rng.integers(1, min(5, len(rows) - there) + 1))
        happens[rng.choice(["nothing", *happens])]()
        if rng.random() < 0.2:  # A killed run that goes on from a state before.
            table, there = GrowingTable(path, COLUMNS), int(rng.integers(0, there + 1))
            table.write(rows[:there])
            assert read(path) == in_short(rows[:there])
            continue
        there += new
        table.extend(rows[:there], new)
        assert read(path) == in_short(rows[:there])


def test_growing_table_grows_in_place(tmp_path):
    table, path = GrowingTable(tmp_path / "table.csv", COLUMNS), tmp_path / "table.csv"
    table.write([])
    with path.open(encoding="utf-8") as follower:
        assert follower.read() == "step,loss\n"
        for rows in ([{"step": 1, "loss": 0.5}], [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 1 / 3}]):
            table.extend(rows, 1)
            assert follower.read() == f"{rows[-1]['step']},{rows[-1]['loss']:.6g}\n"


def test_growing_table_without_room_says_so_and_keeps_whole_lines(tmp_path):
    path = tmp_path / "table.csv"
    table = GrowingTable(path, COLUMNS)
    table.write([{"step": 1, "loss": 0.5}])
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 3, hard))
    try:
        with pytest.raises(OutputError, match=r"table\.csv: cannot be written \(File too large\); expected room"):
            table.extend([{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25}], 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before


def test_headline_has_a_short_name_for_each_task(tmp_path):
    assert len(set(SHORT_NAMES.values())) == len(SHORT_NAMES)
    for task in LABEL_TASKS:
        short = SHORT_NAMES[task]
        write_headline(tmp_path / "headline.json", {task: {"loss": 2 / 3, "val_acc": 0.5}})
        text = (tmp_path / "headline.json").read_text(encoding="utf-8")
        assert json.loads(text) == {short: {"loss": 0.666667, "val_acc": 0.5}}
        assert text.endswith("}\n")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_headline_leaves_out_what_json_has_no_word_for(tmp_path, value):
    write_headline(tmp_path / "headline.json", {"classifier": {"loss": value, "val_acc": 0.5}})
    assert json.loads((tmp_path / "headline.json").read_text(encoding="utf-8")) == {"clf": {"val_acc": 0.5}}


def test_live_figures_of_a_new_run_begin_with_headers_and_without_an_old_headline(tmp_path):
    files = LiveFiles(tmp_path / "epochs.csv", tmp_path / "steps.csv", tmp_path / "headline.json")
    for path in (files.epochs, files.steps, files.headline):
        path.write_text("of an earlier run", encoding="utf-8")
    LiveFigures(files, "seq2seq", validated=True, events=None).begin([], [], {})
    assert not files.headline.exists()
    assert files.steps.read_text(encoding="utf-8") == "step,loss,accuracy\n"
    header = "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy\n"
    assert files.epochs.read_text(encoding="utf-8") == header
