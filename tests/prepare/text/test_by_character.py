import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.prepare.document_writer import DocumentWriter
from lengthwise.prepare.forms.document_form import ColumnForm, Document, DocumentForm
from lengthwise.prepare.text.by_character import LONGEST_LINE, name_of, points_of, text_of
from lengthwise.prepare.text.store import TokenStore
from lengthwise.prepare.text.text_tokenizer import make_tokenizer
from lengthwise.prepare.text.tokens import tokenize

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), min_size=1, max_size=5)


def write(path, documents, form=None):
    with DocumentWriter(path, form or DocumentForm()) as writer:
        for document in documents:
            writer.write(document)


def sentences_of(folder):
    store = TokenStore(folder)
    names = store.lexicon()
    found = []
    for part in store:
        for document, begin, end in zip(part.document, part.offsets[:-1], part.offsets[1:], strict=True):
            found.append((int(document), [names[token] for token in part.tokens[begin:end]]))
    return found


@pytest.mark.sampled(1)
@pytest.mark.parametrize("by", ["characters", "bytes"])
@settings(max_examples=30, deadline=None)
@given(TEXTS)
def test_characters_and_bytes_make_up_the_text_again(tmp_path_factory, options, by, texts):
    folder = tmp_path_factory.mktemp("characters")
    write(folder / "documents.parquet", [Document(str(n), text=text) for n, text in enumerate(texts)])
    chosen = options(by=by)
    counts = tokenize(folder / "documents.parquet", folder / "tokens", chosen, 1)
    sentences = sentences_of(folder / "tokens")
    alone = make_tokenizer(chosen)
    for number, text in enumerate(texts):
        tokens = [token for document, line in sentences if document == number for token in line]
        assert text_of(tokens, by) == text
        assert tokens == alone(text)
    assert counts["tokens"] == sum(len(line) for _, line in sentences)
    lexicon = TokenStore(folder / "tokens").lexicon()
    assert lexicon == sorted(set(lexicon), key=str.encode)


@pytest.mark.parametrize("by", ["characters", "bytes"])
def test_a_line_is_a_sentence_and_a_long_one_several(tmp_path, options, by):
    text = "ab\n\nc" + "d" * (2 * LONGEST_LINE) + "\n"
    write(tmp_path / "documents.parquet", [Document("a", text=text), Document("b"), Document("c", text="x")])
    tokenize(tmp_path / "documents.parquet", tmp_path / "tokens", options(by=by), 1)
    lengths = [(document, len(line)) for document, line in sentences_of(tmp_path / "tokens")]
    assert lengths == [(0, 3), (0, 1), (0, LONGEST_LINE), (0, LONGEST_LINE), (0, 2), (2, 1)]


@pytest.mark.parametrize("text", ["für\n", "🙂", "", "a\tb", "<0x41>"])
def test_bytes_are_those_of_utf_8(text):
    assert points_of(text, "bytes").tolist() == list(text.encode())
    assert text_of([name_of(point, "bytes") for point in points_of(text, "bytes").tolist()], "bytes") == text


def test_words_between_blanks_are_as_they_are(tmp_path, options):
    write(tmp_path / "documents.parquet", [Document("a", text="Don't  STOP ,\n\n now\t2026"), Document("b", text=" ")])
    chosen = options(by="blanks")
    tokenize(tmp_path / "documents.parquet", tmp_path / "tokens", chosen, 1)
    assert sentences_of(tmp_path / "tokens") == [(0, ["Don't", "STOP", ","]), (0, ["now", "2026"])]
    assert make_tokenizer(chosen)(" Don't\nstop ") == ["Don't", "stop"]


@pytest.mark.parametrize("rows_per_slice", [1, 2, 100])
def test_documents_that_come_as_steps_keep_all_their_columns(tmp_path, monkeypatch, options, rows_per_slice):
    monkeypatch.setattr("lengthwise.prepare.document_writer.ROWS_PER_SLICE", rows_per_slice)
    form = DocumentForm(
        steps=(
            ColumnForm("tokens", "tokens"),
            ColumnForm("upos", "tags", ("N", "V")),
            ColumnForm("pitch", "features", size=2),
        )
    )
    rng = np.random.default_rng(1)
    lengths = [3, 0, 1, 4]
    rows = [
        ([f"w{rng.integers(5)}" for _ in range(n)], rng.integers(0, 2, n).tolist(), rng.normal(size=(n, 2)))
        for n in lengths
    ]
    write(tmp_path / "documents.parquet", [Document(str(n), steps=row) for n, row in enumerate(rows)], form)
    tokenize(tmp_path / "documents.parquet", tmp_path / "tokens", options(), 1)
    store = TokenStore(tmp_path / "tokens")
    assert store.tokenizer.by == "blanks"
    assert (store.sentences, store.tokens) == (3, 8)
    names, parts = store.lexicon(), list(store)
    assert [document for part in parts for document in part.document.tolist()] == [0, 2, 3]
    kept = [row for row in rows if row[0]]
    assert [names[token] for part in parts for token in part.tokens] == [word for row in kept for word in row[0]]
    assert [tag for part in parts for tag in part.columns["upos"].tolist()] == [tag for row in kept for tag in row[1]]
    features = np.concatenate([part.columns["pitch"] for part in parts])
    np.testing.assert_array_equal(features, np.concatenate([row[2] for row in kept]).astype(np.float32))


def test_steps_without_tokens_have_an_empty_lexicon(tmp_path, options):
    form = DocumentForm(steps=(ColumnForm("x", "features", size=3),))
    rows = [np.ones((2, 3)), np.zeros((5, 3))]
    write(tmp_path / "documents.parquet", [Document(str(n), steps=(row,)) for n, row in enumerate(rows)], form)
    counts = tokenize(tmp_path / "documents.parquet", tmp_path / "tokens", options(), 1)
    assert (counts["distinct_tokens"], counts["sentences"], counts["tokens"]) == (0, 2, 7)
    assert TokenStore(tmp_path / "tokens").lexicon() == pa.array([], pa.string()).to_pylist()
