import io

import numpy as np
import pytest
from closeness import assert_close
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from lengthwise.core.affixes import affixes_of
from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import UNK_ID, Sequences
from lengthwise.evaluation.baseline_options import TagModelOptions
from lengthwise.evaluation.step_windows import StepWindows
from lengthwise.evaluation.tag_models import RARE, WindowTagger, commonest_tags
from lengthwise.system.progress import Progress


def quiet():
    return Progress("baselines", 1, "steps", stream=io.StringIO())


def make_split(seed, count=80, classes=4, **columns):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 12, count)
    steps = int(lengths.sum())
    made = {name: make(rng, steps) for name, make in columns.items()}
    return Sequences(offsets_of(lengths), {"tags": rng.integers(0, classes, steps).astype(np.int32), **made})


def tokens_of(vocabulary):
    return lambda rng, steps: np.minimum(rng.zipf(1.5, steps) + 1, vocabulary - 1).astype(np.int32)


def with_tags(sequences, tags):
    return Sequences(sequences.offsets, {**sequences.per_step, "tags": tags.astype(np.int32)})


@pytest.mark.parametrize("seed", range(5))
def test_commonest_tags_are_the_counts_of_each_token(seed):
    training, asked = (make_split(seed + part, tokens=tokens_of(30)) for part in (0, 100))
    found = np.exp(commonest_tags(training, asked, "tags", 4))
    frequent = np.bincount(training["tags"], minlength=4) + 1
    often = np.bincount(training["tokens"], minlength=30)
    rare = np.bincount(training["tags"][often[training["tokens"]] < RARE], minlength=4)
    for token, row in zip(asked["tokens"], found, strict=True):
        counts = np.bincount(training["tags"][training["tokens"] == token], minlength=4) if often[token] else rare
        expected = (counts + frequent / frequent.sum()) / (counts.sum() + 1)
        assert row == pytest.approx(expected)


def test_unknown_tokens_have_the_tags_of_rare_ones_with_their_letters():
    words = ["walking", "talking", "dogs", "cats", "Berlin", "Paris", "the"]
    tags = np.array([0, 0, 1, 1, 2, 2, 3])
    often = [1, 1, 1, 1, 1, 1, 10]
    ids = np.array([2, 3, 4, 5, 6, 7, 8])
    training = Sequences(
        np.array([0, sum(often)]),
        {
            "tokens": np.repeat(ids, often),
            "tags": np.repeat(tags, often),
            "affixes": np.repeat(affixes_of(words, 3), often, axis=0),
        },
    )
    unseen = ["singing", "pigs", "London", "rats"]
    asked = Sequences(
        np.array([0, 4]), {"tokens": np.array([UNK_ID, UNK_ID, 99, 99]), "affixes": affixes_of(unseen, 3)}
    )
    # As walking, by three letters; as dogs, by two; by the capital; as cats, by three letters.
    assert commonest_tags(training, asked, "tags", 4).argmax(axis=1).tolist() == [0, 1, 2, 1]


def test_without_tokens_every_step_has_the_commonest_tag():
    training, asked = (make_split(part, x=lambda rng, steps: rng.random(steps)) for part in (0, 1))
    found = commonest_tags(training, asked, "tags", 4)
    assert set(found.argmax(axis=1)) == {np.bincount(training["tags"]).argmax()}


@pytest.mark.parametrize("window", [0, 1, 3])
def test_features_of_a_window_say_what_stands_where(window):
    sequences = make_split(3, tokens=tokens_of(20), affixes=lambda rng, steps: rng.integers(0, 9, (steps, 2)))
    steps = int(sequences.offsets[-1])
    found = StepWindows(sequences, ("tokens", "affixes"), window, 24).features(np.arange(steps))
    assert found.shape == (steps, 1 + 3 * (2 * window + 1))
    assert found.min() >= 0
    assert found.max() < 1 << 24
    row = np.repeat(np.arange(len(sequences)), sequences.lengths)
    columns = [np.zeros(steps, int)]
    for place in range(-window, window + 1):
        other = np.clip(np.arange(steps) + place, 0, steps - 1)
        inside = (row[other] == row) & (np.arange(steps) + place == other)
        values = [sequences["tokens"], *sequences["affixes"].T]
        columns += [np.where(inside, of[other], -1) for of in values]
    # A feature for each value at each place, and no two for one: with so many bits none fall together.
    pairs = {(place, value, feature) for place, of in enumerate(columns) for value, feature in zip(of, found[:, place])}  # noqa: B905
    assert len(pairs) == len({pair[:2] for pair in pairs}) == len({pair[2] for pair in pairs})


def test_numbers_of_a_window_are_those_of_the_neighbours_or_zero():
    sequences = Sequences(np.array([0, 2, 3]), {"x": np.array([[1.0, 10], [2, 20], [3, 30]])})
    found = StepWindows(sequences, ("x",), 1, 8).numbers(np.arange(3))
    assert found.tolist() == [[0, 0, 1, 10, 2, 20], [1, 10, 2, 20, 0, 0], [0, 0, 3, 30, 0, 0]]


def test_window_tagger_comes_near_the_optimum_of_scikit_learn():
    training = make_split(5, 400, tokens=tokens_of(12))
    rng = np.random.default_rng(6)
    noisy = rng.random(len(training["tags"])) < 0.3
    training = with_tags(training, np.where(noisy, training["tags"], training["tokens"] % 4))
    options = TagModelOptions(window=1, bits=12, epochs=20)
    tagger = WindowTagger.fit(training, "tags", 4, ("tokens",), options, quiet())
    found = tagger.predict(training)
    features = StepWindows(training, ("tokens",), 1, 12).features(np.arange(len(noisy)))
    rows = csr_matrix(
        (np.ones(features.size), features.reshape(-1), np.arange(len(noisy) + 1) * features.shape[1]),
        (len(noisy), 1 << 12),
    )
    best = LogisticRegression(C=1e3, max_iter=2000).fit(rows, training["tags"]).predict_log_proba(rows)
    steps = np.arange(len(noisy))
    nats = [-of[steps, training["tags"]].mean() for of in (found, best)]
    assert nats[1] < nats[0] < nats[1] * 1.05
    assert (found.argmax(axis=1) == best.argmax(axis=1)).mean() > 0.97


def test_window_tagger_reads_neighbours_that_say_the_tag():
    training, asked = (make_split(part, 300, tokens=tokens_of(20)) for part in (1, 2))
    training, asked = (
        with_tags(of, np.append(0, of["tokens"][:-1]) % 4 * ~np.isin(np.arange(len(of["tags"])), of.offsets))
        for of in (training, asked)
    )
    accuracy = {}
    for window in (0, 1):
        tagger = WindowTagger.fit(training, "tags", 4, ("tokens",), TagModelOptions(window, 14, 8), quiet())
        accuracy[window] = (tagger.predict(asked).argmax(axis=1) == asked["tags"]).mean()
    assert accuracy[1] > 0.98
    assert accuracy[0] < 0.8


def test_window_tagger_reads_numbers_whatever_their_scale():
    training, asked = (
        make_split(part, 300, x=lambda rng, steps: rng.normal(5000, 300, (steps, 2)).astype(np.float32))
        for part in (1, 2)
    )
    training, asked = (with_tags(of, (of["x"][:, 0] > 5000) + 2 * (of["x"][:, 1] > 5000)) for of in (training, asked))
    tagger = WindowTagger.fit(training, "tags", 4, ("x",), TagModelOptions(0, 8, 10), quiet())
    assert (tagger.predict(asked).argmax(axis=1) == asked["tags"]).mean() > 0.95


def test_window_tagger_is_the_same_twice_and_predicts_in_pieces(monkeypatch):
    training = make_split(7, tokens=tokens_of(20), x=lambda rng, steps: rng.random(steps).astype(np.float32))
    first, second = (
        WindowTagger.fit(training, "tags", 4, ("tokens", "x"), TagModelOptions(1, 10, 2), quiet()) for _ in range(2)
    )
    assert np.array_equal(first.weights, second.weights)
    whole = first.predict(training)
    assert np.isfinite(whole).all()
    assert np.allclose(np.exp(whole).sum(axis=1), 1)
    monkeypatch.setattr("lengthwise.evaluation.tag_models.AT_ONCE", 17)
    assert_close(first.predict(training), whole)


def test_window_tagger_reports_every_step_of_every_epoch():
    training = make_split(7, tokens=tokens_of(20))
    with quiet() as progress:
        WindowTagger.fit(training, "tags", 4, ("tokens",), TagModelOptions(1, 10, 3), progress)
        assert progress.done == 3 * len(training["tags"])
