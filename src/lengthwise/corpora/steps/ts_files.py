"""The `.ts` files of the time series archive (Löning et al., 2019): a sequence a line, its dimensions behind colons.

    @timeStamps false
    @classLabel true yes no
    @data
    1.5,2.5,3.0:0.1,0.2,0.3:yes

Sequences may have different lengths; the dimensions of one have the same. `?` stands for a missing value.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lengthwise.corpora.opened import SourceFile
from lengthwise.corpora.steps.raw import RawSequence, RawSequences, WantedColumns
from lengthwise.corpora.steps.text_lines import lines_of
from lengthwise.errors import CorpusError

FEATURES = "features"
COMMENT = ("#", "%")
MISSING = ("?", "NaN", "nan")


@dataclass(frozen=True)
class TsHeader:
    """What stands before the data.

    Attributes:
        classes: the class labels that a sequence may have; None where sequences have none.
        has_target: whether a number to predict stands behind the last dimension.
        dimensions: how many there are, where the file says so.
    """

    classes: tuple[str, ...] | None = None
    has_target: bool = False
    dimensions: int | None = None


def read_ts(file: SourceFile, wanted: WantedColumns, max_bytes: int, counts: Counter[str]) -> RawSequences:
    """The sequences of a file, see `SequenceReader`, their dimensions as the column `features`."""
    del max_bytes, counts
    with file.open() as stream:
        lines = lines_of(file, stream)
        header = read_header(file, lines)
        _refuse_absent(file, wanted, header)
        for number, line in lines:
            if line.strip() and not line.startswith(COMMENT):
                yield _sequence(f"{file.place} line {number}", line.strip(), wanted, header)


def read_header(file: SourceFile, lines: Iterator[tuple[int, str]]) -> TsHeader:
    """Read lines up to `@data`.

    Raises:
        CorpusError: there is no such line, or the file has time stamps.
    """
    said: dict[str, list[str]] = {}
    for number, raw in lines:
        line = raw.strip()
        if line.lower() == "@data":
            break
        if line.startswith("@"):
            key, *values = line[1:].split()
            said[key.lower()] = values
        elif line and not line.startswith(COMMENT):
            raise CorpusError(f"{file.place} line {number}: stands before @data; expected a .ts file; mend the line")
    else:
        raise CorpusError(f"{file.place}: has no line @data; expected a .ts file; mend it, or name its form")
    if _is_true(said, "timestamps"):
        raise CorpusError(f"{file.place}: has time stamps; expected values alone; write the file without them")
    dimensions = said.get("dimensions", said.get("dimension", [""]))
    return TsHeader(
        tuple(said["classlabel"][1:]) if _is_true(said, "classlabel") else None,
        _is_true(said, "targetlabel"),
        int(dimensions[0]) if dimensions and dimensions[0].isdecimal() else None,
    )


def _is_true(said: dict[str, list[str]], key: str) -> bool:
    return [value.lower() for value in said.get(key, [])[:1]] == ["true"]


def _refuse_absent(file: SourceFile, wanted: WantedColumns, header: TsHeader) -> None:
    tokens = () if wanted.tokens is None else (wanted.tokens,)
    wanted.refuse_kind(file, "a .ts file", tokens, "tokens", "features alone")
    wanted.refuse_kind(file, "a .ts file", wanted.tags, "tags", "features alone")
    wanted.refuse_kind(file, "a .ts file", () if wanted.group is None else (wanted.group,), "group", "no groups")
    named = tuple(name for name in wanted.features if name != FEATURES)
    wanted.refuse_kind(file, "a .ts file", named, "features", f"one column, {FEATURES}")
    wanted.refuse_kind(file, "a .ts file", wanted.numbers[1:], "numbers", "one at most")
    if header.classes is None and wanted.label is not None:
        wanted.refuse_kind(file, "this file", (wanted.label,), "label", "no line @classLabel true")
    if not header.has_target:
        wanted.refuse_kind(file, "this file", wanted.numbers, "numbers", "no line @targetLabel true")


def _sequence(place: str, line: str, wanted: WantedColumns, header: TsHeader) -> RawSequence:
    parts = line.split(":")
    answer = parts.pop().strip() if header.classes is not None or header.has_target else ""
    try:
        columns = [_dimension(part) for part in parts]
        numbers = (_number(answer),) if wanted.numbers else ()
    except ValueError as error:
        raise CorpusError(f"{place}: {error}; expected numbers between commas; mend the line") from None
    if header.dimensions is not None and len(columns) != header.dimensions:
        raise CorpusError(
            f"{place}: has {len(columns)} dimensions; expected {header.dimensions}, as @dimensions says; mend the line"
        )
    lengths = {len(column) for column in columns}
    if len(lengths) != 1:
        raise CorpusError(f"{place}: has dimensions of lengths {sorted(lengths)}; expected one length; mend the line")
    if wanted.label is not None and header.classes and answer not in (*header.classes, *MISSING):
        raise CorpusError(
            f"{place}: has the label {answer!r:.80}; expected one of {', '.join(header.classes):.200}, as @classLabel "
            "says; mend the line"
        )
    return RawSequence(
        place,
        len(columns[0]),
        features={FEATURES: np.stack(columns, axis=1)},
        label=None if wanted.label is None else _label(answer, header),
        numbers=numbers,
    )


def _dimension(part: str) -> np.ndarray:
    cells = part.split(",")
    try:
        return np.array([*map(float, cells)], np.float32)
    except ValueError:
        return np.array([*map(_number, cells)], np.float32)


def _label(answer: str, header: TsHeader) -> str:
    """The class; empty, if it is missing: a class may be called like what stands for none."""
    return answer if answer in (header.classes or ()) or answer not in MISSING else ""


def _number(cell: str) -> float:
    cell = cell.strip()
    return np.nan if cell in MISSING else float(cell)
