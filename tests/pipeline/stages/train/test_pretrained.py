"""Networks that begin with vectors, of a file and of a spaCy package."""

import importlib
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import spacy
from training_runs import FILES

from lengthwise.errors import ArgumentError, VectorsError
from lengthwise.models.saved import load_network
from lengthwise.models.wanted_vectors import VectorsWanted
from lengthwise.pipeline.stages.train.pretrained import begin_with_wanted, check_wanted, wanted_digest
from lengthwise.pipeline.stages.train.training_run import RESUME_FOLDER, train
from lengthwise.prepare.vocabulary import Vocabulary, read_vocabulary
from lengthwise.training.step import Steps

SIZE = 4
NONE = VectorsWanted("none", "nowhere", False)
VOCABULARY = Vocabulary(("<PAD>", "<UNK>", "the", "paris", "of", "zzz"), (0, 5, 60, 20, 10, 5))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Installs a package as `python -m spacy download` does; importing it is an error."""

    def install(name="tiny_md", vectors=(("the", 1.0), ("Paris", 2.0)), size=SIZE):
        nlp = spacy.blank("en", meta={"name": name, "version": "1.2.3"})
        for token, number in vectors:
            nlp.vocab.set_vector(token, np.full(size, number, np.float32))
        folder = tmp_path / "site" / f"en_{name}"
        folder.mkdir(parents=True)
        nlp.to_disk(folder / f"en_{name}-1.2.3")
        (folder / "__init__.py").write_text("raise RuntimeError('code of a package was run')\n", encoding="utf-8")
        meta = (folder / f"en_{name}-1.2.3" / "meta.json").read_text(encoding="utf-8")
        (folder / "meta.json").write_text(meta, encoding="utf-8")
        importlib.invalidate_caches()
        return f"en_{name}"

    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return install


def write_vectors(path, rows):
    lines = [" ".join([token, *map(str, numbers)]) for token, numbers in rows.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_network_begins_with_the_vectors_of_a_package_whose_code_is_not_run(make_network, package):
    wanted = replace(NONE, source=package())
    network = make_network(vocabulary_size=6, embedding=SIZE)
    before = network.embedding.embeddings.numpy().copy()
    check_wanted(wanted, SIZE)
    still, figures = begin_with_wanted(network, wanted, VOCABULARY)
    assert still == {}
    assert figures == {
        "vectors_found": 2,
        "vectors_in_other_case": 1,
        "vectors_missing": 2,
        "vectors_token_share": pytest.approx(0.8),
    }
    after = network.embedding.embeddings.numpy()
    np.testing.assert_array_equal(after[2:4], [[1.0] * SIZE, [2.0] * SIZE])
    np.testing.assert_array_equal(after[[0, 1, 4, 5]], before[[0, 1, 4, 5]])
    assert "en_tiny_md" not in sys.modules


@pytest.mark.parametrize("ensemble", [1, 2])
def test_frozen_rows_are_those_that_have_a_vector(make_network, tmp_path, ensemble):
    path = write_vectors(tmp_path / "v.txt", {"the": [1, 2, 3, 4], "of": [0, 0, 0, 0], "PARIS": [9, 9, 9, 9]})
    network = make_network(vocabulary_size=6, embedding=SIZE, ensemble=ensemble)
    still, figures = begin_with_wanted(network, VectorsWanted("file", str(path), True), VOCABULARY)
    assert {name: rows.tolist() for name, rows in still.items()} == {
        member.embedding.embeddings.path: [False, False, True, True, True, False] for member in network.members
    }
    assert (figures["vectors_found"], figures["vectors_in_other_case"], figures["vectors_missing"]) == (3, 1, 1)


def test_a_digest_is_of_the_vectors_and_not_of_their_name(tmp_path, package):
    one = write_vectors(tmp_path / "one.txt", {"the": [1, 2, 3, 4]})
    same = write_vectors(tmp_path / "same.txt", {"the": [1, 2, 3, 4]})
    other = write_vectors(tmp_path / "other.txt", {"the": [1, 2, 3, 5]})
    digests = [wanted_digest(VectorsWanted("file", str(path), False)) for path in (one, same, other)]
    assert digests[0] == digests[1] != digests[2]
    assert wanted_digest(replace(NONE, file=str(one))) == wanted_digest(NONE) == ""
    packages = [package("a_md"), package("b_md"), package("c_md", (("the", 1.5), ("Paris", 2.0)))]
    digests = [wanted_digest(replace(NONE, source=name)) for name in packages]
    assert digests[0] == digests[1] != digests[2]


def test_packages_without_vectors_of_the_size_are_refused_in_one_line(package):
    with pytest.raises(VectorsError, match="the package 'en_small_sm' has no vectors; expected one that has"):
        check_wanted(replace(NONE, source=package("small_sm", ())), SIZE)
    wanted = replace(NONE, source=package())
    with pytest.raises(ArgumentError, match="embedding: got 5; expected 4, the numbers of each vector of en_tiny_md"):
        check_wanted(wanted, 5)
    for name in ("en_absent_md", "json", "os.path", "../site", "a b", "en_tiny_md.py"):
        with pytest.raises(VectorsError, match=r"expected none, file or an installed spaCy package; install it with"):
            check_wanted(replace(NONE, source=name), SIZE)
    check_wanted(NONE, 5)


@pytest.fixture
def vectors(corpus, tmp_path):
    """A file with a vector for every other token of the vocabulary."""
    tokens = read_vocabulary(corpus.vocabulary).tokens[2::2]
    rng = np.random.default_rng(0)
    return write_vectors(tmp_path / "vectors.txt", {t: np.round(rng.normal(size=SIZE), 3).tolist() for t in tokens})


def rows_of(corpus, vectors):
    """The ids that have a vector, and the vectors."""
    numbers = {token: number for number, token in enumerate(read_vocabulary(corpus.vocabulary).tokens)}
    pairs = [line.split(" ") for line in vectors.read_text(encoding="utf-8").splitlines()]
    ids = [numbers[token] for token, *_ in pairs]
    return ids, np.array([[float(number) for number in row] for _, *row in pairs], np.float32)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, marks=pytest.mark.long),
        {"name": "adamw", "weight_decay": 0.5, "ensemble": 2, "clip_norm": 0.5},
        pytest.param({"name": "sgd", "momentum": 0.9, "weight_decay": 0.5}, marks=pytest.mark.long),
    ],
)
def test_training_keeps_frozen_vectors_to_the_bit_and_teaches_the_others(corpus, train_params, here, vectors, changes):
    params = train_params(vectors="file", vectors_file=str(vectors), vectors_frozen=True, epochs=1, **changes)
    result = train(corpus.shards, FILES, "classifier", params)
    ids, values = rows_of(corpus, vectors)
    assert result.metrics["vectors_found"] >= len(ids) > 10
    others = np.setdiff1d(np.arange(2, len(read_vocabulary(corpus.vocabulary))), ids)
    tables = [member.embedding.embeddings.numpy() for member in load_network(here / "model").members]
    for table in tables:
        np.testing.assert_array_equal(table[ids], values)
    again = train(corpus.shards, FILES, "classifier", params.model_copy(update={"epochs": 2}))
    assert again.metrics["vectors_found"] == result.metrics["vectors_found"]
    for member, before in zip(load_network(here / "model").members, tables, strict=True):
        table = member.embedding.embeddings.numpy()
        np.testing.assert_array_equal(table[ids], values)
        assert (np.abs(table[others] - before[others]).max(axis=1) > 0).mean() > 0.5


def test_training_moves_vectors_that_are_not_frozen_from_where_they_begin(corpus, train_params, here, vectors):
    ids, values = rows_of(corpus, vectors)
    params = train_params(vectors="file", vectors_file=str(vectors), epochs=1, learning_rate=1e-4)
    train(corpus.shards, FILES, "classifier", params)
    table = load_network(here / "model").embedding.embeddings.numpy()
    assert 0 < np.abs(table[ids] - values).max() < 0.01


@pytest.mark.long
def test_a_run_does_not_go_on_with_other_vectors_of_the_same_name(corpus, train_params, here, vectors, capsys):
    params = train_params(vectors="file", vectors_file=str(vectors), epochs=1)

    def stopped(self, *arguments):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lengthwise.training.resume.SAVE_SECONDS", 0.0)
        patch.setattr(Steps, "evaluate_over", stopped)
        with pytest.raises(KeyboardInterrupt):
            train(corpus.shards, FILES, "classifier", params)
    assert len(list(RESUME_FOLDER.iterdir())) == 1
    content = vectors.read_text(encoding="utf-8")
    vectors.write_text(content.replace("0.1", "0.2", 1), encoding="utf-8")
    assert train(corpus.shards, FILES, "classifier", params).timing["resumed_at_step"] == 0
    assert "was made by other settings; begins anew" in capsys.readouterr().err
    vectors.write_text(content, encoding="utf-8")
    assert train(corpus.shards, FILES, "classifier", params).timing["resumed_at_step"] > 0
    figures = json.loads((here / "figures" / "figures.json").read_text(encoding="utf-8"))
    assert {"vectors_found", "vectors_missing", "vectors_in_other_case", "vectors_token_share"} <= figures.keys()
