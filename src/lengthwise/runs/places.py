"""What Git and the DVC cache have of runs: nothing is fetched."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from dvc.exceptions import DvcException  # type: ignore[import-untyped]
from dvc.repo import Repo  # type: ignore[import-untyped]

from lengthwise.errors import FormatError, RevisionError
from lengthwise.runs.run import Run
from lengthwise.runs.run_files import LOCK, METRICS, PARAMS, PlacedFiles
from lengthwise.system.git import git

OF_A_FOLDER = ".dir"
MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


def run_at(commit: str, folder: Path, name: str) -> Run:
    """The small files of a run that Git has at a commit.

    Args:
        commit: its hash.
        folder: the project's, perhaps below the repository's own.
        name: how messages call it.

    Raises:
        RevisionError: Git cannot list them, or lacks one of them, as a partial clone does.
    """
    listed = _git(folder, "ls-tree", "-r", "-z", commit, "--", PARAMS, LOCK, METRICS)
    entries = [entry.partition("\t") for entry in listed.decode("utf-8", "surrogateescape").split("\0")]
    blobs = {path: about.split()[2] for about, _, path in entries if " blob " in about}
    contents = _git(folder, "cat-file", "--batch", given="".join(f"{blob}\n" for blob in blobs.values()).encode())
    files = {}
    for path in blobs:
        # A line with the size, the content, and a line break.
        head, _, contents = contents.partition(b"\n")
        if b" blob " not in head:
            raise RevisionError(
                f"{name}: {path} at {commit[:7]} is not in this clone; expected all of it; git fetch it"
            )
        size = int(head.split()[2])
        files[path], contents = contents[:size], contents[size + 1 :]
    return Run(name, files)


def blob_at(commit: str, path: str, folder: Path) -> bytes | None:
    """What Git has of a file at a commit; None if it is not in Git."""
    try:
        return _git(folder, "cat-file", "blob", f"{commit}:./{path}")
    except RevisionError:
        return None


def resolve(revision: str, folder: Path) -> str:
    """The hash of the commit that a revision names.

    Raises:
        RevisionError: there is no Git, no repository, or no such revision.
    """
    _git(folder, "rev-parse", "--show-toplevel")
    try:
        # With the ending, what begins with a dash is no option either.
        return _git(folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").decode().strip()
    except RevisionError:
        raise RevisionError(
            f"--base: got {revision!r}; expected a commit, branch or tag of this repository; fetch it or name another"
        ) from None


def with_cached(run: Run, folder: Path, wanted: Callable[[str], bool]) -> Run:
    """A run with those outputs that its lock names and the DVC cache has.

    Args:
        run: of a commit, or of the working tree.
        folder: the project's.
        wanted: whether an output is wanted, by its path.
    """
    digests = {path: digest for path in run.output_hashes if wanted(path) and (digest := output_hash(run, path))}
    places = cache_places(digests, folder)
    return replace(run, files=PlacedFiles(places, run.files)) if places else run


def output_hash(run: Run, path: str) -> str | None:
    """The MD5 that `dvc.lock` has of an output, with `.dir` behind it for a folder; None if it has none."""
    found = run.output_hashes.get(path)
    return found if isinstance(found, str) and MD5.fullmatch(found) else None


def cache_places(digests: Mapping[str, str], folder: Path) -> dict[str, Path]:
    """Where the DVC cache has files.

    Args:
        digests: the MD5 of each file or folder, by its path in the project; of a folder all files are given.
        folder: the project's.

    Returns:
        By the same paths; those that the cache does not have are left out, all of them where there is no DVC.
    """
    if not digests:
        return {}
    try:
        with Repo(str(folder)) as repo:
            places = {path: Path(repo.cache.local.oid_to_path(digest)) for path, digest in digests.items()}
            for path in [path for path, digest in digests.items() if digest.endswith(OF_A_FOLDER)]:
                members = _members(places.pop(path))
                places |= {f"{path}/{name}": Path(repo.cache.local.oid_to_path(md5)) for name, md5 in members.items()}
    except (DvcException, OSError):
        return {}
    return {path: place for path, place in places.items() if place.is_file()}


def _members(listing: Path) -> dict[str, str]:
    """The MD5 of each file of a folder by its path in it; none where the cache does not have what lists them."""
    try:
        found = json.loads(listing.read_bytes())
        return {str(entry["relpath"]): str(entry["md5"]) for entry in found}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


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


def _git(folder: Path, *arguments: str, given: bytes = b"") -> bytes:
    answer = git(*arguments, folder=folder, given=given)
    if answer.is_absent:
        raise RevisionError("git: cannot be run; expected it on the path; install it")
    if answer.status:
        reason = (answer.error.strip() or answer.reason).splitlines()[0].removeprefix("fatal: ")
        raise RevisionError(f"{answer.command}: {reason}; run this in the project's Git repository")
    return answer.data
