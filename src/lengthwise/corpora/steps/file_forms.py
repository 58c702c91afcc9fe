"""The forms that files of sequences come in, and which of them a file has."""

from typing import Literal

from lengthwise.corpora.opened import SourceFile
from lengthwise.corpora.steps.conll import LineForm, read_conll
from lengthwise.corpora.steps.listed import read_listed
from lengthwise.corpora.steps.long_rows import SEPARATORS
from lengthwise.corpora.steps.long_tables import read_long
from lengthwise.corpora.steps.number_archives import read_archive
from lengthwise.corpora.steps.parquet_files import MAGIC
from lengthwise.corpora.steps.raw import Called, SequenceReader
from lengthwise.corpora.steps.text_lines import is_utf_16
from lengthwise.corpora.steps.ts_files import COMMENT, read_ts
from lengthwise.errors import CorpusError

FileForm = Literal["auto", "ts", "conll", "parquet", "long", "numpy"]
READERS: dict[FileForm, SequenceReader] = {
    "ts": read_ts,
    "conll": read_conll,
    "parquet": read_listed,
    "long": read_long,
    "numpy": read_archive,
}
HEAD, LONGEST_CHARACTER = 1 << 16, 4
# Of an archive, of a single array, and of pickles of the protocols 2 to 5: the first bytes.
ZIP, ARRAY, PICKLES = b"PK\x03\x04", b"\x93NUMPY", (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
# Of so many lines the columns are counted, to tell CoNLL from prose.
LINES_COUNTED = 50


def form_of(file: SourceFile, is_long: bool, called: Called | None = None) -> FileForm:
    """The form of a file, by what is in it.

    Args:
        file: to look into.
        is_long: whether tables have a step a row: nothing in a Parquet file tells.
        called: what settings are called in messages; None for the keys of the params.

    Raises:
        CorpusError: it has none of the forms; the message says what to set.
    """
    called, head = called or Called(), _head(file)
    if head.startswith(MAGIC):
        return "long" if is_long else "parquet"
    if head.startswith(ZIP):
        return "numpy"
    if head.startswith(ARRAY):
        raise _unknown(file, "it is a single array; expected an .npz with it and an array `lengths`", "save it so")
    if head.startswith(PICKLES):
        raise _unknown(file, "it is a pickle, which is never opened", "save plain arrays, or Parquet")
    text = _text(head)
    if text is None:
        remedy = called.remedy("train", "convert it, or leave it out by a pattern", "convert it")
        raise _unknown(file, "it is no text in UTF-8 or UTF-16", remedy)
    lines = [line for line in text.replace("\r", "").split("\n") if line.strip()]
    said = [line for line in lines if not line.startswith(COMMENT)]
    if said and said[0].startswith("@"):
        return "ts"
    if is_long:
        return "long"
    if _is_conll(file, lines):
        return "conll"
    if said and any(separator in said[0] for separator in SEPARATORS):
        remedy = called.remedy("sequence", "name in {} the column of what a row is a step of")
        raise _unknown(file, "it looks like a table", remedy)
    remedy = called.remedy("format", "name its form in {}, or leave it out by a pattern")
    raise _unknown(file, "it looks like none", remedy)


def _head(file: SourceFile) -> bytes:
    with file.open() as stream:
        data = stream.read(HEAD)
        while data and len(data) < HEAD and (more := stream.read(HEAD - len(data))):
            data += more
    return data


def _text(head: bytes) -> str | None:
    """What a file begins with, as text; None if it is none."""
    if is_utf_16(head):
        return head.decode("utf-16", "ignore")
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # A character may end behind the head.
        if len(head) < HEAD or error.start < HEAD - LONGEST_CHARACTER:
            return None
        text = head[: error.start].decode("utf-8-sig")
    return None if "\0" in text else text


def _is_conll(file: SourceFile, lines: list[str]) -> bool:
    """Whether lines have one number of columns, or a name says what they are."""
    if file.name.rpartition(".")[2].lower() in ("conll", "conllu", "conllx", "bio", "iob", "iob2"):
        return True
    tokens = [line for line in lines if not line.startswith("#")][:LINES_COUNTED]
    forms = [LineForm.of(line) for line in tokens[:-1] or tokens]
    return len({form.columns for form in forms}) == 1 and forms[0].columns > 1


def _unknown(file: SourceFile, found: str, remedy: str) -> CorpusError:
    return CorpusError(f"{file.place}: tells none of the forms {', '.join(READERS)}: {found}; {remedy}")
