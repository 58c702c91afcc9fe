"""Whether the figures are of the files beside them: what changed since the stages last ran.

DVC writes into `dvc.lock` with what each stage ran: its command, the params' values, the hashes of its dependencies.
Where one of these is another now, the figures are of another state, and comparing them says nothing of this one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvc.dependency.param import ParamsDependency, read_param_file  # type: ignore[import-untyped]
from dvc.exceptions import DvcException, NotDvcRepoError  # type: ignore[import-untyped]
from dvc.repo import Repo  # type: ignore[import-untyped]

from lengthwise.runs.places import repository_at, unreadable
from lengthwise.runs.run import CHECK, Run
from lengthwise.runs.run_files import recorded_params
from lengthwise.system.dotted import leaves

PIPELINE = "dvc.yaml"
UNKNOWN: Any = object()


@dataclass(frozen=True)
class NotRun:
    """A stage whose last run was with something else.

    Attributes:
        stage: its name in `dvc.yaml`.
        changes: what is not as it was then, each in one line.
    """

    stage: str
    changes: tuple[str, ...]


def not_run(
    snapshot: Run, folder: Path, revision: str | None = None, files: Sequence[str] | None = None
) -> list[NotRun]:
    """The stages that something changed for since they ran: a param, the command, code, data.

    Nothing is fetched: data that are not here count as those that a stage or a `.dvc` file says it made. Where there is
    no DVC repository, the params alone are compared with `dvc.lock`.

    Args:
        snapshot: the params and the lock.
        folder: the project's.
        revision: of Git, in place of the working tree.
        files: only the stages that lead to these, all if none does; by default those of the folder's `dvc.yaml`.

    Raises:
        FormatError: DVC cannot read the pipeline of the working tree.
    """
    try:
        with repository_at(folder, revision) as (repo, inside):
            stages, sources = _of_folder(repo, inside) if files is None else _behind(repo, inside, files)
            stages = [stage for stage in stages if files is not None or stage.name != CHECK]
            return list(_by_dvc(repo, stages, sources))
    except NotDvcRepoError:
        return list(changed_params(snapshot))
    except (DvcException, OSError) as error:
        if revision:
            return list(changed_params(snapshot))
        raise unreadable(error) from None


def _of_folder(repo: Repo, folder: str) -> tuple[list[Any], list[Any]]:
    """The stages of a folder's `dvc.yaml`, and the `.dvc` files of what they depend on."""
    pipeline = repo.fs.join(folder, PIPELINE)
    stages = repo.stage.load_all(pipeline) if repo.fs.exists(pipeline) else []
    paths = sorted({f"{dep.fs_path}.dvc" for stage in stages for dep in stage.deps})
    return stages, [source for path in paths if repo.fs.exists(path) for source in repo.stage.load_all(path)]


def _behind(repo: Repo, folder: str, files: Sequence[str]) -> tuple[list[Any], list[Any]]:
    """The stages that lead to files, or all if none does; and all `.dvc` files."""
    places = [repo.fs.join(folder, *file.split("/")) for file in files]
    everything = repo.index.stages
    makers = [
        stage
        for stage in everything
        if any(place == out.fs_path or repo.fs.isin(place, out.fs_path) for out in stage.outs for place in places)
    ]
    needed: set[Any] = set()
    waiting = list(makers)
    while waiting:
        stage = waiting.pop()
        if stage not in needed:
            needed.add(stage)
            waiting += repo.index.graph[stage]
    chosen = [stage for stage in everything if stage.cmd and (stage in needed or not makers)]
    return chosen, [stage for stage in everything if not stage.cmd]


def _by_dvc(repo: Repo, stages: Sequence[Any], sources: Sequence[Any]) -> Iterator[NotRun]:
    made = {out.fs_path: out for stage in (*stages, *sources) for out in stage.outs}
    by_stages = {out.fs_path for stage in stages for out in stage.outs}
    read: dict[str, Any] = {}
    for stage in stages:
        if stage.frozen or not stage.cmd:
            continue
        if not any(one.hash_info for one in (*stage.deps, *stage.outs)):
            yield NotRun(stage.name, ("it was never run",))
            continue
        changes = ["its command"] if stage.changed_stage() else []
        for dep in stage.deps:
            if isinstance(dep, ParamsDependency):
                changes += _params(repo, dep, read)
            elif _differs(dep, made, by_stages):
                changes.append(str(repo.fs.relpath(dep.fs_path, repo.root_dir)))
        if changes:
            yield NotRun(stage.name, tuple(changes))


def _differs(dep: Any, made: Mapping[str, Any], by_stages: set[str]) -> bool:  # noqa: ANN401
    """Whether a dependency is another than the one that the stage ran with.

    Args:
        dep: the dependency.
        made: what stages and `.dvc` files make, by its path.
        by_stages: the paths that stages make.
    """
    if not dep.hash_info:
        return True
    if dep.fs_path in by_stages:
        # Of what another stage makes both locks know the hash, wherever the data are.
        return bool(dep.hash_info != made[dep.fs_path].hash_info)
    state = dep.workspace_status().get(str(dep))
    if state == "deleted" and dep.fs_path in made:
        return bool(dep.hash_info != made[dep.fs_path].hash_info)
    if state == "deleted":
        # A part of what is made, or a folder of it, that was not pulled.
        return not any(dep.fs.isin(dep.fs_path, path) or dep.fs.isin(path, dep.fs_path) for path in made)
    return state is not None


def _params(repo: Repo, dep: ParamsDependency, read: dict[str, Any]) -> Iterator[str]:
    """The keys of a params file with other values than in the run.

    Args:
        repo: the repository.
        dep: the stage's dependency on the file.
        read: what was read of such files, by their paths: DVC would read them anew for each stage.
    """
    if dep.fs_path not in read:
        read[dep.fs_path] = read_param_file(repo.fs, dep.fs_path) if dep.exists else {}
    recorded = dep.hash_info.value
    if dep.params and recorded == {key: value_at(read[dep.fs_path], key) for key in dep.params}:
        return
    if dep.workspace_status():
        ran, now = (dict(leaves(values or {})) for values in (recorded, dep.read_params()))
        yield from _changed(str(repo.fs.relpath(dep.fs_path, repo.root_dir)), ran, now)


def changed_params(snapshot: Run) -> Iterator[NotRun]:
    """The stages that `dvc.lock` has other values of than `params.yaml`."""
    for name, stage in snapshot.stages.items():
        if name == CHECK:
            continue
        recorded = recorded_params(stage)
        ran = dict(leaves(recorded)) if recorded else {}
        now = dict(leaves({key: value_at(snapshot.params_file, str(key)) for key in recorded})) if recorded else {}
        if changes := tuple(_changed("params.yaml", ran, now)):
            yield NotRun(str(name), changes)


def _changed(file: str, ran: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted({*ran, *now}):
        before, after = ran.get(key, UNKNOWN), now.get(key, UNKNOWN)
        if not _same(before, after):
            yield f"{file}: {key} is {_shown(after)}, the run had {_shown(before)}"


def _same(one: Any, other: Any) -> bool:  # noqa: ANN401
    """Whether two values are one: YAML readers differ on `1e-3`, which is text to some."""
    # A Python file of params may have tuples.
    one, other = (list(value) if isinstance(value, tuple) else value for value in (one, other))
    if one == other:
        return isinstance(one, bool) == isinstance(other, bool)
    try:
        return {type(one), type(other)} == {str, float} and float(one) == float(other)
    except ValueError:
        return False


def _shown(value: Any) -> str:  # noqa: ANN401
    return "absent" if value is UNKNOWN else f"{value!r:.24}"


def value_at(params: Any, key: str) -> Any:  # noqa: ANN401
    """The value at a dotted key; None if there is none."""
    for part in key.split("."):
        params = params.get(part) if isinstance(params, dict) else None
    return params
