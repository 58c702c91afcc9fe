"""A CSV file of metrics as a table. A page asks for the same one dozens of times: each is parsed once."""

from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO
from typing import Any

import pandas as pd

from lengthwise.runs.run_files import in_a_line


def csv_table(content: bytes, columns: Sequence[str], **options: Any) -> pd.DataFrame:  # noqa: ANN401
    """The table of a CSV file.

    Args:
        content: of the file.
        columns: those that it has to have.
        options: of `pandas.read_csv`.

    Raises:
        ValueError: it is no CSV, or lacks one of the columns: what it is, and what was expected.
    """
    try:
        table = pd.read_csv(BytesIO(content), **options)
    except ValueError as error:
        raise ValueError(f"is no CSV ({in_a_line(error)}); expected a table") from None
    if [column for column in columns if column not in table.columns]:
        shown = ", ".join(map(str, table.columns))
        raise ValueError(f"got the columns {shown:.80}; expected {', '.join(columns)}")
    return table


def number_table(content: bytes, texts: Sequence[str], numbers: Sequence[str], *, gaps: bool) -> pd.DataFrame:
    """The columns of a CSV file that are asked for, as a table of the caller's own.

    Args:
        content: of the file.
        texts: columns that are text, kept as they are written: a class may be called 007 or NA.
        numbers: columns that are numbers.
        gaps: whether a number may be left out.

    Raises:
        ValueError: as `csv_table`; or there is no row, or what is no number: what it is, and what was expected.
    """
    return _number_table(content, tuple(texts), tuple(numbers), gaps).copy()


@lru_cache(maxsize=256)
def _number_table(content: bytes, texts: tuple[str, ...], numbers: tuple[str, ...], gaps: bool) -> pd.DataFrame:
    frame = csv_table(content, (*texts, *numbers), dtype=dict.fromkeys(texts, str), keep_default_na=False)
    try:
        frame[[*numbers]] = frame[[*numbers]].apply(pd.to_numeric)
    except ValueError as error:
        raise ValueError(f"is no table of numbers ({error}); expected CSV") from error
    if not gaps and frame[[*numbers]].isna().to_numpy().any():
        raise ValueError(f"lacks a number; expected one in every cell of {[*numbers]}")
    if frame.empty:
        raise ValueError("has no row; expected some")
    return frame[[*texts, *numbers]]
