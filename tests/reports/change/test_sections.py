import json

import pytest

from lengthwise.reports.change.sections import (
    charts_section,
    cost_section,
    data_section,
    metrics_section,
    other_section,
    params_section,
)
from lengthwise.runs.run import Run, run_in
from lengthwise.runs.run_files import is_timing
from lengthwise.verdict.comparison import compare_all
from lengthwise.verdict.figures import Figure, figures_of


@pytest.fixture(scope="module")
def run(root):
    return run_in(root)


def comparisons_of(run, **changes):
    figures = figures_of(run)
    changed = {key: figure for key, figure in figures.items() if changes.get(key[1], 0) is not None}
    changed |= {key: Figure(changes[key[1]]) for key in changed if key[1] in changes}
    return compare_all(figures, changed, {}, True)


def test_sections_show_every_changed_figure_once(run):
    # All figures change: each has to be in one section, in a row of its own.
    figures = figures_of(run)
    values = {key: figure.value for key, figure in figures.items()}
    changed = {key: Figure(value + ("x" if isinstance(value, str) else 1)) for key, value in values.items()}
    found = compare_all(figures, changed, {}, True)
    bare = Run("bare", {path: content for path, content in run.files.items() if not is_timing(path)})
    sections = [metrics_section(found), data_section(found), cost_section(found, bare, bare), other_section(found)]
    rows = [line for section in sections for block in section.blocks for line in block.splitlines()]
    assert sum(row.startswith("| `") for row in rows) == len(figures)


def test_metrics_section_has_a_direction_for_what_is_judged(run):
    text = metrics_section(comparisons_of(run)).render()
    same = len(json.loads(run.files["metrics/baselines/linear.json"]))
    assert "| `sentence_nll` | lower |" in text
    assert "| `sentence_accuracy` | higher |" in text
    assert "| `step_accuracy` | higher |" in text
    assert f"`baselines/linear.json`: {same} of {same} figures are the same." in text


def test_params_section_has_new_old_and_changed_keys():
    old = {"a": {"b": 1, "c": None}, "gone": "x|y"}
    new = {"a": {"b": True, "c": None}, "more": [1, 2]}
    rows = params_section(old, new).blocks[3:]
    # Python takes true for 1; a reader of YAML does not.
    assert rows == [
        "| `a.b` | `1` | `true` |",
        "| `gone` | <code>&#34;x&#124;y&#34;</code> | – |",
        "| `more` | – | `[1, 2]` |",
    ]
    assert params_section(old, old).blocks == ["No key of params.yaml changed."]
    assert params_section({}, {}).blocks == ["No key of params.yaml changed."]


def test_data_section_shows_the_funnel_and_what_else_changed(run):
    text = data_section(comparisons_of(run, sequences_too_long=7, repaired_entities=8, test_documents=None)).render()
    assert "| `shards.json` | `sequences_too_long` | 1,240 | 7 | -1,233 |" in text
    assert "| `shards.json` | `sequences_too_short` | 581 | 581 | 0 |" in text
    assert "| `ingest.json` | `repaired_entities` | 289 | 8 | -281 |" in text
    assert "| `split.json` | `test_documents` | 352 | – | **missing** |" in text
    assert "repaired_line_ends" not in text


def test_cost_section_gives_times_as_ratios_without_a_verdict(run):
    times = "data/timing/train_classifier.json"
    new = Run("new", {**run.files, times: b'{"seconds": 1.82, "kernel": "keras", "traces": 0}'})
    old = Run("old", {**run.files, times: b'{"seconds": 7.28, "traces": 0}'})
    text = cost_section(comparisons_of(run), old, new).render()
    assert "| `train_classifier.json` | `seconds` | 7.2800 | 1.8200 | 0.25 |" in text
    assert "| `train_classifier.json` | `kernel` | – | `keras` | – |" in text
    assert "| `train_classifier.json` | `traces` | 0 | 0 | – |" in text
    assert "in the DVC cache" not in text
    share = f"{json.loads(run.files['metrics/train/classifier/cost.json'])['padding_share']:.4f}"
    assert f"| `train/classifier/cost.json` | `padding_share` | {share} | {share} | 0 |" in text


def test_cost_section_says_whose_times_are_not_at_hand(run):
    timed = Run("timed", {**run.files, "data/timing/ingest.json": b'{"seconds": 1.5}'})
    bare = Run("bare", {path: content for path, content in run.files.items() if not is_timing(path)})
    figures = comparisons_of(run)
    assert "The times of the base are not in the DVC cache." in cost_section(figures, bare, timed).render()
    assert "The times of the working tree are not in the DVC cache." in cost_section(figures, timed, bare).render()
    assert "The times of the base and the working tree are" in cost_section(figures, bare, bare).render()


def test_charts_section_draws_both_runs(run):
    # From 0.25 to 0.75, with the old one between.
    table = b"epoch,validation_accuracy\n1,0.25\n2,0.75\n3,bad\n"
    path = "metrics/train/classifier/epochs.csv"
    new = Run("new", {**run.files, path: table})
    figures = figures_of(run)
    text = charts_section(figures, figures_of(new), run, new).render()
    # The old and the new one of each network, alone and together with the linear model.
    files = [*(run.files.folder / "metrics" / "evaluate").rglob("*.json")]
    assert text.count("author_accuracy") == 2 * len(files) >= 4
    assert "classifier: validation_accuracy by epoch (1 to 10)" in text
    (chart,) = [block for block in text.split("```") if "classifier: validation" in block]
    old_line, new_line = chart.splitlines()[-2:]
    assert len(old_line.removeprefix("old  ").strip()) == 10
    assert new_line == "new  ▁█        "


@pytest.mark.parametrize("bad", ["inf", "-inf", "nan", "1e308", "-1e308", "", "text", "1e999"])
def test_charts_section_leaves_out_what_cannot_be_drawn(bad):
    path = "metrics/evaluate/seq2seq/by_step.csv"
    side = Run("odd", {path: f"step,accuracy\n1,0.25\n{bad},0.5\n3,{bad}\n4,0.75\n".encode()})
    (chart,) = [block for block in charts_section({}, {}, side, side).blocks if block]
    assert chart.splitlines()[1] == "seq2seq: accuracy by step (1 to 4), on a scale of 0.2500 to 0.7500"
    assert chart.splitlines()[3:5] == ["old  ▁█", "new  ▁█"]


def test_charts_section_of_nothing_says_so():
    empty = Run("empty", {})
    assert charts_section({}, {}, empty, empty).blocks == ["Nothing to draw."]
