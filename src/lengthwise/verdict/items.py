"""Predictions for the items of a test set, as any repository writes them: what each item adds to a metric."""

from collections.abc import Mapping
from io import BytesIO

import numpy as np
import pandas as pd
import pyarrow as pa

from lengthwise.errors import FormatError
from lengthwise.verdict.config_file import FILE

# A probability of exactly 0 is of rounding, and would make an infinite loss: as scikit-learn has it.
SMALLEST = np.finfo(np.float64).eps


def read_items(content: bytes, path: str, columns: Mapping[str, str], side: str) -> pd.DataFrame:
    """The items of a predictions file.

    Args:
        content: the file.
        path: its name, which says the format.
        columns: its columns by what they are.
        side: how messages call the run.

    Returns:
        The columns `columns` names, sorted by id, which is the index.

    Raises:
        FormatError: it cannot be read, lacks a column, has no items, or an item twice or with a value missing.
    """
    place = f"{path} of {side}"
    try:
        table = _table(content, path)
    except (ValueError, TypeError, RecursionError, pd.errors.ParserError, pa.ArrowException) as error:
        reason = f"{' '.join(str(error).split()):.160}"
        raise FormatError(
            f"{place}: cannot be read ({reason}); expected a table of predictions; run dvc repro"
        ) from None
    for name, column in columns.items():
        if column not in table.columns:
            shown = ", ".join(map(str, table.columns))
            raise FormatError(
                f"{FILE}: columns.{name}: got {column!r}; expected a column of {place}: {shown:.200}; change it"
            )
    items = pd.DataFrame({name: table[column] for name, column in columns.items()})
    if items.empty:
        raise FormatError(f"{place}: got no items; expected a row for each item of the test set; run dvc repro")
    for name, column in columns.items():
        if items[name].isna().any():
            row = int(items[name].isna().to_numpy().argmax()) + 1
            raise FormatError(f"{place}: column {column!r} has no value in row {row}; expected one; run dvc repro")
    items["id"] = items["id"].astype(str)
    if items["id"].duplicated().any():
        twice = items["id"][items["id"].duplicated()].iloc[0]
        raise FormatError(
            f"{place}: column {columns['id']!r} has {twice!r:.60} twice; expected each item once; change columns.id"
        )
    return items.set_index("id").sort_index()


def _table(content: bytes, path: str) -> pd.DataFrame:
    if path.endswith(".parquet"):
        return pd.read_parquet(BytesIO(content))
    if path.endswith(".json"):
        return pd.read_json(BytesIO(content), convert_dates=False)
    # A class may be called NA or None.
    return pd.read_csv(
        BytesIO(content), sep="\t" if path.endswith(".tsv") else ",", keep_default_na=False, na_values=[""]
    )


def what_differs(old: pd.DataFrame, new: pd.DataFrame) -> str:
    """Why the items of two runs are not the same test set; empty if they are."""
    if not old.index.equals(new.index):
        gone, more = len(old.index.difference(new.index)), len(new.index.difference(old.index))
        return f"the test set changed: {more} items are new, {gone} are gone"
    for name in ("target", "group"):
        if name in new and (changed := int((old[name].astype(str) != new[name].astype(str)).sum())):
            return f"the test set changed: {changed} items have another {name}"
    return ""


def scores(items: pd.DataFrame, kind: str, path: str, side: str) -> np.ndarray:
    """What each item adds to the mean of a metric.

    Args:
        items: of one run.
        kind: of `ITEMWISE`.
        path: of the predictions, for messages.
        side: how messages call the run.

    Returns:
        float64 (N,), in the order of the ids.

    Raises:
        FormatError: a value is no number, or no probability.
    """
    target = items["target"]
    if kind == "accuracy":
        return _labels(target, items["prediction"]).astype(np.float64)
    truth = _floats(target, "target", path, side)
    if kind in ("log_loss", "brier"):
        score = _floats(items["score"], "score", path, side)
        if not np.isin(truth, (0, 1)).all() or not ((score >= 0) & (score <= 1)).all():
            raise FormatError(
                f"{path} of {side}: {kind} is of targets 0 and 1 and of scores that are the probability of 1; got "
                "others; name other columns, or give the metric the kind lower"
            )
        if kind == "brier":
            return (score - truth) ** 2
        right = np.where(truth == 1, score, 1 - score)
        return -np.log(np.clip(right, SMALLEST, 1))
    error = _floats(items["prediction"], "prediction", path, side) - truth
    return np.abs(error) if kind == "absolute_error" else error**2


def _labels(target: pd.Series, prediction: pd.Series) -> np.ndarray:
    """Whether each prediction is the target, be they written as 1, 1.0 or text."""
    if all(pd.api.types.is_numeric_dtype(column) for column in (target, prediction)):
        return target.to_numpy(np.float64) == prediction.to_numpy(np.float64)
    return target.astype(str).to_numpy() == prediction.astype(str).to_numpy()


def _floats(values: pd.Series, name: str, path: str, side: str) -> np.ndarray:
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64)
    if not np.isfinite(numbers).all():
        wrong = values.iloc[int((~np.isfinite(numbers)).argmax())]
        raise FormatError(
            f"{path} of {side}: got {str(wrong)!r:.60} as {name}; expected numbers; change columns.{name}"
        )
    return numbers
