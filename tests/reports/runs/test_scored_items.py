from collections import ChainMap
from dataclasses import replace
from io import BytesIO

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from questions import questions
from scipy import stats

from lengthwise.core.sequences import Sequences
from lengthwise.evaluation.item_table import LevelScores
from lengthwise.evaluation.levels import items_of
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.evaluation.score import predictions_table, score_task
from lengthwise.evaluation.scoring.label_scoring import LabelScoring
from lengthwise.evaluation.scoring.next_token_scoring import NextTokenScoring
from lengthwise.evaluation.scoring.number_scoring import NumberScoring
from lengthwise.evaluation.scoring.tag_scoring import TagScoring
from lengthwise.runs.run import run_in
from lengthwise.runs.scored_items import (
    differences_of_runs,
    is_at_hand,
    items_at_hand,
    of_headline,
    paired_differences,
)

WORDS = {"document": "message", "group": "author"}
COUNT = 120
# By task: what scores it, the metrics of the headline, one of these, and whether more of it is better.
SCORED = {
    "tagger": (
        TagScoring("tags", ("O", "B-X", "I-X")),
        {"step_accuracy", "step_nll", "entity_f1", "message_accuracy"},
        ("step_accuracy", 1),
    ),
    "language_model": (
        NextTokenScoring("character"),
        {"character_bits", "character_accuracy"},
        ("character_accuracy", 1),
    ),
    "regressor": (NumberScoring(("size",)), {"message_size_mae", "message_size_r2"}, ("message_size_mae", -1)),
    "classifier": (
        LabelScoring(("a", "b")),
        {"message_accuracy", "message_label_f1", "message_nll"},
        ("message_label_f1", 1),
    ),
}


def predict_of(task, seed, skill, sequences):
    rng = np.random.default_rng(seed)
    steps = int(sequences.offsets[-1])
    if task == "regressor":
        return {"predicted": sequences["numbers"] + rng.normal(0, 1 - skill, (len(sequences), 1))}
    if task == "classifier":
        return {"logits": rng.normal(0, 1, (len(sequences), 2)) + skill * (2 * sequences["labels"] - 1)}
    right = sequences["tags" if task == "tagger" else "tokens"]
    return {
        "predicted": np.where(rng.random(steps) < skill, right, 0),
        "log_probability": np.log(rng.random(steps)),
    }


def write_run(folder, task, seed, skill, sequences=None, scoring=None):
    # As the stage evaluate does.
    sequences = questions(COUNT, 30) if sequences is None else sequences
    scoring = scoring or SCORED[task][0]
    made = predict_of(task, seed, skill, sequences)
    items = items_of(sequences.per_sequence, "document", WORDS)
    figures, metrics = folder / "data/figures/evaluate" / task, folder / "metrics/evaluate" / task
    for place in (figures, metrics, folder / "data/predictions"):
        place.mkdir(parents=True)
    score_task(task, scoring, sequences, made, items, Bootstrap(20, 0.9, 1)).write(figures)
    table = pd.read_csv(figures / "levels.csv")
    # Git has six digits.
    table.to_csv(metrics / "levels.csv", index=False, float_format="%.6g")
    pq.write_table(predictions_table(scoring, sequences, made), folder / f"data/predictions/{task}.parquet")
    return run_in(folder)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("task", SCORED)
def test_differences_of_runs_have_the_headlines_figures_and_find_the_better_one(tmp_path, task):
    _, names, (name, sign) = SCORED[task]
    better, worse = (write_run(tmp_path / str(skill), task, seed, skill) for seed, skill in enumerate((0.8, 0.4)))
    found, back, same = (
        of_headline(differences_of_runs(*pair, task, 0.95))
        for pair in ((better, worse), (worse, better), (better, better))
    )
    assert set(found) == names
    assert sign * found[name].value > 0
    assert found[name].clear
    assert (back[name].value, back[name].low) == pytest.approx((-found[name].value, -found[name].high))
    assert {(one.value, one.low, one.high) for one in same.values()} == {(0, 0, 0)}


def test_runs_on_other_sequences_or_for_other_tags_have_no_differences(tmp_path):
    sequences = questions(COUNT, 30)
    base = write_run(tmp_path / "base", "tagger", 0, 0.8)
    steps, per_sequence = sequences.per_step, sequences.per_sequence
    others = [
        Sequences(sequences.offsets, {**steps, "tags": 2 - sequences["tags"]}, per_sequence),
        Sequences(sequences.offsets, steps, {**per_sequence, "group": sequences["group"] + 1}),
        sequences[:50],
    ]
    for number, other in enumerate(others):
        run = write_run(tmp_path / str(number), "tagger", 1, 0.8, other)
        assert is_at_hand(run, "tagger")
        assert differences_of_runs(base, run, "tagger", 0.9) is None
    renamed = write_run(tmp_path / "renamed", "tagger", 1, 0.8, scoring=TagScoring("tags", ("O", "B-Y", "I-Y")))
    assert differences_of_runs(base, renamed, "tagger", 0.9) is None


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.assign(label=(table["label"] + 1) % 6),
        lambda table: table.assign(group=table["group"] + 1),
        lambda table: table.iloc[:-1],
        lambda table: table.iloc[:0],
        lambda table: table.drop(columns="group"),
        lambda table: table.drop(columns="log_probability_5"),
        lambda table: table.assign(log_probability_6=1.0),
        lambda table: table[["sequence", "document", "group", "label"]],
        lambda table: b"PAR1 and no more",
    ],
)
def test_runs_on_other_sequences_or_classes_have_no_differences(run, predict, change):
    predicted = predict(run, models=["classifier"])
    path = "data/predictions/classifier.parquet"
    changed = change(pd.read_parquet(BytesIO(predicted.files[path])))
    content = changed if isinstance(changed, bytes) else changed.to_parquet()
    other = replace(predicted, files=ChainMap({path: content}, predicted.files))
    assert len(differences_of_runs(predicted, predicted, "classifier", 0.9)) == 3
    assert differences_of_runs(predicted, other, "classifier", 0.9) is None
    assert differences_of_runs(other, predicted, "classifier", 0.9) is None


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", b"\x00" * 100])
def test_items_that_are_damaged_or_of_another_run_are_not_at_hand(run, predict, content):
    assert items_at_hand(run, "classifier") is None
    predicted = predict(run, models=["classifier"])
    assert is_at_hand(predicted, "classifier")
    assert not is_at_hand(predicted, "seq2seq")
    damaged = ChainMap({"data/figures/evaluate/classifier/items.parquet": content}, predicted.files)
    assert items_at_hand(replace(predicted, files=damaged), "classifier") is None
    path = run.files.folder / "metrics/evaluate/classifier/levels.csv"
    figures = pd.read_csv(path)
    author = (figures["level"] == "author") & (figures["metric"] == "accuracy")
    for wrong in (figures["value"].where(~author, figures["value"] + 1e-3), figures["value"].where(~author)):
        figures.assign(value=wrong).to_csv(path, index=False)
        assert items_at_hand(predicted, "classifier") is None
    figures.assign(value=figures["value"].round(6)).to_csv(path, index=False)
    assert items_at_hand(predicted, "classifier") is not None


def right(seed, skill, authors=12, rows=300):
    author = np.sort(np.random.default_rng(0).integers(0, authors, rows))
    return [LevelScores("sentence", author, {"accuracy": (np.random.default_rng(seed).random(rows) < skill) * 1.0})]


def test_paired_differences_are_those_of_the_authors_sums():
    (one,), (other,) = right(1, 0.7), right(2, 0.5)
    (found,) = paired_differences([one], [other], 0.9)
    gain = one.scores["accuracy"] - other.scores["accuracy"]
    # Student's t of a ratio of sums over authors.
    sums = np.array([(gain[one.group == a] - gain.mean()).sum() for a in range(12)])
    margin = stats.t.ppf(0.95, 11) * np.sqrt(12 / 11 * (sums**2).sum()) / len(gain)
    assert (found.low, found.high) == pytest.approx((gain.mean() - margin, gain.mean() + margin))
    assert (found.one, found.other) == (one.scores["accuracy"].mean(), other.scores["accuracy"].mean())
    assert found.items == 300


def test_paired_differences_of_too_few_authors_have_no_ends():
    (found,) = paired_differences(right(1, 0.9, authors=3), right(2, 0.2, authors=3), 0.9)
    assert (found.low, found.high, found.clear) == (-np.inf, np.inf, False)
