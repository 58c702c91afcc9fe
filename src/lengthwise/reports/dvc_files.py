"""DVC's repository as reports read it, and what its cache has: nothing is fetched."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

from dvc.exceptions import DvcException  # type: ignore[import-untyped]
from dvc.repo import Repo  # type: ignore[import-untyped]

from lengthwise.errors import FormatError


@contextmanager
def repository_at(folder: Path, revision: str | None) -> Iterator[tuple[Repo, str]]:
    """The DVC repository of a folder, in the working tree or at a revision, and the folder's path in it.

    Args:
        folder: the project's, perhaps below the repository's own.
        revision: a commit; None for the working tree.

    Raises:
        NotDvcRepoError: there is none.
        DvcException: DVC cannot read it at that revision.
    """
    with Repo(str(folder)) as repo:
        below = folder.resolve().relative_to(Path(repo.root_dir).resolve()).parts
        with repo.switch(revision) if revision else nullcontext():
            yield repo, repo.fs.join(repo.root_dir, *below)


def unreadable(error: Exception) -> FormatError:
    """What to tell a user whose pipeline DVC cannot read."""
    return FormatError(f"dvc.yaml: DVC cannot read the pipeline ({' '.join(str(error).split())}); mend it")


def cache_places(digests: Mapping[str, str], folder: Path) -> dict[str, Path]:
    """Where the DVC cache has files.

    Args:
        digests: the MD5 of each file, by its path in the project.
        folder: the project's.

    Returns:
        By the same paths; those that the cache does not have are left out, all of them where there is no DVC.
    """
    if not digests:
        return {}
    try:
        with Repo(str(folder)) as repo:
            places = {path: Path(repo.cache.local.oid_to_path(digest)) for path, digest in digests.items()}
    except (DvcException, OSError):
        return {}
    return {path: place for path, place in places.items() if place.is_file()}
