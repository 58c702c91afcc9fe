"""Train all ablations with all seeds; what is there already is not trained again.

Each member, one ablation with one seed, has a folder named by a digest of all that it depends on: its settings, its
data, its seed and the code. So a new name costs its own members alone, a new name for the same changes costs nothing,
and a run that was stopped goes on at the member where it was. The folders lie outside DVC: a lock file with a hundred
stages would be in Git, and their outputs in nobody's cache.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lengthwise.errors import FormatError, WorkerError
from lengthwise.pipeline.ablations.definitions import Ablations, ablated
from lengthwise.pipeline.ablations.member_files import METRICS_NAME, TIMING_NAME
from lengthwise.pipeline.ablations.prepared import PipelineData, changed_stages, member_settings, prepare
from lengthwise.pipeline.settings.params import Params
from lengthwise.pipeline.stages.train.pretrained import wanted_digest
from lengthwise.prepare.shards.schema import INDEX_NAME as SHARDS_INDEX
from lengthwise.prepare.text.store import INDEX_NAME as TOKENS_INDEX
from lengthwise.system.files import file_digest, scratch_folder
from lengthwise.system.progress import Progress

SOURCE = Path(__file__).parents[2]
SUFFIXES = (".cc", ".h", ".py")
# What makes shards, and what trains and scores a member: folders and files of the package.
PREPARE_CODE = ("core", "pipeline/ablations/member_files.py", "pipeline/ablations/prepared.py", "prepare", "system")
MEMBER_CODE = (
    *("batching", "core", "evaluation", "layers", "models", "native"),
    *("pipeline/ablations/member.py", "pipeline/ablations/member_files.py", "pipeline/published.py"),
    *("pipeline/stages/scored_columns.py", "pipeline/stages/task_data.py", "pipeline/stages/train"),
    *("prepare/forms", "prepare/shards", "prepare/vocabulary.py", "system", "tables.py", "training"),
)
MEMBER_SCRIPT = Path(__file__).parents[4] / "stages" / "ablation_member.py"


@dataclass(frozen=True)
class Store:
    """Where members are kept, and what runs them.

    Attributes:
        folder: of all members; what is in it may be removed at any time, and costs its training again.
        shards: of the pipeline.
        data: what the pipeline's stages before the shards have written.
        workers: processes to tokenize with.
    """

    folder: Path
    shards: Path
    data: PipelineData
    workers: int


def run_ablations(params: Params, ablations: Ablations, store: Store) -> dict[str, list[Path]]:
    """Train what is not there.

    Args:
        params: of the pipeline.
        ablations: what changes them, and the seeds.
        store: where members are kept.

    Returns:
        The folders of the members by the ablation's name, in the order of the seeds.

    Raises:
        ParamsError: an ablation makes no sense with the other params; nothing has been trained then.
        FormatError: what a stage of the pipeline has written is absent or damaged.
        WorkerError: a member has failed.
    """
    digest = cache(_file_digest)
    folders = {name: _member_folders(params, ablations, name, store, digest) for name in ablations.ablations}
    distinct = {folder for of_name in folders.values() for folder in of_name.values()}
    trained = sum(map(_is_trained, distinct))
    with Progress("ablations", len(distinct), "members", trained) as progress:
        for name, of_name in folders.items():
            missing = {seed: folder for seed, folder in of_name.items() if not _is_trained(folder)}
            if not missing:
                continue
            with scratch_folder(store.folder / name) as prepared:
                prepare(params, ablations, name, store.data, prepared, store.workers)
                for seed, folder in missing.items():
                    progress.update(0, f"{name}, seed {seed}")
                    _train(name, seed, (store.shards, prepared), folder)
                    progress.update(1, f"{name}, seed {seed}")
    return {name: [*of_name.values()] for name, of_name in folders.items()}


def _is_trained(folder: Path) -> bool:
    # A member's times are what it writes last.
    return (folder / TIMING_NAME).is_file()


def _member_folders(
    params: Params, ablations: Ablations, name: str, store: Store, digest: Callable[[Path], str]
) -> dict[int, Path]:
    """The folder of each seed of an ablation, named by all that the member depends on, and by nothing else."""
    task, ablation = ablated(params, ablations, name)
    depends = [*_code(MEMBER_CODE, digest)]
    if stages := changed_stages(params, ablation):
        data = store.data
        made = {"tokens": data.tokens / TOKENS_INDEX, "split": data.split, "vocabulary": data.vocabulary}
        read = [data.documents, *(path for stage, path in made.items() if stage not in stages)]
        depends += [*_code(PREPARE_CODE, digest), *(_text(getattr(ablation, stage).model_dump()) for stage in stages)]
    else:
        read = [store.shards / SHARDS_INDEX]
    depends += map(digest, read)
    if vectors := wanted_digest(ablation.train.model.pretrained, digest):
        depends.append(vectors)
    return {seed: store.folder / _name(depends, task, ablation, seed) for seed in ablations.seeds}


def _name(depends: list[str], task: str, ablation: Params, seed: int) -> str:
    train = ablation.train.model_copy(update={"seed": seed})
    settings = member_settings(task, ablation.model_copy(update={"train": train}))
    return hashlib.sha256(_text([*depends, settings]).encode()).hexdigest()[:24]


def _train(name: str, seed: int, sources: tuple[Path, Path], folder: Path) -> None:
    """Train and score a member in a process of its own: TensorFlow's seeds and switches belong to a process."""
    figures = (folder / METRICS_NAME, folder / TIMING_NAME)
    command = [sys.executable, MEMBER_SCRIPT, str(seed), *sources, folder, *figures]
    done = subprocess.run([*map(str, command)], stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("error: ")] or done.stderr.splitlines()
        reason = said[-1].removeprefix("error: ") if said else f"status {done.returncode}"
        remedy = "members that are trained are kept, and make ablations goes on"
        raise WorkerError(f"ablations.{name}: seed {seed} has failed: {reason} ({remedy})")


def _code(names: tuple[str, ...], digest: Callable[[Path], str]) -> list[str]:
    paths = [SOURCE / name for name in names]
    files = {file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))}
    return [f"{file.relative_to(SOURCE)} {digest(file)}" for file in sorted(files) if file.suffix in SUFFIXES]


def _text(content: object) -> str:
    return json.dumps(content, sort_keys=True)


def _file_digest(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); run dvc repro, then make ablations") from error
