"""How a run is told from the others: a letter, a colour, its name."""

from collections.abc import Iterator, Sequence

from lengthwise.names import TASKS
from lengthwise.reports.beside.sources import Source

HUES = ("blue", "orange", "green", "purple", "gold", "violet", "red", "grey")


def hue_of_run(source: Source) -> str:
    """The classes of a run's lines: a colour of its own, dashed from the ninth run on."""
    number = ord(source.letter) - ord("A")
    return HUES[number % len(HUES)] + (" dashed" if number >= len(HUES) else "")


def label_of(source: Source) -> str:
    """How text and charts call a run."""
    return f"{source.letter} {source.name}"


def by_task(sources: Sequence[Source]) -> Iterator[tuple[str, list[Source]]]:
    """Each task that a run has, with the runs that have it."""
    for task in TASKS:
        if having := [source for source in sources if task in source.tasks]:
            yield task, having
