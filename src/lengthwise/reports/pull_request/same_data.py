"""Whether two runs trained and tested on the same sequences: if not, their figures are not comparable."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lengthwise.reports.pull_request.revisions import Snapshot

# Sections whose keys say which sequences there are. Of shards, rows_per_shard only says how they are stored; the
# vocabulary is what a model knows of them.
SECTIONS = ("ingest", "tokens", "split")
SELECTION = ("unit", "min_length", "max_length", "too_long")
COUNTS = ("metrics/split.json", "metrics/shards.json")
SHARDS = "data/shards"
BEFORE_SHARDS = ("data/documents.parquet", "data/tokens", "data/split.parquet")
MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


@dataclass(frozen=True)
class DataCheck:
    """What came out.

    Attributes:
        changes: keys of params.yaml and paths that differ; empty if nothing speaks for a difference.
        evidence: what the answer rests on, in words.
    """

    changes: tuple[str, ...]
    evidence: str


def check_data(old: Snapshot, new: Snapshot) -> DataCheck:
    """Compare the data of two runs.

    Equal shards are equal data. Where they differ, as another vocabulary makes them, documents, tokens and split have
    to be equal, and the keys that choose sequences from them. Without a `dvc.lock` of these params on both sides,
    equal params and counts have to do.
    """
    changes = [path for path in COUNTS if old.json(path) != new.json(path)]
    if any(_data_hash(side, SHARDS) is None for side in (old, new)):
        changes += _differing_params(old.params, new.params, (*SECTIONS, "shards"))
        return DataCheck(tuple(changes), "params and counts, without hashes in dvc.lock")
    if _data_hash(old, SHARDS) == _data_hash(new, SHARDS):
        return DataCheck(tuple(changes), "the hash of the shards in dvc.lock")
    changes += [path for path in BEFORE_SHARDS if _data_hash(old, path) != _data_hash(new, path)]
    changes += _differing_params(old.params, new.params, ("shards",))
    return DataCheck(tuple(changes), "the hashes of documents, tokens and split in dvc.lock")


def output_hash(snapshot: Snapshot, path: str) -> str | None:
    """The MD5 that `dvc.lock` has of an output, with `.dir` behind it for a folder; None if it has none."""
    entries = _entries(snapshot.lock)
    found = next((entry.get("md5") for entry in entries if entry.get("path") == path), None)
    return found if isinstance(found, str) and MD5.fullmatch(found) else None


def stale_stages(snapshot: Snapshot) -> list[str]:
    """Stages that were last run, says `dvc.lock`, with other params than those in `params.yaml`."""
    return [
        name
        for name, stage in snapshot.lock.items()
        if isinstance(stage, dict)
        and any(_at(snapshot.params, str(key)) != value for key, value in _recorded(stage).items())
    ]


def flatten(params: object, prefix: str = "") -> dict[str, Any]:
    """Params by their dotted keys."""
    if not isinstance(params, dict) or not params:
        return {prefix: params}
    below = (flatten(value, f"{prefix}.{key}" if prefix else str(key)) for key, value in params.items())
    return {key: value for flat in below for key, value in flat.items()}


def _data_hash(snapshot: Snapshot, path: str) -> str | None:
    """As `output_hash`, but None if the data are of other params."""
    stale = {name for name in stale_stages(snapshot) if name in (*SECTIONS, "vocabulary", "shards")}
    return None if stale else output_hash(snapshot, path)


def _differing_params(old: dict[str, Any], new: dict[str, Any], sections: tuple[str, ...]) -> Iterator[str]:
    before, after = ({name: flatten(side.get(name), name) for name in sections} for side in (old, new))
    for name in sections:
        for key in sorted({*before[name], *after[name]}):
            chooses = name != "shards" or key.removeprefix("shards.") in SELECTION
            if chooses and before[name].get(key) != after[name].get(key):
                yield key


def _entries(lock: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for stage in lock.values():
        outs = stage.get("outs") if isinstance(stage, dict) else None
        yield from (entry for entry in outs if isinstance(entry, dict)) if isinstance(outs, list) else ()


def _recorded(stage: dict[str, Any]) -> dict[str, Any]:
    params = stage.get("params")
    recorded = params.get("params.yaml") if isinstance(params, dict) else None
    return recorded if isinstance(recorded, dict) else {}


def _at(params: Any, key: str) -> Any:  # noqa: ANN401
    for part in key.split("."):
        params = params.get(part) if isinstance(params, dict) else None
    return params
