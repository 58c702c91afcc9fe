"""What a file was understood as: shown before anything runs, with the keys that would read it so."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import yaml

# So many rows or sequences are looked at, and so many examples, classes and files shown.
MOST_LOOKED_AT = 10_000
EXAMPLES, CLASSES_SHOWN, FILES_SHOWN = 3, 12, 5
SHORTEST_WIDTH = 40


@dataclass(frozen=True)
class LookedColumn:
    """A column: its name, what it holds, and some of its values."""

    name: str
    kind: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class LookedCorpus:
    """What a source was understood as.

    Attributes:
        source: where it is.
        corpus: the name of the form of corpora, as in `ingest.corpus`.
        format: of its files.
        files: their names.
        columns: what is in them.
        looked_at: how many rows or sequences the figures are of.
        is_whole: whether these are all.
        lengths: shortest, median and longest, in `unit`; None where nothing has a length.
        unit: of lengths.
        labels: by column, how often each class stands there.
        groups: how many there are, where rows are in groups.
        keys: of the section of the corpus: those that differ from what `params.yaml` has.
    """

    source: str
    corpus: str
    format: str
    files: tuple[str, ...]
    columns: tuple[LookedColumn, ...] = ()
    looked_at: int = 0
    is_whole: bool = True
    lengths: tuple[int, float, int] | None = None
    unit: str = "steps"
    labels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    groups: int | None = None
    keys: Mapping[str, object] = field(default_factory=dict)

    @property
    def proposal(self) -> dict[str, object]:
        """The section `ingest` that would read it so."""
        section = {self.corpus: dict(self.keys)} if self.keys else {}
        return {"ingest": {"corpus": self.corpus, "source": self.source, **section}}

    def to_json(self) -> str:
        """All of it, one line."""
        said = {name: value for name, value in asdict(self).items() if name != "keys"}
        return json.dumps({**said, "proposal": self.proposal}, ensure_ascii=False) + "\n"

    def to_text(self, width: int) -> str:
        """All of it, in lines of at most a width, but for the proposal, which is to be pasted."""
        lines = [f"{self.source}: {self.format}, for ingest.corpus: {self.corpus}"]
        shown = ", ".join(self.files[:FILES_SHOWN])
        lines.append(f"files: {len(self.files)}: {shown}{', ...' if len(self.files) > FILES_SHOWN else ''}")
        if self.columns:
            widths = [max(len(getattr(column, part)) for column in self.columns) for part in ("name", "kind")]
            lines.append("columns:")
            lines += [
                f"  {column.name.ljust(widths[0])}  {column.kind.ljust(widths[1])}  {' | '.join(column.examples)}"
                for column in self.columns
            ]
        for name, classes in self.labels.items():
            often = Counter(classes).most_common()
            counted = ", ".join(f"{label} {count}" for label, count in often[:CLASSES_SHOWN])
            lines.append(f"{name}: {len(often)} classes: {counted}{', ...' if len(often) > CLASSES_SHOWN else ''}")
        if self.groups is not None:
            lines.append(f"groups: {self.groups}")
        if self.lengths is not None:
            shortest, median, longest = self.lengths
            lines.append(f"lengths in {self.unit}: {shortest:,} to {longest:,}, median {median:,g}")
        lines.append(f"looked at: {self.looked_at:,}{'' if self.is_whole else ', the first'}")
        lines = [_cut(line, max(width, SHORTEST_WIDTH)) for line in lines]
        return "\n".join([*lines, "", yaml.safe_dump(self.proposal, sort_keys=False, allow_unicode=True)])


def lengths_of(lengths: Sequence[int]) -> tuple[int, float, int] | None:
    """Shortest, median and longest; None of none."""
    return (min(lengths), float(np.median(lengths)), max(lengths)) if lengths else None


def examples_of(values: Iterable[object]) -> tuple[str, ...]:
    """Some values that differ, in a line each."""
    texts = dict.fromkeys(" ".join(str(value).split())[:60] for value in values)
    return tuple([text for text in texts if text][:EXAMPLES])


def _cut(line: str, width: int) -> str:
    line = "".join(character if character.isprintable() else "·" for character in line)
    return line if len(line) <= width else f"{line[: width - 1]}…"
