"""What a person reads of the ablations: one Markdown table of figures and times, best first."""

import math
from collections.abc import Callable

import pandas as pd

from lengthwise.pipeline.ablations.definitions import REFERENCE_ABLATION

COLUMNS: tuple[tuple[str, Callable[[pd.Series], str]], ...] = (
    ("ablation", lambda row: str(row["name"])),
    ("sentences", lambda row: _accuracy(row, "accuracy", "accuracy_spread")),
    ("difference", lambda row: _difference(row, "")),
    ("documents", lambda row: _accuracy(row, "document_accuracy")),
    ("difference", lambda row: _difference(row, "document_")),
    ("authors", lambda row: _accuracy(row, "author_accuracy")),
    ("nll", lambda row: _number(row["nll"], "{:.3f}")),
    ("padding", lambda row: _number(row["padding_share"], "{:.1%}")),
    ("parameters", lambda row: _number(row["parameters"], "{:,.0f}")),
    ("steps to accuracy", lambda row: _number(row["steps_to_accuracy"], "{:,.0f}")),
    ("s an epoch", lambda row: _number(row["seconds_per_epoch"], "{:.2f}")),
    ("to full", lambda row: _number(row["relative"], "{:.2f}")),
)


def markdown_table(table: pd.DataFrame, timing: pd.DataFrame) -> str:
    """The reference, then the others by falling difference; a difference whose interval leaves out 0 is bold.

    Args:
        table: see `lengthwise.pipeline.ablations.table.ablation_table`.
        timing: see `timing_table` there.
    """
    whole = table.merge(timing, on="name", validate="one_to_one")
    whole["first"] = whole["name"] == REFERENCE_ABLATION
    whole = whole.sort_values(["first", "difference"], ascending=False, kind="stable", na_position="last")
    lines = [" | ".join(name for name, _ in COLUMNS), " | ".join(["---"] + ["---:"] * (len(COLUMNS) - 1))]
    lines += [" | ".join(cell(row) for _, cell in COLUMNS) for _, row in whole.iterrows()]
    return "".join(f"| {line} |\n" for line in lines)


def _number(value: object, form: str) -> str:
    return "" if value is None or math.isnan(float(value)) else form.format(float(value))  # type: ignore[arg-type]


def _accuracy(row: pd.Series, name: str, spread: str | None = None) -> str:
    text = _number(row.get(name), "{:.4f}")
    more = _number(row.get(spread), "{:.4f}") if spread else ""
    return f"{text} ± {more}" if text and more else text


def _difference(row: pd.Series, prefix: str) -> str:
    if not _number(row.get(f"{prefix}difference"), "{}"):
        return ""
    value, low, high = (float(row[f"{prefix}{name}"]) for name in ("difference", "low", "high"))
    text = f"{value:+.4f} ({low:+.4f} to {high:+.4f})"
    return f"**{text}**" if low > 0 or high < 0 else text
