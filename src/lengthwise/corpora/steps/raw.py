"""What a reader is asked for, and what it gives: a sequence as its file has it, before strings have codes."""

from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from lengthwise.corpora.opened import SourceFile
from lengthwise.errors import CorpusError

# What stands for a value that is not there, in files that have no word of their own for it.
NO_VALUE = ("", "?", "NA", "N/A", "NaN", "nan", "NULL", "null", "None")


@dataclass(frozen=True)
class Called:
    """What the settings of a reader are called where they are made: keys of the params, or options of a command.

    Attributes:
        names: of those that there are; None for the keys of the params, which has all.
    """

    names: Mapping[str, str] | None = None

    def __call__(self, setting: str) -> str:
        """The name of a setting; empty, if there is none."""
        return f"ingest.steps.{setting}" if self.names is None else self.names.get(setting, "")

    def remedy(self, setting: str, to_do: str, without: str = "change the file") -> str:
        """What to do to a setting, its name in the place of `{}`, or to do without it."""
        name = self(setting)
        return to_do.format(name) if name else without


@dataclass(frozen=True)
class WantedColumns:
    """Which columns of a file are read, each by its name in the file; what there is depends on the form.

    Attributes:
        tokens: strings of an open set.
        tags: strings of a closed set.
        features: numbers.
        label: the class of the sequence.
        numbers: what is to be predicted of it.
        group: what it is held out with.
        sequence: of long tables, which sequence a row is a step of.
        step: of long tables, what the rows of a sequence are ordered by; None, if they are in order.
        called: what these are called in messages.
    """

    tokens: str | None = None
    tags: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    label: str | None = None
    numbers: tuple[str, ...] = ()
    group: str | None = None
    sequence: str | None = None
    step: str | None = None
    called: Called = field(default_factory=Called)

    @property
    def per_step(self) -> tuple[str, ...]:
        """The columns with a value for each step."""
        return (*((self.tokens,) if self.tokens is not None else ()), *self.tags, *self.features)

    @property
    def per_sequence(self) -> tuple[str, ...]:
        """The columns with a value for each sequence."""
        return (*(name for name in (self.label, self.group) if name is not None), *self.numbers)

    def refuse_absent(self, place: str, known: list[str], names: tuple[str, ...]) -> None:
        """Raise `CorpusError` if a name is not among the known ones, or there twice."""
        for name in names:
            if known.count(name) != 1:
                found = "no" if name not in known else "more than one"
                remedy = self.called.remedy(self.setting_of(name), "change {}")
                raise CorpusError(
                    f"{place}: has {found} column {name!r}; expected one of {', '.join(known):.300}; {remedy}"
                )

    def refuse_kind(self, file: SourceFile, form: str, wanted: tuple[str, ...], setting: str, instead: str) -> None:
        """Raise `CorpusError` if something is wanted that files of a form do not have."""
        if wanted:
            name, got = self.called(setting), f"{', '.join(wanted):.200}"
            found = f"{name}: got {got} of {file.place}" if name else f"{file.place}: got the {setting} {got}"
            remedy = "empty this key" if self.called.names is None else "change the file, or what is asked of it"
            raise CorpusError(f"{found}; {form} has {instead}; {remedy}")

    def setting_of(self, name: str) -> str:
        """Which setting names a column."""
        for setting, value in vars(self).items():
            if value == name or (isinstance(value, tuple) and name in value):
                return setting
        return "tokens"


@dataclass(frozen=True)
class RawSequence:
    """One sequence of T steps.

    Attributes:
        place: where it stands, for messages.
        steps: T.
        tokens: T strings, if there are any; None for one that is missing.
        tags: by name, T strings, or None.
        features: by name, float32 (T, D); not a number where a value is missing.
        label: its class, as it is written; empty, if it is missing.
        numbers: in the order asked for; not a number, if it is missing.
        group: what it is held out with; None, if it stands for itself.
    """

    place: str
    steps: int
    tokens: list[str] | None = None
    tags: Mapping[str, list[str]] = field(default_factory=dict)
    features: Mapping[str, np.ndarray] = field(default_factory=dict)
    label: str | None = None
    numbers: tuple[float, ...] = ()
    group: str | None = None

    @property
    def lacks(self) -> str:
        """What has a missing value; empty, if nothing has."""
        if self.label == "":
            return "the label"
        if not np.isfinite(self.numbers).all():
            return "a number to predict"
        if self.tokens is not None and None in self.tokens:
            return "a token"
        for name, values in self.tags.items():
            if None in values:
                return f"a tag of {name}"
        for name, vectors in self.features.items():
            if not np.isfinite(vectors).all():
                return f"a value of {name}"
        return ""


# What a reader gives: closed, it leaves no file open.
RawSequences = Generator[RawSequence, None, None]


class SequenceReader(Protocol):
    """What reads the sequences of a file of one form."""

    def __call__(self, file: SourceFile, wanted: WantedColumns, max_bytes: int, counts: Counter[str]) -> RawSequences:
        """The sequences, in the file's order.

        Args:
            file: to read.
            wanted: its columns.
            max_bytes: what a part of it that is packed may unpack to.
            counts: of what is passed over; added to.

        Raises:
            CorpusError: the file is not of this form, or lacks what is wanted; the message names the place.
        """
        ...
