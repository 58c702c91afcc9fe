import re
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.core.names import SPLITS
from lengthwise.errors import ArgumentError, CorpusError, FormatError
from lengthwise.prepare import splits as splits_module
from lengthwise.prepare.documents import read_document_ids, read_document_table
from lengthwise.prepare.splits import SplitShares, read_splits, split_sentences

SHARES = SplitShares(validation=0.2, test=0.2, seed=3)


def split_of(corpus, by, shares=SHARES):
    counts = split_sentences(corpus.documents, corpus.tokens, corpus.split, by, shares)
    flat = [split for part in read_splits(corpus.split) for split in part.tolist()]
    return counts, flat


def sentences_of(corpus):
    return [(row, post) for row, post in enumerate(corpus.posts) for _ in post.sentences]


@pytest.fixture
def plain(write_corpus, invent_posts, tmp_path):
    return write_corpus(tmp_path, invent_posts(2, 80), rows_per_slice=9)


@settings(max_examples=up_to(40), deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"))), st.lists(st.text(st.characters(codec="utf-8"))), st.data())
def test_shares_assign_each_id_whatever_the_others_are(ids, more, data):
    before = dict(zip(ids, SHARES.assign(ids).tolist(), strict=True))
    mixed = data.draw(st.permutations(ids + more))
    after = dict(zip(mixed, SHARES.assign(mixed).tolist(), strict=True))
    assert all(after[name] == split for name, split in before.items())


def test_shares_assign_the_same_forever():
    # A change here moves authors of published splits.
    assert "".join(map(str, SplitShares(0.25, 0.25, 1).assign(map(str, range(40))).tolist())) == KNOWN


KNOWN = "0011010110020002001100002012221201000220"
KNOWN_FOLDS = [
    "0011010110020002001100002012221201000220",
    "0122120220000000002210010020002012111000",
    "1200201001101110110021120100000020222001",
    "2000002002212221220002201201110100000112",
]


@pytest.mark.parametrize(("validation", "test"), [(0.1, 0.1), (0.0, 0.3), (0.45, 0.5), (0.001, 0.002)])
@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
def test_shares_are_met_within_binomial_bounds(validation, test, seed):
    splits = SplitShares(validation, test, seed).assign(f"author {number}" for number in range(20_000))
    assert splits.dtype == np.int8
    counts = np.bincount(splits, minlength=3)
    for count, share in zip(counts, (1 - validation - test, validation, test), strict=True):
        assert abs(count - 20_000 * share) <= 4 * np.sqrt(20_000 * share * (1 - share))
        assert share > 0 or count == 0


def test_shares_are_met_within_every_class():
    label = np.random.default_rng(1).choice(6, 20_000, p=[0.4, 0.3, 0.15, 0.1, 0.04, 0.01])
    splits = SHARES.assign(map(str, range(20_000)))
    for name in range(6):
        members = splits[label == name]
        for split, share in ((1, 0.2), (2, 0.2)):
            bound = 4 * np.sqrt(len(members) * share * (1 - share))
            assert abs((members == split).sum() - len(members) * share) <= bound


def test_shares_with_another_seed_are_another_independent_split():
    ids = [str(number) for number in range(10_000)]
    first, second = (SplitShares(0.0, 0.5, seed).assign(ids) for seed in (1, 2))
    assert abs((first == second).mean() - 0.5) < 0.03


def test_shares_that_grow_only_take_from_training():
    ids = [str(number) for number in range(5000)]
    small, large = SplitShares(0.1, 0.1, 1).assign(ids), SplitShares(0.2, 0.1, 1).assign(ids)
    assert np.array_equal(small == 2, large == 2)
    assert np.all(large[small == 1] == 1)


@settings(max_examples=up_to(60), deadline=None)
@given(
    st.lists(st.text(st.characters(codec="utf-8")), unique=True, max_size=60),
    st.integers(2, 100),
    st.integers(0, 2**31 - 1),
    st.sampled_from([0.0, 0.1, 0.3]),
)
def test_folds_test_each_unit_exactly_once_and_take_it_for_nothing_else_then(ids, folds, seed, validation):
    splits = np.stack([SplitShares(validation, 0.1, seed, folds, fold).assign(ids) for fold in range(folds)])
    assert ((splits == 2).sum(axis=0) == 1).all()
    assert set(np.unique(splits)) <= ({0, 1, 2} if validation else {0, 2})
    # Validation is the beginning of what follows the fold: nobody is there in more folds than the share says.
    assert ((splits == 1).sum(axis=0) <= np.ceil(validation * folds) + 1).all()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("folds", [2, 3, 10, 100])
def test_folds_are_equally_large_in_expectation_and_so_is_the_validation_of_each(folds):
    ids = [f"author {number}" for number in range(20_000)]
    for fold in range(folds):
        counts = np.bincount(SplitShares(0.2, 0.9, 5, folds, fold).assign(ids), minlength=3)
        for count, share in zip(counts, (0.8 - 1 / folds, 0.2, 1 / folds), strict=True):
            assert abs(count - 20_000 * share) <= 4.5 * np.sqrt(20_000 * share * (1 - share))


@settings(max_examples=up_to(40), deadline=None)
@given(st.lists(st.text(), max_size=30), st.lists(st.text(), max_size=30), st.integers(2, 20), st.data())
def test_folds_move_nobody_when_units_are_added(ids, more, folds, data):
    shares = SplitShares(0.2, 0.1, 1, folds, data.draw(st.integers(0, folds - 1)))
    before = dict(zip(ids, shares.assign(ids).tolist(), strict=True))
    mixed = data.draw(st.permutations(ids + more))
    after = dict(zip(mixed, shares.assign(mixed).tolist(), strict=True))
    assert all(after[name] == split for name, split in before.items())


def test_folds_do_not_look_at_the_share_of_the_test_and_the_first_is_the_split_of_its_share():
    ids = [str(number) for number in range(20_000)]
    for folds in (2, 3, 7, 10, 49, 100):
        first, same = (SplitShares(0.15, test, 3, folds, 0).assign(ids) for test in (0.1, 0.7))
        assert np.array_equal(first, same)
        assert np.array_equal(first, SplitShares(0.15, 1 / folds, 3).assign(ids))


def test_folds_assign_the_same_forever():
    # A change here moves authors of published folds.
    ids = [*map(str, range(40))]
    found = ["".join(map(str, SplitShares(0.25, 0.1, 1, 4, fold).assign(ids).tolist())) for fold in range(4)]
    assert found == KNOWN_FOLDS


@pytest.mark.parametrize(("number", "fold"), [(2**64 - 1, 6), (0, 0), (2**63, 3)])
def test_folds_have_a_place_for_the_ends_of_the_hash(number, fold, monkeypatch):
    # As a float, the largest is 1.
    class Ends:
        def __init__(self, *_, **__):
            pass

        def digest(self):
            return number.to_bytes(8, "little")

    monkeypatch.setattr("lengthwise.prepare.splits.blake2b", Ends)
    tested = [SplitShares(0.0, 0.1, 1, 7, of).assign(["x"]).item() == 2 for of in range(7)]
    assert tested == [of == fold for of in range(7)]


@pytest.mark.parametrize(("folds", "fold"), [(2, 2), (10, 10), (10, 99)])
def test_a_fold_that_is_not_there_is_refused(folds, fold):
    with pytest.raises(ArgumentError, match=f"fold: got {fold}; expected a whole number from 0 below folds, {folds}"):
        SplitShares(0.1, 0.1, 1, folds, fold)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("by", ["group", "document", "sentence"])
def test_split_by_folds_tests_each_unit_of_a_corpus_once(plain, by):
    tested = []
    for fold in range(5):
        counts, splits = split_of(plain, by, SplitShares(0.2, 0.1, 3, 5, fold))
        tested.append(np.array(splits) == 2)
        assert by == "sentence" or counts["documents_in_several_splits"] == 0
        assert by != "group" or counts["authors_in_several_splits"] == 0
    assert (np.sum(tested, axis=0) == 1).all()


def test_split_refuses_an_empty_fold_with_what_would_help(plain):
    empty = next(
        fold
        for fold in range(100)
        if not (SplitShares(0.2, 0.1, 3, 100, fold).assign({post.author for post in plain.posts}) == 2).any()
    )
    with pytest.raises(CorpusError, match=r"no sentence fell to test; expected some; lower split\.folds"):
        split_of(plain, "group", SplitShares(0.2, 0.1, 3, 100, empty))


def test_folds_of_documents_that_have_a_split_of_their_own_are_refused(plain, monkeypatch):
    def said(path):
        table = read_document_table(path)
        return replace(table, split=np.zeros(len(table.group), np.int8))

    monkeypatch.setattr("lengthwise.prepare.splits.read_document_table", said)
    with pytest.raises(CorpusError, match=r"split\.folds: got 5; expected null, since documents say"):
        split_of(plain, "group", SplitShares(0.2, 0.1, 3, 5, 0))
    assert not plain.split.exists()


def test_shares_of_nothing_are_nothing():
    assert SHARES.assign([]).shape == (0,)


def test_split_by_author_keeps_every_author_together(plain):
    counts, splits = split_of(plain, "group")
    expected = dict(
        zip(
            (names := list(dict.fromkeys(post.author for post in plain.posts))),
            SHARES.assign(names).tolist(),
            strict=True,
        )
    )
    assert splits == [expected[post.author] for _, post in sentences_of(plain)]
    assert counts["authors_in_several_splits"] == counts["documents_in_several_splits"] == 0


def test_split_by_document_keeps_every_document_together_and_counts_the_authors_that_are_not(plain):
    counts, splits = split_of(plain, "document")
    expected = SHARES.assign(read_document_ids(plain.documents))
    assert splits == [expected[row] for row, _ in sentences_of(plain)]
    assert counts["documents_in_several_splits"] == 0
    assert counts["authors_in_several_splits"] > 0


def test_split_by_sentence_takes_every_sentence_by_its_own_number(plain):
    counts, splits = split_of(plain, "sentence")
    ids = list(read_document_ids(plain.documents))
    names = [f"{ids[row]}/{number}" for row, post in enumerate(plain.posts) for number in range(len(post.sentences))]
    assert splits == SHARES.assign(names).tolist()
    assert counts["documents_in_several_splits"] > 0


@pytest.mark.parametrize("by", ["group", "document", "sentence"])
def test_split_counts_equal_plain_loops(plain, by, factors):
    counts, splits = split_of(plain, by)
    authors, documents = defaultdict(set), defaultdict(set)
    labels = {}
    for (row, post), split in zip(sentences_of(plain), splits, strict=True):
        authors[post.author].add(split)
        documents[row].add(split)
        gender, bracket = (factor.classes[code] for factor, code in zip(factors, post.codes, strict=True))
        labels[post.author] = f"{gender}_{bracket}"
    expected = {
        "authors_in_several_splits": sum(len(seen) > 1 for seen in authors.values()),
        "documents_in_several_splits": sum(len(seen) > 1 for seen in documents.values()),
    }
    sentences = Counter(splits)
    for number, name in enumerate(SPLITS):
        here = [author for author, seen in authors.items() if number in seen]
        expected[f"{name}_sentences"] = sentences[number]
        expected[f"{name}_documents"] = sum(number in seen for seen in documents.values())
        expected[f"{name}_authors"] = len(here)
        classes = Counter(labels[author] for author in here)
        for gender in factors[0].classes:
            for bracket in factors[1].classes:
                expected[f"{name}_authors_{gender}_{bracket}"] = classes[f"{gender}_{bracket}"]
    assert counts == expected


def test_split_moves_nobody_when_authors_are_added(write_corpus, invent_posts, post, tmp_path):
    posts = invent_posts(2, 40)
    more = [post(f"new{number}", (1, 1), [["a", "b"]]) for number in range(30)]
    before = write_corpus(tmp_path / "before", posts, rows_per_slice=10)
    after = write_corpus(tmp_path / "after", [*more[:15], *posts, *more[15:]], rows_per_slice=7)
    for by in ("group", "document", "sentence"):
        _, old = split_of(before, by)
        _, new = split_of(after, by)
        assert new[15:-15] == old


@pytest.mark.sampled(1)
@pytest.mark.parametrize("by", ["group", "document", "sentence"])
def test_split_takes_a_slice_without_sentences(write_corpus, invent_posts, post, tmp_path, by):
    posts = invent_posts(2, 30)
    silent = post("silent", (0, 0), [])
    corpus = write_corpus(tmp_path, [silent, *posts, silent], rows_per_slice=1)
    _, splits = split_of(corpus, by)
    assert len(splits) == len(sentences_of(corpus))
    assert len(list(read_splits(corpus.split))) == len(corpus.posts)


def test_split_has_a_row_group_per_slice_of_the_tokens(plain):
    split_of(plain, "group")
    sizes = Counter(row // 9 for row, _ in sentences_of(plain))
    assert [len(part) for part in read_splits(plain.split)] == [sizes[number] for number in range(len(sizes))]
    assert pq.ParquetFile(plain.split).schema_arrow.names == ["split"]


@pytest.mark.parametrize(
    ("shares", "name"),
    [
        (SplitShares(0.1, 1e-9, 1), "test"),
        (SplitShares(1e-9, 0.1, 1), "validation"),
        (SplitShares(0.5, 0.4999999999, 1), "train"),
    ],
)
def test_split_refuses_to_leave_a_split_empty_and_writes_nothing(plain, shares, name):
    with pytest.raises(CorpusError, match=f"no sentence fell to {name}") as refusal:
        split_of(plain, "group", shares)
    assert not plain.split.exists()
    assert sorted(path.name for path in plain.folder.iterdir()) == ["documents.parquet", "tokens"]
    # The shares that it names leave something in each split.
    said = re.search(r"set split\.validation to (\S+) and split\.test to ([\d.]+),", str(refusal.value))
    split_of(plain, "group", replace(shares, validation=float(said[1]), test=float(said[2])))


def test_split_of_one_group_is_refused_without_shares_since_none_would_do(plain, tmp_path, monkeypatch):
    monkeypatch.setattr(splits_module, "_units", lambda *_: ["alone"])
    with pytest.raises(CorpusError, match=r"raise its share, change split\.seed, or take a larger corpus"):
        split_of(plain, "group", SplitShares(0.1, 1e-9, 1))


def test_split_may_be_without_validation(plain):
    counts, splits = split_of(plain, "author", SplitShares(0.0, 0.2, 3))
    assert set(splits) == {0, 2}
    assert counts["validation_sentences"] == counts["validation_authors"] == 0


def test_split_gives_the_same_bytes_twice(plain):
    split_of(plain, "group")
    first = plain.split.read_bytes()
    split_of(plain, "group")
    assert plain.split.read_bytes() == first


def test_read_splits_refuses_an_absent_or_damaged_file(plain):
    with pytest.raises(FormatError, match="run the stage split again"):
        list(read_splits(plain.split))
    plain.split.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(FormatError, match=r"split\.parquet"):
        list(read_splits(plain.split))
