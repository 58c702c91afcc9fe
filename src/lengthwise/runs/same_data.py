"""Whether two runs trained and tested on the same sequences: if not, their figures are not comparable."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lengthwise.runs.not_run import changed_params
from lengthwise.runs.places import output_hash
from lengthwise.runs.run import Run
from lengthwise.system.dotted import leaves

# Sections whose keys say which sequences there are. Of shards, rows_per_shard only says how they are stored; the
# vocabulary is what a model knows of them.
SECTIONS = ("ingest", "tokens", "split")
SELECTION = ("unit", "min_length", "max_length", "too_long")
COUNTS = ("metrics/split.json", "metrics/shards.json")
SHARDS = "data/shards"
BEFORE_SHARDS = ("data/documents.parquet", "data/tokens", "data/split.parquet")


@dataclass(frozen=True)
class DataCheck:
    """What came out.

    Attributes:
        changes: keys of params.yaml and paths that differ; empty if nothing speaks for a difference.
        evidence: what the answer rests on, in words.
    """

    changes: tuple[str, ...]
    evidence: str


def check_data(old: Run, new: Run) -> DataCheck:
    """Compare the data of two runs.

    Equal shards are equal data. Where they differ, as another vocabulary makes them, documents, tokens and split have
    to be equal, and the keys that choose sequences from them. Without a `dvc.lock` of these params on both sides,
    equal params and counts have to do.
    """
    changes = [path for path in COUNTS if old.json(path) != new.json(path)]
    if any(_data_hash(side, SHARDS) is None for side in (old, new)):
        changes += _differing_params(old.params_file, new.params_file, (*SECTIONS, "shards"))
        return DataCheck(tuple(changes), "params and counts, without hashes in dvc.lock")
    if _data_hash(old, SHARDS) == _data_hash(new, SHARDS):
        return DataCheck(tuple(changes), "the hash of the shards in dvc.lock")
    changes += [path for path in BEFORE_SHARDS if _data_hash(old, path) != _data_hash(new, path)]
    changes += _differing_params(old.params_file, new.params_file, ("shards",))
    return DataCheck(tuple(changes), "the hashes of documents, tokens and split in dvc.lock")


def _data_hash(snapshot: Run, path: str) -> str | None:
    """As `output_hash`, but None if the data are of other params."""
    stale = {stage.stage for stage in changed_params(snapshot)} & {*SECTIONS, "vocabulary", "shards"}
    return None if stale else output_hash(snapshot, path)


def _differing_params(old: dict[str, Any], new: dict[str, Any], sections: tuple[str, ...]) -> Iterator[str]:
    before, after = ({name: dict(leaves(side.get(name), name)) for name in sections} for side in (old, new))
    for name in sections:
        for key in sorted({*before[name], *after[name]}):
            chooses = name != "shards" or key.removeprefix("shards.") in SELECTION
            if chooses and before[name].get(key) != after[name].get(key):
                yield key
