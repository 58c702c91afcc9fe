"""The page and the card of runs that predict something else than the class of a text."""

import json
import re
import shutil
from html import unescape

import numpy as np
import pandas as pd
import pytest
import yaml
from questions import questions

from lengthwise.core.names import SPLITS, TASKS
from lengthwise.evaluation.levels import items_of
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.evaluation.score import score_task
from lengthwise.evaluation.scoring.label_scoring import LabelScoring
from lengthwise.evaluation.scoring.next_token_scoring import NextTokenScoring
from lengthwise.evaluation.scoring.number_scoring import NumberScoring
from lengthwise.evaluation.scoring.tag_scoring import TagScoring
from lengthwise.reports.model_card import CardWords, model_card
from lengthwise.reports.page.pages import report
from lengthwise.reports.results import results_table
from lengthwise.runs.run import run_in

COUNT = 90
WORDS = {"document": "message", "group": "sender"}
SCORINGS = {
    "tagger": TagScoring("tags", ("O", "B-X", "I-X")),
    "language_model": NextTokenScoring("character"),
    "regressor": NumberScoring(("size",)),
    "classifier": LabelScoring(("fast", "cheap")),
}
INGEST = {"documents": COUNT, "files": 1, "rows": COUNT}
SIZES = {"messages": COUNT, "senders": 20}
SPLIT = {f"{split}_{what}": n for split in SPLITS for what, n in SIZES.items()}
SPLIT |= {f"{what}_in_several_splits": 0 for what in SIZES}


def predictions(task, sequences, skill):
    rng = np.random.default_rng(int(100 * skill))
    steps = int(sequences.offsets[-1])
    if task == "regressor":
        return {"predicted": sequences["numbers"] + rng.normal(0, 1 - skill, (COUNT, 1))}
    if task == "classifier":
        return {"logits": rng.normal(0, 1, (COUNT, 2)) + 3 * skill * (2 * sequences["labels"] - 1)}
    right = sequences["tags" if task == "tagger" else "tokens"]
    chance = rng.random(steps) * (1 - skill) + skill
    return {"predicted": np.where(rng.random(steps) < skill, right, 0), "log_probability": np.log(chance)}


@pytest.fixture(params=SCORINGS)
def other(request, run):
    """The folder of a run of one task, what a run of the two label tasks left still beside it."""
    task, folder = request.param, run.files.folder
    metrics, figures = folder / "metrics", folder / "data" / "figures"
    sequences = questions(COUNT, 20)
    items = items_of(sequences.per_sequence, "document", WORDS)
    strong = "linear" if task == "classifier" else f"{task}_linear"
    shutil.rmtree(metrics / "baselines")
    for model, place, skill in ((task, "evaluate", 0.8), (strong, "baselines/tables", 0.2)):
        scores = score_task(
            model, SCORINGS[task], sequences, predictions(task, sequences, skill), items, Bootstrap(40, 0.9, 1)
        )
        shutil.rmtree(metrics / place / model, ignore_errors=True)
        (metrics / place / model).mkdir(parents=True)
        (figures / place / model).mkdir(parents=True)
        scores.write(metrics / place / model)
        (metrics / place / model / "items.parquet").rename(figures / place / model / "items.parquet")
    (metrics / "baselines" / f"{strong}.json").write_text("{}", encoding="utf-8")
    if task != "classifier":
        for path in (metrics / "train").glob("classifier*"):
            target = path.with_name(path.name.replace("classifier", task))
            (shutil.copytree if path.is_dir() else shutil.copy)(path, target)
    if task == "regressor":
        path = metrics / "train" / task / "epochs.csv"
        pd.read_csv(path).drop(columns=["train_accuracy", "validation_accuracy"]).to_csv(path, index=False)
    (metrics / "ingest.json").write_text(json.dumps(INGEST), encoding="utf-8")
    (metrics / "split.json").write_text(json.dumps(SPLIT), encoding="utf-8")
    lock = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))
    stages = lock["stages"]
    for stage in ("train", "evaluate"):
        stages[f"{stage}@{task}"] = json.loads(json.dumps(stages[f"{stage}@classifier"]).replace("classifier", task))
    stages["baselines"]["params"]["params.yaml"]["tasks"] = [task]
    stages["shards"]["params"]["params.yaml"]["shards"]["unit"] = "document"
    stages["ingest"]["params"]["params.yaml"]["ingest"] = {"corpus": "table", "source": "messages.csv"}
    text = yaml.safe_dump(lock).replace("data/sample/blogs.zip", "messages.csv")
    (folder / "dvc.lock").write_text(text, encoding="utf-8")
    return task, run_in(folder)


def plain(page):
    body = re.sub(r"<style.*?</style>", "", page, flags=re.DOTALL)
    return unescape(re.sub(r"<[^>]+>", " ", body))


# Of the corpus and the tasks of which files are still there.
OF_BLOGS = re.compile(r"\b(blog\w*|gender|author\w*|sentence\w*|seq2seq|male|female)\b", re.IGNORECASE)


@pytest.mark.sampled(2)
def test_the_page_is_of_the_task_that_the_run_has_and_of_no_other(other):
    task, run = other
    text = plain(report(run))
    assert run.tasks == [task]
    assert {found[0] for found in OF_BLOGS.finditer(text)} <= {"sentences"}
    assert not any(f"{name} has" in text or f"{name} is right" in text for name in TASKS if name != task)
    metric = {"language_model": "bits", "regressor": "size_mae"}.get(task, "accuracy")
    (row, *_) = [row for row in run.levels.itertuples() if (row.model, row.metric) == (task, metric)]
    assert f"{row.value:.3f} ({row.low:.3f} to {row.high:.3f})" in text
    assert f"By {row.level} (n = " in text


@pytest.mark.sampled(2)
def test_the_page_pairs_the_network_with_its_strongest_baseline(other):
    task, run = other
    text = plain(report(run)).replace("−", "-")
    said = re.search(r"It is ([\d.]+) (above|below) the linear baseline \(paired interval (\S+) to (\S+?)[:)]", text)
    gain = float(said[1]) * (1 if said[2] == "above" else -1)
    assert float(said[3]) < gain < float(said[4])
    # More skill, more right; fewer bits and smaller errors.
    assert (gain > 0) == (task in ("tagger", "classifier"))


@pytest.mark.sampled(2)
def test_the_card_says_what_the_network_predicts_and_how_it_was_scored(other, root):
    task, run = other
    text = model_card(run, CardWords(), root / "requirements.lock", root / "pyproject.toml")
    assert text.count(f"`{task}` predicts") == 1
    assert "A recurrent network:" in text
    assert not OF_BLOGS.search(text.partition("## Split")[2].partition("## Environment")[0])
    shown = results_table(run)
    assert task in shown.columns
    assert "20 test senders" in text
