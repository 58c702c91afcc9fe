"""What a model of classes says of each test item at each level, as a file: so that two models are scored together.

    level     item  log_probability_0  log_probability_1
    sentence  0     -0.31              -1.32
    sentence  1     -1.90              -0.16
    author    0     -0.65              -0.74

A row an item, the levels one after another. `item` is what the test split's sequences call it: the rank of a sentence,
the row of a document, the rank of a group. The metadata say of which shards.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.core.names import Unit
from lengthwise.core.sequences import Sequences
from lengthwise.errors import FormatError
from lengthwise.evaluation.baseline_task import ByLevel, SplitItems
from lengthwise.evaluation.levels import Items
from lengthwise.evaluation.scoring.class_scoring import LOG_PROBABILITIES
from lengthwise.system.seals import rerun

ITEM_PREDICTIONS_NAME = "item_predictions.parquet"
SHARDS_KEY = b"lengthwise.shards_digest"
STAGE = "baselines"


def item_numbers(sequences: Sequences, items: Items, words: Mapping[Unit, str]) -> np.ndarray:
    """What the sequences of a split call the N items of a level, each once: int64 (N,).

    Args:
        sequences: of the split, with the columns `sequence`, `document` and `group`.
        items: of the level.
        words: what the corpus calls the units that it has.
    """
    unit = next(unit for unit, word in words.items() if word == items.name)
    _, first = np.unique(items.group, return_index=True)
    numbers: np.ndarray = sequences["sequence" if unit == "sentence" else unit][first]
    return numbers.astype(np.int64)


def write_item_predictions(
    path: Path, split: SplitItems, by_level: ByLevel, words: Mapping[Unit, str], shards_digest: str
) -> None:
    """Write what a model says of the items of a split.

    Args:
        path: of the Parquet file.
        split: of which it was asked.
        by_level: its `log_probabilities`, float (N, C), by the name of a level.
        words: what the corpus calls the units that it has.
        shards_digest: of the index of the split's shards.
    """
    known = [items for items in split.items if items.name in by_level]
    columns = {
        "level": np.repeat([items.name for items in known], [len(items.labels) for items in known]),
        "item": np.concatenate([item_numbers(split.sequences, items, words) for items in known]),
    }
    said = np.concatenate([by_level[items.name][LOG_PROBABILITIES] for items in known]).astype(np.float64)
    columns |= {f"log_probability_{number}": column for number, column in enumerate(said.T)}
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    table = table.replace_schema_metadata({SHARDS_KEY: shards_digest.encode()})
    pq.write_table(table, path, compression="zstd", row_group_size=max(1, len(table)))


def read_item_predictions(
    path: Path, split: SplitItems, words: Mapping[Unit, str], shards_digest: str, classes: int
) -> dict[str, np.ndarray]:
    """Read what a model said of the items of a split, in the split's order.

    Args:
        path: of the Parquet file.
        split: that is to be scored.
        words: what the corpus calls the units that it has.
        shards_digest: of the index of the split's shards.
        classes: C of them.

    Returns:
        By the name of each level that both have, log-probabilities: float64 (N, C).

    Raises:
        FormatError: it is no such file, or is of other shards, classes or items.
    """
    try:
        table = pq.read_table(path)
        levels, numbers = np.asarray(table["level"].to_pylist(), str), table["item"].to_numpy()
        said = np.stack([table[f"log_probability_{number}"].to_numpy() for number in range(classes)], axis=1)
    except (KeyError, OSError, ValueError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise FormatError(f"{path}: cannot be read ({reason}); expected predictions of items; {rerun(STAGE)}") from None
    digest = (table.schema.metadata or {}).get(SHARDS_KEY, b"").decode()
    if digest != shards_digest:
        raise FormatError(f"{path}: is of shards {digest:.12}; expected {shards_digest:.12}; {rerun(STAGE)}")
    if table.num_columns != classes + 2 or not np.isfinite(said).all():
        what = f"{table.num_columns - 2} columns of log-probabilities"
        raise FormatError(f"{path}: has {what}; expected {classes} of finite numbers; {rerun(STAGE)}")
    found = {}
    for items in split.items:
        rows = np.flatnonzero(levels == items.name)
        if not len(rows):
            continue
        asked = item_numbers(split.sequences, items, words)
        place = np.argsort(numbers[rows], kind="stable")
        order = np.argsort(asked, kind="stable")
        if not np.array_equal(numbers[rows][place], asked[order]):
            raise FormatError(
                f"{path}: has {len(rows)} items of the level {items.name}, not the {len(asked)} that are tested; "
                f"expected the same; {rerun(STAGE)}"
            )
        of_level = np.empty((len(asked), classes))
        of_level[order] = said[rows[place]]
        found[items.name] = of_level
    return found
