import io
import json
import warnings

import numpy as np
import pandas as pd
import pytest
from blog_words import LEVELS, WORDS
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression

from lengthwise.errors import LengthwiseError
from lengthwise.evaluation import bounded_rows
from lengthwise.evaluation.baseline_models import count_tokens, linear, majority
from lengthwise.evaluation.baseline_options import BaselineOptions, LinearOptions, NgramOptions, TagModelOptions
from lengthwise.evaluation.levels import Items, items_of
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.pipeline.stages import baselines
from lengthwise.pipeline.stages.baselines import evaluate_baselines
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.system.progress import Progress

BOOTSTRAP = Bootstrap(30, 0.9, 1)
MANY = LinearOptions(inverse_regularization=0.5, max_iterations=500)
MODELS = ("majority", "linear")


def options_of(linear):
    return BaselineOptions(linear, TagModelOptions(1, 12, 2), NgramOptions(3))


def quiet(total=500):
    return Progress("baselines", total, "iterations", stream=io.StringIO())


def make_counts(seed, count=120, classes=6):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    counts = rng.poisson(0.5, (count, 15)) + 3 * (labels[:, None] == np.arange(15)) * rng.random((count, 15))
    return csr_matrix(counts.astype(float)), labels


def test_majority_is_the_frequencies_of_the_training_items_plus_one():
    labels = np.array([0, 0, 0, 2, 5, 5])
    scores = majority(Items("sentence", np.arange(6), labels, np.arange(6)), 4, 6)
    assert scores.shape == (4, 6)
    assert np.allclose(np.exp(scores), np.array([4, 1, 2, 1, 1, 3]) / 12)


def test_linear_equals_scikit_learn():
    counts, labels = make_counts(1)
    queries, _ = make_counts(2)
    with quiet() as progress:
        scores = linear(counts, labels, queries, 6, MANY, progress)
        assert progress.done == 500
    direct = LogisticRegression(C=0.5, max_iter=500).fit(counts, labels)
    assert np.allclose(np.exp(scores), direct.predict_proba(queries), rtol=0, atol=2e-3)
    assert np.allclose(np.exp(scores).sum(axis=1), 1)


@pytest.mark.parametrize("most", [7, 45])
def test_linear_with_few_iterations_equals_scikit_learn_with_as_many(most):
    # One fit forgets nothing: rounds of fewer steps, each begun from the weights of the last, come elsewhere.
    counts, labels = make_counts(1)
    with quiet(most) as progress:
        scores = linear(counts, labels, counts, 6, LinearOptions(0.5, most), progress)
        assert progress.done == most
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        direct = LogisticRegression(C=0.5, max_iter=most).fit(counts, labels)
    assert np.allclose(np.exp(scores), direct.predict_proba(counts), rtol=0, atol=1e-9)


def test_linear_gives_a_class_without_a_training_item_no_chance_and_a_finite_score():
    counts, labels = make_counts(3)
    labels = np.where(labels == 4, 5, labels)
    with quiet() as progress:
        scores = linear(counts, labels, counts, 6, MANY, progress)
    assert np.isfinite(scores).all()
    assert np.exp(scores[:, 4]).max() < 1e-300
    assert np.allclose(np.exp(scores).sum(axis=1), 1)


@pytest.mark.parametrize("place", range(3))
def test_count_tokens_equals_plain_loops(corpus, place):
    index = read_index(corpus.shards)
    sequences = read_split(corpus.shards, index, "train")
    items = items_of(sequences.per_sequence, "sentence", WORDS)[place]
    expected = np.zeros((len(items.labels), index.vocabulary_size))
    for number in range(len(sequences)):
        for token in sequences["tokens"][sequences.offsets[number] : sequences.offsets[number + 1]]:
            expected[items.group[number], token] += 1
    assert np.array_equal(count_tokens(sequences, items, index.vocabulary_size).toarray(), expected)


@pytest.fixture(scope="module")
def evaluated(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("baselines") / "baselines"
    return folder, evaluate_baselines(corpus.shards, folder, ["classifier", "seq2seq"], options_of(MANY), BOOTSTRAP)


def test_evaluate_baselines_leaves_a_folder_of_tables_and_a_headline_per_model(evaluated):
    folder, headlines = evaluated
    # Both tasks predict labels: they have the same baselines.
    assert sorted(path.name for path in (folder / "tables").iterdir()) == sorted(MODELS) == sorted(headlines)
    for model in MODELS:
        table = pd.read_csv(folder / "tables" / model / "levels.csv")
        assert set(table["model"]) == {model}
        assert table["level"].drop_duplicates().tolist() == ["sentence", "document", "author"]
        # Three accuracies a level, on the test and on validation; there also each level's likelihood.
        assert len(headlines[model]) == 9 + 1 + 9 + 3
        assert all(np.isfinite(value) for value in headlines[model].values())
        assert json.loads((folder / f"{model}.json").read_text()) == headlines[model]


def test_evaluate_baselines_majority_predicts_the_most_frequent_training_class(corpus, evaluated):
    _, headlines = evaluated
    index = read_index(corpus.shards)
    splits = ("train", "test", "validation")
    items = [items_of(read_split(corpus.shards, index, split).per_sequence, *LEVELS) for split in splits]
    for known, asked, held_out in zip(*items, strict=True):
        likeliest = np.bincount(known.labels, minlength=6).argmax()
        for of, prefix in ((asked, ""), (held_out, "validation_")):
            accuracy = (of.labels == likeliest).mean()
            assert headlines["majority"][f"{prefix}{known.name}_accuracy"] == pytest.approx(accuracy)


def test_evaluate_baselines_linear_equals_scikit_learn_at_every_level(corpus, evaluated):
    folder, headlines = evaluated
    figures = pd.read_csv(folder / "tables" / "linear" / "levels.csv").set_index(["level", "metric"])["value"]
    index = read_index(corpus.shards)
    splits = [read_split(corpus.shards, index, split) for split in ("train", "test", "validation")]
    for known, asked, held_out in zip(*(items_of(split.per_sequence, *LEVELS) for split in splits), strict=True):
        counts, queries, others = (
            count_tokens(split, items, index.vocabulary_size)
            for split, items in zip(splits, (known, asked, held_out), strict=True)
        )
        if known.name != "sentence":
            weighting = TfidfTransformer(sublinear_tf=True).fit(counts)
            counts, queries, others = map(weighting.transform, (counts, queries, others))
        direct = LogisticRegression(C=0.5, max_iter=500).fit(counts, known.labels)
        chances = direct.predict_proba(queries)[np.arange(len(asked.labels)), asked.labels]
        assert figures[known.name, "nll"] == pytest.approx(-np.log(chances).mean(), rel=0.01)
        # One item may be on the border.
        right = (direct.predict(others) == held_out.labels).mean()
        assert headlines["linear"][f"validation_{known.name}_accuracy"] == pytest.approx(
            right, abs=1.5 / len(held_out.labels)
        )


def test_evaluate_baselines_says_how_the_linear_model_of_each_level_was_fitted(
    corpus, evaluated, tmp_path, monkeypatch
):
    folder, _ = evaluated
    of_all = pd.read_csv(folder / "tables" / "linear" / "fits.csv")
    assert of_all.columns.tolist() == ["level", "features_mb", "fitted_by"]
    assert of_all["level"].tolist() == ["sentence", "document", "author"]
    assert set(of_all["fitted_by"]) == {"lbfgs"}
    assert not (folder / "tables" / "majority" / "fits.csv").exists()
    # A megabyte of 256 bytes.
    monkeypatch.setattr(bounded_rows, "MIB", 256)
    options = options_of(LinearOptions(0.5, 6, memory_mb=64))
    folders = [tmp_path / name for name in ("parts", "again")]
    headlines = [evaluate_baselines(corpus.shards, out, ["classifier"], options, BOOTSTRAP) for out in folders]
    assert headlines[0] == headlines[1]
    assert set(pd.read_csv(folders[0] / "tables" / "linear" / "fits.csv")["fitted_by"]) == {"minibatches"}
    for path in folders[0].rglob("*.*"):
        assert path.read_bytes() == (folders[1] / path.relative_to(folders[0])).read_bytes()


def test_evaluate_baselines_without_a_validation_split_has_no_figures_of_it(corpus, tmp_path, monkeypatch):
    def without(shards, index, split):
        whole = read_split(shards, index, split)
        if split != "validation":
            return whole
        return whole.take([])

    monkeypatch.setattr(baselines, "read_split", without)
    options = options_of(LinearOptions(0.5, 3))
    headlines = evaluate_baselines(corpus.shards, tmp_path / "baselines", ["seq2seq"], options, BOOTSTRAP)
    assert not [name for figures in headlines.values() for name in figures if name.startswith("validation")]


def test_evaluate_baselines_gives_the_same_bytes_twice(corpus, evaluated, tmp_path):
    folder, headlines = evaluated
    again = tmp_path / "baselines"
    assert evaluate_baselines(corpus.shards, again, ["classifier"], options_of(MANY), BOOTSTRAP) == headlines
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    assert len(files) >= 2 * 6
    for path in files:
        assert (again / path).read_bytes() == (folder / path).read_bytes()


def test_evaluate_baselines_weighs_terms_where_documents_are_the_unit(
    write_corpus, invent_posts, make_shards, tmp_path
):
    corpus = make_shards(write_corpus(tmp_path, invent_posts(11, 40)), unit="document")
    options = options_of(LinearOptions(1.0, 20))
    headlines = evaluate_baselines(corpus.shards, tmp_path / "baselines", ["classifier"], options, BOOTSTRAP)
    levels = {name.removeprefix("validation_").split("_")[0] for name in headlines["linear"]}
    assert levels == {"document", "author"}


def test_evaluate_baselines_of_texts_has_those_of_the_next_token_too(corpus, tmp_path):
    tasks = ["language_model", "classifier"]
    folder = tmp_path / "baselines"
    headlines = evaluate_baselines(corpus.shards, folder, tasks, options_of(LinearOptions(1.0, 3)), BOOTSTRAP)
    models = {*MODELS, "language_model_majority", "language_model_ngram"}
    assert set(headlines) == models == {path.name for path in (folder / "tables").iterdir()}
    simple, ngram = (headlines[f"language_model_{model}"]["token_bits"] for model in ("majority", "ngram"))
    # The words of the sample are drawn at random: no model of them has more to know than how frequent they are.
    assert ngram < 1.05 * simple


def test_evaluate_baselines_of_a_task_that_the_corpus_does_not_have_is_rejected(corpus, tmp_path):
    with pytest.raises(LengthwiseError, match="tagger"):
        evaluate_baselines(corpus.shards, tmp_path / "baselines", ["tagger"], options_of(MANY), BOOTSTRAP)
    assert not (tmp_path / "baselines").exists()
