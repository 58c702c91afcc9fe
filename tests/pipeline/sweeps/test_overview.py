import copy
import os
import re

import pytest

from lengthwise.pipeline.sweeps.overview import (
    ExperimentRow,
    best_first,
    flat,
    headline,
    rows_of,
    table_text,
    terminal_width,
)

PARAMS = {
    "train": {"epochs": 2, "kernel": "auto", "model": {"units": 64, "kernel": 4}, "optimizer": {"clip_norm": None}},
    "ingest": {"blogs": {"age_brackets": {"10s": [13, 17]}}},
}
FIGURES = ["clf.loss", "clf.val_acc", "clf.acc", "clf.nll", "s2s.loss", "s2s.val_acc", "s2s.acc", "s2s.nll"]


def data(figure, **changes):
    params = copy.deepcopy(PARAMS)
    for key, value in changes.items():
        *sections, last = key.split("__")
        here = params
        for section in sections:
            here = here[section]
        here[last] = value
    metrics = {"metrics/train/classifier.json": {"data": {"validation_accuracy": 9.0}}}
    for task, short in (("classifier", "clf"), ("seq2seq", "s2s")):
        metrics[f"metrics/live/{task}.json"] = {"data": {short: {"loss": figure, "val_acc": figure}}}
        metrics[f"metrics/test/{task}.json"] = {"data": {short: {"acc": figure, "nll": figure}}}
    metrics["metrics/test/baselines.json"] = {"data": {"linear": {"acc": 0.3, "nll": 1}, "majority": {"acc": 0.2}}}
    return {"params": {"params.yaml": {"data": params}}, "metrics": metrics}


def commit(experiments, name="main"):
    return {"rev": "c0ffee00", "name": name, "data": data(0.5), "experiments": experiments}


def experiment(name, content, state=None):
    executor = state and {"state": state}
    return {"name": None, "executor": executor, "revs": [{"rev": "beef0000", "name": name, "data": content}]}


def text_of(*experiments, width=160):
    ((head, *rows),) = rows_of([commit(list(experiments))])
    return table_text(rows, width, [head])


def cells(text):
    """The rows of the first table by their names, each a map from columns; cells of this test have no blanks."""
    header, *rows = text.partition("\n\n")[0].splitlines()
    ends = {match[0]: match.end() for match in re.finditer(r"\S+", header)}
    return {row.split()[0]: {name: row[:end].split()[-1] for name, end in ends.items()} for row in rows}


def test_rows_have_the_headline_and_the_params():
    ((head, wide),) = rows_of([commit([experiment("wide", data(0.7, train__model__units=128))])])
    assert (head.name, head.rev, head.state) == ("main", "c0ffee0", "")
    assert list(head.figures) == [*FIGURES, "linear.acc", "linear.nll", "majority.acc"]
    assert {wide.figures[key] for key in FIGURES} == {0.7}
    assert wide.params["train.model.units"] == "128"


def test_headline_is_of_its_folders_and_of_numbers_alone():
    contents = {
        "metrics/live/a.json": {"a": {"loss": 1, "text": "x", "flag": True, "deep": {"er": 2.5}}},
        "metrics/test/b.json": {"b": 2},
        "metrics/test/c.json": [1],
        "metrics/test/more/d.json": {"d": 1},
        "metrics/e.json": {"e": 1},
        "metrics/test/broken.json": None,
    }
    assert headline(contents) == {"a.loss": 1, "a.deep.er": 2.5, "b": 2}


def test_table_has_the_params_that_differ_and_names_what_is_the_same():
    text = text_of(experiment("wide", data(0.7, train__model__units=128)))
    assert cells(text)["main"]["units"] == "64"
    assert cells(text)["wide"] == {"experiment": "wide", "units": "128", **dict.fromkeys(FIGURES, "0.7000")}
    assert text.endswith("\n\nthe same in all:  linear.acc 0.3000  linear.nll 1.0000  majority.acc 0.2000")


def test_table_has_the_best_on_validation_first_below_its_commit():
    runs = [experiment(name, data(figure)) for name, figure in (("b", 0.3), ("a", 0.9), ("c", 0.6))]
    assert list(cells(text_of(*runs))) == ["main", "a", "c", "b"]


def test_table_is_sorted_by_validation_and_not_by_the_test_split():
    best, other = data(0.5), data(0.4)
    other["metrics"]["metrics/test/classifier.json"]["data"]["clf"]["acc"] = 0.99
    assert list(cells(text_of(experiment("other", other), experiment("best", best)))) == ["main", "best", "other"]


def test_rows_are_sorted_by_another_model_where_there_is_no_classifier():
    rows = [
        ExperimentRow("a", figures={"s2s.val_acc": 0.1}),
        ExperimentRow("none"),
        ExperimentRow("b", figures={"s2s.val_acc": 0.0}),
        ExperimentRow("c", figures={"s2s.val_acc": 0.2}),
    ]
    assert [row.name for row in best_first(rows)] == ["c", "a", "b", "none"]


@pytest.mark.parametrize("state", ["failed", "queued", "running"])
def test_table_gives_no_figures_to_a_run_that_has_none(state):
    # DVC gives a failed run the metrics of its commit.
    runs = [experiment("bad", data(0.5, train__epochs=3), state), experiment("good", data(0.4), "success")]
    text = text_of(*runs)
    rows = [line.split() for line in text.splitlines()]
    assert [row[0] for row in rows[:4]] == ["experiment", "main", "good", "bad"]
    assert rows[3] == ["bad", state, "3"]
    assert rows[0][1] == "state"


def test_table_takes_a_run_without_any_data():
    text = text_of(experiment(None, None, "queued"), experiment("a", data(1, train__epochs=3)))
    rows = [line.split() for line in text.splitlines()]
    assert [row[:2] for row in rows[1:4]] == [["main", "2"], ["a", "3"], ["beef000", "queued"]]


def test_table_calls_params_by_their_last_part_unless_two_share_it():
    one = data(1, train__kernel="keras", train__model__kernel=3, train__optimizer__clip_norm=1.5)
    two = data(1, ingest__blogs__age_brackets__10s=[13, 18])
    header = text_of(experiment("one", one), experiment("two", two)).splitlines()[0].split()
    assert header[1:5] == ["train.kernel", "train.model.kernel", "clip_norm", "10s"]


def test_table_of_a_commit_alone_has_its_row_with_all_figures():
    text = text_of()
    assert cells(text) == {"main": cells(text)["main"]}
    assert cells(text)["main"]["linear.acc"] == "0.3000"
    assert "the same" not in text


def test_table_of_nothing_but_names():
    assert table_text([ExperimentRow("a"), ExperimentRow("b")], 80) == "experiment\na\nb"


def test_table_has_at_most_a_dozen_figures():
    row = ExperimentRow("a", figures={f"m.f{number}": float(number) for number in range(30)})
    assert table_text([row], 500).splitlines()[0].split() == ["experiment", *(f"m.f{number}" for number in range(12))]


@pytest.mark.parametrize("width", [40, 80, 120, 160])
@pytest.mark.parametrize("length", [4, 30, 60, 200])
@pytest.mark.parametrize("changed", [0, 2, 6])
def test_table_has_every_figure_in_at_most_the_width(width, length, changed):
    params = {"epochs": 3, "kernel": "k" * 90, "model__units": 8, "model__kernel": 2, "optimizer__clip_norm": 2.5}
    changes = {f"train__{key}": value for key, value in list(params.items())[:changed]}
    name = "ab" * (length // 2)
    text = text_of(experiment(name, data(0.1234, **changes), "success"), width=width)
    assert all(len(line) <= width for line in text.splitlines())
    assert text.split().count("0.1234") == len(FIGURES)
    shortened = name not in text
    assert shortened == (length > max(width // 3, 12))
    # DVC takes this in the place of a name that cannot be read.
    assert ("beef000" in text) == shortened
    if width == 160 and length < 40 and changed < 6:
        assert text.count("experiment") == 1


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0.0000"), (0.5, "0.5000"), (1e-5, "1e-05"), (123456.0, "1.235e+05"), (-2, "-2.0000")]
)
def test_table_writes_numbers_short(value, text):
    assert table_text([ExperimentRow("a", figures={"m.x": value})], 80).split()[-1] == text


def test_flat_writes_values_as_yaml_has_them():
    assert flat({"a": {"b": [1, 2], "c": None}, "d": "text", "e": True}) == {
        "a.b": "[1, 2]",
        "a.c": "null",
        "d": "text",
        "e": "true",
    }


def test_width_is_the_terminals(monkeypatch):
    monkeypatch.setenv("COLUMNS", "97")
    assert terminal_width() == 97
    monkeypatch.setenv("COLUMNS", "3")
    assert terminal_width() == 40
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: (_ for _ in ()).throw(OSError))
    assert terminal_width() == 160
