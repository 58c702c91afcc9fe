"""Files of a project in the working tree or at a revision: from Git, or from the DVC cache by what DVC's files name."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException, NotDvcRepoError  # type: ignore[import-untyped]
from dvc.repo import Repo  # type: ignore[import-untyped]

from lengthwise.runs.places import blob_at, repository_at, unreadable
from lengthwise.runs.run_files import FolderFiles


@dataclass(frozen=True)
class Absent:
    """A file that is not at hand.

    Attributes:
        remedy: the command that brings it; None if nothing names such a file.
    """

    remedy: str | None


def contents(paths: Iterable[str], folder: Path, revision: str | None = None) -> dict[str, bytes | Absent]:
    """The bytes of files, by their paths; nothing is fetched.

    Args:
        paths: relative to the project's folder.
        folder: the project's.
        revision: a commit; None for the working tree.

    Raises:
        FormatError: a file of the working tree cannot be read.
    """
    found = {
        path: FolderFiles(folder).get(path) if revision is None else blob_at(revision, path, folder) for path in paths
    }
    wanted = [path for path, content in found.items() if content is None]
    cached = dict(_from_cache(wanted, folder, revision)) if wanted else {}
    return {path: cached[path] if content is None else content for path, content in found.items()}


def _from_cache(paths: list[str], folder: Path, revision: str | None) -> Iterator[tuple[str, bytes | Absent]]:
    try:
        with repository_at(folder, revision) as (repo, inside):
            outs = list(repo.index.outs)
            for path in paths:
                yield path, _find(repo, repo.fs.join(inside, *path.split("/")), outs, path, revision)
    except NotDvcRepoError:
        yield from ((path, Absent(None)) for path in paths)
    except (DvcException, OSError) as error:
        if revision is None:
            raise unreadable(error) from None
        yield from ((path, Absent(None)) for path in paths)


def _find(repo: Repo, place: str, outs: list[Any], path: str, revision: str | None) -> bytes | Absent:
    """What the cache has at a place that an output is, or that lies in an output."""
    out = next((one for one in outs if place == one.fs_path or repo.fs.isin(place, one.fs_path)), None)
    # Without a cache the file is Git's, or nobody's.
    if out is None or not out.hash_info or not out.use_cache:
        return Absent(None)
    # The name of a revision would not do: DVC fetches for all commits, or for what is checked out.
    remedy = f"dvc fetch --all-commits {path}" if revision else f"dvc pull {path}"
    digest = out.hash_info.value
    try:
        if out.hash_info.isdir:
            entries = json.loads(Path(out.cache.oid_to_path(digest)).read_bytes())
            inside = repo.fs.relparts(place, out.fs_path)
            found = [entry["md5"] for entry in entries if tuple(entry["relpath"].split("/")) == tuple(inside)]
            if not found:
                return Absent(None)
            digest = found[0]
        return Path(out.cache.oid_to_path(digest)).read_bytes()
    except (OSError, ValueError, KeyError, TypeError):
        return Absent(remedy)
