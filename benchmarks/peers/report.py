"""Rounds to rows, and rows to a table, a CSV and a JSON file."""

import csv
import json
import os
import platform
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from peers.data import Data
from peers.matrix_product import PRODUCT_FLOP
from peers.processes import Turn

PACKAGES = ("tensorflow", "keras", "torch", "jax", "onnxruntime", "numpy")


# Cores: threads that wait for each other by spinning come to a standstill where another process has one of theirs.
DISTURBED = 0.1


def is_disturbed(turn: Turn) -> bool:
    """Whether other processes worked at the same time."""
    return turn.others is not None and turn.others > DISTURBED


@dataclass(frozen=True)
class Measured:
    """All turns of a task.

    Attributes:
        data: what was worked on.
        matrix: the matrix product's turn of each round.
        rounds: the contestants' turns of each round, in the table's order.
        padding: each one's share of steps without a token.
        skipped: why others did not take part.
    """

    data: Data
    matrix: list[Turn]
    rounds: list[dict[str, Turn]]
    padding: dict[str, float]
    skipped: dict[str, str]

    @property
    def matrix_rates(self) -> list[float]:
        """Floating-point operations per second in each round."""
        return [turn.batches * PRODUCT_FLOP / turn.seconds for turn in self.matrix]

    @property
    def limit(self) -> float:
        """Sentences per second if all was done at the matrix product's rate."""
        return median(self.matrix_rates) / (self.data.token_flop * self.data.mean_length)


def disturbed_turns(measured: Measured) -> int:
    """In how many turns other processes worked at the same time."""
    return sum(is_disturbed(turn) for turns in measured.rounds for turn in turns.values())


@dataclass(frozen=True)
class Row:
    """A contestant's figures.

    Attributes:
        task: as of `Data`.
        contestant: its name.
        sentences_per_second: median of the rounds.
        minimum: of the rounds.
        maximum: of the rounds.
        ratio: to the first row, median of the rounds' ratios.
        matrix_share: of the matrix product's rate, real tokens alone, median of the rounds.
        padding_share: of the batches' steps, those without a token; not every contestant computes them.
    """

    task: str
    contestant: str
    sentences_per_second: float
    minimum: float
    maximum: float
    ratio: float
    matrix_share: float
    padding_share: float


def rows(measured: Measured) -> list[Row]:
    """A task's table."""
    data = measured.data
    names = list(measured.rounds[0])
    rates = {name: [turns[name].tokens / turns[name].seconds for turns in measured.rounds] for name in names}
    made = []
    for name in names:
        sentences = [rate / data.mean_length for rate in rates[name]]
        shares = zip(rates[name], measured.matrix_rates, strict=True)
        made.append(
            Row(
                task=data.task,
                contestant=name,
                sentences_per_second=median(sentences),
                minimum=min(sentences),
                maximum=max(sentences),
                ratio=median(here / base for here, base in zip(rates[name], rates[names[0]], strict=True)),
                matrix_share=median(rate * data.token_flop / limit for rate, limit in shares),
                padding_share=measured.padding[name],
            )
        )
    return made


def table(measured: Measured) -> str:
    """What a person reads of a task."""
    made = rows(measured)
    width = max(len(row.contestant) for row in made)
    columns = f"{'sentences/s':>11} {'min-max':>15} {'ratio':>6} {'of limit':>8} {'padding':>8}"
    lines = [
        f"{row.contestant:{width}} {row.sentences_per_second:11,.0f} {f'{row.minimum:,.0f}-{row.maximum:,.0f}':>15} "
        f"{row.ratio:6.2f} {row.matrix_share:8.1%} {row.padding_share:8.1%}"
        for row in made
    ]
    notes = [f"{name}: skipped: {reason}" for name, reason in measured.skipped.items()]
    if disturbed := disturbed_turns(measured):
        notes.append(f"{disturbed} turns were disturbed: other processes kept more than {DISTURBED} cores busy")
    limit = (
        f"limit: {measured.limit:,.0f} sentences/s, {measured.data.token_flop / 1e3:.1f} kFLOP a token at the "
        f"{median(measured.matrix_rates) / 1e9:.0f} GFLOP/s of a large matrix product"
    )
    return "\n".join([f"{measured.data.task:{width}} {columns}", *lines, limit, *notes])


def write_csv(path: Path, made: list[Row]) -> None:
    """One row a contestant and task."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        for row in made:
            writer.writerow({k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(row).items()})


def write_json(path: Path, measured: list[Measured], settings: dict[str, object]) -> None:
    """All turns, and what they were made with."""
    content = {
        "settings": settings,
        "versions": versions(),
        "threads": os.cpu_count(),
        "tasks": {task.data.task: _turns(task) for task in measured},
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def versions() -> dict[str, str | None]:
    """Of Python and the packages that compute; None for one that is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def _turns(measured: Measured) -> dict[str, object]:
    return {
        "sentences": len(measured.data.sequences),
        "mean_length": measured.data.mean_length,
        "token_flop": measured.data.token_flop,
        "matrix_flop_per_second": measured.matrix_rates,
        "limit_sentences_per_second": measured.limit,
        "rounds": [{name: asdict(turn) for name, turn in turns.items()} for turns in measured.rounds],
        "skipped": measured.skipped,
    }
