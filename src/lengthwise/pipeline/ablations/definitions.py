"""Ablations by name: which keys of `params.yaml` each changes, and the seeds that all are trained with."""

import re
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from lengthwise.bounds import Seed
from lengthwise.core.names import TASKS, Task
from lengthwise.errors import ParamsError
from lengthwise.pipeline.settings.conflicts import first_conflict
from lengthwise.pipeline.settings.contained import Section, section
from lengthwise.pipeline.settings.params import Params
from lengthwise.pipeline.settings.refusals import first_error
from lengthwise.prepare.forms.document_form import SequenceForm
from lengthwise.system.strict_yaml import read_yaml

# The others are compared with this one.
REFERENCE_ABLATION = "full"
# An ablation may change the sections that come before the figures, and the task.
ABLATION_SECTIONS = ("tokens", "split", "vocabulary", "shards", "train")
# A name is part of the names of folders and files.
ABLATION_NAME = re.compile(r"[a-z][a-z0-9_]*")
ABLATION_TASK = "task"


@section
class Ablations(Section):
    """The whole of `ablations/params.yaml`."""

    senseless: Literal["refuse", "leave_out"]
    seeds: Annotated[list[Seed], Field(min_length=1)]
    ablations: dict[str, dict[str, Any]]


def load_ablations(path: Path, params: Params) -> Ablations:
    """Read and check all ablations.

    An ablation that only makes no sense together with a key of today's params is no error here: it is no reason not to
    run the pipeline.

    Args:
        path: of the file, `ablations/params.yaml`.
        params: what the ablations change.

    Raises:
        ParamsError: one line with the dotted key, the value, what was expected and what to do.
    """
    try:
        ablations = Ablations.model_validate(read_yaml(path))
    except ValidationError as error:
        raise ParamsError(f"{path}: {first_error(error, Ablations)}") from None
    try:
        _check(ablations, params)
    except ParamsError as error:
        raise ParamsError(f"{path}: {error}") from None
    return ablations


def sensible(params: Params, ablations: Ablations, form: SequenceForm) -> Ablations:
    """The ablations that make sense with the other params; the others are left out and told, or refused.

    Args:
        params: without the changes.
        ablations: all of them.
        form: of the sequences that there are, which says what can be predicted of them.

    Raises:
        ParamsError: one makes no sense, and `senseless` says to refuse it, or it is the reference.
    """
    kept = {}
    for name, changes in ablations.ablations.items():
        try:
            task, _ = ablated(params, ablations, name)
            if missing := form.lacks(task):
                raise ParamsError(
                    f"ablations.{name}.{ABLATION_TASK}: got {task}, and the corpus has no {missing}; take it out"
                )
        except ParamsError as error:
            if ablations.senseless == "refuse":
                raise ParamsError(f"{error}; or set senseless to leave_out") from None
            if name == REFERENCE_ABLATION:
                raise
            print(f"left out: {error}", file=sys.stderr)
        else:
            kept[name] = changes
    return ablations.model_copy(update={"ablations": kept})


def ablated(params: Params, ablations: Ablations, name: str) -> tuple[Task, Params]:
    """The task and the params of an ablation.

    Args:
        params: without its changes.
        ablations: all of them.
        name: of one.

    Raises:
        ParamsError: there is no such ablation, or its changes make no sense with the other params.
    """
    if name not in ablations.ablations:
        raise ParamsError(f"ablations.{name}: is missing; expected one of {', '.join(ablations.ablations)}; add it")
    task, changed = _changed(params, name, ablations.ablations[name])
    # What depends on the tasks depends on the ablation's own.
    if conflict := first_conflict({**changed.model_dump(), "tasks": [task]}):
        raise ParamsError(f"ablations.{name}: {conflict}")
    return task, changed


def _check(ablations: Ablations, params: Params) -> None:
    reference = ablations.ablations.get(REFERENCE_ABLATION)
    if reference != {}:
        expected = "{}, which the others are compared with"
        raise ParamsError(f"ablations.{REFERENCE_ABLATION}: got {reference!r}; expected {expected}; add it")
    if len(set(ablations.seeds)) < len(ablations.seeds):
        raise ParamsError(f"seeds: got {ablations.seeds!r}; expected each seed once; remove the others")
    for name, changes in ablations.ablations.items():
        if not ABLATION_NAME.fullmatch(name):
            raise ParamsError(
                f"ablations: got the name {name!r}; expected a small letter, then such letters, digits and _; rename it"
            )
        _changed(params, name, changes)


def _changed(params: Params, name: str, changes: dict[str, Any]) -> tuple[Task, Params]:
    content = params.model_dump()
    changes = {ABLATION_TASK: params.tasks[0], **changes}
    task = changes.pop(ABLATION_TASK)
    if task not in TASKS:
        expected = ", ".join(TASKS)
        raise ParamsError(f"ablations.{name}.{ABLATION_TASK}: got {task!r}; expected one of {expected}; change it")
    for key, value in changes.items():
        *sections, last = key.split(".")
        place: Any = content
        for part in sections:
            place = place.get(part) if isinstance(place, dict) else None
        if not sections or sections[0] not in ABLATION_SECTIONS or not isinstance(place, dict) or last not in place:
            known = ", ".join((ABLATION_TASK, *(f"{section}.…" for section in ABLATION_SECTIONS)))
            raise ParamsError(f"ablations.{name}: got the key {key!r}; expected one of {known}; rename it")
        if key == "train.seed":
            raise ParamsError(f"ablations.{name}: got the key {key!r}; every seed of seeds is taken; remove it")
        place[last] = value
    try:
        return task, Params.model_validate(content)
    except ValidationError as error:
        raise ParamsError(f"ablations.{name}: {first_error(error, Params)}") from None
