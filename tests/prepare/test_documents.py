import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lengthwise.core.labels import LabelFactor
from lengthwise.corpora.blogs.authors import FACTS
from lengthwise.errors import FormatError
from lengthwise.prepare import document_writer
from lengthwise.prepare.document_writer import DocumentWriter
from lengthwise.prepare.documents import (
    document_form,
    documents_schema,
    open_documents,
    read_document_ids,
    read_document_table,
    read_texts,
)
from lengthwise.prepare.forms.document_form import DocumentForm, SequenceForm
from lengthwise.system.seals import SEAL_KEY, UNSEALED, seal

FACTORS = (LabelFactor("gender", ("male", "female")), LabelFactor("age_bracket", ("10s", "20s", "30s")))
FORM = DocumentForm(factors=FACTORS, facts=FACTS, group="author")


@pytest.fixture
def small_slices(monkeypatch):
    monkeypatch.setattr(document_writer, "ROWS_PER_SLICE", 3)


def write(path, rows):
    with DocumentWriter(path, FORM) as writer:
        for row in rows:
            writer.write(row)
    return path


def test_documents_schema_has_the_columns_in_order_each_with_a_meaning():
    schema = documents_schema(FORM)
    assert {field.name: str(field.type) for field in schema} == {
        "document_id": "string",
        "group": "string",
        "gender": "int32",
        "age_bracket": "int32",
        "age": "int16",
        "industry": "string",
        "sign": "string",
        "date": "string",
        "text": "string",
    }
    assert all(field.metadata[b"doc"] for field in schema)
    assert schema.field("age_bracket").metadata[b"doc"].endswith(b"0 10s, 1 20s, 2 30s")


def test_document_writer_round_trips_every_column(tmp_path, document):
    rows = [
        document("7", "Hello.\n\t“Bye”", codes=(0, 1), age=25),
        document("7", "", codes=(0, 1), date=None),
        document("9", "\N{GRINNING FACE}\u2028\x00", codes=(1, 2), age=48, industry="indUnk", sign="Virgo", date=""),
    ]
    path = write(tmp_path / "documents.parquet", rows)
    assert pq.read_table(path).to_pylist() == [
        {
            "document_id": document_id,
            "group": row.group,
            "gender": row.codes[0],
            "age_bracket": row.codes[1],
            **dict(zip(("age", "industry", "sign", "date"), row.facts, strict=True)),
            "text": row.text,
        }
        for document_id, row in zip(["7/0", "7/1", "9/0"], rows, strict=True)
    ]
    assert document_form(open_documents(path)) == SequenceForm(factors=FACTORS, group="author")
    assert pq.read_schema(path).equals(documents_schema(FORM), check_metadata=True)


@pytest.mark.parametrize(("count", "slices"), [(0, []), (1, [1]), (3, [3]), (4, [3, 1]), (6, [3, 3]), (7, [3, 3, 1])])
def test_document_writer_fills_every_slice_but_the_last(tmp_path, small_slices, document, count, slices):
    path = write(tmp_path / "documents.parquet", [document(text=str(i)) for i in range(count)])
    metadata = pq.read_metadata(path)
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == slices
    assert [read_texts(path, i).to_pylist() for i in range(len(slices))] == [
        [str(j) for j in range(3 * i, 3 * i + rows)] for i, rows in enumerate(slices)
    ]
    assert list(read_document_ids(path)) == [f"7/{i}" for i in range(count)]


def test_document_writer_numbers_an_authors_documents_across_slices(tmp_path, small_slices, document):
    authors = ["b"] * 5 + ["a"] + ["c"] * 4
    path = write(tmp_path / "documents.parquet", [document(author) for author in authors])
    assert list(read_document_ids(path)) == [*(f"b/{i}" for i in range(5)), "a/0", *(f"c/{i}" for i in range(4))]


def test_document_writer_writes_the_same_bytes_again(tmp_path, document):
    rows = [document(str(i // 4), f"text {i}") for i in range(20)]
    first, second = write(tmp_path / "first.parquet", rows), write(tmp_path / "second.parquet", rows)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("old", [None, b"old"])
@pytest.mark.parametrize("written", [0, 1, 3, 5])
def test_document_writer_leaves_the_old_file_or_none_after_an_error(tmp_path, small_slices, document, old, written):
    path = tmp_path / "documents.parquet"
    if old:
        path.write_bytes(old)
    rows = ([document()] if i < written else {}[i] for i in range(written + 1))
    with pytest.raises(KeyError):
        write(path, (row for chunk in rows for row in chunk))
    assert [file.name for file in tmp_path.iterdir()] == (["documents.parquet"] if old else [])
    assert not old or path.read_bytes() == old


@pytest.mark.parametrize("old", [None, b"old"])
def test_document_writer_leaves_the_old_file_or_none_if_the_last_slice_cannot_be_written(tmp_path, document, old):
    path = tmp_path / "documents.parquet"
    if old:
        path.write_bytes(old)
    with pytest.raises(UnicodeEncodeError):
        write(path, [document(text="\udce9")])
    assert [file.name for file in tmp_path.iterdir()] == (["documents.parquet"] if old else [])
    assert not old or path.read_bytes() == old


def test_document_writer_shows_nothing_before_its_end(tmp_path, document):
    path = tmp_path / "new" / "documents.parquet"
    with DocumentWriter(path, FORM) as writer:
        writer.write(document())
        assert not path.exists()
    assert [file.name for file in path.parent.iterdir()] == ["documents.parquet"]


def test_read_document_table_ranks_authors_by_first_appearance(tmp_path, small_slices, document):
    codes = {"z": (1, 2), "a": (0, 0), "m": (1, 0)}
    authors = ["z", "z", "a", "a", "a", "m", "m"]
    path = write(tmp_path / "documents.parquet", [document(author, codes=codes[author]) for author in authors])
    table = read_document_table(path)
    assert table.group_ids == ["z", "a", "m"]
    assert table.group.tolist() == [0, 0, 1, 1, 1, 2, 2]
    assert table.group.dtype == np.int32
    assert table.label.tolist() == [5, 5, 0, 0, 0, 3, 3]
    assert table.label.dtype == np.int32
    assert table.form.factors == FACTORS


def test_open_documents_refuses_what_is_not_a_table_of_documents(tmp_path, document):
    path = write(tmp_path / "documents.parquet", [document(text="text " * 100)])
    whole = path.read_bytes()
    for data in (None, b"", b"PAR1", b"id,gender\n", whole[:-5], whole[: len(whole) // 2], whole[10:-3]):
        path.unlink(missing_ok=True)
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(FormatError, match=r"documents\.parquet: (cannot be|is damaged) .*stage ingest again"):
            open_documents(path)


@pytest.mark.parametrize(("metadata", "found"), [(None, "none"), ({"lengthwise.documents": "1"}, "1")])
def test_open_documents_refuses_another_version(tmp_path, metadata, found):
    path = tmp_path / "documents.parquet"
    pq.write_table(pa.table({"text": ["a"]}).replace_schema_metadata({**(metadata or {}), SEAL_KEY: UNSEALED}), path)
    seal(path)
    for read in (open_documents, read_document_table, lambda path: list(read_document_ids(path))):
        with pytest.raises(FormatError, match=f"has version {found}; expected 2; run the stage ingest again"):
            read(path)


def test_read_texts_of_a_file_that_has_gone_names_it(tmp_path):
    with pytest.raises(FormatError, match=r"gone.parquet: cannot be read \(.*No such file.*\); run the stage ingest"):
        read_texts(tmp_path / "gone.parquet", 0)
