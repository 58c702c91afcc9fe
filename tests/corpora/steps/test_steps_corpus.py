"""Sequences in any of the forms read back the same; splits, groups, missing values and counts."""

import csv
import gzip
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from examples import up_to
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lengthwise.corpora.corpus import Extract
from lengthwise.corpora.ingest import ingest
from lengthwise.errors import CorpusError
from lengthwise.prepare.documents import open_documents, read_document_table

WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=5).filter(
    # What stands for something else in some form.
    lambda word: not word.startswith(("#", "-DOCSTART-", "@", "%", '"'))
)
TAGS = st.sampled_from(["B-x", "I-x", "O"])
FLOATS = st.floats(-1e6, 1e6, width=32)


@st.composite
def sequences(draw):
    """Sequences of at least one step: the same columns, whatever the form."""
    size = draw(st.integers(1, 3))
    made = []
    for number in range(draw(st.integers(1, 5))):
        steps = draw(st.integers(1, 4))
        made.append(
            {
                "id": f"s{number}",
                "tokens": draw(st.lists(WORDS, min_size=steps, max_size=steps)),
                "tag": draw(st.lists(TAGS, min_size=steps, max_size=steps)),
                "x": [[draw(FLOATS) for _ in range(size)] for _ in range(steps)],
                "kind": draw(st.sampled_from(["calm", "loud", "2"])),
                "score": draw(st.floats(-10, 10)),
                "who": draw(st.sampled_from(["ada", "ben"])),
            }
        )
    return made


def conll(made, separator, ends):
    blocks = []
    for one in made:
        lines = [f"# {name} = {one[name]}" for name in ("kind", "score", "who")]
        rows = zip(one["tokens"], one["tag"], one["x"], strict=True)
        lines += [separator.join((token, tag, *map(str, vector))) for token, tag, vector in rows]
        blocks.append(ends.join(lines) + ends)
    return ends.join(blocks).encode()


def listed(made, nested):
    columns = {name: [one[name] for one in made] for name in made[0]}
    kinds = pa.list_(pa.list_(pa.float32(), len(made[0]["x"][0])) if nested else pa.list_(pa.float64()))
    columns["x"] = pa.array(columns["x"], kinds)
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, row_group_size=2)
    return sink.getvalue()


def flat(made, by_offsets):
    lengths = np.array([len(one["tokens"]) for one in made])
    where = {"offsets": np.concatenate([[0], np.cumsum(lengths)])} if by_offsets else {"lengths": lengths}
    columns = {name: np.array([value for one in made for value in one[name]]) for name in ("tokens", "tag")}
    columns["x"] = np.array([vector for one in made for vector in one["x"]], np.float32)
    return npz(**columns, **where, **per_sequence(made))


def padded(made):
    lengths = np.array([len(one["tokens"]) for one in made])
    longest = lengths.max() + 1
    columns = {name: np.full((len(made), longest), "pad", "U9") for name in ("tokens", "tag")}
    columns["x"] = np.full((len(made), longest, len(made[0]["x"][0])), 9, np.float32)
    for row, one in enumerate(made):
        for name, column in columns.items():
            column[row, : lengths[row]] = one[name]
    return npz(**columns, lengths=lengths, **per_sequence(made))


def per_sequence(made):
    return {name: np.array([one[name] for one in made]) for name in ("kind", "score", "who")}


def npz(**arrays):
    sink = io.BytesIO()
    np.savez_compressed(sink, **arrays)
    return sink.getvalue()


def long_rows(made, order):
    """A row a step, in an order that mixes the sequences."""
    rows = [
        {"id": one["id"], "at": step, "tokens": token, "tag": tag, "kind": one["kind"], "score": one["score"]}
        | {"who": one["who"], **{f"x{i}": number for i, number in enumerate(vector)}}
        for one in made
        for step, (token, tag, vector) in enumerate(zip(one["tokens"], one["tag"], one["x"], strict=True))
    ]
    return [rows[i] for i in sorted(range(len(rows)), key=lambda i: order[i % len(order)])]


def long_csv(rows, separator, encoding):
    sink = io.StringIO(newline="")
    writer = csv.DictWriter(sink, list(rows[0]), delimiter=separator, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue().encode(encoding)


def long_parquet(rows):
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=3)
    return sink.getvalue()


def packed(data, name, path, draw):
    """The file as it is, compressed, in a zip or in a folder."""
    how = draw(st.sampled_from(["plain", "gz", "zip", "folder"]))
    if how == "plain":
        (path / name).write_bytes(data)
        return path / name
    if how == "gz":
        (path / f"{name}.gz").write_bytes(gzip.compress(data))
        return path / f"{name}.gz"
    if how == "zip":
        with zipfile.ZipFile(path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"deep/{name}", data)
            archive.writestr(f"__MACOSX/._{name}", b"\0")
        return path / "all.zip"
    (path / "folder/deep").mkdir(parents=True)
    (path / "folder/deep" / name).write_bytes(data)
    (path / "folder/.hidden").write_bytes(b"\0")
    return path / "folder"


COLUMNS = {"tokens": "tokens", "tags": ["tag"], "label": "kind", "numbers": ["score"], "group": "who"}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=sequences(), data=st.data())
def test_sequences_in_any_form_read_back_the_same(read_all, spelled, tmp_path_factory, made, data):
    form = data.draw(st.sampled_from(["conll", "parquet", "flat", "padded", "long_csv", "long_parquet"]))
    keys = {**COLUMNS, "features": ["x"]}
    name = "a.bin"
    size = len(made[0]["x"][0])
    if form == "conll":
        written = conll(
            made, data.draw(st.sampled_from(["\t", " ", "  \t "])), data.draw(st.sampled_from(["\n", "\r\n"]))
        )
        keys |= {"tokens": "1", "tags": ["2"], "features": [str(3 + i) for i in range(size)]}
    elif form == "parquet":
        written = listed(made, data.draw(st.booleans()))
    elif form == "flat":
        written = flat(made, data.draw(st.booleans()))
    elif form == "padded":
        written = padded(made)
    else:
        rows = long_rows(made, data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=7)))
        # Sequences come in the order of their first rows.
        firsts = list(dict.fromkeys(row["id"] for row in rows))
        made = sorted(made, key=lambda one: firsts.index(one["id"]))
        keys |= {"sequence": "id", "step": "at", "features": [f"x{i}" for i in range(size)]}
        if form == "long_csv":
            separator = data.draw(st.sampled_from([",", ";", "\t", "|"]))
            written = long_csv(rows, separator, data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])))
        else:
            written = long_parquet(rows)
    source = packed(written, name, tmp_path_factory.mktemp("source"), data.draw)
    shape, documents, counts = read_all(source, **keys)
    assert counts["sequences_read"] == len(documents) == len(made)
    for one, document in zip(made, documents, strict=True):
        said = spelled(shape, document)
        assert (said["tokens"], said["kind"], said["group"]) == (one["tokens"], one["kind"], one["who"])
        assert said["tag" if "tag" in said else "column_2"] == one["tag"]
        assert said["score"] == pytest.approx(one["score"], rel=1e-12)
        names = [column.name for column in shape.steps if column.kind == "features"]
        vectors = np.concatenate([np.array(said[name]) for name in names], axis=1)
        np.testing.assert_array_equal(vectors.astype(np.float32), np.array(one["x"], np.float32))


@pytest.fixture
def three_files(write_zip, tmp_path):
    """A file a split, of CoNLL."""
    words = {"train": "a\tX\n\nb\tY\n", "dev": "c\tX\n", "test": "d\tX\ne\tX\n"}
    return write_zip(tmp_path / "all.zip", {f"in/{name}.txt": text.encode() for name, text in words.items()})


def test_files_are_the_splits_that_their_patterns_say(three_files, read_all):
    keys = {"tokens": "1", "tags": ["2"], "train": "*train*", "validation": "*dev*", "test": "in/test.txt"}
    form, documents, counts = read_all(three_files, **keys)
    assert form.has_split
    assert [document.split for document in documents] == ["train", "train", "validation", "test"]
    assert counts["files"] == 3
    assert counts["steps"] == 5
    # Tags of all files have codes, also those of the test alone.
    assert [column.classes for column in form.steps] == [(), ("X", "Y")]


def test_without_files_of_a_test_documents_say_no_split(three_files, read_all):
    form, documents, _ = read_all(three_files, tokens="1")
    assert not form.has_split
    assert [document.split for document in documents] == [None] * 4
    # Each stands for itself, by a number.
    assert sorted({document.group for document in documents}) == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"train": "*", "test": "*test*"}, "fits the patterns of two splits"),
        ({"train": "*train*", "test": "*TEST*"}, "has no file"),
        ({"tokens": None}, "got no column of tokens, tags or features"),
        ({"tokens": "7"}, "has 2 columns; expected 7 or more"),
        ({"tokens": "word"}, "got the column 'word'; expected its number from 1"),
        ({"format": "ts"}, "stands before @data"),
        ({"format": "numpy"}, "is not a zip file"),
        ({"format": "parquet"}, "is no Parquet"),
        ({"format": "long"}, "ingest.steps.sequence: got null"),
    ],
)
def test_keys_that_do_not_fit_the_files_are_refused(three_files, read_all, keys, expected):
    with pytest.raises(CorpusError, match=expected) as caught:
        read_all(three_files, **{"tokens": "1", **keys})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"validation": "*dev*"}, "none of the test"),
        ({"tokens": "form", "tags": ["form"]}, "the column form has two meanings"),
        ({"tags": ["upos", "upos"]}, "the column upos has two meanings"),
        ({"step": "second"}, "sequence is empty"),
    ],
)
def test_keys_that_contradict_each_other_are_refused(step_files, keys, expected):
    with pytest.raises(ValidationError, match=expected):
        step_files(**keys)


def test_a_label_may_be_the_group(tmp_path, read_all):
    (tmp_path / "a.conll").write_text("# who = ada\na\n\n# who = ben\nb\n")
    form, documents, _ = read_all(tmp_path / "a.conll", tokens="1", label="who", group="who")
    assert form.factors[0].classes == ("ada", "ben")
    assert [document.group for document in documents] == ["ada", "ben"]


TS = "@problemName some\n@timeStamps false\n@classLabel true 2 10 1\n@data\n"


def test_sequences_that_lack_a_value_are_refused_or_left_out_and_all_add_up(tmp_path, read_all, step_files):
    source = tmp_path / "a.ts"
    source.write_text(TS + "1,2,3:2\n1,?,3:10\n4,5:?\n6:1\n7,8:2\n")
    with pytest.raises(CorpusError, match=r"a.ts line 6: lacks a value of features; .* ingest.steps.missing"):
        read_all(source, label="kind")
    form, documents, counts = read_all(source, label="kind", missing="leave_out")
    assert [document.codes for document in documents] == [(1,), (0,), (1,)]
    # Numbers in their order; 10 is only among those that are left out.
    assert form.factors[0].classes == ("1", "2")
    assert counts["sequences_read"] == 5 == len(documents) + counts["sequences_missing_values"]
    metrics = ingest(
        step_files(label="kind", missing="leave_out"), Extract(source, 1 << 20), tmp_path / "documents.parquet"
    )
    assert metrics["sequences"] == 3
    assert metrics["steps"] == 6
    left = ("sequences_without_steps", "sequences_missing_values", "sequences_of_groups_left_out")
    assert metrics["sequences"] + sum(metrics[name] for name in left) == metrics["sequences_read"]


def test_a_sequence_without_a_label_asked_for_is_read_all_the_same(tmp_path, read_all):
    source = tmp_path / "a.ts"
    source.write_text(TS + "4,5:?\n")
    form, documents, _ = read_all(source)
    assert form.factors == ()
    assert len(documents) == 1


def test_at_most_so_many_groups_are_read_the_same_wherever(tmp_path, read_all):
    source = tmp_path / "a.conll"
    source.write_text("".join(f"# newdoc id = d{i}\na\n\nb\n\n" for i in range(9)))
    _, documents, counts = read_all(source, groups=3, tokens="1", group="newdoc")
    kept = {document.group for document in documents}
    assert len(kept) == 3
    assert len(documents) == 6
    assert counts["sequences_of_groups_left_out"] == 12
    source.write_text("".join(f"# newdoc id = d{i}\na\n\nb\n\n" for i in reversed(range(9))))
    assert {document.group for document in read_all(source, groups=3, tokens="1", group="newdoc")[1]} == kept


def test_columns_are_renamed_where_documents_have_the_name_already(tmp_path, read_all):
    table = pa.table({"text": [["a"]], "label": [["X"]], "group": [[1.0]], "split": ["yes"], "a b": [2.0]})
    pq.write_table(table, tmp_path / "a.parquet")
    form, _, _ = read_all(
        tmp_path / "a.parquet", tokens="text", tags=["label"], features=["group"], label="split", numbers=["a b"]
    )
    assert [column.name for column in form.steps] == ["tokens", "column_label", "column_group"]
    assert [factor.name for factor in form.factors] == ["column_split"]
    assert form.numbers == ("a_b",)


def test_columns_that_come_to_one_name_are_refused(tmp_path, read_all):
    pq.write_table(pa.table({"a b": [[1.0]], "a-b": [[1.0]]}), tmp_path / "a.parquet")
    with pytest.raises(CorpusError, match="two columns are called a_b"):
        read_all(tmp_path / "a.parquet", features=["a b", "a-b"])


def test_files_whose_features_have_other_sizes_are_refused(tmp_path, read_all):
    for name, data in {"a.ts": "1:2\n", "b.ts": "1:2:3\n"}.items():
        (tmp_path / name).write_text("@data\n" + data)
    with pytest.raises(CorpusError, match=r"b.ts line 2: features has 3 numbers a step; expected 2"):
        read_all(tmp_path)


REAL = {
    "japanese-vowels.zip": (
        {"train": "*TRAIN.ts", "test": "*TEST.ts", "label": "speaker"},
        {"train": (270, 4274), "validation": (0, 0), "test": (370, 5687)},
    ),
    "ud-english-ewt.zip": (
        {"train": "*train*", "validation": "*dev*", "test": "*test*", "tokens": "form", "tags": ["upos"]},
        {"train": (12_544, 204_577), "validation": (2001, 25_147), "test": (2077, 25_094)},
    ),
}


@pytest.mark.corpus
@pytest.mark.skipif("LENGTHWISE_CORPUS" not in os.environ, reason="LENGTHWISE_CORPUS names no zip of the corpus")
@pytest.mark.parametrize("name", REAL)
def test_real_files_beside_the_corpus_have_the_sequences_that_their_makers_say(name, step_files, tmp_path):
    source = Path(os.environ["LENGTHWISE_CORPUS"]).parent / name
    if not source.exists():
        pytest.skip(f"{source} is not there")
    keys, expected = REAL[name]
    documents = tmp_path / "documents.parquet"
    ingest(step_files(**keys), Extract(source, 64 << 20), documents)
    table, file = read_document_table(documents), open_documents(documents)
    column = table.form.steps[0].name
    steps = np.array([len(row) for batch in file.iter_batches(columns=[column]) for row in batch[column]])
    for split, (count, total) in enumerate(expected.values()):
        assert ((table.split == split).sum(), steps[table.split == split].sum()) == (count, total)


MADE = [
    {"id": "a", "tokens": ["w", "é"], "tag": ["O", "B-x"], "x": [[1.0], [2.5]], "kind": "u", "score": 1.0, "who": "p"},
    {"id": "b", "tokens": ["v"], "tag": ["O"], "x": [[-3.0]], "kind": "v", "score": 2.0, "who": "q"},
]
ROWS = long_rows(MADE, [1, 0])
LONG = {**COLUMNS, "sequence": "id", "step": "at", "features": ["x0"]}
WHOLE = {
    "conll": (conll(MADE, "\t", "\n"), {**COLUMNS, "tokens": "1", "tags": ["2"], "features": ["3"]}),
    "ts": (b"@dimensions 1\n@classLabel true u v\n@data\n1,2:u\n3:v\n", {"label": "kind"}),
    "parquet": (listed(MADE, nested=True), {**COLUMNS, "features": ["x"]}),
    "numpy": (flat(MADE, by_offsets=False), {**COLUMNS, "features": ["x"]}),
    "stored": (npz(x=np.ones((3, 2)), lengths=np.array([1, 2])), {"features": ["x"]}),
    "csv": (long_csv(ROWS, ",", "utf-8"), LONG),
    "long": (long_parquet(ROWS), LONG),
}


@settings(max_examples=up_to(300), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(form=st.sampled_from(sorted(WHOLE)), data=st.data())
def test_a_damaged_file_is_read_or_refused_in_a_line_and_nothing_else(read_all, tmp_path, form, data):
    whole, keys = WHOLE[form]
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged)))
        new = data.draw(st.binary(max_size=3))
        damaged[place : place + data.draw(st.integers(0, 3))] = new
    source = tmp_path / "a.bin"
    source.write_bytes(damaged)
    refused = ""
    try:
        read_all(source, **keys)
    except CorpusError as error:
        refused = str(error)
    assert "\n" not in refused
