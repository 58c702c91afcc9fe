"""A file of named runs: what each is for, and which keys of `params.yaml` it changes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from lengthwise.errors import SweepError
from lengthwise.pipeline.ablations.definitions import ABLATION_NAME
from lengthwise.pipeline.settings.contained import Section
from lengthwise.pipeline.settings.params import load_params
from lengthwise.pipeline.settings.refusals import first_error
from lengthwise.pipeline.sweeps.grid_file import SweepRun, changed_run, check_key
from lengthwise.system.strict_yaml import read_yaml

# What a run may run, and the targets that DVC is given for it. What trains alone leaves the test split unseen.
TARGETS = {
    "dvc.yaml": (),
    "train": ("train",),
    "train_classifier": ("train@classifier",),
    "classifier": ("evaluate@classifier", "baselines"),
    "baselines": ("baselines",),
    "ablations/dvc.yaml": ("ablations/dvc.yaml",),
}
# Beside a file of named runs: values by dotted keys that all of them begin with. It may be absent.
SHARED_NAME = "article.yaml"
# No property of a run: where somebody has put the corpus.
SOURCE = "ingest.source"


class NamedRun(Section):
    """A run of a file of named runs.

    Attributes:
        description: what it is for.
        runs: what is run with all that it needs, see `TARGETS`.
        changes: values by dotted keys of `params.yaml`.
    """

    description: Annotated[str, Field(min_length=1)]
    runs: Literal["dvc.yaml", "train", "train_classifier", "classifier", "baselines", "ablations/dvc.yaml"]
    changes: dict[str, Any]


def read_named_runs(path: Path, params_file: Path, corpus: Path, names: Sequence[str]) -> list[SweepRun]:
    """Runs of a file, on a corpus.

    Values that `params.yaml` may not have are refused run by run, as in a grid. A run's own changes come after those
    that all runs share.

    Args:
        path: the file, a map from names to runs.
        params_file: the values of all keys that a run leaves alone.
        corpus: what takes the place of `ingest.source`.
        names: of the runs; all, if there is none.

    Raises:
        ParamsError: one of the files cannot be read, or the params file is wrong by itself.
        SweepError: there is no such corpus, the file is no map of runs, a key is no key of the params file, or a run
            that is asked for is not there.
    """
    if not corpus.exists():
        raise SweepError(
            f"CORPUS: got {str(corpus)!r}; expected a zip, a folder or a CSV that is there; name its place"
        )
    base = load_params(params_file).model_dump()
    content = read_yaml(path)
    if not isinstance(content, dict) or not content:
        raise SweepError(f"{path}: got {content!r}; expected a map from names to runs; see docs/results.md")
    shared = _shared(path.with_name(SHARED_NAME), base)
    runs = [_run(path, base, name, run, {SOURCE: str(corpus.resolve()), **shared}) for name, run in content.items()]
    if unknown := [name for name in names if name not in content]:
        raise SweepError(f"RUNS: got {unknown[0]!r}; expected some of {', '.join(content)}; change it")
    return [run for run in runs if run.name in names or not names]


def _shared(path: Path, base: dict[str, Any]) -> dict[str, Any]:
    """The values that all runs begin with; none where there is no such file."""
    if not path.exists():
        return {}
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise SweepError(f"{path}: got {content!r}; expected a map from dotted keys to values; see docs/results.md")
    for key in content:
        check_key(path, base, key)
    return content


def _run(path: Path, base: dict[str, Any], name: object, content: object, shared: dict[str, Any]) -> SweepRun:
    # The name of a folder and of an experiment.
    if not isinstance(name, str) or not ABLATION_NAME.fullmatch(name):
        expected = "a small letter, then such letters, digits and _"
        raise SweepError(f"{path}: got the name {name!r}; expected {expected}; rename it")
    try:
        named = NamedRun.model_validate(content)
    except ValidationError as error:
        raise SweepError(f"{path}: {name}: {first_error(error, NamedRun)}") from None
    if SOURCE in named.changes:
        raise SweepError(f"{path}: {name}: got the key {SOURCE!r}, which is CORPUS of `make real`; remove it")
    for key in named.changes:
        check_key(path, base, key)
    run = changed_run(name, {**shared, **named.changes}, base, path)
    return replace(run, targets=TARGETS[named.runs])
