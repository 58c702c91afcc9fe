"""Sequences of a file for a trained network: the columns that it reads, whatever else the file has."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from lengthwise.corpora.opened import SourceFile, files_of
from lengthwise.corpora.steps.file_forms import READERS, FileForm, form_of
from lengthwise.corpora.steps.looking import PROPOSALS
from lengthwise.corpora.steps.raw import Called, RawSequence, WantedColumns
from lengthwise.corpora.steps.steps_corpus import step_name


@dataclass(frozen=True)
class AskedColumns:
    """What a network reads of each step, and where a file has it.

    Attributes:
        has_tokens: whether it reads tokens.
        features: the names that its columns of features have had since they were read.
        tokens: the file's column of tokens; None for the one that `lengthwise look` proposes.
        sequence: of long tables, the column that says which sequence a row is a step of.
        step: of long tables, the column that orders the rows of a sequence; None, if they are in order.
        called: what these are called where they are asked for, for messages.
    """

    has_tokens: bool
    features: tuple[str, ...]
    tokens: str | None = None
    sequence: str | None = None
    step: str | None = None
    called: Called = field(default_factory=Called)


def asked_sequences(source: Path, asked: AskedColumns, max_bytes: int) -> Iterator[RawSequence]:
    """The sequences of a file, a folder or a zip, their features under the names that the network knows.

    Args:
        source: in any of the forms that `ingest.corpus: steps` reads.
        asked: the columns.
        max_bytes: what may be unpacked.

    Raises:
        CorpusError: there is nothing there, it has none of these forms, or lacks a column; the message names the place.
    """
    for file in files_of(source, max_bytes):
        form = form_of(file, asked.sequence is not None, asked.called)
        with closing(READERS[form](file, _wanted(file, form, asked, max_bytes), max_bytes, Counter())) as sequences:
            yield from sequences


def _wanted(file: SourceFile, form: FileForm, asked: AskedColumns, max_bytes: int) -> WantedColumns:
    proposed = PROPOSALS[form](file, max_bytes) if form in PROPOSALS else None
    names = [column.name for column in proposed.columns] if proposed else []
    of_file = {step_name(name): name for name in names}
    tokens = asked.tokens
    if asked.has_tokens and tokens is None:
        found = proposed.keys.get("tokens") if proposed else None
        tokens = str(found) if found else "tokens"
    # The dimensions of `.ts` files are one column, which nobody has to name.
    features = () if form == "ts" else tuple(of_file.get(name, name) for name in asked.features)
    return WantedColumns(tokens, features=features, sequence=asked.sequence, step=asked.step, called=asked.called)
