import os
import random
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.corpora import ingest as stage
from lengthwise.corpora.blogs.form import Blogs
from lengthwise.corpora.corpus import Extract
from lengthwise.corpora.membership import groups_of_part
from lengthwise.errors import CorpusError
from lengthwise.prepare import document_writer
from lengthwise.prepare.documents import open_documents, read_document_table
from lengthwise.prepare.splits import SplitShares

NAME = "7.male.25.Arts.Leo.xml"
LIMIT = 1 << 20
# What is the same for one set of documents in a zip, a folder or a CSV. Files, bytes, what stands outside of posts,
# and what a strict parser makes of a file are properties of the files.
COUNTS = ("authors", "documents", "documents_empty", "duplicates_within_authors", "duplicates_across_authors")
OF_DOCUMENTS = [
    kind
    for kind in [
        "authors",
        "documents",
        "documents_empty",
        *Blogs.counts,
        "duplicates_within_authors",
        "duplicates_across_authors",
    ]
    if not kind.startswith(("bytes", "files", "rows"))
    and kind not in {"documents_strict_parser", "documents_not_drawn", "repaired_unclosed_posts"}
]
FRAGMENTS = [
    b"&amp;",
    b"&nbsp;",
    b"&",
    b"<",
    b'"',
    b'""',
    b",",
    b"\r\n",
    b"\n",
    b"\x00",
    b"\xff",
    b"\xc3\xa9",
    b"it\x92s",
]
BODY = st.one_of(
    st.binary(max_size=20),
    st.lists(st.sampled_from([*FRAGMENTS, b"a", b" ", b"word"]), max_size=6).map(b"".join),
).filter(lambda body: b"<post>" not in body and b"</post>" not in body)


def ingest(source, documents, corpus, max_bytes, most_groups=None):
    return stage.ingest(corpus, Extract(source, max_bytes, most_groups), documents)


@pytest.fixture
def small_slices(monkeypatch):
    monkeypatch.setattr(document_writer, "ROWS_PER_SLICE", 3)


def write_three_ways(folder, authors, blog, write_zip, write_folder, write_csv):
    # authors: ID.GENDER.AGE.INDUSTRY.SIGN to bodies, the CSV in the order of the members' names.
    members = {f"{name}.xml": blog(*bodies) for name, bodies in authors.items()}
    rows = [
        (*name.removesuffix(".xml").encode().split(b"."), b"14,May,2004", body)
        for name in sorted(members)
        for body in authors[name.removesuffix(".xml")]
    ]
    return [
        write_zip(folder / "blogs.zip", members),
        write_folder(folder / "blogs", members),
        write_csv(folder / "blogs.csv", *rows),
    ]


@settings(max_examples=up_to(40), deadline=None)
@given(st.lists(st.lists(BODY, max_size=3), min_size=1, max_size=3).filter(any))
def test_ingest_gives_the_same_bytes_for_zip_folder_and_csv(
    tmp_path_factory, blogs, blog, write_zip, write_folder, write_csv, bodies
):
    folder = tmp_path_factory.mktemp("three")
    authors = {f"{i}.female.{15 + 10 * i}.Café-{i}.Leo": posts for i, posts in enumerate(bodies)}
    sources = write_three_ways(folder, authors, blog, write_zip, write_folder, write_csv)
    outs = [folder / f"{i}.parquet" for i in range(3)]
    counts = [ingest(source, out, blogs, LIMIT) for source, out in zip(sources, outs, strict=True)]
    assert outs[0].read_bytes() == outs[1].read_bytes() == outs[2].read_bytes()
    assert counts[0] == counts[1]
    assert {kind: counts[0][kind] for kind in OF_DOCUMENTS} == {kind: counts[2][kind] for kind in OF_DOCUMENTS}


def test_texts_of_one_hash_count_as_copies_and_nothing_else_changes(
    tmp_path, monkeypatch, blogs, blog, write_zip, write_folder, write_csv
):
    authors = {f"{i}.female.15.Arts.Leo": [b"post %d of %d" % (n, i) for n in range(3)] for i in range(3)}
    for source in write_three_ways(tmp_path, authors, blog, write_zip, write_folder, write_csv):
        outs = [tmp_path / f"{source.name}.{kind}.parquet" for kind in ("apart", "forged")]
        counts = ingest(source, outs[0], blogs, LIMIT)
        with monkeypatch.context() as patch:
            # As of who knows PYTHONHASHSEED.
            patch.setattr(stage, "hash", lambda content: 7, raising=False)
            forged = ingest(source, outs[1], blogs, LIMIT)
        assert outs[0].read_bytes() == outs[1].read_bytes()
        copies = {"duplicates_within_authors": 6, "duplicates_across_authors": 2}
        assert forged == counts | copies
        assert not any(counts[name] for name in copies)


@settings(max_examples=up_to(40), deadline=None)
@given(st.lists(st.text(min_size=1, max_size=4), unique=True, max_size=30), st.randoms(), st.integers(1, 40))
def test_groups_of_part_lie_in_every_larger_part_whatever_their_order(ids, random_of, most):
    ids = [name.encode("utf-8", "replace").decode() for name in ids]
    part = groups_of_part(ids, most)
    assert len(part) == min(most, len(set(ids)))
    assert part <= groups_of_part(ids, most + 1) <= groups_of_part(ids, None) == set(ids)
    # Of a part, and of any order with repetitions, the same are chosen.
    assert groups_of_part(random_of.sample(ids * 2, 2 * len(ids)), most) == part
    assert groups_of_part(groups_of_part(ids, most + 3), most) == part


def test_groups_of_part_are_these_on_every_machine():
    assert sorted(groups_of_part(map(str, range(1000)), 3)) == ["317", "363", "700"]


@pytest.mark.parametrize("by", ["1", "2", "another"])
def test_groups_of_part_are_split_like_all(by):
    # Were both digests one, a part of 1 in 20 would lie in the test split to the last author.
    part = groups_of_part((f"{by}{number}" for number in range(20_000)), 1000)
    split = SplitShares(0.1, 0.1, 1).assign(sorted(part))
    assert 50 < np.count_nonzero(split == 2) < 150
    assert 700 < np.count_nonzero(split == 0) < 900


@pytest.mark.parametrize("most", [1, 3, 8, 9])
def test_ingest_of_a_part_reads_its_authors_alone_and_the_same_from_zip_folder_and_csv(
    tmp_path, blogs, blog, write_zip, write_folder, write_csv, most
):
    authors = {f"{i}.female.{15 + i}.Arts.Leo": [b"post %d of %d" % (n, i) for n in range(3)] for i in range(3)}
    authors |= {f"{i}.male.{18 + i}.Law.Leo": [b"other %d" % i] for i in range(5, 10)}
    sources = write_three_ways(tmp_path, authors, blog, write_zip, write_folder, write_csv)
    part = groups_of_part([name.split(".")[0] for name in authors], most)
    outs = [tmp_path / f"{i}.parquet" for i in range(3)]
    counts = [ingest(source, out, blogs, LIMIT, most) for source, out in zip(sources, outs, strict=True)]
    assert outs[0].read_bytes() == outs[1].read_bytes() == outs[2].read_bytes()
    assert counts[0] == counts[1]
    assert {kind: counts[0][kind] for kind in OF_DOCUMENTS} == {kind: counts[2][kind] for kind in OF_DOCUMENTS}
    assert set(open_documents(outs[0]).read()["group"].to_pylist()) == part
    assert counts[0]["authors"] == counts[0]["files"] == min(most, 8)
    ingest(sources[0], tmp_path / "all.parquet", blogs, LIMIT)
    if most >= 8:
        assert outs[0].read_bytes() == (tmp_path / "all.parquet").read_bytes()


def test_ingest_of_a_part_does_not_open_other_files_but_checks_all_names(tmp_path, blogs, blog, write_folder):
    first, other = sorted(["1", "2"], key=lambda name: name not in groups_of_part(["1", "2"], 1))
    names = {who: f"{who}.male.25.Arts.Leo.xml" for who in (first, other)}
    source = write_folder(tmp_path / "blogs", {names[first]: blog(b"a"), names[other]: b"x" * 2000})
    assert ingest(source, tmp_path / "d.parquet", blogs, 1000, 1)["files"] == 1
    (source / names[other]).rename(source / f"{other}.male.20.Arts.Leo.xml")
    with pytest.raises(CorpusError, match="age 20 is in no bracket"):
        ingest(source, tmp_path / "d.parquet", blogs, 1000, 1)


def test_ingest_writes_documents_in_slices_and_counts_them(tmp_path, small_slices, blogs, blog, write_zip):
    members = {
        "9.female.15.Arts.Leo.xml": blog(b"one", b"two &amp; three", b""),
        "10.male.48.Law.Virgo.xml": blog(b"caf\xe9", b"one\x00", b"\x81", b"one").replace(b"</Blog>", b"stray"),
        "8.male.25.Law.Aries.xml": b"<Blog></Blog>",
    }
    out = tmp_path / "new" / "documents.parquet"
    counts = ingest(write_zip(tmp_path / "blogs.zip", members), out, blogs, LIMIT)
    assert counts == {
        "authors": 2,
        "bytes": sum(len(data) for data in members.values()),
        "bytes_outside_posts": 5,
        "documents": 7,
        "documents_cp1252": 1,
        "documents_empty": 2,
        "documents_latin1": 1,
        "documents_strict_parser": 3,
        "documents_utf8": 5,
        **dict.fromkeys(("authors_outside", "documents_cesu8", "documents_declared", "documents_wide", "rows"), 0),
        **dict.fromkeys(("documents_not_drawn", "documents_outside", "files_not_drawn", "files_outside"), 0),
        **dict.fromkeys(("files_passed_over", "files_unknown_encoding", "repaired_cdata"), 0),
        "files_without_posts": 1,
        "duplicates_across_authors": 1,
        "duplicates_within_authors": 1,
        "files": 3,
        "files_malformed": 1,
        "files_not_utf8": 1,
        "repaired_control_characters": 2,
        "repaired_entities": 1,
        "repaired_line_ends": 0,
        "repaired_missing_dates": 0,
        "repaired_unclosed_posts": 0,
    }
    table = open_documents(out).read()
    assert open_documents(out).num_row_groups == 3
    assert table["document_id"].to_pylist() == ["10/0", "10/1", "10/2", "10/3", "9/0", "9/1", "9/2"]
    assert table["text"].to_pylist() == ["café", "one", "", "one", "one", "two & three", ""]
    assert table["gender"].to_pylist() == [0] * 4 + [1] * 3
    assert table["age_bracket"].to_pylist() == [2] * 4 + [0] * 3
    assert table["age"].to_pylist() == [48] * 4 + [15] * 3
    assert table["industry"].to_pylist() == ["Law"] * 4 + ["Arts"] * 3
    assert table["sign"].to_pylist() == ["Virgo"] * 4 + ["Leo"] * 3
    assert table["date"].to_pylist() == ["14,May,2004"] * 7
    assert read_document_table(out).form.factors == tuple(blogs.brackets.factors)


def test_ingest_reports_every_count_also_those_of_nothing(tmp_path, blogs, blog, write_zip):
    counts = ingest(write_zip(tmp_path / "blogs.zip", {NAME: blog(b"a")}), tmp_path / "d.parquet", blogs, LIMIT)
    assert set(counts) == {*COUNTS, *Blogs.counts}
    assert all(type(count) is int for count in counts.values())


def test_ingest_keeps_a_missing_date_as_null(tmp_path, blogs, write_zip):
    source = write_zip(tmp_path / "blogs.zip", {NAME: b"<Blog><post>a</post><date>1</date><post>b</post></Blog>"})
    counts = ingest(source, tmp_path / "d.parquet", blogs, LIMIT)
    assert pq.read_table(tmp_path / "d.parquet")["date"].to_pylist() == [None, "1"]
    assert counts["repaired_missing_dates"] == 1


def test_ingest_takes_an_empty_date_as_missing_in_a_zip_as_in_a_csv(tmp_path, blogs, blog, write_zip, write_csv):
    sources = [
        write_zip(tmp_path / "blogs.zip", {NAME: blog(b"a", date=b" ")}),
        write_csv(tmp_path / "blogs.csv", (b"7", b"male", b"25", b"Arts", b"Leo", b" ", b"a")),
    ]
    results = []
    for source in sources:
        counts = ingest(source, tmp_path / "d.parquet", blogs, LIMIT)
        results.append((pq.read_table(tmp_path / "d.parquet")["date"].to_pylist(), counts["repaired_missing_dates"]))
    assert results == [([None], 1), ([None], 1)]


@pytest.mark.parametrize("seed", range(3))
def test_ingest_counts_duplicates_as_brute_force_does(tmp_path, blogs, blog, write_zip, seed):
    random_of = random.Random(seed)
    bodies = {
        f"{i}.male.25.Arts.Leo.xml": [b"%d" % random_of.randrange(12) * random_of.randrange(2) for _ in range(15)]
        for i in range(6)
    }
    source = write_zip(tmp_path / "blogs.zip", {name: blog(*texts) for name, texts in bodies.items()})
    counts = ingest(source, tmp_path / "d.parquet", blogs, LIMIT)
    authors = defaultdict(set)
    within = 0
    for name, texts in bodies.items():
        for text in filter(None, texts):
            within += name in authors[text]
            authors[text].add(name)
    assert counts["duplicates_within_authors"] == within
    assert counts["duplicates_across_authors"] == sum(len(names) - 1 for names in authors.values())
    assert counts["documents_empty"] == sum(not text for texts in bodies.values() for text in texts)


def test_ingest_takes_a_corpus_of_empty_documents(tmp_path, blogs, blog, write_zip):
    source = write_zip(tmp_path / "blogs.zip", {NAME: blog(b"", b" ", b"\x00")})
    counts = ingest(source, tmp_path / "d.parquet", blogs, LIMIT)
    assert counts["documents"] == counts["documents_empty"] == 3
    assert counts["duplicates_within_authors"] == counts["duplicates_across_authors"] == 0


def csv_rows(*rows):
    fields = [b",".join(row) for row in rows]
    return b"id,gender,age,topic,sign,date,text\n" + b"".join(row + b"\n" for row in fields)


ROW = (b"7", b"male", b"25", b"Arts", b"Leo", b"1", b"a")
OTHER = (b"8", b"male", b"25", b"Arts", b"Leo", b"1", b"a")
BLOG = b"<Blog><date>1</date><post>a</post></Blog>"
WRONG_SOURCES = {
    "wrong member name": ({NAME: BLOG, "notes.doc": b"x"}, ["notes.doc: is not named like a blog", "rename it"]),
    "unknown gender": ({NAME: BLOG, "8.f.25.Arts.Leo.xml": BLOG}, ["8.f.25.Arts.Leo.xml: gender 'f'", "rename it"]),
    "age in no bracket": (
        {NAME: BLOG, "8.male.20.A.Leo.xml": BLOG},
        ["8.male.20.A.Leo.xml: age 20", "age_brackets"],
    ),
    "large member": (
        {NAME: BLOG, "8.male.25.A.Leo.xml": b"x" * 2000},
        ["8.male.25.A.Leo.xml: unpacks", "max_member_mb"],
    ),
    "no posts": ({NAME: b"<Blog></Blog>"}, ["has no document", "expected <post>"]),
    "no members": ({}, ["is empty", "expected files ID.GENDER"]),
    "author in two files": (
        {"a/7.male.25.A.Leo.xml": BLOG, "b/8.male.25.A.Leo.xml": BLOG, "c/7.male.25.A.Leo.xml": BLOG},
        ["author 7 comes twice, first in", "a/7.male", "take one of them out"],
    ),
    "author in two neighbouring files": (
        {"7.male.25.Arts.Leo.xml": BLOG, "7.male.26.Arts.Leo.xml": BLOG},
        ["7", "twice"],
    ),
    "author of two genders": ({"7.female.25.A.Leo.xml": BLOG, "7.male.25.A.Leo.xml": BLOG}, ["7", "twice"]),
    "no such file": (None, ["does not exist", "put the corpus there"]),
    "no zip": (b"text", ["is no readable zip", "get the file again"]),
    "csv header": (b"text,id\n", ["has the header", "expected id,gender,age,topic,sign,date,text"]),
    "csv without rows": (csv_rows(), ["has no document", "expected <post> elements or rows"]),
    "csv open quote": (csv_rows(ROW, (*ROW[:6], b'"a')), ["line 3: is no CSV", "close the quote"]),
    "csv fields": (csv_rows(ROW, ROW[:6]), ["line 3: has 6 fields; expected 7", "quote what holds"]),
    "csv large field": (csv_rows(ROW, (*ROW[:6], b"x" * 2000)), ["line 3: is no CSV", "shorten the field"]),
    "csv author of two genders": (csv_rows(ROW, (b"7", b"female", *ROW[2:])), ["author 7"]),
    "csv author of two ages": (csv_rows(ROW, (*ROW[:2], b"35", *ROW[3:])), ["author 7"]),
}


@pytest.mark.parametrize("old", [None, b"old"])
@pytest.mark.parametrize("kind", WRONG_SOURCES)
def test_ingest_refuses_a_wrong_corpus_and_leaves_the_old_documents(
    tmp_path, small_slices, blogs, write_zip, write_folder, kind, old
):
    content, fragments = WRONG_SOURCES[kind]
    source = tmp_path / ("blogs.csv" if kind.startswith("csv") else "blogs.zip")
    if isinstance(content, bytes):
        source.write_bytes(content)
    elif content is not None:
        write_zip(source, content)
    out = tmp_path / "out" / "documents.parquet"
    out.parent.mkdir()
    if old:
        out.write_bytes(old)
    with pytest.raises(CorpusError) as error:
        ingest(source, out, blogs, 1000)
    message = str(error.value)
    assert [fragment for fragment in fragments if fragment not in message] == []
    assert str(source) in message
    assert "\n" not in message
    assert [file.name for file in out.parent.iterdir()] == (["documents.parquet"] if old else [])
    assert not old or out.read_bytes() == old


@pytest.mark.parametrize(
    "kind", [kind for kind, (content, _) in WRONG_SOURCES.items() if isinstance(content, dict) and content]
)
def test_ingest_refuses_in_a_folder_what_it_refuses_in_a_zip(tmp_path, blogs, write_folder, kind):
    members, fragments = WRONG_SOURCES[kind]
    with pytest.raises(CorpusError) as error:
        ingest(write_folder(tmp_path / "blogs", members), tmp_path / "documents.parquet", blogs, 1000)
    assert [fragment for fragment in fragments if fragment not in str(error.value)] == []
    assert [file.name for file in tmp_path.iterdir()] == ["blogs"]


def test_ingest_checks_all_names_before_it_reads_a_file(tmp_path, blogs, write_folder):
    # The first file is too large, the last has a wrong name.
    source = write_folder(tmp_path / "blogs", {NAME: b"x" * 2000, "zzz.txt": b""})
    with pytest.raises(CorpusError, match=r"zzz\.txt: is not named like a blog"):
        ingest(source, tmp_path / "documents.parquet", blogs, 1000)


def test_ingest_replaces_old_documents_only_when_the_last_file_is_read(tmp_path, small_slices, blogs, write_zip):
    source, out = tmp_path / "blogs.zip", tmp_path / "documents.parquet"
    ingest(write_zip(source, {NAME: BLOG}), out, blogs, LIMIT)
    before = out.read_bytes()
    damaged = write_zip(source, {f"{i}.male.25.Arts.Leo.xml": BLOG * 2 for i in range(9)}, compression=0)
    data = damaged.read_bytes()
    last = data.rindex(b"<post>a</post>")
    damaged.write_bytes(data[:last] + b"<post>b</post>" + data[last + 14 :])
    with pytest.raises(CorpusError, match=r"8\.male\.25\.Arts\.Leo\.xml: cannot be unpacked"):
        ingest(source, out, blogs, LIMIT)
    assert out.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["blogs.zip", "documents.parquet"]


@pytest.mark.parametrize(
    "row",
    [(b"7", b"male", b"25", b"caf\xe9", b"Leo", b"1", b"a"), (b"7", b"male", b"25", b"Arts", b"Leo", b"\xe9", b"a")],
)
def test_ingest_repairs_or_refuses_bytes_that_are_no_utf8_beside_the_text(tmp_path, blogs, row):
    source, out = tmp_path / "blogs.csv", tmp_path / "documents.parquet"
    source.write_bytes(csv_rows(row))
    try:
        ingest(source, out, blogs, LIMIT)
    except CorpusError:
        assert not out.exists()
    else:
        assert open_documents(out).metadata.num_rows == 1


def test_ingest_repairs_or_refuses_a_file_name_that_is_no_utf8(tmp_path, blogs):
    folder, out = tmp_path / "blogs", tmp_path / "documents.parquet"
    folder.mkdir()
    (folder / os.fsdecode(b"7.male.25.caf\xe9.Leo.xml")).write_bytes(BLOG)
    try:
        ingest(folder, out, blogs, LIMIT)
    except CorpusError:
        assert not out.exists()
    else:
        assert open_documents(out).metadata.num_rows == 1


def test_ingest_reads_a_file_that_declares_an_encoding_unknown_to_the_strict_parser(tmp_path, blogs, write_zip):
    source = write_zip(tmp_path / "blogs.zip", {NAME: b'<?xml version="1.0" encoding="Shift_JIS"?>' + BLOG})
    counts = ingest(source, tmp_path / "documents.parquet", blogs, LIMIT)
    assert (counts["documents"], counts["files_malformed"]) == (1, 1)


@pytest.mark.corpus
@pytest.mark.skipif("LENGTHWISE_CORPUS" not in os.environ, reason="LENGTHWISE_CORPUS names no zip of the corpus")
def test_ingest_finds_every_post_of_the_corpus(tmp_path, blogs):
    counts = ingest(Path(os.environ["LENGTHWISE_CORPUS"]), tmp_path / "documents.parquet", blogs, 64 << 20)
    assert (counts["documents"], counts["documents_strict_parser"]) == (184_841, 47_404)
    assert open_documents(tmp_path / "documents.parquet").metadata.num_rows == 184_841
