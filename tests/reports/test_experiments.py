import copy
import math

import pytest

from lengthwise.reports.experiments import WIDTH, experiments_table, table_text

PARAMS = {
    "train": {"epochs": 2, "kernel": "auto", "model": {"units": 64, "kernel": 4}, "optimizer": {"clip_norm": None}},
    "ingest": {"age_brackets": {"10s": [13, 17]}},
}


def data(figure, **changes):
    params = copy.deepcopy(PARAMS)
    for key, value in changes.items():
        *sections, last = key.split("__")
        here = params
        for section in sections:
            here = here[section]
        here[last] = value
    metrics = {
        f"metrics/{stage}/{task}.json": {"data": dict.fromkeys(names, figure)}
        for stage, names in (
            ("train", ("train_loss", "validation_loss", "validation_accuracy", "validation_author_accuracy")),
            ("evaluate", ("sentence_accuracy", "sentence_gender", "author_accuracy")),
        )
        for task in ("classifier", "seq2seq")
    }
    return {"params": {"params.yaml": {"data": params}}, "metrics": metrics}


def commit(experiments, name="main"):
    return {"rev": "c0ffee00", "name": name, "data": data(0.5), "experiments": experiments}


def experiment(name, content, state=None):
    executor = state and {"state": state}
    return {"name": None, "executor": executor, "revs": [{"rev": "beef0000", "name": name, "data": content}]}


def test_table_has_the_figures_of_a_choice_and_the_params_that_differ():
    table = experiments_table([commit([experiment("wide", data(0.7, train__model__units=128))])])
    assert table.index.tolist() == ["main", "wide"]
    assert [column[2] for column in table.columns if column[0] == "params"] == ["units"]
    assert table[("params", "", "units")].tolist() == ["64", "128"]
    for task in ("classifier", "seq2seq"):
        figures = table[task].to_dict("list")
        validation = [("validation", name) for name in ("loss", "accuracy", "author")]
        expected = [*validation, ("test", "sentence"), ("test", "author")]
        assert figures == {column: [0.5, 0.7] for column in expected}
    assert "state" not in table.columns.get_level_values(2)


def test_table_has_the_best_on_validation_first_below_its_commit():
    runs = [experiment(name, data(figure)) for name, figure in (("b", 0.3), ("a", 0.9), ("c", 0.6))]
    table = experiments_table([commit(runs), commit(None, name=None)])
    assert table.index.tolist() == ["main", "a", "c", "b", "c0ffee0"]


def test_table_is_sorted_by_validation_and_not_by_the_test_split():
    best, other = data(0.5), data(0.4)
    other["metrics"]["metrics/evaluate/classifier.json"]["data"]["sentence_accuracy"] = 0.99
    table = experiments_table([commit([experiment("other", other), experiment("best", best)])])
    assert table.index.tolist() == ["main", "best", "other"]


@pytest.mark.parametrize("state", ["failed", "queued", "running"])
def test_table_gives_no_figures_to_a_run_that_has_none(state):
    # DVC gives a failed run the metrics of its commit.
    runs = [experiment("bad", data(0.5, train__epochs=3), state), experiment("good", data(0.4), "success")]
    table = experiments_table([commit(runs)])
    assert table.index.tolist() == ["main", "good", "bad"]
    assert table[("", "", "state")].tolist() == ["", "", state]
    assert all(map(math.isnan, table.loc["bad", ["classifier", "seq2seq"]]))
    assert table.loc["bad", ("params", "", "epochs")] == "3"


def test_table_takes_a_run_without_any_data():
    table = experiments_table([commit([experiment(None, None, "queued"), experiment("a", data(1, train__epochs=3))])])
    assert table.index.tolist() == ["main", "a", "beef000"]
    assert table[("params", "", "epochs")].tolist() == ["2", "3", ""]
    assert [column[2] for column in table.columns if column[0] == "params"] == ["epochs"]


def test_table_calls_params_by_their_last_part_unless_two_share_it():
    one = data(1, train__kernel="keras", train__model__kernel=3, train__optimizer__clip_norm=1.5)
    two = data(1, ingest__age_brackets__10s=[13, 18])
    table = experiments_table([commit([experiment("one", one), experiment("two", two)])])
    assert table.xs("params", axis=1).xs("", axis=1).T.to_dict("index") == {
        "train.kernel": {"main": "auto", "one": "keras", "two": "auto"},
        "train.model.kernel": {"main": "4", "one": "3", "two": "4"},
        "clip_norm": {"main": "null", "one": "1.5", "two": "null"},
        "10s": {"main": "[13, 17]", "one": "[13, 17]", "two": "[13, 18]"},
    }


def test_table_of_a_commit_alone_has_its_row():
    table = experiments_table([commit([])])
    assert table.index.tolist() == ["main"]
    assert "main" in table_text(table)


@pytest.mark.parametrize("length", [4, 30, 60])
@pytest.mark.parametrize("changed", [0, 2, 6])
def test_table_text_has_every_figure_in_at_most_the_width(length, changed):
    params = {"epochs": 3, "kernel": "keras", "model__units": 8, "model__kernel": 2, "optimizer__clip_norm": 2.5}
    changes = {f"train__{key}": value for key, value in list(params.items())[:changed]}
    name = "n" * length
    text = table_text(experiments_table([commit([experiment(name, data(0.1234, **changes), "success")])]))
    lines = text.splitlines()
    assert all(len(line) <= WIDTH for line in lines)
    rows = [line.split()[1:] for line in lines if line.startswith(name)]
    cells = [cell for row in rows for cell in row]
    # A long name alone takes the figures of one run apart.
    assert length > 40 or any(row.count("0.1234") == 10 for row in rows)
    assert cells.count("0.1234") == 10
    assert set(map(str, changes.values())) <= set(cells)
