"""Each kind of scoring against scikit-learn, and what it keeps of its predictions."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from closeness import EXACT, assert_close
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    mean_absolute_error,
    precision_recall_fscore_support,
    r2_score,
    recall_score,
    root_mean_squared_error,
)

from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import Sequences
from lengthwise.evaluation.levels import items_of, pool
from lengthwise.evaluation.metrics import figures_of_level
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.evaluation.score import (
    SCORING_KEY,
    points_of,
    predictions_table,
    read_predictions,
    score_task,
    scoring_of_table,
    sums_by_group,
)
from lengthwise.evaluation.scoring.class_scoring import ClassScoring
from lengthwise.evaluation.scoring.entities import EntityScheme
from lengthwise.evaluation.scoring.label_scoring import LabelScoring
from lengthwise.evaluation.scoring.next_token_scoring import NextTokenScoring
from lengthwise.evaluation.scoring.number_scoring import NumberScoring
from lengthwise.evaluation.scoring.registry import SCORINGS, all_metrics, metric_of
from lengthwise.evaluation.scoring.tag_scoring import TagScoring

BOOTSTRAP = Bootstrap(50, 0.9, 1)
WORDS = {"document": "message", "group": "author"}
POS = ("ADJ", "NOUN", "VERB", "X")
IOB = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def make_split(seed, count=60, **columns):
    """Sequences in documents of one or two pieces, in groups of documents; columns by name from lengths and rng."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 12, count)
    document = np.sort(rng.integers(0, count * 2 // 3, count))
    _, document = np.unique(document, return_inverse=True)
    group = rng.integers(0, 12, document.max() + 1)[document]
    per_sequence = {"sequence": rng.permutation(count), "document": document, "group": group}
    made = {name: make(rng, int(lengths.sum()), document) for name, make in columns.items()}
    per_step = {name: values for name, values in made.items() if len(values) == lengths.sum()}
    per_sequence |= {name: values for name, values in made.items() if name not in per_step}
    per_sequence.setdefault("label", np.zeros(count, np.int64))
    sequences = Sequences(offsets_of(lengths), per_step, per_sequence)
    return rng, sequences, items_of(sequences.per_sequence, "document", WORDS)


def of_documents(make):
    """A column that is the same for all pieces of a document."""
    return lambda rng, _, document: make(rng, document.max() + 1)[document]


def tags_of(classes, right=0.7):
    def make(seed):
        rng, sequences, items = make_split(seed, tags=lambda rng, steps, _: rng.integers(0, len(classes), steps))
        scores = rng.normal(0, 1, (len(sequences["tags"]), len(classes)))
        truth = rng.random(len(scores)) < right
        scores[truth, sequences["tags"][truth]] += 5
        scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
        predicted = scores.argmax(axis=1)
        chosen = scores[np.arange(len(scores)), sequences["tags"]]
        return sequences, items, {"predicted": predicted, "log_probability": chosen}, scores

    return make


def values_at(scores, level):
    table = scores.figures[scores.figures["level"] == level]
    return dict(zip(table["metric"], table["value"], strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_tags_are_scored_as_scikit_learn_scores_them(seed):
    sequences, items, predictions, log_probabilities = tags_of(POS)(seed)
    scores = score_task("tagger", TagScoring("tags", POS), sequences, predictions, items, BOOTSTRAP)
    truth, predicted = sequences["tags"], predictions["predicted"]
    step = values_at(scores, "step")
    assert step["accuracy"] == pytest.approx(accuracy_score(truth, predicted))
    assert step["nll"] == pytest.approx(log_loss(truth, np.exp(log_probabilities), labels=range(4)))
    assert step["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"))
    recalls = recall_score(truth, predicted, average=None)
    assert [step[f"recall {name}"] for name in POS] == pytest.approx(recalls.tolist())
    pieces = zip(np.split(truth, sequences.offsets[1:-1]), np.split(predicted, sequences.offsets[1:-1]), strict=True)
    whole = np.mean([(one == other).all() for one, other in pieces])
    assert values_at(scores, "message") == {"accuracy": pytest.approx(whole)}
    assert set(scores.headline) == {"step_accuracy", "step_nll", "message_accuracy"}
    table = scores.tables["confusion_step.csv"]
    assert table["count"].tolist() == confusion_matrix(truth, predicted, labels=range(4)).ravel().tolist()
    found = scores.tables["by_class.csv"].set_index("class").loc[list(POS), ["precision", "recall", "f1", "count"]]
    expected = np.stack(precision_recall_fscore_support(truth, predicted, labels=range(4)), axis=1)
    assert_close(found.to_numpy(float), expected, EXACT)


@pytest.mark.parametrize("seed", range(5))
def test_tags_of_entities_have_a_level_of_entities(seed):
    sequences, items, predictions, _ = tags_of(IOB)(seed)
    scores = score_task("tagger", TagScoring("tags", IOB), sequences, predictions, items, BOOTSTRAP)
    counts = EntityScheme.of(IOB).counts(sequences["tags"], predictions["predicted"], sequences.offsets)
    right, there, said = counts.sum(axis=(1, 2))
    entity = values_at(scores, "entity")
    assert entity["precision"] == pytest.approx(right / said)
    assert entity["recall"] == pytest.approx(right / there)
    assert entity["f1"] == scores.headline["entity_f1"] == pytest.approx(2 * right / (there + said))
    for place, name in enumerate(("LOC", "PER")):
        right, there, said = counts[:, :, place].sum(axis=1)
        assert entity[f"f1 {name}"] == pytest.approx(2 * right / (there + said))
    assert scores.tables["by_entity.csv"]["class"].tolist() == ["LOC", "PER"]


def test_a_class_that_no_step_has_is_not_in_the_mean():
    sequences, items, predictions, _ = tags_of(POS)(3)
    actual = np.where(sequences["tags"] == 3, 1, sequences["tags"])
    sequences = Sequences(sequences.offsets, {"tags": actual}, sequences.per_sequence)
    assert 3 in predictions["predicted"]
    step = values_at(score_task("t", TagScoring("tags", POS), sequences, predictions, items, BOOTSTRAP), "step")
    expected = f1_score(actual, predictions["predicted"], labels=range(3), average="macro")
    assert step["macro_f1"] == pytest.approx(expected)
    assert "recall X" not in step


@pytest.mark.parametrize("seed", range(5))
def test_numbers_are_scored_as_scikit_learn_scores_them(seed):
    rng, sequences, items = make_split(seed, numbers=of_documents(lambda rng, count: rng.normal(3, 2, (count, 2))))
    predicted = sequences["numbers"] + rng.normal(0, 1, (60, 2))
    scoring = NumberScoring(("price", "size"))
    scores = score_task("regressor", scoring, sequences, {"predicted": predicted}, items, BOOTSTRAP)
    # A group's documents have different numbers: it has none.
    assert scores.figures["level"].unique().tolist() == ["message"]
    document = sequences["document"]
    truth = np.stack([sequences["numbers"][document == number][0] for number in range(document.max() + 1)])
    pooled = np.stack([predicted[document == number].mean(axis=0) for number in range(document.max() + 1)])
    found = values_at(scores, "message")
    for place, name in enumerate(scoring.names):
        pair = truth[:, place], pooled[:, place]
        assert found[f"{name}_mae"] == pytest.approx(mean_absolute_error(*pair))
        assert found[f"{name}_rmse"] == pytest.approx(root_mean_squared_error(*pair))
        assert found[f"{name}_r2"] == pytest.approx(r2_score(*pair))
    assert set(scores.headline) == {f"message_{name}_{of}" for name in scoring.names for of in ("mae", "r2")}
    assert scores.tables["fit.csv"].groupby("number")["count"].sum().tolist() == [60, 60]
    errors = np.abs(predicted - sequences["numbers"])[sequences.lengths == 4]
    by_length = scores.tables["by_length.csv"].set_index("length")
    assert by_length.loc[4, ["price_mae", "size_mae"]].tolist() == pytest.approx(errors.mean(axis=0).tolist())


@pytest.mark.parametrize("seed", range(5))
def test_several_labels_are_scored_as_scikit_learn_scores_them(seed):
    rng, sequences, items = make_split(seed, labels=of_documents(lambda rng, count: rng.integers(0, 2, (count, 3))))
    items = items[:1]
    logits = rng.normal(0, 1, (60, 3)) + 2 * sequences["labels"] - 1
    scoring = LabelScoring(("toxic", "rude", "spam"))
    scores = score_task("classifier", scoring, sequences, {"logits": logits}, items, BOOTSTRAP)
    document = sequences["document"]
    truth = np.stack([sequences["labels"][document == number][0] for number in range(document.max() + 1)])
    pooled = np.stack([logits[document == number].mean(axis=0) for number in range(document.max() + 1)])
    said = pooled > 0
    found = values_at(scores, "message")
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, said))
    assert found["label_f1"] == pytest.approx(f1_score(truth, said, average="macro"))
    assert found["label_share"] == pytest.approx((truth == said).mean())
    nats = [log_loss(truth[:, place], 1 / (1 + np.exp(-pooled[:, place]))) for place in range(3)]
    assert found["nll"] == pytest.approx(np.mean(nats))
    for place, name in enumerate(scoring.names):
        assert found[f"accuracy {name}"] == pytest.approx(accuracy_score(truth[:, place], said[:, place]))
        assert found[f"f1 {name}"] == pytest.approx(f1_score(truth[:, place], said[:, place]))
    assert set(scores.headline) == {"message_accuracy", "message_label_f1", "message_nll"}


def next_tokens(seed, count=60):
    rng, sequences, items = make_split(seed, count, tokens=lambda rng, steps, _: rng.integers(2, 9, steps))
    steps = int(sequences.offsets[-1])
    predicted = np.where(rng.random(steps) < 0.4, sequences["tokens"], 0)
    return sequences, items, {"log_probability": np.log(rng.random(steps)), "predicted": predicted}


@pytest.mark.parametrize("seed", range(5))
def test_next_tokens_are_scored_but_for_the_first_of_a_sequence(seed):
    sequences, items, predictions = next_tokens(seed)
    scores = score_task("model", NextTokenScoring("character"), sequences, predictions, items, BOOTSTRAP)
    scored = np.ones(int(sequences.offsets[-1]), bool)
    scored[sequences.offsets[:-1]] = False
    right = predictions["predicted"] == sequences["tokens"]
    found = values_at(scores, "character")
    assert found["bits"] == pytest.approx(-predictions["log_probability"][scored].mean() / np.log(2))
    assert found["perplexity"] == pytest.approx(np.exp(-predictions["log_probability"][scored].mean()))
    assert found["accuracy"] == pytest.approx(right[scored].mean())
    assert set(scores.headline) == {"character_bits", "character_accuracy"}
    by_step = scores.tables["by_step.csv"].set_index("step")
    third = sequences.offsets[:-1][sequences.lengths >= 3] + 2
    assert by_step.loc[3, "count"] == len(third)
    assert by_step.loc[3, "accuracy"] == pytest.approx(right[third].mean())
    by_token = scores.tables["by_class.csv"].set_index("token")
    fives = scored & (sequences["tokens"] == 5)
    assert by_token.loc[5, "bits"] == pytest.approx(-predictions["log_probability"][fives].mean() / np.log(2))


def test_what_stands_at_the_first_token_is_not_read():
    sequences, items, predictions = next_tokens(1)
    scores = score_task("model", NextTokenScoring(), sequences, predictions, items, BOOTSTRAP)
    predictions["log_probability"][sequences.offsets[:-1]] = np.nan
    predictions["predicted"][sequences.offsets[:-1]] += 1
    again = score_task("model", NextTokenScoring(), sequences, predictions, items, BOOTSTRAP)
    assert again.figures.equals(scores.figures)
    assert all(table.equals(scores.tables[name]) for name, table in again.tables.items())


def test_blocks_of_one_long_text_are_resampled():
    rng = np.random.default_rng(1)
    columns = {name: np.zeros(1, np.int64) for name in ("sequence", "document", "group", "label")}
    tokens = rng.integers(2, 9, 50_001)
    sequences = Sequences(np.array([0, 50_001]), {"tokens": tokens}, columns)
    right = rng.random(50_001) < 0.4
    predictions = {"log_probability": np.log(rng.random(50_001)), "predicted": np.where(right, tokens, 0)}
    items = items_of(columns, "document", {"document": "text"})
    (level,) = NextTokenScoring().levels(sequences, predictions, items)
    assert len(level.group) == len(np.unique(level.group)) == 50
    assert level.judged["bits"].denominator.tolist() == [1000.0] * 50
    table = level.figures(Bootstrap(500, 0.95, 1)).set_index("metric")
    error = right[1:].std() / np.sqrt(50_000)
    assert table.loc["accuracy", "high"] - table.loc["accuracy", "low"] == pytest.approx(2 * 1.96 * error, rel=0.3)


def classes_of(seed):
    rng, sequences, items = make_split(seed, label=of_documents(lambda rng, count: rng.integers(0, 6, count)))
    scores = np.log(rng.dirichlet(np.ones(6), 60)).astype(np.float32)
    return sequences, items, {"log_probabilities": scores}


def test_classes_are_scored_as_before(factors):
    sequences, items, predictions = classes_of(1)
    scores = score_task("classifier", ClassScoring(factors), sequences, predictions, items, BOOTSTRAP)
    level = pool(items[0], predictions["log_probabilities"])
    expected = figures_of_level(level, factors, BOOTSTRAP)
    assert scores.figures[["metric", "value", "low", "high"]].equals(expected)
    assert set(scores.tables) == {"confusion_message.csv", "by_length.csv"}


def test_a_level_of_which_an_item_has_two_classes_is_not_scored(factors):
    sequences, items, predictions = classes_of(2)
    assert [level.name for level in items] == ["message", "author"]
    found = ClassScoring(factors).levels(sequences, predictions, items)
    assert [level.name for level in found] == ["message"]


MAKERS = {
    "classes": lambda factors: (ClassScoring(factors), *classes_of(5)),
    "tags": lambda _: (TagScoring("tags", IOB), *tags_of(IOB)(5)[:3]),
    "next_tokens": lambda _: (NextTokenScoring(), *next_tokens(5)),
    "numbers": lambda _: _numbers(),
    "labels": lambda _: _labels(),
}


def _numbers():
    rng, sequences, items = make_split(5, numbers=of_documents(lambda rng, count: rng.normal(0, 1, (count, 1))))
    return NumberScoring(("size",)), sequences, items, {"predicted": rng.normal(0, 1, (60, 1))}


def _labels():
    rng, sequences, items = make_split(5, labels=of_documents(lambda rng, count: rng.integers(0, 2, (count, 2))))
    return LabelScoring(("a", "b")), sequences, items, {"logits": rng.normal(0, 1, (60, 2)).astype(np.float32)}


@pytest.mark.parametrize("kind", SCORINGS)
def test_predictions_in_a_file_are_scored_as_the_predictions_themselves(kind, factors, tmp_path):
    scoring, sequences, items, predictions = MAKERS[kind](factors)
    pq.write_table(predictions_table(scoring, sequences, predictions), tmp_path / "predictions.parquet")
    table = pq.read_table(tmp_path / "predictions.parquet")
    # Those of classes do not say what scores them.
    assert scoring_of_table(table) == (None if kind == "classes" else scoring)
    kept, read = read_predictions(scoring, table)
    assert kept["sequence"].tolist() == list(range(60))
    again = items_of({"label": np.zeros(60), **kept.per_sequence}, "document", WORDS)
    first, second = (
        score_task("model", scoring, *of, BOOTSTRAP) for of in ((sequences, predictions, items), (kept, read, again))
    )
    assert first.figures["metric"].tolist() == second.figures["metric"].tolist()
    assert_close(second.figures["value"], first.figures["value"], 1e-6)


@pytest.mark.parametrize("said", ["", "[]", '{"kind": "x"}', '{"kind": "tags", "row": 1}', '{"kind": "classes"}'])
def test_a_file_that_says_nonsense_of_its_scoring_is_rejected(said):
    with pytest.raises(ValueError, match=r"^(got|Expecting|is of classes)"):
        scoring_of_table(pa.table({"sequence": [0]}, metadata={SCORING_KEY: said}))


@pytest.mark.parametrize("kind", SCORINGS)
def test_what_items_add_to_the_metrics_has_the_figures_as_its_mean(kind, factors):
    scoring, sequences, items, predictions = MAKERS[kind](factors)
    scores = score_task("model", scoring, sequences, predictions, items, BOOTSTRAP)
    points = points_of(scores.levels)
    # The headline has some figures of the finest level alone.
    assert {name: points[name] for name in scores.headline} == pytest.approx(scores.headline)
    for level in scores.levels:
        found = values_at(scores, level.name)
        for name, of_items in level.item_scores().items():
            assert len(of_items) == len(level.group)
            assert of_items.mean() == pytest.approx(found[name])
            assert metric_of(name) is not None


@pytest.mark.parametrize("kind", SCORINGS)
def test_write_leaves_every_table(kind, factors, tmp_path):
    scoring, sequences, items, predictions = MAKERS[kind](factors)
    scores = score_task("model", scoring, sequences, predictions, items, BOOTSTRAP)
    scores.write(tmp_path)
    assert {path.name for path in tmp_path.glob("*.csv")} == {"levels.csv", *scores.tables}


def test_figures_of_one_name_are_judged_alike():
    rules = {}
    for metric in all_metrics():
        rule = metric.direction, metric.smallest, metric.finest
        assert rules.setdefault(metric.pattern, rule) == rule


@pytest.mark.parametrize(
    ("name", "direction"),
    [("accuracy", 1), ("nll", -1), ("mood_accuracy", 1), ("f1", 1), ("label_f1", 1), ("bits", -1), ("price_mae", -1)],
)
def test_metrics_have_a_direction(name, direction):
    assert metric_of(name).direction == direction


@pytest.mark.parametrize("name", ["macro_f1", "recall X", "precision", "f1 PER", "perplexity", "price_rmse"])
def test_what_is_only_reported_is_no_metric(name):
    assert metric_of(name) is None


def in_groups(table, level):
    return table[table["level"] == level].set_index("author")


def test_sums_by_group_of_classes_count_what_is_right(factors):
    sequences, items, predictions = classes_of(5)
    levels = ClassScoring(factors).levels(sequences, predictions, items)
    table = sums_by_group(levels)
    assert table.columns.tolist() == ["level", "author", "items", "right", "nll"]
    of = in_groups(table, "message")
    right = levels[0].level.log_probabilities.argmax(axis=1) == levels[0].level.labels
    for group in np.unique(levels[0].group):
        chosen = levels[0].group == group
        assert (of.loc[group, "items"], of.loc[group, "right"]) == (chosen.sum(), right[chosen].sum())
    assert table.dtypes[["items", "right"]].tolist() == [np.int64, np.int64]


@pytest.mark.parametrize("kind", [kind for kind in SCORINGS if kind != "classes"])
def test_sums_by_group_add_up_to_the_figures(kind, factors):
    scoring, sequences, items, predictions = MAKERS[kind](factors)
    levels = scoring.levels(sequences, predictions, items)
    table, points = sums_by_group(levels), points_of(levels)
    good, bad = {
        "tags": ("step_accuracy", "step_nll"),
        "next_tokens": ("token_accuracy", "token_bits"),
        "numbers": ("message_size_r2", "message_size_mae"),
        "labels": ("message_accuracy", "message_nll"),
    }[kind]
    sums = in_groups(table, good.split("_")[0])[["items", "right", "nll"]].sum()
    assert sums["right"] / sums["items"] == pytest.approx(points[good])
    in_nats = np.log(2) if kind == "next_tokens" else 1
    assert sums["nll"] / sums["items"] == pytest.approx(points[bad] * in_nats)
    if kind == "tags":
        entities = in_groups(table, "entity")
        assert entities["right"].sum() / entities["items"].sum() == pytest.approx(points["entity_f1"])
        assert entities["nll"].isna().all()
