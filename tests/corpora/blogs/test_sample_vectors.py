import gzip
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lengthwise.corpora.blogs.sample_vectors import RAREST, SIZE, main, word_vectors, words_of_sample
from lengthwise.models.vectors import read_vectors

ROOT = Path(__file__).parents[3]


def texts_of_two_topics(seed=0):
    """Each text is of one of two topics, whose words stand near each other and never near those of the other."""
    rng = np.random.default_rng(seed)
    topics = [[f"{topic}{number}" for number in range(60)] for topic in "ab"]
    return [rng.choice(topics[number % 2], 80).tolist() for number in range(120)]


def test_words_that_stand_near_each_other_have_vectors_that_do():
    vectors = word_vectors(texts_of_two_topics())
    assert {word[0] for word in vectors} == {"a", "b"}
    table = np.array([vector / np.linalg.norm(vector) for vector in vectors.values()])
    of_a = np.array([word[0] == "a" for word in vectors])
    near = table @ table.T
    same, other = near[of_a[:, np.newaxis] == of_a], near[of_a[:, np.newaxis] != of_a]
    assert table.shape[1] == SIZE
    assert same.mean() > other.mean() + 0.1
    assert np.abs(other).mean() < 0.05


def test_rare_words_have_no_vector():
    texts = [*texts_of_two_topics(), ["rare", "a1"] * (RAREST - 1), ["often", "a1"] * RAREST]
    vectors = word_vectors(texts)
    assert "often" in vectors
    assert "rare" not in vectors


def test_words_are_those_of_the_texts_without_markup(tmp_path):
    with zipfile.ZipFile(tmp_path / "blogs.zip", "w") as archive:
        archive.writestr("2.xml", "<post>Don\u2019t  stop!</post>")
        archive.writestr("1.xml", "<Blog><date>1,May,2004</date> One &nbsp;two</Blog>")
    assert words_of_sample(tmp_path / "blogs.zip") == [
        [",", "may", ",", "one", "two"],
        ["don", "\u2019", "t", "stop", "!"],
    ]


@pytest.mark.long
def test_the_committed_vectors_are_those_of_the_committed_sample(tmp_path, monkeypatch):
    made = tmp_path / "vectors.txt.gz"
    monkeypatch.setattr(sys, "argv", ["sample_vectors", str(ROOT / "data" / "sample" / "blogs.zip"), str(made)])
    main()
    lines, committed = (
        gzip.decompress(path.read_bytes()).decode().splitlines()
        for path in (made, ROOT / "data" / "sample" / "vectors.txt.gz")
    )
    words = [line.partition(" ")[0] for line in committed]
    assert [line.partition(" ")[0] for line in lines] == words
    assert len(words) > 1000
    # Another processor may round the last digit otherwise.
    found, expected = (read_vectors(path, words, SIZE) for path in (made, ROOT / "data" / "sample" / "vectors.txt.gz"))
    for word in words:
        assert found[word] == pytest.approx(expected[word], abs=0.011)
