"""Where a run of a sweep happens: a repository of its own that holds the tracked files as they were at the start.

`dvc exp run --temp` and `--queue` put a run's params into the user's own working tree for a moment, with what is not
committed in Git's stash, and take both back. Killed in that moment, DVC leaves them there. So a sweep
makes its workspaces itself, from Git's objects, and the user's working tree is only read.
"""

import contextlib
import importlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lengthwise.errors import SweepError
from lengthwise.system.git import GitAnswer, git

# DVC and Git ignore this folder, and DVC has its own temporary workspaces there.
WORKSPACES = Path(".dvc") / "tmp" / "lengthwise"
# What stages go on from after a stop, outside DVC: see `pipeline.stages.train.training_run` and `stages/ablations.py`.
STATES = (Path(".lengthwise") / "resume", Path(".lengthwise") / "ablations")


@dataclass(frozen=True)
class Snapshot:
    """The repository as it is when a sweep begins.

    Attributes:
        commit: that experiments are derived from.
        tree: all tracked files with what has not been committed.
        root: the repository's folder.
        prefix: the project's folder in it, `.` if they are the same.
        settings: DVC's settings for a workspace, by section.
    """

    commit: str
    tree: str
    root: Path
    prefix: Path
    settings: Mapping[str, Mapping[str, Any]]


def take_snapshot() -> Snapshot:
    """Write the tracked files into Git's objects; the working tree and Git's index stay as they are.

    Raises:
        SweepError: this is no project under Git and DVC, it has no commit, or a merge is under way.
    """
    head = git("rev-parse", "--verify", "--quiet", "HEAD")
    if head.is_absent:
        raise SweepError("git: cannot be run; expected it on the path; install it")
    if head.status:
        raise SweepError(f"{Path.cwd()}: has no Git commit; expected the project's folder; commit, or change to it")
    root = Path(_checked(git("rev-parse", "--show-toplevel")))
    return Snapshot(head.text.strip(), _write_tree(), root, Path.cwd().relative_to(root.resolve()), _settings())


def _write_tree() -> str:
    if unmerged := _checked(git("ls-files", "--unmerged", "-z", ":/")):
        path = unmerged.partition("\0")[0].partition("\t")[2]
        raise SweepError(f"{path}: has merge conflicts; expected a finished merge; mend them, and git add the file")
    index = Path(_checked(git("rev-parse", "--git-path", "index")))
    with tempfile.TemporaryDirectory() as folder:
        # Git writes what has changed into an index of ours.
        ours = Path(folder) / "index"
        env = {**os.environ, "GIT_INDEX_FILE": str(ours)}
        if index.exists():
            shutil.copyfile(index, ours)
        else:
            _checked(git("read-tree", "HEAD", env=env))
        _checked(git("add", "--update", ":/", env=env))
        return _checked(git("write-tree", env=env))


def _settings() -> dict[str, Any]:
    """DVC's settings with absolute paths, its cache among them: all workspaces share the project's."""
    repository, config, exceptions = (_dvc(name) for name in ("repo", "config", "exceptions"))
    try:
        with repository.Repo(str(Path.cwd())) as repo:
            settings: dict[str, Any] = repo.config.read("repo")
            config.merge(settings, repo.config.read("local"))
            config.merge(settings, {"cache": {"dir": repo.cache.local_cache_dir}})
            return settings
    except exceptions.DvcException as error:
        reason = " ".join(str(error).split())
        raise SweepError(f"{Path.cwd()}: {reason}; expected a project of DVC; change to its folder") from error


@contextlib.contextmanager
def workspace(folder: Path, snapshot: Snapshot, states: Path) -> Iterator[Path]:
    """A repository with the tracked files of a snapshot, none of them committed that was not; gone afterwards.

    Args:
        folder: that is made; what a killed run has left there is removed.
        snapshot: whose commit and files it has.
        states: folder outside it, where a stage that was stopped finds its state.

    Yields:
        The project's folder in it.
    """
    folder = folder.resolve()
    remove(folder)
    try:
        folder.mkdir(parents=True)
        _make_repository(folder, snapshot)
        project = folder / snapshot.prefix
        _write_settings(project / ".dvc", snapshot.settings)
        _link_states(project, states.resolve())
        yield project
    finally:
        remove(folder)
        for path in (*(states / state.name for state in STATES), states):
            with contextlib.suppress(OSError):
                # It stays if a state is in it.
                path.rmdir()


def _link_states(project: Path, states: Path) -> None:
    for state in STATES:
        (states / state.name).mkdir(parents=True, exist_ok=True)
        (project / state.parent).mkdir(parents=True, exist_ok=True)
        (project / state).symlink_to(states / state.name, target_is_directory=True)


def _make_repository(folder: Path, snapshot: Snapshot) -> None:
    def own(*arguments: str) -> None:
        _checked(git(*arguments, folder=folder))

    common = snapshot.root / _checked(git("rev-parse", "--git-common-dir", folder=snapshot.root))
    own("init", "--quiet", ".")
    # No object is copied: Git looks for those that are not here in the user's repository.
    alternates = folder / ".git" / "objects" / "info" / "alternates"
    alternates.write_text(f"{(common / 'objects').resolve()}\n", encoding="utf-8")
    for name in ("config", "shallow"):
        if (common / name).is_file():
            shutil.copyfile(common / name, folder / ".git" / name)
    git("config", "--unset-all", "core.worktree", folder=folder)
    # A detached head, as DVC's own workspaces have.
    own("update-ref", "--no-deref", "HEAD", snapshot.commit)
    own("read-tree", "--reset", "-u", snapshot.tree)


def _write_settings(folder: Path, settings: Mapping[str, Mapping[str, Any]]) -> None:
    config = _dvc("config")
    with config.Config(str(folder)).edit("local") as local:
        config.merge(local, settings)


def _dvc(name: str) -> Any:  # noqa: ANN401
    # It takes half a second and more to import.
    return importlib.import_module(f"dvc.{name}")


def remove(folder: Path) -> None:
    """Remove a folder, of which cached data may be read-only."""
    for _ in range(3):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
    shutil.rmtree(folder)


def _checked(answer: GitAnswer) -> str:
    if answer.status:
        raise SweepError(f"{answer.command}: {answer.reason}; expected a working repository; mend what it names")
    return answer.text.strip()
