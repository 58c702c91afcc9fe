"""What a name on the command line is: a folder with a run, a DVC experiment, or a Git revision.

The small files of an experiment or a revision come from Git. Its predictions, and what its machine measured, come from
the DVC cache if they are there; nothing is fetched.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from lengthwise.core.names import TASKS
from lengthwise.errors import FormatError, RevisionError
from lengthwise.runs.kept import run_of
from lengthwise.runs.places import run_at, with_cached
from lengthwise.runs.run import Run, run_in
from lengthwise.runs.run_files import LOCK, METRICS, PREDICTIONS, TIMING
from lengthwise.runs.scored_items import holds_items
from lengthwise.system.git import git

# Of a named run: `results/NAME` is `results/NAME.json`.
RECORD = ".json"
# Each has a letter and a colour, and more than these nobody tells apart.
MOST_RUNS = 16
HUES = ("blue", "orange", "green", "purple", "gold", "violet", "red", "grey")
EXPERIMENT = re.compile(r"refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/(.+)")
OF_THE_CACHE = re.compile(rf"({PREDICTIONS}|{TIMING})[\w-]+\.(parquet|json)")
EXPECTED = "expected a DVC experiment, a Git revision, a named run of results/, or a folder with metrics/ and dvc.lock"


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


def by_task(sources: Sequence[Source]) -> Iterator[tuple[str, list[Source]]]:
    """Each task that a run has, with the runs that have it."""
    for task in TASKS:
        if having := [source for source in sources if task in source.run.tasks]:
            yield task, having


def open_sources(names: Sequence[str], project: Path) -> list[Source]:
    """The runs of the names, in their order.

    Args:
        names: what the user gave.
        project: the folder with `dvc.yaml`.

    Raises:
        RevisionError: a name is none of the three, or there are too many.
    """
    if len(names) > MOST_RUNS:
        raise RevisionError(f"page: got {len(names)} runs; expected at most {MOST_RUNS}; leave some out")
    return [_open(name, chr(ord("A") + number), project) for number, name in enumerate(names)]


def _open(name: str, letter: str, project: Path) -> Source:
    folder = project / name
    # What has a slash or dots is a path; another name is a folder only if it is nothing else.
    is_path = Path(name).is_absolute() or name in (".", "..") or name.startswith(("./", "../"))
    commit = "" if is_path else _commit(name, project)
    if commit:
        return Source(name, letter, commit, _committed(name, commit, project))
    record = folder if folder.suffix == RECORD else Path(f"{folder}{RECORD}")
    if name and record.is_file():
        return Source(name, letter, "", run_of(record))
    if not name or not (folder / METRICS).is_dir():
        raise RevisionError(f"{name or repr(name)}: is no run; {EXPECTED}; dvc exp list --all names the experiments")
    shown = "workspace" if name == "." else name
    return Source(shown, letter, "", run_in(folder))


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


def _committed(name: str, commit: str, project: Path) -> Run:
    """The run that a commit has, with what the DVC cache has of it."""
    # Its metrics are not run again by what is in the working tree.
    run = replace(run_at(commit, project, name), mend="run it again, or leave it out")
    if LOCK not in run.files or not run.metric_files:
        lacking = METRICS if LOCK in run.files else LOCK
        raise RevisionError(f"{name}: lacks {lacking} at {commit[:7]}; expected a run that was committed; name another")
    # The page says what is not at hand.
    with suppress(FormatError):
        return with_cached(run, project, lambda path: OF_THE_CACHE.fullmatch(path) is not None or holds_items(path))
    return run


def _git(project: Path, *arguments: str) -> str:
    """What Git prints; nothing where it fails: then there is no repository, or no such thing in it."""
    answer = git(*arguments, folder=project)
    return "" if answer.status else answer.text
