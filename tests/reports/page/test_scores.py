import csv
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lengthwise.evaluation.item_table import read_item_scores, write_item_scores
from lengthwise.reports.page.scores import by_length, confusion, results
from lengthwise.runs.rivals import rivals_of
from lengthwise.runs.run import run_in


def rows(path):
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def accuracy_of(run, folder, level):
    made = rows(run.files.folder / "metrics" / folder / "levels.csv")
    return next(row for row in made if (row["level"], row["metric"]) == (level, "accuracy"))


@pytest.mark.parametrize(("number", "level"), enumerate(["sentence", "document", "author"]))
def test_results_set_the_better_network_beside_the_linear_baseline(run, number, level):
    networks = [accuracy_of(run, f"evaluate/{task}", level) for task in ("classifier", "seq2seq")]
    best = max(networks, key=lambda row: float(row["value"]))
    value, low, high = (float(best[name]) for name in ("value", "low", "high"))
    said = results(rivals_of(run)[0]).text[number]
    size = {"sentence": "2,188", "document": "347", "author": "44"}[level]
    assert said.startswith(
        f"By {level} (n = {size}), the better network is {best['model']} with an accuracy of "
        f"{value:.3f} ({low:.3f} to {high:.3f}). It is "
    )
    linear = accuracy_of(run, "baselines/tables/linear", level)
    gain = value - float(linear["value"])
    apart = f"{abs(gain):.3f} {'below' if gain < 0 else 'above'}" if abs(gain) >= 0.0005 else "equal to"
    assert f" It is {apart} the linear baseline." in said
    assert "overlap" not in said


def test_results_without_predictions_say_that_there_is_no_paired_difference(run):
    section = results(rivals_of(run)[0])
    assert section.text[-1].startswith("There are no paired differences, since the predictions of this run are not")
    assert len(section.charts) == 4


def test_results_pair_the_models_whose_predictions_are_there(run, predict):
    section = results(rivals_of(predict(run))[0])
    assert section.text[0].count("paired interval") == 1
    assert not any("no paired differences" in said for said in section.text)
    chart = section.charts[-1]
    assert "Paired differences in accuracy" in chart
    assert "seq2seq less classifier" in chart
    gain = float(accuracy_of(run, "evaluate/seq2seq", "sentence")["value"]) - float(
        accuracy_of(run, "evaluate/classifier", "sentence")["value"]
    )
    assert f"by sentence: {gain:+.3f} (" in chart.replace("−", "-")


def write_items(run, place, right_of):
    # Of one more model on the items of seq2seq, as stages do it.
    levels = read_item_scores(run.files.folder / "data/figures/evaluate/seq2seq/items.parquet", "items")
    rng = np.random.default_rng(1)
    scores = [replace(level, scores={"accuracy": (rng.random(len(level.group)) < right_of) * 1.0}) for level in levels]
    figures, metrics = (run.files.folder / below / place for below in ("data/figures", "metrics"))
    for folder in (figures, metrics):
        folder.mkdir(exist_ok=True, parents=True)
    write_item_scores(figures / "items.parquet", scores)
    table = pd.read_csv(run.files.folder / "metrics/evaluate/seq2seq/levels.csv").assign(model=figures.name)
    for level in scores:
        row = (table["level"] == level.name) & (table["metric"] == "accuracy")
        table.loc[row, "value"] = level.scores["accuracy"].mean()
    table.to_csv(metrics / "levels.csv", index=False)
    return {level.name: level.scores["accuracy"].mean() for level in scores}


TOGETHER = "evaluate/seq2seq/seq2seq_and_linear"


def test_results_have_network_and_linear_model_together_beside_the_others(run, predict):
    predict(run)
    for path in (run.files.folder / "metrics" / "evaluate").glob("*/*_and_linear*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    linear = write_items(run, "baselines/tables/linear", 0.6)
    before = rivals_of(run_in(run.files.folder))[0]
    models, pairs, said = [*before.levels["model"].unique()], {*before.differences}, results(before).text
    assert "seq2seq_and_linear" not in models
    together = write_items(run, TOGETHER, 0.9)
    (rivals,) = rivals_of(run_in(run.files.folder))
    assert [*rivals.levels["model"].unique()] == [*models, "seq2seq_and_linear"]
    # Less each of the two, not less the other network.
    assert {*rivals.differences} - pairs == {("seq2seq_and_linear", part) for part in ("seq2seq", "linear")}
    for part in ("seq2seq", "linear"):
        found = rivals.differences["seq2seq_and_linear", part]
        assert [one.level for one in found] == ["sentence", "document", "author"]
        for one in found:
            alone = float(accuracy_of(run, "evaluate/seq2seq", one.level)["value"])
            assert one.one == pytest.approx(together[one.level])
            assert one.other == pytest.approx(alone if part == "seq2seq" else linear[one.level])
    section = results(rivals)
    assert ">seq2seq and linear<" in section.charts[0]
    assert "seq2seq and linear less seq2seq" in section.charts[-1]
    assert "seq2seq and linear less linear" in section.charts[-1]
    # What is said in words is of networks and baselines, as before.
    assert section.text == said


def test_together_of_another_run_is_passed_over(run, predict):
    predict(run)
    write_items(run, TOGETHER, 0.9)
    table = run.files.folder / "metrics" / TOGETHER / "levels.csv"
    pd.read_csv(table).assign(value=0.123).to_csv(table, index=False)
    (rivals,) = rivals_of(run_in(run.files.folder))
    assert not [pair for pair in rivals.differences if "seq2seq_and_linear" in pair]


def test_results_pass_over_predictions_of_another_run(run, predict):
    predict(run)
    for path in (run.files.folder / "metrics").rglob("levels.csv"):
        table = pd.read_csv(path)
        table.loc[table["metric"] == "accuracy", "value"] += 0.01
        table.to_csv(path, index=False)
    assert "no paired differences" in results(rivals_of(run_in(run.files.folder))[0]).text[-1]


def test_results_draw_every_accuracy_and_the_likelihood(run):
    titles = [chart.split("<title>")[1].split("<")[0] for chart in results(rivals_of(run)[0]).charts]
    assert titles[:3] == ["Accuracy of the joint class", "Accuracy of gender", "Accuracy of age bracket"]
    assert "likelihood" in titles[3]


def test_confusion_names_the_best_and_the_worst_class(run):
    pairs = rows(run.files.folder / "metrics" / "evaluate" / "seq2seq" / "confusion_sentence.csv")
    totals = {name: sum(int(p["count"]) for p in pairs if p["actual"] == name) for name in {p["actual"] for p in pairs}}
    right = {p["actual"]: int(p["count"]) / totals[p["actual"]] for p in pairs if p["actual"] == p["predicted"]}
    said = next(text for text in confusion(rivals_of(run)[0]).text if "seq2seq" in text)
    best, worst = max(right, key=right.get), min(right, key=right.get)
    space = "\N{NO-BREAK SPACE}"
    assert f"knows {best} best: it recognises {100 * right[best]:.1f}{space}% of {totals[best]}." in said
    assert f"knows {worst} least" in said


def test_confusion_of_a_class_without_items_passes_over_it(rewrite, run):
    path = run.files.folder / "metrics" / "evaluate" / "classifier" / "confusion_sentence.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    emptied = [",".join([*line.split(",")[:2], "0"]) if line.startswith("male 30s,") else line for line in lines]
    path.write_text("\n".join(emptied) + "\n", encoding="utf-8")
    said = confusion(rivals_of(run)[0]).text[1]
    assert "knows male 30s" not in said
    assert "nan" not in said


@pytest.mark.parametrize("task", ["classifier", "seq2seq"])
def test_by_length_says_the_accuracy_of_the_shorter_and_the_longer_half(run, task):
    table = rows(run.files.folder / "metrics" / "evaluate" / task / "by_length.csv")
    total = {True: 0, False: 0}
    right = {True: 0.0, False: 0.0}
    for row in table:
        short = int(row["length"]) <= 12
        total[short] += int(row["count"])
        right[short] += int(row["count"]) * float(row["accuracy"])
    space = "\N{NO-BREAK SPACE}"
    figures = [f"{100 * right[short] / total[short]:.1f}{space}%" for short in (True, False)]
    expected = (
        f"{task} is right in {figures[0]} of the {total[True]:,} sequences of up to 12 tokens and in {figures[1]} of "
        f"the {total[False]:,} longer ones."
    )
    assert expected in by_length(rivals_of(run)[0]).text[0]
