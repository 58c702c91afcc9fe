"""One run as a DVC experiment: whether it is there already, and how its workspace's result is taken over."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import yaml

from lengthwise.core.names import TASKS, Task
from lengthwise.errors import ParamsError, SweepError
from lengthwise.pipeline.settings.params import Params, check_params
from lengthwise.pipeline.sweeps.grid_file import SweepRun
from lengthwise.pipeline.sweeps.overview import HEADLINE, headline
from lengthwise.pipeline.sweeps.workspace import Snapshot
from lengthwise.system.git import git

# What the stages read and Git tracks; DVC writes the .gitignore files itself.
INPUTS = ("dvc.yaml", "src", "stages", "data", ":(exclude,glob)**/.gitignore")


def reference_of(name: str, commit: str) -> str:
    """The Git reference of an experiment, given the commit that it is derived from."""
    return f"refs/exps/{commit[:2]}/{commit[2:]}/{name}"


def find_or_name(run: SweepRun, snapshot: Snapshot) -> tuple[str, bool]:
    """Look for a run among the experiments of a commit.

    The working tree may have changed since without a commit: an experiment of the same name then is another run, and
    stays. What the stages would read from outside the repository, such as the real corpus, is not looked at.

    Returns:
        The name of the finished experiment and True, or a name that is free and False.
    """
    for candidate in _candidates(run.name):
        reference = reference_of(candidate, snapshot.commit)
        if git("show-ref", "--verify", "--quiet", reference).status:
            return candidate, False
        if _is_same(reference, run.params, snapshot, run.targets):
            return candidate, True
    raise AssertionError("there is always another number")


def take_over(run: SweepRun, snapshot: Snapshot, project: Path) -> str:
    """Fetch a run's experiment from its workspace, under the first name that is free.

    Returns:
        Its name here.

    Raises:
        SweepError: there is none, or Git cannot fetch it.
    """
    theirs = reference_of(run.name, snapshot.commit)
    repository = git("rev-parse", "--absolute-git-dir", folder=project).text.strip()
    while True:
        name, is_there = find_or_name(run, snapshot)
        if is_there:
            return name
        ours = reference_of(name, snapshot.commit)
        done = git("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", repository, f"{theirs}:{ours}")
        if not done.status:
            return name
        # Unless somebody has taken the name just now, it will not work the next time either.
        if git("show-ref", "--verify", "--quiet", ours).status:
            raise SweepError(
                f"git fetch: {done.reason}; expected the experiment {run.name!r} in {project}; run it again"
            )


def figures_of(reference: str, tasks: Sequence[Task]) -> dict[str, float]:
    """The headline figures of an experiment, by their dotted names (`clf.val_acc`).

    Args:
        reference: of the experiment.
        tasks: that it trains. Of other tasks, its commit has the files of the commit that it began with.
    """
    listed = git("ls-tree", "-r", "-z", "--name-only", reference, "--", *HEADLINE)
    others = {*TASKS} - {*tasks}
    contents = {}
    for path in filter(lambda path: path and Path(path).stem not in others, listed.text.split("\0")):
        # A file that is no JSON has no figures.
        with contextlib.suppress(ValueError):
            contents[path] = json.loads(git("show", f"{reference}:./{path}").data)
    return headline(contents)


def _candidates(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in count(2))


def _is_same(reference: str, params: Params | None, snapshot: Snapshot, targets: Sequence[str]) -> bool:
    files = [target for target in targets if target.endswith(".yaml")]
    # Paths are given from the project's folder, which may lie within the repository.
    if git("diff", "--quiet", reference, snapshot.tree, "--", *INPUTS, *files).status:
        return False
    shown = git("show", f"{reference}:./params.yaml")
    try:
        return check_params(yaml.safe_load(shown.data), Path(reference)) == params
    except (ParamsError, yaml.YAMLError):
        return False
