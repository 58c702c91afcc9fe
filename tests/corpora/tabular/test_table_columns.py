"""Rows by columns become the same documents as row by row, are counted the same, and refused in the same words."""

import csv
import io
import json
from collections import Counter

import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.corpora.corpus import Extract
from lengthwise.corpora.ingest import ingest
from lengthwise.corpora.tabular.tabular_corpus import Table
from lengthwise.errors import CorpusError
from lengthwise.prepare import document_writer
from lengthwise.prepare.document_writer import DocumentWriter
from lengthwise.prepare.documents import document_count, open_documents
from lengthwise.prepare.forms.document_form import TextBatch

LIMIT = 1 << 20
KEYS = Table.model_validate(
    {
        **{"format": "auto", "files": "*", "text": ["text"], "tokens": None, "labels": ["tone"], "several": False},
        **{"rename": {}, "bins": {}, "numbers": [], "group": None, "split": None, "separator": ",", "header": True},
        **{"quote": '"', "escape": None, "encoding": "utf-8", "clean": [], "missing": "refuse", "empty": "keep"},
    }
)
COLUMNS = ("tone", "loud", "size", "who", "part", "title", "text")
VALUES = (
    st.sampled_from(["calm", "loud", " loud", "", "?", "3"]),
    st.sampled_from(["yes", "no", "1", "0", "maybe"]),
    st.sampled_from(["1", "2.5", "1e3", "inf", "", "x"]),
    st.sampled_from(["ada", "ben", " ada", "", "cyd"]),
    st.sampled_from(["train", "dev", "TEST", "other"]),
    st.sampled_from(["", "A title", " "]),
    st.text(st.sampled_from("ab \t\n\0\u00a0\u3000\u2028\x1c\x85<&;ö😀\ufeff"), max_size=6),
)
ROWS = st.lists(st.tuples(*VALUES), min_size=1, max_size=12)
WAYS = st.fixed_dictionaries(
    {
        "labels": st.sampled_from([[], ["tone"], ["tone", "loud"]]),
        "numbers": st.sampled_from([[], ["size"]]),
        "group": st.sampled_from([None, "who"]),
        "split": st.sampled_from([None, "part"]),
        "text": st.sampled_from([["text"], ["title", "text"]]),
        "clean": st.sampled_from([[], ["tags", "entities"]]),
        "rename": st.sampled_from([{}, {"loud": "noisy", "other": "train"}]),
        "bins": st.sampled_from([{}, {"low": "-2", "high": "3-"}]),
        "missing": st.sampled_from(["refuse", "leave_out"]),
        "empty": st.sampled_from(["keep", "refuse", "leave_out"]),
        "several": st.booleans(),
    }
)


def read(source, keys, most):
    """The form, the documents as they come, what was counted and the error; places are not the same in two forms."""
    corpus, extract, counts, documents = KEYS.model_copy(update=keys), Extract(source, LIMIT, most), Counter(), []
    try:
        form = corpus.form(extract)
        documents.extend(corpus.documents(extract, form, counts))
    except CorpusError as error:
        return None, documents, None, str(error).partition("rows.")[2].partition(": ")[2] or str(error)
    del counts["bytes"]
    return form, documents, +counts, None


@settings(max_examples=up_to(60), deadline=None)
@given(ROWS, WAYS, st.sampled_from([None, 1, 3]))
def test_rows_by_columns_are_the_documents_that_they_are_one_by_one(tmp_path_factory, rows, keys, most):
    folder = tmp_path_factory.mktemp("columns")
    with io.StringIO(newline="") as stream:
        csv.writer(stream).writerows([COLUMNS, *rows])
        (folder / "rows.csv").write_bytes(stream.getvalue().encode())
    lines = [json.dumps(dict(zip(COLUMNS, row, strict=True))) for row in rows]
    (folder / "rows.jsonl").write_text("\n".join(lines))
    by_columns, by_row = (read(folder / name, keys, most) for name in ("rows.csv", "rows.jsonl"))
    assert by_columns == by_row


@settings(max_examples=25, deadline=None)
@given(ROWS, st.sampled_from([None, "who"]), st.integers(1, 4), st.integers(1, 30), st.sampled_from([9, 2]))
def test_documents_at_once_are_written_in_the_slices_and_bytes_that_they_have_one_by_one(
    tmp_path_factory, rows, group, rows_per_slice, bytes_per_slice, longest
):
    folder = tmp_path_factory.mktemp("slices")
    with io.StringIO(newline="") as stream:
        csv.writer(stream).writerows([COLUMNS, *rows, *rows[:2]])
        (folder / "rows.csv").write_bytes(stream.getvalue().encode())
    corpus, extract = KEYS.model_copy(update={"labels": [], "group": group}), Extract(folder / "rows.csv", LIMIT)
    form = corpus.form(extract)
    assert any(isinstance(part, TextBatch) for part in corpus.parts(extract, form, Counter()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document_writer, "ROWS_PER_SLICE", rows_per_slice)
        patch.setattr(document_writer, "BYTES_PER_SLICE", bytes_per_slice)
        patch.setattr("lengthwise.prepare.forms.text_pieces.MOST_CHARACTERS", longest)
        counts = ingest(corpus, extract, folder / "many.parquet")
        with DocumentWriter(folder / "one.parquet", form) as writer:
            documents = [*corpus.documents(extract, form, Counter())]
            for document in documents:
                writer.write(document)
    assert (folder / "many.parquet").read_bytes() == (folder / "one.parquet").read_bytes()
    assert counts["documents"] == len(documents) == document_count(open_documents(folder / "many.parquet"))
    texts = [(document.group if group else "", document.text) for document in documents if document.text]
    within = len(texts) - len(set(texts))
    across = len(set(texts)) - len({text for _, text in texts})
    assert [value for kind, value in sorted(counts.items()) if kind.startswith("duplicates")] == (
        [across, within] if group else [within]
    )


def test_a_table_whose_rows_are_all_left_out_has_no_documents(tmp_path):
    (tmp_path / "rows.csv").write_text("tone,text\ncalm,\nloud,\n")
    corpus = KEYS.model_copy(update={"empty": "leave_out"})
    with pytest.raises(CorpusError, match="has no document"):
        ingest(corpus, Extract(tmp_path / "rows.csv", LIMIT), tmp_path / "out.parquet")
