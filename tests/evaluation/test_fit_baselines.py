"""Each task's baselines find what is there to be found, and no more; those of texts are the ones of before."""

import io
from dataclasses import replace

import numpy as np
import pytest
from closeness import EXACT, assert_close
from messages import split_of_messages
from scipy.sparse import vstack
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression, Ridge

from lengthwise.core.labels import LabelFactor
from lengthwise.core.sequences import Sequences
from lengthwise.evaluation.baseline_models import count_tokens, linear
from lengthwise.evaluation.baseline_options import BaselineOptions, LinearOptions, NgramOptions, TagModelOptions
from lengthwise.evaluation.baseline_task import EVERY_LEVEL, BaselineTask, SplitItems
from lengthwise.evaluation.character_grams import character_grams
from lengthwise.evaluation.fit_baselines import (
    baseline_points,
    baseline_work,
    fit_baselines,
    of_tags,
    score_baseline,
)
from lengthwise.evaluation.input_columns import InputColumns
from lengthwise.evaluation.item_features import ItemFeatures
from lengthwise.evaluation.levels import items_of
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.evaluation.scoring.class_scoring import ClassScoring
from lengthwise.evaluation.scoring.label_scoring import LabelScoring
from lengthwise.evaluation.scoring.next_token_scoring import NextTokenScoring
from lengthwise.evaluation.scoring.number_scoring import NumberScoring
from lengthwise.evaluation.scoring.registry import SCORINGS
from lengthwise.evaluation.scoring.tag_scoring import TagScoring
from lengthwise.prepare.shards.encoding import read_shard_encoding
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.system.progress import Progress

OPTIONS = BaselineOptions(LinearOptions(1.0, 60), TagModelOptions(1, 12, 4), NgramOptions(3))
BOOTSTRAP = Bootstrap(30, 0.9, 1)
MOODS = (LabelFactor("mood", ("calm", "loud", "sad")),)
TAGS = ("O", "B-X", "I-X")
VOCABULARY = 12


def make_split(seed, count=240):
    """Documents of one or two sequences. Everything that is predicted is said by tokens, and by the numbers beside."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(2, 9, count)
    document = np.minimum(np.arange(count) // 2, count - 1)
    class_of = rng.integers(0, 3, document.max() + 1)[document]
    row = np.repeat(np.arange(count), lengths)
    common = rng.integers(2, 8, len(row))
    # A sequence of a class has tokens of its own.
    tokens = np.where(rng.random(len(row)) < 0.4, 8 + class_of[row], common)
    tokens[1:] = np.where(rng.random(len(row) - 1) < 0.5, (tokens[:-1] * 5) % 6 + 2, tokens[1:])
    per_step = {
        "tokens": tokens.astype(np.int32),
        "x": rng.normal(class_of[row], 1.0)[:, np.newaxis].astype(np.float32),
        "tags": np.where(tokens > 7, 1, 0).astype(np.int32),
    }
    return split_of_messages(lengths, per_step, document, class_of)


SCORED = {
    "classes": ClassScoring(MOODS),
    "labels": LabelScoring(("some", "two", "all")),
    "numbers": NumberScoring(("tenfold", "rest")),
    "tags": TagScoring("tags", TAGS),
    "next_tokens": NextTokenScoring(),
}
INPUTS = InputColumns({"tokens": VOCABULARY}, ("x",))
MODELS = dict.fromkeys(SCORINGS, ("majority", "linear")) | {
    "numbers": ("mean", "linear"),
    "next_tokens": ("majority", "ngram"),
}


def quiet(total):
    return Progress("baselines", total, "iterations", stream=io.StringIO())


def fitted_and_scored(kind, inputs=INPUTS):
    training, test = make_split(1), make_split(2)
    task = BaselineTask(SCORED[kind], inputs, OPTIONS)
    work = baseline_work(task, training)
    with quiet(work) as progress:
        made = fit_baselines(task, training, [test, training], progress).predictions
        assert progress.done == work
    scores = {
        model: score_baseline(model, SCORED[kind], test, by_level[0], BOOTSTRAP) for model, by_level in made.items()
    }
    return training, test, made, scores


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kind", ["classes", "labels", "numbers"])
def test_a_tuned_linear_model_is_at_each_level_one_that_no_decade_of_regularization_betters(kind):
    training, test, held_out = make_split(1), make_split(2), make_split(3)

    def fitted(options, judge):
        task = BaselineTask(SCORED[kind], INPUTS, replace(OPTIONS, linear=options), judge)
        work = baseline_work(task, training)
        with quiet(work) as progress:
            made = fit_baselines(task, training, [test, held_out], progress)
            assert progress.done == work
        return made

    def losses(made):
        points = baseline_points(SCORED[kind], held_out, made.predictions["linear"][1])
        loss = "tenfold_mae" if kind == "numbers" else "nll"
        return {level: points[f"{level}_{loss}"] for level in made.predictions["linear"][1]}

    options = LinearOptions(0.02, 60, tuned=True)
    tuned = fitted(options, 1)
    by_level = {row["level"]: [other for other in tuned.tried if other["level"] == row["level"]] for row in tuned.tried}
    assert list(by_level) == list(tuned.predictions["linear"][0])
    for level, rows in by_level.items():
        assert len(rows) >= 3
        # Neighbours by a decade; one is chosen, of the smallest loss.
        values = np.array([row["inverse_regularization"] for row in rows])
        assert_close(values[1:] / values[:-1], np.full(len(rows) - 1, 10.0))
        (chosen,) = [row for row in rows if row["chosen"]]
        assert chosen["validation_loss"] == min(row["validation_loss"] for row in rows)
        for row in rows:
            alone = fitted(LinearOptions(row["inverse_regularization"], 60), 1)
            assert losses(alone)[level] == pytest.approx(row["validation_loss"], rel=1e-12)
            if row is chosen:
                pairs = zip(tuned.predictions["linear"], alone.predictions["linear"], strict=True)
                for predictions, expected in pairs:
                    for name, values in expected[level].items():
                        assert np.array_equal(predictions[level][name], values)
    # Nothing is chosen where no split is for that.
    assert fitted(LinearOptions(0.02, 60, tuned=True), None).tried == []


@pytest.mark.parametrize("kind", SCORINGS)
def test_a_tasks_second_baseline_is_better_than_its_first(kind):
    _, test, made, scores = fitted_and_scored(kind)
    assert tuple(scores) == MODELS[kind]
    metric, sign = {
        "classes": ("message_accuracy", 1),
        "labels": ("message_label_f1", 1),
        "numbers": ("message_tenfold_mae", -1),
        "tags": ("step_nll", -1),
        "next_tokens": ("token_bits", -1),
    }[kind]
    simple, better = (of.headline[metric] for of in scores.values())
    if kind != "tags":
        assert sign * (better - simple) > 0.05
    for model, of in scores.items():
        points = baseline_points(SCORED[kind], test, made[model][0])
        assert {name: points[name] for name in of.headline} == pytest.approx(of.headline)
        assert set(of.figures["model"]) == {model}
        assert of.tables


@pytest.mark.parametrize("kind", SCORINGS)
def test_baselines_of_all_kinds_of_inputs_are_finite(kind):
    for inputs in (InputColumns({"tokens": VOCABULARY}), InputColumns({}, ("x",))):
        if kind == "next_tokens" and not inputs.counted:
            continue
        _, _, _, scores = fitted_and_scored(kind, inputs)
        for of in scores.values():
            assert np.isfinite(of.figures[["value", "low", "high"]].to_numpy()).all()


def test_commonest_tags_know_a_tag_that_the_token_says():
    _, _, _, scores = fitted_and_scored("tags")
    assert scores["majority"].headline["step_accuracy"] == 1.0
    assert scores["linear"].headline["step_accuracy"] > 0.99


def test_ridge_is_that_of_scikit_learn_on_the_same_rows():
    training, test, made, _ = fitted_and_scored("numbers")
    known, asked = training.items[0], test.items[0]
    features = ItemFeatures(INPUTS, training.sequences, known)
    _, first = np.unique(known.group, return_index=True)
    model = Ridge(alpha=0.5).fit(features.rows(training.sequences, known), training.sequences["numbers"][first])
    expected = model.predict(features.rows(test.sequences, asked))
    assert_close(made["linear"][0]["message"]["predicted"], expected, EXACT)
    assert made["mean"][0]["message"]["predicted"][0].tolist() == pytest.approx(
        training.sequences["numbers"][first].mean(axis=0).tolist()
    )


def test_each_label_has_a_logistic_regression_of_its_own_and_one_that_all_have_is_as_frequent_as_it_is():
    training, test, made, _ = fitted_and_scored("labels")
    known = training.items[0]
    features = ItemFeatures(INPUTS, training.sequences, known)
    _, first = np.unique(known.group, return_index=True)
    labels = training.sequences["labels"][first]
    rows, asked = features.rows(training.sequences, known), features.rows(test.sequences, test.items[0])
    found = made["linear"][0]["message"]["logits"]
    for place in (0, 1):
        direct = LogisticRegression(max_iter=500).fit(rows, labels[:, place])
        chances = 1 / (1 + np.exp(-found[:, place]))
        assert np.allclose(chances, direct.predict_proba(asked)[:, 1], atol=5e-3)
    assert set(found[:, 2]) == {np.log(len(labels) + 1)}
    assert (made["majority"][0]["message"]["logits"][:, 2] == np.log(len(labels) + 1)).all()


def test_classes_of_which_training_has_one_are_predicted_with_certainty():
    training = make_split(1)
    sequences = Sequences(
        training.sequences.offsets,
        training.sequences.per_step,
        {**training.sequences.per_sequence, "label": np.ones(240, np.int64)},
    )
    only = SplitItems(sequences, training.items)
    task = BaselineTask(SCORED["classes"], INPUTS, OPTIONS)
    made = fit_baselines(task, only, [make_split(2)], quiet(baseline_work(task, only))).predictions
    found = made["linear"][0]["message"]["log_probabilities"]
    assert (found.argmax(axis=1) == 1).all()
    assert np.isfinite(found).all()


def test_a_level_that_training_has_no_targets_for_is_not_scored():
    # An author's documents have different numbers; by chance those of the test may not.
    _, test, made, _ = fitted_and_scored("numbers")
    assert [level.name for level in test.items] == ["message", "author"]
    assert list(made["linear"][0]) == ["message"]
    alike = SplitItems(
        Sequences(
            test.sequences.offsets,
            test.sequences.per_step,
            {**test.sequences.per_sequence, "numbers": np.ones((240, 2))},
        ),
        test.items,
    )
    found = score_baseline("linear", SCORED["numbers"], alike, made["linear"][0], BOOTSTRAP)
    assert set(found.figures["level"]) == {"message"}


def test_tags_are_predicted_once_for_all_levels():
    _, _, made, _ = fitted_and_scored("tags")
    assert list(made["linear"][0]) == [EVERY_LEVEL]
    scores = np.log(np.array([[0.2, 0.8], [0.6, 0.4]]))
    assert of_tags(scores, np.array([1, 1]))["predicted"].tolist() == [1, 0]
    assert np.exp(of_tags(scores, np.array([1, 1]))["log_probability"]) == pytest.approx([0.8, 0.4])


def test_baselines_of_texts_are_those_of_their_words_at_every_level(corpus):
    # What blogs have been measured against all along: counts of sentences, TF-IDF of what they are parts of.
    index = read_index(corpus.shards)
    splits = []
    for name in ("train", "test", "validation"):
        sequences = read_split(corpus.shards, index, name)
        splits.append(SplitItems(sequences, items_of(sequences.per_sequence, index.unit, index.form.words)))
    training, *asked = splits
    options = LinearOptions(0.5, 40)
    task = BaselineTask(
        ClassScoring(tuple(index.factors)),
        InputColumns({"tokens": index.vocabulary_size}),
        BaselineOptions(options, OPTIONS.tags, OPTIONS.ngrams),
    )
    made = fit_baselines(task, training, asked, quiet(1)).predictions
    for place, known in enumerate(training.items):
        counts = count_tokens(training.sequences, known, index.vocabulary_size)
        queries = vstack([count_tokens(of.sequences, of.items[place], index.vocabulary_size) for of in asked], "csr")
        if known.name != "sentence":
            weighting = TfidfTransformer(sublinear_tf=True).fit(counts)
            counts, queries = weighting.transform(counts), weighting.transform(queries)
        expected = linear(counts, known.labels, queries, 6, options, quiet(1))
        found = [by_level[known.name]["log_probabilities"] for by_level in made["linear"]]
        assert np.array_equal(np.concatenate(found), expected)


def test_characters_add_to_documents_what_they_say_and_leave_sentences_as_they_are(corpus):
    index = read_index(corpus.shards)
    tokens = read_shard_encoding(corpus.shards, index).vocabulary.tokens
    splits = []
    for name in ("train", "test"):
        sequences = read_split(corpus.shards, index, name)
        splits.append(SplitItems(sequences, items_of(sequences.per_sequence, index.unit, index.form.words)))
    training, test = splits
    inputs, scoring = InputColumns({"tokens": index.vocabulary_size}), ClassScoring(tuple(index.factors))

    def fitted(characters):
        options = replace(OPTIONS, linear=LinearOptions(0.5, 40, characters=characters))
        task = BaselineTask(scoring, inputs, options, tokens=tokens)
        return fit_baselines(task, training, [test], quiet(1)).predictions["linear"][0]

    without, found = fitted(None), fitted(3)
    assert np.array_equal(found["sentence"]["log_probabilities"], without["sentence"]["log_probabilities"])
    for place, known in [*enumerate(training.items)][1:]:
        features = ItemFeatures(inputs, training.sequences, known, lengths=False, grams=character_grams(tokens, 3))
        rows, queries = features.rows(training.sequences, known), features.rows(test.sequences, test.items[place])
        assert rows.shape[1] > index.vocabulary_size
        expected = linear(rows, known.labels, queries, 6, LinearOptions(0.5, 40), quiet(1))
        assert np.array_equal(found[known.name]["log_probabilities"], expected)
        assert not np.allclose(without[known.name]["log_probabilities"], expected, atol=1e-3)
