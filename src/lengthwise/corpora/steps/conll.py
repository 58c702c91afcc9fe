"""Files of a token a line, its tags in columns behind it, an empty line between sequences: CoNLL, and CoNLL-U.

    # sent_id = 1
    1   From   from   ADP   IN   ...
    2   the    the    DET   DT   ...

Columns stand between tabs, or between blanks where there are no tabs. They are named by their numbers from 1; those of
CoNLL-U also by their names. What comments say (`# sent_id = 1`, `# newdoc id = a`) may be the label of a sequence, a
number or its group. Ranges of words (`1-2`), empty nodes (`1.1`) and `-DOCSTART-` are passed over and counted.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from lengthwise.corpora.opened import SourceFile
from lengthwise.corpora.steps.raw import RawSequence, RawSequences, WantedColumns
from lengthwise.corpora.steps.text_lines import lines_of
from lengthwise.errors import CorpusError

# The columns of CoNLL-U, in their order.
NAMES = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
WORD_ID, RANGE_ID, NODE_ID = (re.compile(pattern) for pattern in ("[0-9]+", "[0-9]+-[0-9]+", r"[0-9]+\.[0-9]+"))
SAID = re.compile(r"# *([\w.:-]+) *= *(.*)")
NEW_DOCUMENT = re.compile(r"# *newdoc\b(?: +id *= *)?(.*)")
# In the place of a column: the group is the document that a comment, or a line `-DOCSTART-`, begins.
DOCUMENT, DOCUMENT_START = "newdoc", "-DOCSTART-"
COMMENTS, RANGES, NODES, STARTS = "comments", "multiword_ranges", "empty_nodes", "document_starts"
PASSED_OVER = (COMMENTS, RANGES, NODES, STARTS)
BLANKS = re.compile("[ \t]+")


@dataclass(frozen=True)
class LineForm:
    """How the lines of a file are made: that of its first token tells.

    Attributes:
        by_tab: whether tabs stand between columns.
        columns: how many there are.
        has_ids: whether the file is CoNLL-U: then only a comment begins with `#`.
    """

    by_tab: bool
    columns: int
    has_ids: bool

    @classmethod
    def of(cls, line: str) -> "LineForm":
        """The form that a token's line has."""
        by_tab = "\t" in line
        cells = line.split("\t") if by_tab else BLANKS.split(line.strip(" \t"))
        ids = any(kind.fullmatch(cells[0]) for kind in (WORD_ID, RANGE_ID, NODE_ID))
        return cls(by_tab, len(cells), ids and len(cells) == len(NAMES))

    def cells(self, line: str) -> list[str]:
        """The columns of a line."""
        return line.split("\t") if self.by_tab else BLANKS.split(line.strip(" \t"))

    def is_comment(self, line: str, within: bool) -> bool:
        """Whether a line is a comment, and not a token such as `#` or `#topic`.

        Args:
            line: of the file.
            within: whether tokens of the sequence stand before it: in CoNLL-U alone, comments stand there too.
        """
        if not line.startswith("#"):
            return False
        if self.has_ids or (not within and (SAID.match(line) or NEW_DOCUMENT.match(line))):
            return True
        return not within and len(self.cells(line)) != self.columns


@dataclass
class _Reading:
    """What has been read of a file: the sequence that goes on, and what comments have said."""

    file: SourceFile
    wanted: WantedColumns
    places: dict[str, int]
    document: str
    documents: int = 0
    rows: list[list[str]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)
    lasting: str | None = None

    def begin_document(self, name: str) -> None:
        self.documents += 1
        self.document = name.strip() or f"{self.file.name}/{self.documents}"

    def comment(self, line: str) -> None:
        if found := NEW_DOCUMENT.match(line):
            self.begin_document(found[1])
        elif found := SAID.match(line):
            self.said[found[1]] = found[2].strip()
            if found[1] == self.wanted.group:
                self.lasting = found[2].strip()

    def sequence(self) -> RawSequence:
        """The sequence whose rows have been read; the next one begins."""
        wanted, rows, place = self.wanted, self.rows, f"{self.file.place} line {self.numbers[0]}"
        columns = {name: self._column(place) for name, place in self.places.items()}
        sequence = RawSequence(
            place,
            len(rows),
            tokens=columns[wanted.tokens] if wanted.tokens is not None else None,
            tags={name: columns[name] for name in wanted.tags},
            features={name: _vectors(place, name, columns[name]) for name in wanted.features},
            label=None if wanted.label is None else self.said.get(wanted.label, ""),
            numbers=tuple(_number(place, name, self.said.get(name, "_")) for name in wanted.numbers),
            group=self._group(place),
        )
        self.rows, self.numbers, self.said = [], [], {}
        return sequence

    def _column(self, place: int) -> list[str]:
        """The values of a column, without blanks at their ends: a tab may stand between blanks."""
        values = [cells[place].strip(" ") for cells in self.rows]
        if "" in values:
            raise CorpusError(
                f"{self.file.place} line {self.numbers[values.index('')]}: has an empty column; expected a value in "
                "each; mend the line"
            )
        return values

    def _group(self, place: str) -> str | None:
        if self.wanted.group is None:
            return None
        group = self.document if self.wanted.group == DOCUMENT else self.lasting
        if group is None:
            raise CorpusError(
                f"{place}: no comment says its {self.wanted.group}; expected a line `# {self.wanted.group} = ...` "
                f"before it; {self.wanted.called.remedy('group', 'change {}')}"
            )
        return group


def read_conll(file: SourceFile, wanted: WantedColumns, max_bytes: int, counts: Counter[str]) -> RawSequences:
    """The sequences of a file, see `SequenceReader`."""
    del max_bytes
    wanted.refuse_kind(
        file, "CoNLL", () if wanted.sequence is None else (wanted.sequence,), "sequence", "empty lines between"
    )
    reading = _Reading(file, wanted, {name: _place(name, wanted) for name in wanted.per_step}, file.name)
    needed = max(reading.places.values(), default=-1) + 1
    with file.open() as stream:
        head, lines = _until_a_token(lines_of(file, stream))
        form = LineForm.of(head[-1][1]) if head else LineForm(True, 1, False)
        for number, line in chain(head, lines):
            if not line or not line.strip(" \t"):
                if reading.rows:
                    yield reading.sequence()
            elif line[0] == "#" and form.is_comment(line, bool(reading.rows)):
                counts[COMMENTS] += 1
                reading.comment(line)
            elif kind := _passed_over(form, cells := form.cells(line)):
                counts[kind] += 1
                if kind == STARTS:
                    reading.begin_document("")
            elif len(cells) < needed:
                last = wanted.setting_of(max(reading.places, key=reading.places.__getitem__))
                raise CorpusError(
                    f"{file.place} line {number}: has {len(cells)} columns; expected {needed} or more; "
                    + wanted.called.remedy(last, "change {}, or mend the line", "mend the line")
                )
            else:
                reading.numbers.append(number)
                reading.rows.append(cells)
    if reading.rows:
        yield reading.sequence()


def _passed_over(form: LineForm, cells: list[str]) -> str:
    """Which kind of line that is no token of the text this is; empty for a token."""
    first = cells[0]
    if not form.has_ids:
        return STARTS if first == DOCUMENT_START else ""
    if first.isdecimal():
        return ""
    if RANGE_ID.fullmatch(first):
        return RANGES
    return NODES if NODE_ID.fullmatch(first) else ""


def _until_a_token(lines: Iterator[tuple[int, str]]) -> tuple[list[tuple[int, str]], Iterator[tuple[int, str]]]:
    """The lines up to the first that is surely none of a comment, and those behind it."""
    head = []
    for number, line in lines:
        head.append((number, line))
        if line.strip(" \t") and not line.startswith(("#", DOCUMENT_START)):
            break
    return head, lines


def _place(name: str, wanted: WantedColumns) -> int:
    """The number of a column from 0."""
    if name in NAMES:
        return NAMES.index(name)
    if name.isascii() and name.isdigit() and int(name) > 0:
        return int(name) - 1
    setting = wanted.setting_of(name)
    raise CorpusError(
        f"{wanted.called(setting) or setting}: got the column {name!r:.80}; expected its number from 1, or one of "
        f"{', '.join(NAMES)}; name it so"
    )


def _vectors(place: str, name: str, cells: list[str]) -> np.ndarray:
    return np.array([_number(place, name, cell) for cell in cells], np.float32)[:, None]


def _number(place: str, name: str, cell: str) -> float:
    """A number; `_` stands for one that is missing."""
    try:
        return np.nan if cell == "_" else float(cell)
    except ValueError:
        raise CorpusError(f"{place}: {name} is {cell!r:.60}; expected a number, or _; mend the file") from None
