import json
import re
import shutil
from collections import ChainMap
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from blog_words import WORDS

from lengthwise.errors import FormatError, RevisionError
from lengthwise.evaluation.item_table import LevelScores, write_item_scores
from lengthwise.evaluation.level_tables import headline, level_figures
from lengthwise.evaluation.levels import items_of, pool
from lengthwise.evaluation.metrics import item_scores
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.reports.change import report as report_module
from lengthwise.reports.change.report import report_on
from lengthwise.reports.change.report_frame import MARKER, MOST_CHARACTERS

CLASSIFIER = "metrics/evaluate/classifier.json"
# Of the headline: three accuracies at three levels, and a likelihood.
FIGURES_A_MODEL = 10


def number_of_models(project):
    return sum(1 for _ in (project.folder / "metrics").rglob("levels.csv"))


def verdict_of(report, metric, file="evaluate/classifier.json"):
    section = report.text.split(f"### `{file}`")[1].split("\n#")[0]
    (row,) = [line for line in section.splitlines() if line.startswith(f"| `{metric}` |")]
    return row.split("|")[-2].strip(" *")


def on_a_branch(project, name="change"):
    project.git("checkout", "--quiet", "-b", name)
    return project


def change_epochs(project, *paths):
    # From what they are to 77.
    for path in paths:
        text = (project.folder / path).read_text("utf-8")
        (project.folder / path).write_text(re.sub(r"\bepochs: \d+", "epochs: 77", text), "utf-8")


def test_report_between_two_branches(project):
    on_a_branch(project)
    old = json.loads((project.folder / CLASSIFIER).read_text(encoding="utf-8"))["sentence_accuracy"]
    epochs = yaml.safe_load((project.folder / "params.yaml").read_text("utf-8"))["train"]["epochs"]
    change_epochs(project, "params.yaml", "dvc.lock")
    project.change(CLASSIFIER, sentence_accuracy=0.1, document_accuracy=0.99)
    project.commit()
    project.git("checkout", "--quiet", "main")
    project.change(CLASSIFIER, author_accuracy=0.1)
    project.commit()
    project.git("checkout", "--quiet", "change")
    base = project.git("merge-base", "main", "HEAD")
    report = report_on(base, project.folder)
    assert report.text.startswith(f"{MARKER}\n# Lengthwise report: worse\n")
    assert report.failed
    assert verdict_of(report, "sentence_accuracy") == "worse"
    assert verdict_of(report, "document_accuracy") == "better"
    # The tip of main has another figure than the merge base.
    assert verdict_of(report, "author_accuracy") == "within noise"
    assert verdict_of(report_on("main", project.folder), "author_accuracy") == "better"
    assert f"| `train.epochs` | `{epochs}` | `77` |" in report.text
    assert base[:12] in report.text
    change = f"{old:.4f} → 0.1000, difference {0.1 - old:.4f}"
    assert f"**worse**: `evaluate/classifier.json` `sentence_accuracy`: {change}" in report.text


def test_report_on_no_change_is_within_noise(project):
    report = report_on("HEAD", project.folder)
    assert report.verdict == "within noise"
    assert not report.failed
    judged = FIGURES_A_MODEL * number_of_models(project)
    assert f"{judged} within noise ({judged} of these the same)" in report.text
    assert "No key of params.yaml changed." in report.text
    assert "Nothing else changed." in report.text


def test_report_is_the_same_twice(project):
    project.change(CLASSIFIER, sentence_accuracy=0.1)
    assert report_on("HEAD", project.folder) == report_on("HEAD", project.folder)


def test_report_sees_what_is_not_committed(project):
    project.change(CLASSIFIER, sentence_nll=9.0)
    assert verdict_of(report_on("HEAD", project.folder), "sentence_nll") == "worse"


@pytest.mark.sampled(1)
@pytest.mark.parametrize("value", [None, float("nan"), "0.5", True])
def test_report_with_a_metric_that_is_gone_or_no_number_fails(project, value):
    project.change(CLASSIFIER, sentence_accuracy=value, document_accuracy=0.99)
    report = report_on("HEAD", project.folder)
    assert report.verdict == "missing"
    assert report.failed
    assert verdict_of(report, "sentence_accuracy") == "missing"


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "path",
    [
        "metrics/evaluate/seq2seq.json",
        "metrics/evaluate/seq2seq/levels.csv",
        "metrics/evaluate/classifier/by_step.csv",
        "metrics/train/classifier/cost.json",
        "metrics/tokens.json",
        "metrics/baselines/linear.json",
    ],
)
def test_report_with_a_file_that_is_gone_fails(project, path):
    (project.folder / path).unlink()
    report = report_on("HEAD", project.folder)
    assert report.verdict == "missing"
    assert "is not there any more" in report.text


def test_report_does_not_miss_times(project, write_times):
    write_times(project.folder, train_classifier={"seconds": 12.5})
    report = report_on("HEAD", project.folder)
    assert "The times of the base are not in the DVC cache." in report.text
    assert "| `train_classifier.json` | `seconds` | – | 12.5000 | – |" in report.text
    shutil.rmtree(project.folder / "data")
    report = report_on("HEAD", project.folder)
    assert not report.failed
    assert "The times of the base and the working tree are not in the DVC cache." in report.text


def test_report_misses_no_times_that_were_in_git(project):
    # As runs before data/timing had them.
    (project.folder / "metrics" / "train" / "timing_classifier.json").write_text('{"seconds": 1.5}', "utf-8")
    project.commit()
    (project.folder / "metrics" / "train" / "timing_classifier.json").unlink()
    assert not report_on("HEAD", project.folder).failed


def test_report_of_a_new_metric_does_not_fail(project):
    project.change(CLASSIFIER, calibration_error=0.5)
    report = report_on("HEAD", project.folder)
    assert not report.failed
    assert verdict_of(report, "calibration_error") == "new"


def test_report_on_another_test_set_says_so_and_nothing_of_better(project):
    project.change("metrics/split.json", test_authors=45)
    project.change(CLASSIFIER, sentence_accuracy=0.01, document_accuracy=0.99)
    project.change("metrics/train/classifier.json", validation_accuracy=0.99)
    report = report_on("HEAD", project.folder)
    assert report.verdict == "not comparable"
    assert not report.failed
    assert "the data changed (`metrics/split.json`)" in report.text
    assert verdict_of(report, "sentence_accuracy") == "not comparable"
    assert verdict_of(report, "validation_accuracy", "train/classifier.json") == "not comparable"
    assert "| `split.json` | `test_authors` | 44 | 45 | +1 |" in report.text
    (project.folder / CLASSIFIER).unlink()
    assert report_on("HEAD", project.folder).verdict == "missing"


def test_report_on_intervals_of_another_confidence_is_not_comparable(project):
    project.replace("params.yaml", "confidence: 0.95", "confidence: 0.5")
    project.change(CLASSIFIER, sentence_accuracy=0.01)
    report = report_on("HEAD", project.folder)
    assert verdict_of(report, "sentence_accuracy") == "not comparable"


def test_report_on_params_that_changed_without_a_run_fails(project):
    change_epochs(project, "params.yaml")
    report = report_on("HEAD", project.folder)
    assert report.verdict == "not run"
    assert report.failed
    assert "**Not run**: the figures are not of the working tree. Run `dvc repro`" in report.text
    assert "- `train@classifier`: `params.yaml: train.epochs is 77, the run had " in report.text
    # Whatever else is said of the figures.
    project.change(CLASSIFIER, sentence_accuracy=0.1, document_accuracy=None)
    assert report_on("HEAD", project.folder).verdict == "not run"


def test_report_says_that_the_base_was_not_run(project):
    change_epochs(project, "params.yaml")
    project.commit()
    project.git("checkout", "HEAD~1", "--", "params.yaml")
    report = report_on("HEAD", project.folder)
    assert report.verdict == "within noise"
    assert "**The base was not run**" in report.text
    assert "- `train@classifier`: `params.yaml: train.epochs is 77, the run had " in report.text


def test_report_without_params_and_lock_goes_by_the_counts(project):
    project.git("rm", "--quiet", "params.yaml", "dvc.lock")
    project.commit()
    report = report_on("HEAD", project.folder)
    assert report.verdict == "within noise"
    assert "without hashes in dvc.lock" in report.text


def test_report_takes_paired_intervals_where_test_items_are_at_hand(project, factors, monkeypatch):
    before, after = make_runs(project, factors)
    cached = report_module.with_cached
    wanted = {}

    def with_files(run, folder, is_wanted):
        wanted[run.name] = is_wanted
        files = after if run.name == "the working tree" else before
        return replace(run, files=ChainMap(files, cached(run, folder, is_wanted).files))

    monkeypatch.setattr(report_module, "with_cached", with_files)
    report = report_on("HEAD", project.folder)
    for is_wanted in wanted.values():
        assert all(map(is_wanted, ("data/predictions/seq2seq.parquet", "data/figures/evaluate/seq2seq")))
    assert "Intervals of 10 differences: paired by test author" in report.text
    others = FIGURES_A_MODEL * (number_of_models(project) - 1)
    assert f"Intervals of {others} differences: from each run's own interval" in report.text
    assert verdict_of(report, "sentence_accuracy") == "worse"
    # Items that are not those of the metrics are not believed.
    for wrong in (0.123, None, "text"):
        project.change(CLASSIFIER, author_gender=wrong)
        assert "paired" not in report_on("HEAD", project.folder).text


def make_runs(project, factors):
    # Metrics of a classifier on 400 sequences, committed, then of a worse one; the files of both in the DVC cache.
    rng = np.random.default_rng(0)
    author = np.repeat(np.arange(40), 10)
    ids = {"sequence": np.arange(400), "document": np.arange(400) // 5, "group": author, "label": author % 6}
    tables = project.folder / "metrics" / "evaluate" / "classifier"

    def run(share):
        guess = np.where(rng.random(400) < share, ids["label"], (ids["label"] + 1) % 6)
        logs = np.log(np.full((400, 6), 0.02) + 0.88 * np.eye(6)[guess])
        levels = [pool(items, logs) for items in items_of(ids, "sentence", WORDS)]
        figures = level_figures("classifier", levels, factors, Bootstrap(10, 0.95, 1))
        figures.to_csv(tables / "levels.csv", index=False)
        project.change(CLASSIFIER, **headline(figures))
        scores = [LevelScores(level.name, level.author, item_scores(level, factors)) for level in levels]
        write_item_scores(tables / "items.parquet", scores)
        said = pd.DataFrame({**ids, **{f"log_probability_{number}": column for number, column in enumerate(logs.T)}})
        return {
            "data/predictions/classifier.parquet": said.to_parquet(),
            "data/figures/evaluate/classifier/items.parquet": (tables / "items.parquet").read_bytes(),
            "metrics/evaluate/classifier/levels.csv": (tables / "levels.csv").read_bytes(),
        }

    old = run(0.7)
    (tables / "items.parquet").unlink()
    project.commit()
    new = run(0.4)
    (tables / "items.parquet").unlink()
    return old, new


@pytest.mark.long
def test_report_stays_within_its_length_whatever_comes(project):
    on_a_branch(project)
    many = {f"{'|' * 30}@{number}`": "\\|<" * 40 for number in range(500)}
    params = yaml.safe_load((project.folder / "params.yaml").read_text("utf-8"))
    some = dict(list(many.items())[:100])
    (project.folder / "params.yaml").write_text(yaml.safe_dump({**params, "more": some}), "utf-8")
    for path in ("metrics/tokens.json", "metrics/train/classifier/cost.json", CLASSIFIER):
        project.change(path, **many)
    (project.folder / "data" / "timing").mkdir(parents=True)
    (project.folder / "data" / "timing" / "train_classifier.json").write_text(json.dumps(many), "utf-8")
    steps = "step,count,accuracy\n" + "".join(f"{step},1,0.5\n" for step in range(2000))
    (project.folder / "metrics" / "evaluate" / "seq2seq" / "by_step.csv").write_text(steps, "utf-8")
    for number in range(12):
        shutil.copytree(project.folder / "metrics/evaluate/classifier", project.folder / f"metrics/evaluate/{number}")
    project.commit()
    for base in ("main", "HEAD"):
        report = report_on(base, project.folder)
        assert len(report.text) <= MOST_CHARACTERS
        assert report.text.startswith(MARKER)
        assert report.text.count("<details>") == report.text.count("</details>") == 3
        assert report.text.count("```") % 2 == 0
        for title in ("Metrics", "Params", "Data", "Cost", "Charts", "Other figures"):
            assert re.search(rf"^(## |<summary>){title}", report.text, re.MULTILINE)
        assert "Cut for length" in report.text
    # And the other way round: everything is missing.
    project.git("checkout", "--quiet", "main")
    report = report_on("change", project.folder)
    assert report.verdict == "missing"
    assert len(report.text) <= MOST_CHARACTERS
    assert "more are missing" in report.text


def test_report_refuses_damaged_files(project):
    (project.folder / CLASSIFIER).write_text("{", "utf-8")
    with pytest.raises(FormatError, match=f"^{re.escape(CLASSIFIER)} of the working tree: is no JSON"):
        report_on("HEAD", project.folder)
    project.commit()
    project.change("metrics/tokens.json", tokens=1)
    project.git("checkout", "HEAD~1", "--", CLASSIFIER)
    with pytest.raises(FormatError, match=f"^{re.escape(CLASSIFIER)} of revision HEAD: is no JSON"):
        report_on("HEAD", project.folder)


def test_report_refuses_a_base_without_metrics(project):
    project.git("checkout", "--quiet", "--orphan", "empty")
    project.git("rm", "-r", "--quiet", "--cached", ".")
    project.git("commit", "--quiet", "--allow-empty", "--message", "nothing")
    with pytest.raises(RevisionError, match=r"^metrics/ of revision empty: got no JSON or CSV"):
        report_on("empty", project.folder)


def test_report_refuses_a_working_tree_without_metrics(project):
    shutil.rmtree(project.folder / "metrics")
    with pytest.raises(RevisionError, match=r"^metrics/ of the working tree: got no JSON or CSV.*; run dvc repro"):
        report_on("HEAD", project.folder)
