"""All ablations beside each other: mean and spread over seeds, and the difference to the reference with its interval.

An interval has both kinds of chance in it, which authors are tested on and which seeds are drawn: it resamples authors,
with all that they wrote, and seeds (Efron and Tibshirani, 1993, chapter 8; the cluster bootstrap over two crossed
factors). Both sides of a difference are resampled alike, so that what is hard for both is no difference.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lengthwise.errors import FormatError
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.pipeline.ablations.definitions import REFERENCE_ABLATION
from lengthwise.pipeline.ablations.member_files import AUTHORS_NAME, METRICS_NAME, REMEDY, TIMING_NAME

OF_LEVEL = ("accuracy", "difference", "low", "high")
FIRST = ("name", "changes", "seeds", "accuracy", "accuracy_spread", *OF_LEVEL[1:], "nll", "nll_difference")
LAST = ("padding_share", "parameters", "steps", "steps_to_accuracy")


@dataclass(frozen=True)
class Member:
    """What a run with one seed has left: sums by level and author, metrics, and times."""

    authors: pd.DataFrame
    metrics: dict[str, float]
    timing: dict[str, float]


def read_members(folders: Mapping[str, Sequence[Path]]) -> dict[str, list[Member]]:
    """The members of all ablations, by name, in the order of the seeds.

    Args:
        folders: what `run_ablations` returns.

    Raises:
        FormatError: a member is missing or cannot be read.
    """
    return {name: [_read_member(folder) for folder in of_name] for name, of_name in folders.items()}


def _read_member(folder: Path) -> Member:
    try:
        authors = pd.read_csv(folder / AUTHORS_NAME)
        metrics, timing = (
            json.loads((folder / name).read_text(encoding="utf-8")) for name in (METRICS_NAME, TIMING_NAME)
        )
        return Member(authors.set_index(["level", "author"])[["items", "right", "nll"]], metrics, timing)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise FormatError(f"{folder}: is missing or cannot be read ({reason}); remove it and {REMEDY}") from error


def ablation_table(
    members: dict[str, list[Member]], changes: Mapping[str, dict[str, Any]], bootstrap: Bootstrap
) -> pd.DataFrame:
    """The figures of all ablations: a row each, the reference first.

    Args:
        members: by the ablation's name.
        changes: the keys that each ablation changes.
        bootstrap: how intervals are made.

    Returns:
        Columns name, changes, seeds; for the finest level accuracy (mean over seeds), accuracy_spread (its sample
        standard deviation), difference (to the reference, of accuracy), low, high, nll and nll_difference in nats;
        accuracy and difference of documents and authors; and padding_share, parameters, steps, steps_to_accuracy
        (means, of parameters and steps to a whole number; the last is empty if some seed never got there). Cells that
        make no sense are empty: sentences of whole documents.
    """
    names = [REFERENCE_ABLATION, *(name for name in members if name != REFERENCE_ABLATION)]
    # The reference may have longer sequences than an ablation has, so that it lacks its finest levels.
    levels = max((_levels(member) for of_name in members.values() for member in of_name), key=len)
    rows = []
    for name in names:
        row: dict[str, object] = {"name": name, "changes": changes_text(changes[name]), "seeds": len(members[name])}
        for level in levels:
            compared = members[name], members[REFERENCE_ABLATION]
            row |= _level_figures(level, level == levels[0], *compared, bootstrap, name)
        for metric in ("padding_share", "parameters", "steps", "steps_to_accuracy"):
            values = [member.metrics.get(metric) for member in members[name]]
            row[metric] = None if None in values else np.mean(np.array(values, float))
        rows.append(row)
    coarser = [f"{level}_{figure}" for level in levels[1:] for figure in OF_LEVEL]
    table = pd.DataFrame(rows, columns=[*FIRST, *coarser, *LAST])
    table = table.astype({"steps_to_accuracy": float}).round({"steps_to_accuracy": 1})
    # Whole numbers are not cut to six digits where the table is published.
    return table.round({"parameters": 0, "steps": 0}).astype({"parameters": int, "steps": int})


def timing_table(members: dict[str, list[Member]]) -> pd.DataFrame:
    """Times: columns name, seconds_per_epoch (the median over seeds), relative (to the reference's)."""
    seconds = {
        name: float(np.median([member.timing["seconds_per_epoch"] for member in of_name]))
        for name, of_name in members.items()
    }
    table = pd.DataFrame({"name": list(seconds), "seconds_per_epoch": list(seconds.values())})
    reference = max(seconds[REFERENCE_ABLATION], 1e-9)
    return table.assign(relative=(table["seconds_per_epoch"] / reference).round(3))


def changes_text(changes: dict[str, object]) -> str:
    """The keys that an ablation changes, in a line."""
    return ", ".join(f"{key}={json.dumps(value)}" for key, value in changes.items())


def _levels(member: Member) -> list[str]:
    """The levels of a member's figures, from the finest."""
    levels: list[str] = member.authors.index.get_level_values("level").unique().tolist()
    return levels


def _level_figures(
    level: str, is_finest: bool, members: Sequence[Member], reference: Sequence[Member], bootstrap: Bootstrap, name: str
) -> dict[str, object]:
    """The cells of a level: its accuracy over seeds and the difference to the reference."""
    prefix = "" if is_finest else f"{level}_"
    if any(level not in member.authors.index.get_level_values("level") for member in members):
        return {}
    accuracy = [_share(member, level, "right") for member in members]
    row: dict[str, object] = {f"{prefix}accuracy": np.mean(accuracy)}
    if not prefix:
        row |= {"accuracy_spread": np.std(accuracy, ddof=1) if len(accuracy) > 1 else None}
        row |= {"nll": np.mean([_share(member, level, "nll") for member in members])}
    comparable = all(level in member.authors.index.get_level_values("level") for member in reference)
    if name == REFERENCE_ABLATION or not comparable:
        return row
    row[f"{prefix}difference"] = np.mean(accuracy) - np.mean([_share(member, level, "right") for member in reference])
    row[f"{prefix}low"], row[f"{prefix}high"] = difference_interval(members, reference, level, bootstrap)
    if not prefix:
        row["nll_difference"] = row["nll"] - np.mean([_share(member, level, "nll") for member in reference])  # type: ignore[operator]
    return row


def _share(member: Member, level: str, column: str) -> float:
    sums = member.authors.loc[level]
    return float(sums[column].sum() / sums["items"].sum())


def difference_interval(
    members: Sequence[Member], reference: Sequence[Member], level: str, bootstrap: Bootstrap
) -> tuple[float, float]:
    """The interval of the difference of mean accuracies, authors and seeds resampled, both sides alike.

    Args:
        members: of an ablation, by seed.
        reference: of the reference, by the same seeds.
        level: its name.
        bootstrap: how.
    """
    authors = np.unique(np.concatenate([one.authors.loc[level].index for one in (*members, *reference)]))
    weights = bootstrap.weights(len(authors))
    draws = np.random.default_rng([bootstrap.seed, 1]).integers(0, len(members), (bootstrap.samples, len(members)))

    def resampled(of: Sequence[Member]) -> np.ndarray:
        """Mean accuracies over the seeds drawn: float64 (samples,)."""
        # An author whom one side does not have counts nothing there.
        sums = [member.authors.loc[level].reindex(authors, fill_value=0) for member in of]
        right, items = (np.stack([one[name].to_numpy(float) for one in sums], 1) for name in ("right", "items"))
        accuracy = (weights @ right) / (weights @ items)
        means: np.ndarray = np.take_along_axis(accuracy, draws, axis=1).mean(axis=1)
        return means

    with np.errstate(invalid="ignore"):
        low, high = bootstrap.ends(resampled(members) - resampled(reference))
    return float(low), float(high)


def headlines(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """By name, accuracy and difference with its interval, of the finest level that there is a difference of."""
    return {row["name"]: _headline(row) for _, row in table.iterrows()}


def _headline(row: pd.Series) -> dict[str, float]:
    ends = (name.removesuffix("accuracy") for name in row.index if name == "accuracy" or name.endswith("_accuracy"))
    prefix = next((prefix for prefix in ends if pd.notna(row[f"{prefix}accuracy"])), "")
    figures = {name: row.get(f"{prefix}{name}") for name in ("accuracy", "difference", "low", "high")}
    return {name: float(value) for name, value in figures.items() if pd.notna(value)}
