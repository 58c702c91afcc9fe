import json
from itertools import groupby

import numpy as np
import pyarrow.parquet as pq
import pytest

from lengthwise.core.names import SPLITS
from lengthwise.errors import CorpusError, FormatError
from lengthwise.prepare.shards.encoding import TextEncoding, read_shard_encoding
from lengthwise.prepare.shards.lengths import LengthLimits
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.prepare.shards.schema import INDEX_NAME, VERSION, VOCABULARY_NAME
from lengthwise.prepare.shards.writer import build_shards
from lengthwise.prepare.splits import read_splits
from lengthwise.prepare.text.store import TokenStore
from lengthwise.prepare.vocabulary import read_vocabulary

NO_LIMITS = LengthLimits(1, None, "drop")


def expected_sequences(corpus, unit, limits):
    # Per split (tokens, label, document, author) in the corpus's order, by plain loops.
    names = read_vocabulary(corpus.vocabulary).tokens
    ids = {name: number for number, name in enumerate(names) if number > 1}
    splits = iter([split for part in read_splits(corpus.split) for split in part.tolist()])
    authors = list(dict.fromkeys(post.author for post in corpus.posts))
    sentences = [
        (row, post, sentence, next(splits)) for row, post in enumerate(corpus.posts) for sentence in post.sentences
    ]
    keys = {"sentence": lambda entry: id(entry[2]), "document": lambda entry: entry[0]}
    keys["group"] = lambda entry: entry[1].author
    found = {name: [] for name in SPLITS}
    for _, members in groupby(sentences, keys[unit]):
        members = list(members)
        row, post, _, split = members[0]
        tokens = [ids.get(token, 1) for _, _, sentence, _ in members for token in sentence]
        parts = [tokens]
        if limits.max_length is not None and len(tokens) > limits.max_length:
            step = limits.max_length
            parts = {
                "drop": [],
                "truncate": [tokens[:step]],
                "split": [tokens[start : start + step] for start in range(0, len(tokens), step)],
            }[limits.too_long]
        label = post.codes[0] * 3 + post.codes[1]
        found[SPLITS[split]] += [
            (part, label, row, authors.index(post.author)) for part in parts if len(part) >= limits.min_length
        ]
    return found


def read_back(folder, split):
    sequences = read_split(folder, read_index(folder), split)
    rows = [
        (sequences["tokens"][begin:end].tolist(), label, document, author)
        for begin, end, label, document, author in zip(
            sequences.offsets[:-1],
            sequences.offsets[1:],
            sequences["label"].tolist(),
            sequences["document"].tolist(),
            sequences["group"].tolist(),
            strict=True,
        )
    ]
    return rows, sequences


@pytest.mark.sampled(2)
@pytest.mark.parametrize("rows_per_slice", [1, 7, 8192])
@pytest.mark.parametrize("unit", ["sentence", "document", "group"])
@pytest.mark.parametrize(
    "limits",
    [NO_LIMITS, LengthLimits(3, 9, "drop"), LengthLimits(2, 9, "truncate"), LengthLimits(3, 8, "split")],
    ids=["all", "drop", "truncate", "split"],
)
def test_build_shards_equals_plain_loops(
    write_corpus, invent_posts, make_shards, tmp_path, unit, limits, rows_per_slice
):
    if (unit, limits.too_long, limits.max_length) == ("group", "drop", 9):
        limits = LengthLimits(3, 40, "drop")  # Hardly any author wrote less than 10 tokens.
    corpus = write_corpus(tmp_path, invent_posts(4, 30), rows_per_slice)
    make_shards(corpus, unit=unit, limits=limits, rows_per_shard=11)
    for split, expected in expected_sequences(corpus, unit, limits).items():
        rows, sequences = read_back(corpus.shards, split)
        # Sorted by length, ties in the corpus's order; `sequence` is the place in that order.
        order = sorted(range(len(expected)), key=lambda place: len(expected[place][0]))
        assert rows == [expected[place] for place in order]
        assert sequences["sequence"].tolist() == order
        assert sequences.lengths.tolist() == [len(row[0]) for row in rows]


def test_build_shards_joins_an_author_over_many_slices(write_corpus, make_shards, post, tmp_path):
    posts = [post("long", (0, 0), [[f"w{number}", "x"]]) for number in range(9)]
    others = [post(f"a{number}", (1, 2), [["y"] * (number + 1)]) for number in range(40)]
    corpus = write_corpus(tmp_path, [*others[:20], *posts, *others[20:]], rows_per_slice=2)
    make_shards(corpus, unit="group", validation=0.0)
    rows = [row for split in SPLITS for row in read_back(corpus.shards, split)[0]]
    assert len(rows) == 41
    [long] = [tokens for tokens, label, document, _ in rows if (label, document) == (0, 20)]
    assert len(long) == 18
    names = read_vocabulary(corpus.vocabulary).tokens
    assert [names[token] for token in long[1::2]] in (["x"] * 9, ["<UNK>"] * 9)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("unit", ["sentence", "document", "group"])
def test_build_shards_takes_slices_without_sentences(write_corpus, make_shards, invent_posts, post, tmp_path, unit):
    posts = [post("silent", (0, 1), []), post("silent", (0, 1), []), *invent_posts(5, 30)]
    last = posts[-1]
    posts += [post(last.author, last.codes, []), post(last.author, last.codes, [])]
    posts += [post(last.author, last.codes, [["once", "more"]])]
    corpus = make_shards(write_corpus(tmp_path, posts, rows_per_slice=1), unit=unit)
    for split, expected in expected_sequences(corpus, unit, NO_LIMITS).items():
        rows, _ = read_back(corpus.shards, split)
        assert rows == sorted(expected, key=lambda row: len(row[0]))


def test_build_shards_counts_what_it_did(corpus, tmp_path):
    limits = LengthLimits(3, 9, "drop")
    counts = build_shards(corpus.inputs, tmp_path / "shards", "sentence", limits, 10)
    expected = expected_sequences(corpus, "sentence", limits)
    for split, rows in expected.items():
        assert counts[f"{split}_rows"] == len(rows)
        assert counts[f"{split}_tokens"] == sum(len(tokens) for tokens, *_ in rows)
    assert counts["sequences_kept"] == sum(counts[f"{split}_rows"] for split in SPLITS)
    assert counts["tokens_kept"] == sum(counts[f"{split}_tokens"] for split in SPLITS)
    everything = [sentence for post in corpus.posts for sentence in post.sentences]
    assert counts["sequences_in"] == len(everything)
    assert counts["tokens_in"] == sum(map(len, everything))
    assert counts["sequences_too_long"] == sum(len(sentence) > 9 for sentence in everything)
    assert counts["sequences_too_short"] == sum(len(sentence) < 3 for sentence in everything)


def test_build_shards_gives_the_same_counts_and_bytes_twice_and_for_any_slices(
    write_corpus, invent_posts, make_shards, tmp_path
):
    contents = []
    for name, rows_per_slice in (("first", 5), ("second", 5), ("third", 8192)):
        corpus = write_corpus(tmp_path / name, invent_posts(6, 40), rows_per_slice)
        make_shards(corpus, unit="document", rows_per_shard=7)
        contents.append(
            {
                str(path.relative_to(corpus.shards)): path.read_bytes()
                for path in corpus.shards.rglob("*")
                if path.is_file()
            }
        )
    assert contents[0] == contents[1] == contents[2]
    assert len(contents[0]) > 10


def test_build_shards_fills_files_to_rows_per_shard(write_corpus, invent_posts, make_shards, tmp_path):
    corpus = make_shards(write_corpus(tmp_path, invent_posts(7, 40)), rows_per_shard=13)
    index = read_index(corpus.shards)
    for name, entry in index.splits.items():
        assert [shard.file for shard in entry.shards] == [f"{name}/{i:05d}.parquet" for i in range(len(entry.shards))]
        assert all(shard.rows == 13 for shard in entry.shards[:-1])
        assert 1 <= entry.shards[-1].rows <= 13
        assert sum(shard.rows for shard in entry.shards) == entry.rows
        assert sum(shard.tokens for shard in entry.shards) == entry.tokens
        for earlier, later in zip(entry.shards[:-1], entry.shards[1:], strict=True):
            assert earlier.longest <= later.shortest


def test_build_shards_writes_an_index_that_says_what_is_there(corpus):
    index = read_index(corpus.shards)
    assert (index.version, index.unit) == (VERSION, "sentence")
    assert set(index.splits) == set(SPLITS)
    vocabulary = read_vocabulary(corpus.vocabulary)
    assert index.vocabulary_size == len(vocabulary)
    tokenizer = TokenStore(corpus.tokens).tokenizer
    assert read_shard_encoding(corpus.shards, index) == TextEncoding(tokenizer, vocabulary)
    assert (corpus.shards / "vocabulary.tsv").read_bytes() == corpus.vocabulary.read_bytes()
    for name, entry in index.splits.items():
        rows, sequences = read_back(corpus.shards, name)
        lengths, counts = np.unique(sequences.lengths, return_counts=True)
        assert entry.lengths == list(zip(lengths.tolist(), counts.tolist(), strict=True))
        assert (entry.rows, entry.tokens) == (len(rows), len(sequences["tokens"]))
        for shard in entry.shards:
            file = pq.ParquetFile(corpus.shards / shard.file)
            assert file.schema_arrow.equals(index.schema)
            assert file.schema_arrow.metadata[b"lengthwise.shards"] == str(VERSION).encode()
            assert all(field.metadata[b"doc"] for field in file.schema_arrow)
            assert file.metadata.num_rows == shard.rows
    on_disk = {str(path.relative_to(corpus.shards)) for path in corpus.shards.rglob("*") if path.is_file()}
    files = {INDEX_NAME, VOCABULARY_NAME}
    assert on_disk == files | {shard.file for entry in index.splits.values() for shard in entry.shards}


def test_build_shards_carries_the_label_factors(corpus, factors):
    assert tuple(read_index(corpus.shards).factors) == factors


def test_build_shards_leaves_no_scratch_beside_the_folder(write_corpus, invent_posts, make_shards, tmp_path):
    make_shards(write_corpus(tmp_path, invent_posts(8, 30)))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "documents.parquet",
        "shards",
        "split.parquet",
        "tokens",
        "vocabulary.tsv",
    ]


def test_build_shards_writes_an_empty_validation_split(write_corpus, invent_posts, make_shards, tmp_path):
    corpus = make_shards(write_corpus(tmp_path, invent_posts(9, 30)), validation=0.0)
    entry = read_index(corpus.shards).splits["validation"]
    assert (entry.rows, entry.tokens, entry.lengths, entry.shards) == (0, 0, [], [])
    rows, sequences = read_back(corpus.shards, "validation")
    assert rows == []
    assert sequences.offsets.tolist() == [0]
    assert (sequences["tokens"].dtype, sequences["label"].dtype) == (np.int32, np.int32)
    assert len(sequences) == len(sequences.lengths) == 0


def test_build_shards_refuses_limits_that_leave_nothing_to_train_on(corpus, tmp_path):
    with pytest.raises(CorpusError, match=r"no training sequence.*shards\.min_length"):
        build_shards(corpus.inputs, tmp_path / "shards", "sentence", LengthLimits(500, None, "drop"), 10)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("most", "rows"), [(2, 10), (60, 1000)])
def test_build_shards_refuses_more_steps_than_a_file_counts(corpus, tmp_path, monkeypatch, most, rows):
    # Of one sequence, or of all of a file.
    monkeypatch.setattr("lengthwise.prepare.shards.placing.MOST_STEPS", most)
    with pytest.raises(CorpusError, match=rf"expected at most {most}; lower shards\.rows_per_shard"):
        build_shards(corpus.inputs, tmp_path / "shards", "sentence", LengthLimits(1, None, "drop"), rows)
    assert list(tmp_path.iterdir()) == []


def test_build_shards_keeps_the_old_folder_where_it_fails(write_corpus, invent_posts, make_shards, tmp_path):
    corpus = make_shards(write_corpus(tmp_path, invent_posts(10, 30)))
    before = (corpus.shards / INDEX_NAME).read_bytes()
    corpus.vocabulary.write_text("nothing")
    with pytest.raises(FormatError):
        build_shards(corpus.inputs, corpus.shards, "sentence", LengthLimits(2, None, "drop"), 10)
    assert (corpus.shards / INDEX_NAME).read_bytes() == before
    assert json.loads(before)["unit"] == "sentence"
