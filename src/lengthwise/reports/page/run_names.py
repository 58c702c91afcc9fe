"""What a name on the command line is: a folder with a run, a DVC experiment, or a Git revision.

The small files of an experiment or a revision come from Git. Its predictions, and what its machine measured, come from
the DVC cache if they are there; nothing is fetched.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lengthwise.errors import FormatError, RevisionError
from lengthwise.names import TASKS
from lengthwise.reports.dvc_files import cache_places
from lengthwise.reports.kept import KeptRun
from lengthwise.reports.run import PREDICTIONS, TIMING, Run
from lengthwise.system.git import git

LOCK, METRICS = "dvc.lock", "metrics"
# Of a named run: `results/NAME` is `results/NAME.json`.
RECORD = ".json"
# Each has a letter and a colour, and more than these nobody tells apart.
MOST_RUNS = 16
HUES = ("blue", "orange", "green", "purple", "gold", "violet", "red", "grey")
EXPERIMENT = re.compile(r"refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/(.+)")
OF_THE_CACHE = re.compile(rf"({PREDICTIONS}|{TIMING})/[\w-]+\.(parquet|json)")
EXPECTED = "expected a DVC experiment, a Git revision, a named run of results/, or a folder with metrics/ and dvc.lock"


class CommittedRun(Run):
    """A run that Git has; its metrics are not run again by what is in the working tree."""

    mend = "run it again, or leave it out"


@dataclass(frozen=True)
class Source:
    """A run on the page.

    Attributes:
        name: as the user gave it.
        letter: A, B and so on.
        commit: the hash it was read from; empty for a folder.
        run: what it left.
    """

    name: str
    letter: str
    commit: str
    run: Run

    @property
    def label(self) -> str:
        """How text and charts call it."""
        return f"{self.letter} {self.name}"

    @property
    def hue(self) -> str:
        """The classes of its lines: a colour of its own, dashed from the ninth run on."""
        number = ord(self.letter) - ord("A")
        return HUES[number % len(HUES)] + (" dashed" if number >= len(HUES) else "")

    @property
    def tasks(self) -> Sequence[str]:
        """The tasks that it ought to have; a named run of `results/` has those that it was run for."""
        if not isinstance(self.run, KeptRun):
            return TASKS
        return [task for task in TASKS if self.run.has(f"evaluate/{task}/levels.csv")]


def by_task(sources: Sequence[Source]) -> Iterator[tuple[str, list[Source]]]:
    """Each task that a run has, with the runs that have it."""
    for task in TASKS:
        if having := [source for source in sources if task in source.tasks]:
            yield task, having


def open_sources(names: Sequence[str], project: Path, scratch: Path) -> list[Source]:
    """The runs of the names, in their order.

    Args:
        names: what the user gave.
        project: the folder with `dvc.yaml`.
        scratch: an empty folder, for what Git has.

    Raises:
        RevisionError: a name is none of the three, or there are too many.
    """
    if len(names) > MOST_RUNS:
        raise RevisionError(f"page: got {len(names)} runs; expected at most {MOST_RUNS}; leave some out")
    letters = (chr(ord("A") + number) for number in range(len(names)))
    sources = [_open(name, letter, project, scratch / letter) for name, letter in zip(names, letters, strict=True)]
    if committed := [source for source in sources if source.commit]:
        _link_cached(committed, project)
    return sources


def _open(name: str, letter: str, project: Path, scratch: Path) -> Source:
    folder = project / name
    # What has a slash or dots is a path; another name is a folder only if it is nothing else.
    is_path = Path(name).is_absolute() or name in (".", "..") or name.startswith(("./", "../"))
    commit = "" if is_path else _commit(name, project)
    if commit:
        return Source(name, letter, commit, _committed(name, commit, project, scratch))
    record = folder if folder.suffix == RECORD else Path(f"{folder}{RECORD}")
    if name and record.is_file():
        return Source(name, letter, "", KeptRun.of(record))
    if not name or not (folder / METRICS).is_dir():
        raise RevisionError(f"{name or repr(name)}: is no run; {EXPECTED}; dvc exp list --all names the experiments")
    shown = "workspace" if name == "." else name
    return Source(shown, letter, "", Run(folder / METRICS, folder / LOCK))


def _commit(name: str, project: Path) -> str:
    """The commit of an experiment or a revision; empty if it is neither."""
    found = dict(_experiments(name, project))
    if len(set(found.values())) > 1:
        head = _git(project, "rev-parse", "HEAD").strip()
        if head not in found:
            raise RevisionError(
                f"{name}: is the name of {len(found)} experiments; expected one; give its commit (dvc exp list --all)"
            )
        return found[head]
    if found:
        return next(iter(found.values()))
    return _git(project, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip()


def _experiments(name: str, project: Path) -> Iterator[tuple[str, str]]:
    """The experiments of that name: the commit each is derived from, and its own."""
    for line in _git(project, "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").splitlines():
        commit, _, ref = line.partition(" ")
        match = EXPERIMENT.fullmatch(ref)
        if match and match[3] == name:
            yield match[1] + match[2], commit


def _committed(name: str, commit: str, project: Path, scratch: Path) -> Run:
    """The run that a commit has, its files written to `scratch`."""
    entries = _git(project, "ls-tree", "-r", "-z", commit, "--", LOCK, METRICS).split("\0")
    parts = (entry.partition("\t") for entry in entries)
    blobs = {path: about.split()[2] for about, _, path in parts if " blob " in about}
    if LOCK not in blobs or len(blobs) == 1:
        lacking = LOCK if LOCK not in blobs else f"{METRICS}/"
        raise RevisionError(f"{name}: lacks {lacking} at {commit[:7]}; expected a run that was committed; name another")
    wanted = "".join(f"{blob}\n" for blob in blobs.values())
    answer = git("cat-file", "--batch", folder=project, given=wanted.encode())
    contents = b"" if answer.status else answer.data
    for path in blobs:
        # A line with the size, the content, and a line break.
        head, _, contents = contents.partition(b"\n")
        if b" blob " not in head:
            raise RevisionError(
                f"{name}: {path} at {commit[:7]} is not in this clone; expected all of it; git fetch it"
            )
        size = int(head.split()[2])
        file = scratch / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(contents[:size])
        contents = contents[size + 1 :]
    return CommittedRun(scratch / METRICS, scratch / LOCK)


def _link_cached(sources: Sequence[Source], project: Path) -> None:
    """Link from the DVC cache what the locks name and Git does not have."""
    for source in sources:
        # The page says what is not at hand.
        with suppress(FormatError, KeyError, OSError):
            run = source.run
            digests = {path: run.digest(path) for path in run.outputs if OF_THE_CACHE.fullmatch(path)}
            for path, cached in cache_places(digests, project).items():
                link = run.lock.parent / path
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(cached.resolve())


def _git(project: Path, *arguments: str) -> str:
    """What Git prints; nothing where it fails: then there is no repository, or no such thing in it."""
    answer = git(*arguments, folder=project)
    return "" if answer.status else answer.text
