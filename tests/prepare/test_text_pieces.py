"""A very long text stands in pieces, and no stage makes anything else of it than of one that stands in one row."""

from itertools import pairwise

import numpy as np
import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.core.labels import LabelFactor
from lengthwise.corpora.corpus import Extract
from lengthwise.corpora.ingest import ingest
from lengthwise.corpora.plain import Plain
from lengthwise.prepare import document_writer
from lengthwise.prepare.document_writer import DocumentWriter
from lengthwise.prepare.documents import document_id, open_documents, read_document_ids, read_document_table
from lengthwise.prepare.forms import text_pieces
from lengthwise.prepare.forms.document_form import Document, DocumentForm
from lengthwise.prepare.forms.tokenizer_options import SENTENCIZER, TokenizerOptions
from lengthwise.prepare.shards.units import read_units
from lengthwise.prepare.splits import SplitShares, split_sentences
from lengthwise.prepare.text.store import TokenStore
from lengthwise.prepare.text.tokens import tokenize

FORM = DocumentForm((LabelFactor("tone", ("calm", "loud")),), group="author")
SHARES = SplitShares(0.0, 0.4, 1)
# Lines with one sentence each, none longer than a piece; the second and the last document are long.
LINES = [f"Rain falls on {place} roofs of the town .\n" for place in ("two", "red", "old", "wet")]
TEXTS = ["Short .\n", "".join(LINES * 9), "Other .\n", "", "".join(LINES[::-1] * 7)]
TEXTS += [f"Also {place} .\\n" for place in "abcdefghij"]
GROUPS = ["a", "a", "b", "a", "b", *"cdefghijkl"]


@pytest.fixture
def short_pieces(monkeypatch):
    monkeypatch.setattr(text_pieces, "MOST_CHARACTERS", 100)
    monkeypatch.setattr(text_pieces, "REACH", 60)
    monkeypatch.setattr(document_writer, "BYTES_PER_SLICE", 150)


@settings(max_examples=up_to(60), deadline=None)
@given(st.lists(st.text("ab \n", max_size=9), max_size=8), st.integers(1, 9), st.integers(1, 9))
def test_pieces_make_up_the_text_and_end_behind_lines_where_one_ends_near(parts, most, reach):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_pieces, "MOST_CHARACTERS", most)
        patch.setattr(text_pieces, "REACH", reach)
        pieces = [*text_pieces.pieces_of(parts)]
    assert "".join(pieces) == "".join(parts)
    assert len(pieces) >= 1
    assert all(0 < len(piece) <= most for piece in pieces) or pieces == [""]
    for piece, following in pairwise(pieces):
        seen = (piece + following)[:most][-reach:]
        assert piece.endswith("\n") or "\n" not in seen
        assert piece.endswith(("\n", " ")) or " " not in seen


def prepared(folder, by, split_by):
    """What stages make of the texts: documents, sentences with their splits, and sequences by unit."""
    with DocumentWriter(folder / "documents.parquet", FORM) as writer:
        for number, (group, text) in enumerate(zip(GROUPS, TEXTS, strict=True)):
            writer.write(Document(group, (number % 2,), text))
    options = TokenizerOptions(
        by=by,
        language="en",
        sentences=SENTENCIZER,
        straighten_quotes=False,
        collapse_repeats=False,
        longest_chunk=None,
        link_word=None,
    )
    counts = tokenize(folder / "documents.parquet", folder / "tokens", options, 1)
    paths = (folder / "documents.parquet", folder / "tokens", folder / "split.parquet")
    counts |= split_sentences(*paths, split_by, SHARES)
    table, store = read_document_table(paths[0]), TokenStore(folder / "tokens")
    lexicon, units = store.lexicon(), {}
    for unit in ("sentence", "document", "group"):
        units[unit] = [
            (document, split, [lexicon[token] for token in part.steps["tokens"][begin:end]])
            for part in read_units(store, paths[2], table, unit)
            for document, split, begin, end in zip(
                part.document, part.split, part.offsets[:-1], part.offsets[1:], strict=True
            )
        ]
    return counts, table, [*read_document_ids(paths[0])], units


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("by", "split_by"), [("words", "document"), ("blanks", "sentence"), ("characters", "place"), ("bytes", "group")]
)
def test_stages_make_of_pieces_what_they_make_of_the_whole(tmp_path, request, by, split_by):
    expected = prepared(tmp_path / "whole", by, split_by)
    request.getfixturevalue("short_pieces")
    counts, table, ids, units = prepared(tmp_path / "pieces", by, split_by)
    assert open_documents(tmp_path / "whole" / "documents.parquet").metadata.num_rows == len(TEXTS)
    assert open_documents(tmp_path / "pieces" / "documents.parquet").metadata.num_rows > 20 + len(TEXTS)
    assert (counts, ids, units) == (expected[0], expected[2], expected[3])
    for name in ("group", "label", "codes"):
        np.testing.assert_array_equal(getattr(table, name), getattr(expected[1], name))
    assert [document_id(tmp_path / "pieces" / "documents.parquet", number) for number in range(len(TEXTS))] == ids


def test_plain_text_is_read_in_pieces_and_counted_as_one(tmp_path, short_pieces, monkeypatch):
    monkeypatch.setattr("lengthwise.corpora.plain.PART_BYTES", 7)
    texts = {"a.txt": "Größe " * 50, "b.txt": "Größe " * 50, "c.txt": "Größe " * 49, "d.txt": ""}
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    out = tmp_path / "documents.parquet"
    counts = ingest(Plain(files="*.txt", encoding="utf-8"), Extract(tmp_path, 1 << 20), out)
    assert counts == {
        **{"documents": 4, "documents_empty": 1, "duplicates": 1, "files": 4},
        "bytes": sum(len(text.encode()) for text in texts.values()),
    }
    table = open_documents(out).read(["document_id", "text"]).to_pylist()
    assert [*read_document_ids(out)] == ["a.txt/0", "b.txt/0", "c.txt/0", "d.txt/0"]
    for name, text in texts.items():
        assert "".join(row["text"] for row in table if row["document_id"] == f"{name}/0") == text
