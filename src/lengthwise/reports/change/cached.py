"""What the DVC cache has of a run: no more than is there, nothing is fetched."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lengthwise.reports.change.revisions import TIMING, RunFiles
from lengthwise.reports.dvc_files import cache_places

MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


def output_hash(snapshot: RunFiles, path: str) -> str | None:
    """The MD5 that `dvc.lock` has of an output, with `.dir` behind it for a folder; None if it has none."""
    found = next((entry.get("md5") for entry in _outs(snapshot.lock) if entry.get("path") == path), None)
    return found if isinstance(found, str) and MD5.fullmatch(found) else None


def cached_files(snapshot: RunFiles, paths: Iterable[str], folder: Path) -> dict[str, Path]:
    """Where the DVC cache has the outputs that a snapshot's `dvc.lock` names, by their paths.

    Args:
        snapshot: of the base or the working tree.
        paths: of outputs; those that are in no lock or not in the cache are left out.
        folder: the project's.
    """
    digests = {path: digest for path in paths if (digest := output_hash(snapshot, path)) is not None}
    return cache_places(digests, folder)


def with_times(snapshot: RunFiles, folder: Path, here: bool) -> RunFiles:
    """A snapshot with what the machine measured, which Git does not have: as far as it is at hand.

    Args:
        snapshot: of the base or the working tree.
        folder: the project's.
        here: whether the snapshot is of the working tree, which has the files themselves.
    """
    paths = {str(entry.get("path")) for entry in _outs(snapshot.lock)}
    paths = {path for path in paths if path.startswith(TIMING)}
    places = cached_files(snapshot, paths, folder)
    if here:
        places |= {path: folder / path for path in paths if (folder / path).is_file()}
    try:
        return replace(snapshot, files={**snapshot.files, **{path: one.read_bytes() for path, one in places.items()}})
    except OSError:
        return snapshot


def _outs(lock: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for stage in lock.values():
        outs = stage.get("outs") if isinstance(stage, dict) else None
        yield from (entry for entry in outs if isinstance(entry, dict)) if isinstance(outs, list) else ()
