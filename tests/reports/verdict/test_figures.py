import json

import pandas as pd
import pytest

from lengthwise.errors import FormatError
from lengthwise.evaluation.paired import Interval
from lengthwise.runs.run import Run, run_in
from lengthwise.runs.run_files import is_timing
from lengthwise.system.dotted import leaves
from lengthwise.verdict.figures import Figure, figures_of

LEVELS = "model,level,metric,value,low,high\n"


def figures(**files):
    return figures_of(Run("the test", {f"metrics/{name}": text.encode() for name, text in files.items()}))


def test_figures_of_this_project_have_every_number_of_every_json_file(root):
    found = figures_of(run_in(root))
    for path in (root / "metrics").rglob("*.json"):
        file = path.relative_to(root / "metrics").as_posix()
        for name, value in leaves(json.loads(path.read_text("utf-8"))):
            assert is_timing(file) is ((file, name) not in found)
            assert is_timing(file) or found[file, name].value == value


def test_figures_of_this_project_have_the_intervals_of_levels(root):
    found = figures_of(run_in(root))
    paths = [*(root / "metrics").rglob("levels.csv")]
    folders = {path.parent.relative_to(root / "metrics").as_posix() for path in paths}
    assert folders >= {
        "evaluate/classifier",
        "evaluate/seq2seq",
        "baselines/tables/linear",
        "baselines/tables/majority",
    }
    for folder in folders:
        for row in pd.read_csv(root / "metrics" / folder / "levels.csv").itertuples():
            name = row.metric.removesuffix("_accuracy")
            key = (f"{folder.replace('tables/', '')}.json", f"{row.level}_{name}")
            if key in found:
                interval = found[key].interval
                assert (interval.low, found[key].value, interval.high) == pytest.approx((row.low, row.value, row.high))
            else:
                assert found[f"{folder}/levels.csv", f"{row.level} {row.metric}"] == Figure(row.value)
    with_interval = [key for key, figure in found.items() if figure.interval]
    assert len(with_interval) == 10 * len(folders)


def test_figures_take_the_value_from_json_and_the_width_from_levels():
    found = figures(
        **{
            "evaluate/m.json": '{"author_accuracy": 0.5}',
            "evaluate/m/levels.csv": f"{LEVELS}m,author,accuracy,0.75,0.5,0.875\n",
        }
    )
    assert found == {("evaluate/m.json", "author_accuracy"): Figure(0.5, Interval(0.25, 0.625))}


def test_figures_within_maps_have_dotted_names():
    assert figures(**{"test/m.json": '{"clf": {"acc": 0.5, "nll": 1}}'}) == {
        ("test/m.json", "clf.acc"): Figure(0.5),
        ("test/m.json", "clf.nll"): Figure(1),
    }


@pytest.mark.parametrize("value", ["NaN", "Infinity", "true", "null", "[1]", "1" + "0" * 400])
def test_figures_that_are_no_finite_number_are_none(value):
    found = figures(**{"split.json": f'{{"bad": {value}, "good": 1, "text": "x"}}'})
    assert found == {("split.json", "good"): Figure(1), ("split.json", "text"): Figure("x")}


def test_figures_without_a_finite_interval_have_none():
    rows = "m,author,accuracy,0.5,,0.6\nm,author,gender_accuracy,0.5,nan,0.6\nm,author,nll,0.5,-inf,x\n"
    headline = '{"author_accuracy": 0.5, "author_gender": 0.5, "author_nll": 0.5}'
    found = figures(**{"evaluate/m.json": headline, "evaluate/m/levels.csv": LEVELS + rows})
    assert [figure.interval for figure in found.values()] == [None] * 3


def test_figures_of_ablations_leave_empty_cells_out():
    table = "name,accuracy,nll,author_accuracy,steps\nfull,0.5,1.25,,7\nzeros,,,0.75,\n"
    assert figures(**{"ablations.csv": table}) == {
        ("ablations.csv", "full accuracy"): Figure(0.5),
        ("ablations.csv", "full nll"): Figure(1.25),
        ("ablations.csv", "zeros author_accuracy"): Figure(0.75),
    }


def test_figures_count_the_rows_of_any_other_table():
    assert figures(**{"evaluate/m/by_step.csv": "step,count\n1,2\n2,2\n"}) == {
        ("evaluate/m/by_step.csv", "rows"): Figure(2)
    }


@pytest.mark.parametrize("content", ["model,level,metric,value\n", "a\n1\n", ""])
def test_figures_refuse_other_columns(content):
    with pytest.raises(FormatError, match=r"^metrics/evaluate/m/levels\.csv of the test: .*; run dvc repro") as caught:
        figures(**{"evaluate/m/levels.csv": content})
    assert "\n" not in str(caught.value)
