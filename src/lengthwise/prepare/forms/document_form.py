"""What documents are: texts or steps, with labels or numbers, in groups; and what all of a corpus have in common."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
import pyarrow as pa

from lengthwise.core.labels import LabelFactor
from lengthwise.core.names import SPLITS, Split, StepKind, Task, Unit

# What may be a part of a metric's name.
WORD = re.compile("[a-z]+")


@dataclass(frozen=True)
class Fact:
    """What a corpus knows of a document beside its labels and its text: a column that no later stage reads.

    Attributes:
        name: of the column.
        kind: its Arrow type.
        meaning: in a few words.
    """

    name: str
    kind: pa.DataType
    meaning: str


@dataclass(frozen=True)
class ColumnForm:
    """A column with a value per step, of documents that come as steps.

    Attributes:
        name: of the column; one of kind `tokens` is called `tokens`.
        kind: `tokens`, strings of an open set; `tags`, strings of a closed one; or `features`, vectors.
        classes: of tags, in the order of their codes.
        size: of features, how many numbers a step has.
    """

    name: str
    kind: StepKind
    classes: tuple[str, ...] = ()
    size: int = 0


@dataclass(frozen=True)
class SequenceForm:
    """What all sequences that are made of a corpus are like: this goes on to the shards.

    Attributes:
        factors: the label factors, of which each document has a class.
        several: whether the factors are labels of their own, each yes or no, and not parts of one joint class.
        numbers: what is to be predicted of each document, by name.
        steps: the columns per step; none, if documents are texts.
        has_split: whether documents say which split they are in.
        group: the word for what is held out together, such as `author`; empty where each document stands for itself.
        item: the word for a document, such as `sequence`.

    Raises:
        ValueError: a word has anything but small letters.
    """

    factors: tuple[LabelFactor, ...] = ()
    several: bool = False
    numbers: tuple[str, ...] = ()
    steps: tuple[ColumnForm, ...] = ()
    has_split: bool = False
    group: str = ""
    item: str = "document"

    def __post_init__(self) -> None:
        for word in filter(None, (self.group, self.item)):
            if not WORD.fullmatch(word):
                raise ValueError(f"words: got {word!r}; expected small letters, which figures can be named after")

    @property
    def has_tokens(self) -> bool:
        """Whether steps have tokens: of texts always."""
        return not self.steps or any(column.kind == "tokens" for column in self.steps)

    @property
    def groups(self) -> str:
        """The word for several groups; documents, where each stands for itself."""
        return plural(self.group or self.item)

    @property
    def items(self) -> str:
        """The word for several documents."""
        return plural(self.item)

    def lacks(self, task: Task) -> str:
        """What a task needs that these sequences do not have; empty, if they have it.

        >>> SequenceForm().lacks("tagger"), SequenceForm().lacks("language_model")
        ('tags', '')
        """
        there = {
            "tagger": ("tags", any(column.kind == "tags" for column in self.steps)),
            "regressor": ("numbers to predict", bool(self.numbers)),
            "language_model": ("tokens", self.has_tokens),
        }
        what, has = there.get(task, ("labels", bool(self.factors)))
        return "" if has else what

    @property
    def words(self) -> dict[Unit, str]:
        """What the units are called, from the finest to the coarsest: a document that comes as steps has no parts."""
        coarse: dict[Unit, str] = {"document": self.item, **({"group": self.group} if self.group else {})}
        return coarse if self.steps else {"sentence": "sentence", **coarse}

    def to_json(self) -> str:
        """The text that travels in file metadata."""
        return json.dumps({field.name: _plain(getattr(self, field.name)) for field in fields(SequenceForm)})


@dataclass(frozen=True)
class DocumentForm(SequenceForm):
    """What all documents of a corpus are like.

    Attributes:
        facts: what the corpus knows beside; no later stage reads it.
    """

    facts: tuple[Fact, ...] = ()


def _plain(value: object) -> object:
    """What JSON has for a field: entries that are dataclasses by their own fields."""
    if isinstance(value, LabelFactor | ColumnForm):
        return asdict(value)
    return [_plain(entry) for entry in value] if isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True)
class Document:
    """One document.

    Attributes:
        group: the id of what it is held out with, such as its author; its own id where each stands for itself.
        codes: the class of each label factor.
        text: repaired; empty if it comes as steps.
        facts: a value for each of the corpus's facts.
        numbers: what is to be predicted, a value for each name.
        split: which split it is in, where documents say so.
        steps: for each column per step, a list of strings (tokens), of codes (tags), or float32 (T, D) (features).
        goes_on: whether the text is a piece that goes on with the document before, of whose all else it is.
    """

    group: str
    codes: tuple[int, ...] = ()
    text: str = ""
    facts: tuple[object, ...] = ()
    numbers: tuple[float, ...] = ()
    split: Split | None = None
    steps: tuple[Sequence[object] | np.ndarray, ...] = ()
    goes_on: bool = False


@dataclass(frozen=True)
class TextBatch:
    """Neighbouring documents that are texts, as columns of N rows each.

    Attributes:
        groups: strings, without nulls.
        texts: strings, without nulls.
        codes: int32 (N, F), of the label factors.
        numbers: float64 (N, K), what is to be predicted.
        split: int8 (N,), an index into `SPLITS`; None, if documents do not say.
        alone: whether each document is a group of its own, which no other document is of.
    """

    groups: pa.StringArray
    texts: pa.StringArray
    codes: np.ndarray
    numbers: np.ndarray
    split: np.ndarray | None
    alone: bool

    def __len__(self) -> int:
        return len(self.texts)

    def documents(self) -> Iterator[Document]:
        """The same one by one."""
        splits = [None] * len(self) if self.split is None else [SPLITS[code] for code in self.split.tolist()]
        rows = zip(
            self.groups.to_pylist(),
            self.texts.to_pylist(),
            self.codes.tolist(),
            self.numbers.tolist(),
            splits,
            strict=True,
        )
        for group, text, codes, numbers, split in rows:
            yield Document(group, tuple(codes), text, (), tuple(numbers), split)


def plural(word: str) -> str:
    """The plural of a noun.

    >>> plural("author"), plural("story"), plural("class")
    ('authors', 'stories', 'classes')
    """
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "ch", "sh")) else f"{word}s"
