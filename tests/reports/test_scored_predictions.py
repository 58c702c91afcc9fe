"""Predictions of tasks other than classes, paired: what `lengthwise report` judges them by."""

import io
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lengthwise.evaluation.paired import paired_means
from lengthwise.evaluation.score import predictions_table
from lengthwise.evaluation.scoring.class_scoring import ClassScoring
from lengthwise.evaluation.scoring.label_scoring import LabelScoring
from lengthwise.evaluation.scoring.next_token_scoring import NextTokenScoring
from lengthwise.evaluation.scoring.number_scoring import NumberScoring
from lengthwise.evaluation.scoring.registry import scoring_from_json, scoring_to_json
from lengthwise.evaluation.scoring.tag_scoring import TagScoring
from lengthwise.ragged import offsets_of
from lengthwise.reports.change.report import _differences
from lengthwise.reports.scored_predictions import of_headline, task_differences
from lengthwise.sequences import Sequences

LEVELS = ("document", {"document": "message", "group": "author"})
TAGS = ("O", "B-X", "I-X")
COUNT = 120


def make_sequences():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 9, COUNT)
    steps = int(lengths.sum())
    group = np.sort(rng.integers(0, 30, COUNT))
    return Sequences(
        offsets_of(lengths),
        {"tags": rng.integers(0, 3, steps), "tokens": rng.integers(2, 9, steps)},
        {
            "sequence": np.arange(COUNT),
            "document": np.arange(COUNT),
            "group": group,
            "label": rng.integers(0, 6, COUNT),
            "labels": rng.integers(0, 2, (COUNT, 2)),
            "numbers": rng.normal(0, 1, (COUNT, 1)),
        },
    )


def predict(kind, seed, skill, sequences):
    rng = np.random.default_rng(seed)
    steps = int(sequences.offsets[-1])
    right = rng.random(steps) < skill
    made = {
        "tags": {"predicted": np.where(right, sequences["tags"], 0), "log_probability": np.log(rng.random(steps))},
        "next_tokens": {
            "predicted": np.where(right, sequences["tokens"], 0),
            "log_probability": np.log(rng.random(steps)),
        },
        "numbers": {"predicted": sequences["numbers"] + rng.normal(0, 1 - skill, (COUNT, 1))},
        "labels": {"logits": rng.normal(0, 1, (COUNT, 2)) + skill * (2 * sequences["labels"] - 1)},
    }
    return made[kind]


SCORED = {
    "tags": TagScoring("tags", TAGS),
    "next_tokens": NextTokenScoring("character"),
    "numbers": NumberScoring(("size",)),
    "labels": LabelScoring(("a", "b")),
}


def as_file(scoring, sequences, predictions):
    stream = io.BytesIO()
    pq.write_table(predictions_table(scoring, sequences, predictions), stream)
    return stream.getvalue()


def files(kind, skills=(0.8, 0.4)):
    sequences = make_sequences()
    return [
        as_file(SCORED[kind], sequences, predict(kind, seed, skill, sequences)) for seed, skill in enumerate(skills)
    ]


HEADLINES = {
    "tags": {"step_accuracy", "step_nll", "entity_f1", "message_accuracy"},
    "next_tokens": {"character_bits", "character_accuracy"},
    "numbers": {"message_size_mae", "message_size_r2"},
    "labels": {"message_accuracy", "message_label_f1", "message_nll"},
}


@pytest.mark.parametrize("kind", SCORED)
def test_differences_have_the_headlines_figures_and_find_the_better_model(kind):
    better, worse = files(kind)
    found = of_headline(task_differences(better, worse, LEVELS, 0.95))
    assert set(found) == HEADLINES[kind]
    name, sign = {
        "tags": ("step_accuracy", 1),
        "next_tokens": ("character_accuracy", 1),
        "numbers": ("message_size_mae", -1),
        "labels": ("message_label_f1", 1),
    }[kind]
    assert sign * found[name].value > 0
    assert found[name].clear
    back = of_headline(task_differences(worse, better, LEVELS, 0.95))
    assert (back[name].value, back[name].low) == pytest.approx((-found[name].value, -found[name].high))
    same = of_headline(task_differences(better, better, LEVELS, 0.95))
    assert {(one.value, one.low, one.high) for one in same.values()} == {(0, 0, 0)}


def test_differences_of_steps_are_those_of_the_groups_sums():
    sequences = make_sequences()
    one, other = (predict("tags", seed, skill, sequences) for seed, skill in ((0, 0.8), (1, 0.7)))
    found = of_headline(
        task_differences(*(as_file(SCORED["tags"], sequences, of) for of in (one, other)), LEVELS, 0.9)
    )["step_accuracy"]
    right = [(of["predicted"] == sequences["tags"]).astype(float) for of in (one, other)]
    group = np.repeat(sequences["group"], sequences.lengths)
    expected = paired_means(right[1], right[0], group, 0.9)
    assert (found.one, found.other) == pytest.approx((expected.new, expected.old))
    assert (found.low, found.high) == pytest.approx((expected.interval.low, expected.interval.high))
    assert found.items == COUNT


def test_files_of_other_sequences_or_other_tags_are_not_compared():
    sequences = make_sequences()
    base = as_file(SCORED["tags"], sequences, predict("tags", 0, 0.8, sequences))
    others = [
        Sequences(sequences.offsets, {**sequences.per_step, "tags": 2 - sequences["tags"]}, sequences.per_sequence),
        Sequences(
            sequences.offsets,
            sequences.per_step,
            {**sequences.per_sequence, "group": sequences["group"] + 1},
        ),
        sequences[:50],
    ]
    for other in others:
        predictions = {name: of[: int(other.offsets[-1])] for name, of in predict("tags", 1, 0.8, sequences).items()}
        assert task_differences(base, as_file(SCORED["tags"], other, predictions), LEVELS, 0.9) is None
    renamed = as_file(TagScoring("tags", ("O", "B-Y", "I-Y")), sequences, predict("tags", 1, 0.8, sequences))
    assert task_differences(base, renamed, LEVELS, 0.9) is None


def test_files_that_say_nothing_or_nonsense_are_not_compared(factors):
    sequences = make_sequences()
    scores = np.log(np.random.default_rng(1).dirichlet(np.ones(6), COUNT))
    classes = as_file(ClassScoring(factors), sequences, {"log_probabilities": scores})
    assert (
        pq.read_schema(io.BytesIO(classes)).metadata is None
        or b"lengthwise.scoring" not in pq.read_schema(io.BytesIO(classes)).metadata
    )
    assert task_differences(classes, classes, LEVELS, 0.9) is None
    good, _ = files("tags")
    assert task_differences(good, good[:100], LEVELS, 0.9) is None
    table = pq.read_table(io.BytesIO(good))
    for said in (b"", b"[]", b'{"kind": "x"}', b'{"kind": "tags", "row": 1}', b'{"kind": "classes", "factors": []}'):
        stream = io.BytesIO()
        pq.write_table(table.replace_schema_metadata({b"lengthwise.scoring": said}), stream)
        assert task_differences(stream.getvalue(), stream.getvalue(), LEVELS, 0.9) is None
    stream = io.BytesIO()
    pq.write_table(table.drop_columns(["predicted"]), stream)
    assert task_differences(good, stream.getvalue(), LEVELS, 0.9) is None


@pytest.mark.parametrize("kind", SCORED)
def test_a_scoring_goes_through_its_text(kind):
    assert scoring_from_json(scoring_to_json(SCORED[kind])) == SCORED[kind]


def test_the_report_pairs_predictions_of_any_task(factors):
    better, worse = files("numbers")
    runs = SimpleNamespace(old=SimpleNamespace(files={"p": worse}), new=SimpleNamespace(files={"p": better}))
    index = SimpleNamespace(unit=LEVELS[0], form=SimpleNamespace(words=LEVELS[1]), factors=factors)
    found = _differences(runs, "p", index, 0.95)
    assert set(found) == HEADLINES["numbers"]
    assert found["message_size_mae"].value < 0
    runs.old.files["p"] = pa.py_buffer(b"nothing").to_pybytes()
    assert _differences(runs, "p", index, 0.95) == {}
