import sys
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.errors import FormatError
from lengthwise.prepare.counting import build_vocabulary
from lengthwise.prepare.splits import SplitShares, read_splits, split_sentences
from lengthwise.prepare.vocabulary import (
    PAD,
    UNK,
    Vocabulary,
    count_vocabulary,
    read_vocabulary,
    write_vocabulary,
)
from lengthwise.system.seals import UNSEALED, seal

# Printable, or at least neither white space nor a surrogate: what a tokenizer may make a token of.
TOKENS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=1).filter(
    lambda token: token not in (PAD, UNK)
)


@settings(max_examples=up_to(150), deadline=None)
@given(st.dictionaries(TOKENS, st.integers(0, 5), max_size=30), st.integers(3, 20))
def test_count_vocabulary_equals_a_counter_with_ties_by_token(counter, size):
    lexicon = sorted(counter, key=str.encode)
    vocabulary = count_vocabulary(
        pa.array(lexicon, pa.string()), np.array([counter[token] for token in lexicon], np.int64), size
    )
    seen = [(token, count) for token, count in counter.items() if count]
    kept = sorted(seen, key=lambda pair: (-pair[1], pair[0].encode()))[: size - 2]
    assert vocabulary.tokens == (PAD, UNK, *(token for token, _ in kept))
    assert vocabulary.counts[2:] == tuple(count for _, count in kept)
    assert vocabulary.counts[:2] == (0, sum(counter.values()) - sum(vocabulary.counts[2:]))
    assert len(vocabulary) == len(vocabulary.tokens) <= size


@settings(max_examples=up_to(150), deadline=None)
@given(st.dictionaries(TOKENS, st.integers(1, 2**40), max_size=20))
def test_vocabulary_survives_its_table(tmp_path_factory, counter):
    path = tmp_path_factory.mktemp("vocabulary") / "vocabulary.tsv"
    vocabulary = Vocabulary((PAD, UNK, *counter), (0, 7, *counter.values()))
    write_vocabulary(path, vocabulary)
    assert read_vocabulary(path) == vocabulary


def test_vocabulary_from_a_lexicon_with_the_reserved_tokens_survives_its_table(tmp_path):
    vocabulary = count_vocabulary(pa.array(["<PAD>", "<UNK>", "a"]), np.array([9, 8, 7]), 10)
    write_vocabulary(tmp_path / "vocabulary.tsv", vocabulary)
    assert read_vocabulary(tmp_path / "vocabulary.tsv") == vocabulary
    assert vocabulary == Vocabulary((PAD, UNK, "a"), (0, 17, 7))


def test_the_reserved_tokens_take_no_entry_from_others():
    lexicon = pa.array(["<PAD>", "<UNK>", "a", "b", "c"])
    assert count_vocabulary(lexicon, np.array([9, 8, 7, 6, 5]), 4) == Vocabulary((PAD, UNK, "a", "b"), (0, 22, 7, 6))


def test_encoding_gives_unknown_tokens_and_the_reserved_ones_the_id_of_unk():
    vocabulary = Vocabulary((PAD, UNK, "b", "a"), (0, 3, 2, 1))
    codes = vocabulary.encode(["<PAD>", "<UNK>", "a", "b", "c"])
    assert codes.tolist() == [1, 1, 3, 2, 1]
    assert codes.dtype == np.int32
    assert vocabulary.encode([]).shape == (0,)


@settings(max_examples=up_to(100), deadline=None)
@given(st.lists(TOKENS, unique=True, max_size=12), st.lists(TOKENS | st.sampled_from([PAD, UNK]), max_size=12))
def test_a_lexicon_is_encoded_as_its_tokens_are(known, others):
    vocabulary = Vocabulary((PAD, UNK, *known), (0,) * (len(known) + 2))
    lexicon = [*known, *others]
    codes = vocabulary.encode_lexicon(pa.array(lexicon, pa.string()))
    assert codes.tolist() == vocabulary.encode(lexicon).tolist()
    assert codes.dtype == np.int32


@pytest.fixture
def counted(write_corpus, invent_posts, tmp_path):
    corpus = write_corpus(tmp_path, invent_posts(3, 50), rows_per_slice=8)
    split_sentences(corpus.documents, corpus.tokens, corpus.split, "sentence", SplitShares(0.3, 0.3, 1))
    splits = iter([split for part in read_splits(corpus.split) for split in part.tolist()])
    sentences = [sentence for post in corpus.posts for sentence in post.sentences]
    counter = Counter(token for sentence in sentences if next(splits) == 0 for token in sentence)
    return corpus, counter


@pytest.mark.parametrize("size", [3, 10, 10_000])
def test_build_vocabulary_counts_the_training_split_only(counted, size):
    corpus, counter = counted
    figures = build_vocabulary(corpus.tokens, corpus.split, corpus.vocabulary, size)
    kept = sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))[: size - 2]
    vocabulary = read_vocabulary(corpus.vocabulary)
    assert list(zip(vocabulary.tokens[2:], vocabulary.counts[2:], strict=True)) == kept
    total, known = sum(counter.values()), sum(count for _, count in kept)
    assert vocabulary.counts[1] == total - known
    assert figures == {
        "entries": len(kept) + 2,
        "train_distinct_tokens": len(counter),
        "train_tokens": total,
        "train_unknown_share": pytest.approx(1 - known / total),
    }


def test_build_vocabulary_has_no_token_that_only_other_splits_have(write_corpus, post, tmp_path):
    posts = [post(f"a{number}", (0, 0), [[f"only{number}"]]) for number in range(100)]
    corpus = write_corpus(tmp_path, posts)
    split_sentences(corpus.documents, corpus.tokens, corpus.split, "group", SplitShares(0.3, 0.3, 1))
    splits = [split for part in read_splits(corpus.split) for split in part.tolist()]
    build_vocabulary(corpus.tokens, corpus.split, corpus.vocabulary, 10_000)
    expected = {f"only{number}" for number in range(100) if splits[number] == 0}
    assert set(read_vocabulary(corpus.vocabulary).tokens[2:]) == expected


def test_build_vocabulary_gives_the_same_bytes_twice(counted):
    corpus, _ = counted
    contents = []
    for _ in range(2):
        build_vocabulary(corpus.tokens, corpus.split, corpus.vocabulary, 12)
        contents.append(corpus.vocabulary.read_bytes())
    assert contents[0] == contents[1]
    assert contents[0].startswith(b"id\ttoken\tcount\n0\t<PAD>\t0\n1\t<UNK>\t")


def write_sealed(path, content):
    path.write_bytes(content + f"{UNSEALED}\n".encode())
    seal(path)


HEAD = "id\ttoken\tcount\n0\t<PAD>\t0\n1\t<UNK>\t5\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (HEAD + "2\ta\n", 4),
        (HEAD + "2\ta\t3\t4\n", 4),
        (HEAD + "3\ta\t3\n", 4),
        (HEAD + "02\ta\t3\n", 4),
        (HEAD + "2\ta\t-3\n", 4),
        (HEAD + "2\ta\t3.5\n", 4),
        (HEAD + "2\ta\t\n", 4),
        (HEAD + "2\ta\t²\n", 4),
        (HEAD + "2\ta\t3\n\n", 5),
        (HEAD + "2\ta\t3\n4\tb\t2\n", 5),
    ],
)
def test_read_vocabulary_refuses_a_malformed_line_and_names_it(tmp_path, text, line):
    path = tmp_path / "vocabulary.tsv"
    write_sealed(path, text.encode())
    with pytest.raises(FormatError) as caught:
        read_vocabulary(path)
    assert f"{path} line {line}:" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "token\tcount\n",
        HEAD + "2\ta\t3",
        HEAD + "2\ta\t3\n3\ta\t2\n",
        HEAD + "2\t<PAD>\t3\n",
        "id\ttoken\tcount\n",
        "id\ttoken\tcount\n0\t<UNK>\t0\n1\t<PAD>\t5\n",
    ],
)
def test_read_vocabulary_refuses_what_is_no_whole_vocabulary(tmp_path, text):
    path = tmp_path / "vocabulary.tsv"
    write_sealed(path, text.encode())
    with pytest.raises(FormatError, match="again") as caught:
        read_vocabulary(path)
    assert str(path) in str(caught.value)


def test_read_vocabulary_refuses_an_absent_file_and_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "vocabulary.tsv"
    with pytest.raises(FormatError, match="run the stage vocabulary again"):
        read_vocabulary(path)
    write_sealed(path, HEAD.encode() + b"2\t\xff\t3\n")
    with pytest.raises(FormatError, match="run the stage vocabulary again"):
        read_vocabulary(path)


def test_vocabulary_module_does_not_import_tensorflow():
    assert "tensorflow" not in vars(sys.modules["lengthwise.prepare.vocabulary"])
