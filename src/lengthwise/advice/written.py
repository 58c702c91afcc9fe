"""The advice as text for a terminal, and as JSON."""

import json
from dataclasses import asdict, fields
from textwrap import wrap
from typing import Any

from lengthwise.advice.advising import Advice, StrategyAdvice

COLUMNS = ("strategy", "settings", "batches", "rows", "padding", "alike", "neighb.", "time", "memory")
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
THOUSAND = 1000
TERMINAL = 100
MINUTE, HOUR, DAY = 60, 3600, 86400


def settings_of(row: StrategyAdvice) -> str:
    """The settings of a strategy, in few words: `128 rows, window 64`."""
    given = {field.name: getattr(row.strategy, field.name) for field in fields(row.strategy)}
    words = [f"{value} rows" if name == "batch_size" else f"{name} {value}" for name, value in given.items()]
    return ", ".join(words)


def seconds_text(seconds: float) -> str:
    """A time with two digits: `0.43 s`, `12 s`, `3.5 min`, `2.1 h`."""
    for limit, unit, size in ((MINUTE, "s", 1), (HOUR, "min", MINUTE), (DAY, "h", HOUR), (float("inf"), "d", DAY)):
        if seconds < limit:
            return f"{_two_digits(seconds / size)} {unit}"
    raise AssertionError("no time is beyond all limits")


def bytes_text(count: int) -> str:
    """Bytes with two digits, in powers of 1000: `130 MB`."""
    value = float(count)
    for unit in UNITS:
        if value < THOUSAND or unit == UNITS[-1]:
            return f"{_two_digits(value)} {unit}"
        value /= THOUSAND
    raise AssertionError("no size is beyond all units")


def _two_digits(value: float) -> str:
    rounded = float(f"{value:.2g}")
    return f"{rounded:,.0f}" if rounded >= 10 or rounded == 0 else f"{rounded:g}"


def cells_of(row: StrategyAdvice) -> list[str]:
    """A row of the table, see `COLUMNS`."""
    return [
        row.name,
        settings_of(row),
        f"{row.batches:,}",
        f"{row.rows:.0f}" if row.rows >= 10 else f"{row.rows:.1f}",
        f"{100 * row.padding_share:.1f} %",
        f"{row.alike:.2f}",
        f"{row.neighbours + 0.0:.2f}".replace("-0.00", "0.00"),
        seconds_text(row.seconds),
        f"{bytes_text(row.peak_bytes)}{'' if row.fits else ' !'}",
    ]


def heading(advice: Advice) -> list[str]:
    """What the advice is about: the sequences, the network, and where the costs come from."""
    network, memory = advice.costs.network, advice.memory
    shortest = f"{advice.shortest:,} to " if advice.shortest < advice.longest else ""
    lines = [
        f"{advice.sequences:,} sequences of {shortest}{advice.longest:,} steps, {advice.mean:,.1f} on average.",
        f"Time and memory are of an epoch: {network.cell} of {network.units} units over {network.features} features, "
        f"{network.kernel} kernel;",
        "costs measured here." if advice.costs.measured else "costs of another machine (--measure takes yours).",
    ]
    return [*lines, f"An epoch may take {bytes_text(memory)}."] if memory is not None else lines


def table_text(advice: Advice) -> str:
    """The advice for a terminal of 100 columns."""
    rows = [list(COLUMNS), *(cells_of(row) for row in advice.strategies.values())]
    widths = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
    lines = [*heading(advice), ""]
    # Where numbers are very large.
    between = "  " if sum(widths) + 2 * len(widths) <= TERMINAL else " "
    for row in rows:
        marked = "*" if row[0] == advice.choice.name else " "
        cells = [
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"{marked} {between.join(cells)}".rstrip())
    unfit = any(not row.fits for row in advice.strategies.values())
    lines += ["", f"Take {advice.choice.name}."]
    for reason in advice.choice.reasons:
        lines += wrap(reason, TERMINAL, initial_indent="- ", subsequent_indent="  ")
    if unfit:
        lines.append("! does not fit into the memory that was asked for.")
    return "\n".join(lines) + "\n"


def json_text(advice: Advice) -> str:
    """The advice as one JSON object, in the fields of `Advice`."""
    content: dict[str, Any] = asdict(advice)
    return json.dumps(content, allow_nan=False, default=_plain, indent=2) + "\n"


def _plain(value: Any) -> Any:  # noqa: ANN401 - a number of NumPy.
    return value.item()
