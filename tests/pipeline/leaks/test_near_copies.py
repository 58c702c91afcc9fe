import numpy as np
import pyarrow as pa
import pytest

from lengthwise.core.ragged import offsets_of
from lengthwise.pipeline.leaks.near_copies import MINIMA, SHINGLE, Signatures, nearest, signatures_of
from lengthwise.prepare.forms.tokenizer_options import TokenizerOptions
from lengthwise.prepare.text.store import Sentences, TokenStore, write_index, write_lexicon, write_slice


@pytest.fixture
def stored(tmp_path):
    """A store of documents, lists of token ids each; several slices, several sentences a document."""

    def write(documents, slices=3):
        folder = tmp_path / "tokens"
        (folder / "sentences").mkdir(parents=True)
        for number, part in enumerate(np.array_split(np.arange(len(documents)), slices)):
            sentences = [(row, half) for row in part for half in np.array_split(documents[row], 2) if len(half)]
            tokens = np.concatenate([half for _, half in sentences] or [np.zeros(0, int)]).astype(np.int32)
            rows = np.array([row for row, _ in sentences], np.int32)
            lengths = np.array([len(half) for _, half in sentences], np.int64)
            write_slice(folder, number, Sentences(rows, tokens, offsets_of(lengths)))
        write_lexicon(folder, pa.array([str(n) for n in range(1000)]))
        write_index(folder, slices, TokenizerOptions("words", "en", "sentencizer", False, False, None))
        return TokenStore(folder)

    return write


def shingles(tokens):
    return {tuple(tokens[n : n + SHINGLE]) for n in range(max(1, len(tokens) - SHINGLE + 1))}


def jaccard(one, other):
    return len(shingles(one) & shingles(other)) / len(shingles(one) | shingles(other))


@pytest.mark.parametrize("seed", range(4))
def test_minima_estimate_the_share_of_common_triples(stored, seed):
    rng = np.random.default_rng(seed)
    documents = [rng.integers(0, 500, rng.integers(1, 120)).tolist() for _ in range(30)]
    # Near copies with more and more tokens replaced.
    for changes in range(30):
        copy = list(documents[changes])
        for place in rng.integers(0, len(copy), changes // 4):
            copy[place] = int(rng.integers(0, 500))
        documents.append(copy)
    found = signatures_of(stored(documents))
    assert found.document.tolist() == list(range(60))
    for row in range(30):
        alike = (found.minima[row] == found.minima[row + 30]).mean()
        exact = jaccard(documents[row], documents[row + 30])
        assert abs(alike - exact) <= 5 * np.sqrt(exact * (1 - exact) / MINIMA) + 1e-9
        assert (found.content[row] == found.content[row + 30]) == (documents[row] == documents[row + 30])


def test_nearest_finds_what_comparing_all_with_all_finds(stored):
    rng = np.random.default_rng(7)
    documents = [rng.integers(0, 300, rng.integers(20, 60)).tolist() for _ in range(80)]
    for row in range(0, 40, 2):
        copy = list(documents[row])
        copy[int(rng.integers(len(copy)))] = 999
        documents[row + 40] = copy if row % 4 else list(documents[row])
    found = signatures_of(stored(documents))
    asked, among = np.arange(40), np.arange(40, 80)
    alike = nearest(found, asked, among)
    for row in asked:
        best = max(jaccard(documents[row], documents[other]) for other in among)
        if best > 0.75 or best < 0.3:
            assert (alike[row] > 0.6) == (best > 0.6), (row, best)
        assert (alike[row] == 1) == any(documents[row] == documents[other] for other in among)
    # Not with itself, whoever else is there.
    assert nearest(found, asked, np.arange(80))[1] == nearest(found, asked, np.delete(np.arange(80), 1))[1]


def test_shortest_documents_are_alike_only_if_they_are_the_same(stored):
    documents = [[5], [5], [6], [5, 6], [6, 5], [5, 6, 7], [5, 6, 7]]
    found = signatures_of(stored(documents, slices=2))
    alike = nearest(found, np.array([0, 2, 3, 5]), np.array([1, 4, 6]))
    assert alike.tolist() == [1.0, 0.0, 0.0, 1.0]


def test_nothing_is_near_where_there_is_nothing():
    none = Signatures(np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros((0, MINIMA), np.uint32))
    assert nearest(none, np.zeros(0, int), np.zeros(0, int)).tolist() == []
