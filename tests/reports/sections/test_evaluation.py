import csv

import pytest

from lengthwise.reports.sections.evaluation import by_length, confusion, results


def rows(path):
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_results_set_the_better_network_beside_the_linear_baseline(run, rewrite):
    said = results(run).text
    assert said[0].startswith(
        "By sentence, the better network is seq2seq with an accuracy of 0.546 (0.450 to 0.629), below"
    )
    assert said[2].startswith("By author, the better network is classifier with an accuracy of 0.750")
    assert all(line.endswith("the intervals overlap.") for line in said[:3])
    apart = rewrite("evaluate/seq2seq/levels.csv", ("0.629077904426803", "0.61"))
    assert results(apart).text[0].endswith("the intervals are apart.")


def test_results_draw_every_accuracy_and_the_likelihood(run):
    titles = [chart.split("<title>")[1].split("<")[0] for chart in results(run).charts]
    assert titles[:3] == ["Accuracy of the joint class", "Accuracy of gender", "Accuracy of age bracket"]
    assert "likelihood" in titles[3]


def test_confusion_names_the_best_and_the_worst_class(run):
    pairs = rows(run.metrics / "evaluate" / "seq2seq" / "confusion_sentence.csv")
    totals = {name: sum(int(p["count"]) for p in pairs if p["actual"] == name) for name in {p["actual"] for p in pairs}}
    right = {p["actual"]: int(p["count"]) / totals[p["actual"]] for p in pairs if p["actual"] == p["predicted"]}
    said = next(text for text in confusion(run).text if "seq2seq" in text)
    best, worst = max(right, key=right.get), min(right, key=right.get)
    assert f"knows {best} best: {100 * right[best]:.1f}" in said
    assert f"knows {worst} least" in said


def test_confusion_of_a_class_without_items_passes_over_it(rewrite, run):
    path = run.metrics / "evaluate" / "classifier" / "confusion_sentence.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    emptied = [",".join([*line.split(",")[:2], "0"]) if line.startswith("male 30s,") else line for line in lines]
    path.write_text("\n".join(emptied) + "\n", encoding="utf-8")
    said = confusion(run).text[1]
    assert "knows male 30s" not in said
    assert "nan" not in said


@pytest.mark.parametrize("task", ["classifier", "seq2seq"])
def test_by_length_says_the_accuracy_of_the_shorter_and_the_longer_half(run, task):
    table = rows(run.metrics / "evaluate" / task / "by_length.csv")
    total = {True: 0, False: 0}
    right = {True: 0.0, False: 0.0}
    for row in table:
        short = int(row["length"]) <= 12
        total[short] += int(row["count"])
        right[short] += int(row["count"]) * float(row["accuracy"])
    space = "\N{NO-BREAK SPACE}"
    figures = [f"{100 * right[short] / total[short]:.1f}{space}%" for short in (True, False)]
    expected = (
        f"{task} is right in {figures[0]} of the sequences of up to 12 tokens and in {figures[1]} of the longer ones."
    )
    assert expected in by_length(run).text[0]
