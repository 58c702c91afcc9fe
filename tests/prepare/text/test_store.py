import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.core.ragged import offsets_of
from lengthwise.errors import FormatError
from lengthwise.prepare.forms.tokenizer_options import TokenizerOptions
from lengthwise.prepare.text.store import (
    LEXICON_SCHEMA,
    VERSION,
    Sentences,
    TokenStore,
    sentences_schema,
    slice_path,
    write_index,
    write_lexicon,
    write_slice,
)
from lengthwise.system.files import file_digest
from lengthwise.system.seals import UNSEALED, seal

TOKENIZER = TokenizerOptions("words", "de", "some_pipeline", True, False, "link")
SLICES = [
    [(0, [2, 0]), (0, [1]), (2, [1, 1, 1])],
    [],
    [(5, [0])],
]


def write(folder, slices=SLICES):
    slice_path(folder, 0).parent.mkdir(parents=True)
    for number, rows in enumerate(slices):
        write_slice(
            folder,
            number,
            Sentences(
                np.array([document for document, _ in rows], np.int32),
                np.array([token for _, tokens in rows for token in tokens], np.int32),
                offsets_of(np.array([len(tokens) for _, tokens in rows], np.int64)),
            ),
        )
    write_lexicon(folder, pa.array(["a", "b", "é"]))
    write_index(folder, len(slices), TOKENIZER)
    return folder


def rows_of(part):
    cuts = zip(part.offsets[:-1], part.offsets[1:], strict=True)
    return [(d, part.tokens[i:j].tolist()) for d, (i, j) in zip(part.document.tolist(), cuts, strict=True)]


@settings(max_examples=up_to(40), deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 9), st.lists(st.integers(0, 9), min_size=1, max_size=4)), max_size=5),
        min_size=1,
        max_size=3,
    )
)
def test_token_store_reads_what_was_written(tmp_path_factory, slices):
    store = TokenStore(write(tmp_path_factory.mktemp("store") / "tokens", slices))
    assert [rows_of(part) for part in store] == slices
    assert [rows_of(store.read_slice(number)) for number in range(store.slices)] == slices
    assert [part.tolist() for part in store.sentence_documents()] == [[d for d, _ in rows] for rows in slices]
    assert store.slices == len(slices)
    assert store.sentences == sum(map(len, slices))
    assert store.tokens == sum(len(tokens) for rows in slices for _, tokens in rows)
    assert store.lexicon() == ["a", "b", "é"]


def test_token_store_gives_the_types_that_it_documents(tmp_path):
    store = TokenStore(write(tmp_path / "tokens"))
    for part in store:
        assert (part.document.dtype, part.tokens.dtype, part.offsets.dtype) == (np.int32, np.int32, np.int64)
    assert pq.read_schema(slice_path(tmp_path / "tokens", 0)).equals(sentences_schema())
    assert pq.read_schema(tmp_path / "tokens" / "lexicon.parquet").equals(LEXICON_SCHEMA)
    index = json.loads((tmp_path / "tokens" / "index.json").read_text())
    files = ["lexicon.parquet", *(f"sentences/{number:05d}.parquet" for number in range(3))]
    assert index.pop("digests") == {name: file_digest(tmp_path / "tokens" / name) for name in files}
    assert len(index.pop("seal")) == len(UNSEALED)
    tokenizer = {
        **{"by": "words", "language": "de", "sentences": "some_pipeline"},
        **{"straighten_quotes": True, "collapse_repeats": False, "link_word": "link", "longest_chunk": None},
    }
    counts = {"slices": 3, "sentences": 4, "tokens": 7}
    assert index == {"version": VERSION, **counts, "tokenizer": tokenizer, "columns": [], "has_tokens": True}
    assert store.tokenizer == TOKENIZER


def test_token_store_refuses_a_folder_without_index(tmp_path):
    write(tmp_path / "tokens")
    (tmp_path / "tokens" / "index.json").unlink()
    for folder in (tmp_path / "tokens", tmp_path / "nowhere"):
        with pytest.raises(FormatError, match=rf"^{folder}/index\.json: cannot be read .*; run the stage tokens again"):
            TokenStore(folder)


@pytest.mark.parametrize("content", ["", "{", '{"version": 1', "\ufeff"])
def test_token_store_refuses_a_cut_index(tmp_path, content):
    write(tmp_path / "tokens")
    (tmp_path / "tokens" / "index.json").write_text(content)
    with pytest.raises(FormatError, match=r"index\.json: cannot be read .*; run the stage tokens again"):
        TokenStore(tmp_path / "tokens")


@pytest.mark.parametrize("version", [0, 1, VERSION + 1, str(VERSION), None])
def test_token_store_refuses_another_version(tmp_path, version):
    write(tmp_path / "tokens")
    path = tmp_path / "tokens" / "index.json"
    path.write_text(json.dumps({"version": version, "slices": 3, "seal": UNSEALED}))
    seal(path)
    with pytest.raises(FormatError, match=f"version: got {version!r}; expected {VERSION}; run the stage tokens again"):
        TokenStore(tmp_path / "tokens")


@pytest.mark.parametrize("damage", ["cut", "gone", "other"])
def test_token_store_refuses_a_damaged_slice_and_reads_the_others(tmp_path, damage):
    store = TokenStore(write(tmp_path / "tokens"))
    path = slice_path(tmp_path / "tokens", 2)
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-20] if damage == "cut" else b"text")
    assert rows_of(store.read_slice(0)) == SLICES[0]
    for read in (lambda: store.read_slice(2), lambda: list(store), lambda: list(store.sentence_documents())):
        with pytest.raises(FormatError, match=r"00002\.parquet: (cannot be|is not the file) .*stage tokens again"):
            read()


def test_token_store_refuses_a_cut_lexicon(tmp_path):
    store = TokenStore(write(tmp_path / "tokens"))
    path = tmp_path / "tokens" / "lexicon.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FormatError, match=r"lexicon\.parquet: is not the file .*run the stage tokens again"):
        store.lexicon()


def test_write_index_counts_all_row_groups(tmp_path):
    folder = write(tmp_path / "tokens")
    table = pq.read_table(slice_path(folder, 0))
    pq.write_table(table, slice_path(folder, 0), row_group_size=1)
    write_index(folder, 3, TOKENIZER)
    store = TokenStore(folder)
    assert (store.sentences, store.tokens) == (4, 7)
    assert rows_of(store.read_slice(0)) == SLICES[0]
