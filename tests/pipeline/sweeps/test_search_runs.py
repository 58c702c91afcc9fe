import json
from types import SimpleNamespace

import pytest
import yaml

import lengthwise.pipeline.sweeps.search_runs as module
from lengthwise.errors import SweepError
from lengthwise.pipeline.sweeps.search_file import read_search
from lengthwise.pipeline.sweeps.search_runs import SearchRuns
from lengthwise.pipeline.sweeps.workspace import Snapshot

CURVE = "epoch,validation_loss,validation_accuracy\n1,0.9,0.4\n2,0.5,0.7\n3,0.6,0.8\n4,0.8,0.6\n"


@pytest.fixture
def search(root, tmp_path, monkeypatch):
    # What Git shows: of the code, and of an experiment's curve.
    shown = {"curve": CURVE, "code": "1"}
    monkeypatch.setattr(
        module, "git", lambda what, *_: SimpleNamespace(text=shown["curve" if what == "show" else "code"])
    )

    def search(jobs=1, **changes):
        content = {
            "search": "random",
            "trials": 3,
            "maximize": "classifier.validation_accuracy",
            "train.model.units": {"low": 1, "high": 60},
            **{key.replace("__", "."): value for key, value in changes.items()},
        }
        (tmp_path / "x.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        runs = SearchRuns(read_search(tmp_path / "x.yaml", root / "params.yaml"), tmp_path / "study.json", jobs)
        runs.begin(Snapshot("c", "t", tmp_path, tmp_path, {}))
        return runs

    search.shown = shown
    return search


@pytest.mark.parametrize(("best", "figure"), [("none", 0.6), ("loss", 0.7), ("accuracy", 0.8)])
def test_the_figure_is_that_of_the_epoch_whose_weights_are_kept(search, best, figure):
    runs = search(train__best=best)
    number, run = runs.take()
    assert run.params.train.course.best == best
    runs.finished(number, "reference")
    assert runs.figures(number) == {"classifier.validation_accuracy": figure}
    assert f"classifier.validation_accuracy {figure}, of 1 complete runs" in runs.remarks()


@pytest.mark.parametrize(
    ("curve", "told"),
    [
        ("", "has no curve of validation_accuracy"),
        ("epoch,validation_loss,validation_accuracy\n", "has no curve of validation_accuracy"),
        ("epoch,train_loss\n1,0.5\n", "has no curve of validation_accuracy"),
        ("epoch,validation_loss,validation_accuracy\n1,0.5,nan\n", "validation_accuracy is no number throughout"),
    ],
)
def test_a_run_without_a_curve_is_of_no_use(search, curve, told):
    runs = search()
    number, _ = runs.take()
    search.shown["curve"] = curve
    with pytest.raises(SweepError, match=told):
        runs.finished(number, "reference")
    runs.failed(number)
    assert runs.figures(number) == {}
    assert runs.take() is not None


def test_a_run_waits_for_those_that_it_is_drawn_from(search):
    runs = search(jobs=2)
    (first, _), (second, _) = runs.take(), runs.take()
    assert runs.take() is None
    runs.finished(second, "reference")
    assert runs.take() is None
    runs.finished(first, "reference")
    assert runs.take()[0] == 3
    assert runs.take() is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"\xff no JSON"),
        lambda path: path.write_text("[]"),
        lambda path: path.write_text(json.dumps({**json.loads(path.read_text()), "digest": "another"})),
        lambda path: path.write_text(json.dumps({**json.loads(path.read_text()), "trials": [{"x": 1}]})),
    ],
)
def test_trials_that_are_damaged_or_of_another_search_count_nothing(search, tmp_path, capsys, damage):
    runs = search()
    runs.finished(runs.take()[0], "reference")
    damage(tmp_path / "study.json")
    again = search()
    assert "is of another search" in capsys.readouterr().err
    number, _ = again.take()
    assert again.figures(number) == {}


def test_trials_of_another_code_count_nothing(search, capsys):
    runs = search()
    runs.finished(runs.take()[0], "reference")
    search.shown["code"] = "2"
    search()
    assert "the code changed; begins anew" in capsys.readouterr().err
