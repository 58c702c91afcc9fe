"""What of a named run stays in Git: one file with its params, metrics and times, and no place of anybody's machine."""

import importlib
import io
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from lengthwise.core.names import LABEL_TASKS
from lengthwise.errors import SweepError
from lengthwise.pipeline.published import publish
from lengthwise.pipeline.sweeps.grid_file import SweepRun
from lengthwise.pipeline.sweeps.named import TARGETS
from lengthwise.system.bundles import write_bundle
from lengthwise.system.git import git

METRICS, FIGURES, TIMING, PARAMS_NAME = "metrics", "data/figures", "data/timing", "params.yaml"
PREPARED = ("ingest", "tokens", "split", "vocabulary", "shards")
# What a training alone leaves to be published, of a task.
UNPUBLISHED = ("{}.json", "{}/batching.csv", "{}/cost.json", "{}/lengths.csv")
# Of these files pages and documents are made; nobody reads the others.
READ = (
    *("metrics/*.json", "metrics/ablations.csv", "metrics/timing_ablations.md", "metrics/baselines/*.json"),
    *("metrics/baselines/tables/*/levels.csv", "metrics/train/*.json", "metrics/train/*/*.json"),
    *("metrics/train/*/batching.csv", "metrics/train/*/epochs.csv", "metrics/evaluate/*.json"),
    *("metrics/evaluate/*/levels.csv", "metrics/evaluate/*/by_length.csv"),
    *("metrics/evaluate/classifier/confusion_*.csv", f"{TIMING}/train_*.json", f"{TIMING}/baselines.json"),
    *(f"{TIMING}/environment_*.json", PARAMS_NAME),
)
NOT_READ = ("metrics/live/*", "metrics/test/*", "metrics/ablations/*")


@dataclass(frozen=True)
class Written:
    """What the targets of a run have written; all else that is there was written before it.

    Attributes:
        trained: tasks.
        evaluated: tasks.
        others: stages beside these and those that prepare the data.
    """

    trained: Sequence[str] = ()
    evaluated: Sequence[str] = ()
    others: Sequence[str] = ()

    @property
    def metrics(self) -> list[str]:
        """Patterns of files below `metrics`."""
        stages = [f"{stage}.json" for stage in PREPARED]
        pairs = [(stage, task) for stage in ("train", "evaluate") for task in self.evaluated]
        evaluated = [f"{stage}/{task}{end}" for stage, task in pairs for end in (".json", "/*")]
        others = [pattern for stage in self.others for pattern in (f"{stage}/*", f"{stage}.*", f"timing_{stage}.*")]
        return [*stages, *evaluated, *(f"train/{task}/*" for task in self.trained), *others]

    @property
    def unpublished(self) -> list[str]:
        """Files below `metrics` that have only their likes in `data/figures`."""
        tasks = [task for task in self.trained if task not in self.evaluated]
        return [f"train/{name.format(task)}" for task in tasks for name in UNPUBLISHED]

    @property
    def timing(self) -> list[str]:
        """Files below `data/timing`."""
        trained = [f"{file}_{task}" for task in self.trained for file in ("train", "environment")]
        stages = [*PREPARED, *trained, *(f"evaluate_{task}" for task in self.evaluated), *self.others]
        return [f"{stage}.json" for stage in stages]


WRITTEN = {
    "dvc.yaml": Written(LABEL_TASKS, LABEL_TASKS, ("baselines",)),
    "train": Written(LABEL_TASKS),
    "train_classifier": Written(("classifier",)),
    "classifier": Written(("classifier",), ("classifier",), ("baselines",)),
    "baselines": Written(others=("baselines",)),
    "ablations/dvc.yaml": Written(others=("ablations",)),
}


def keep(run: SweepRun, reference: str, record: Path) -> None:
    """Write a file with the params of an experiment, and with those of its figures and times that are read.

    Args:
        run: whose params are written, of the corpus's place only its name.
        reference: of the experiment in Git.
        record: the file, `NAME.json`.

    Raises:
        SweepError: there is no such experiment.
    """
    if run.params is None:
        raise ValueError(f"{run.name}: was refused, so there is nothing to keep")
    content = run.params.model_dump()
    content["ingest"]["source"] = Path(content["ingest"]["source"]).name
    written = next(WRITTEN[kind] for kind, targets in TARGETS.items() if targets == tuple(run.targets))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        _write(folder / PARAMS_NAME, yaml.safe_dump(content, sort_keys=False).encode())
        for name, data in _metrics(reference):
            if _is_any(name, written.metrics) and not _is_any(name, written.unpublished):
                _write(folder / METRICS / name, data)
        _write_cached(folder / TIMING, reference, TIMING, written.timing)
        figures = Path(scratch) / "figures"
        publish(figures, folder / METRICS, _write_cached(figures, reference, FIGURES, written.unpublished))
        write_bundle(record, dict(_read_by_somebody(folder)))


def _read_by_somebody(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and _is_any(name, READ) and not _is_any(name, NOT_READ):
            yield name, path.read_text(encoding="utf-8")


def _is_any(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _metrics(reference: str) -> Iterator[tuple[str, bytes]]:
    """The files below `metrics` that Git has, by their names there."""
    done = git("archive", "--format=tar", reference, METRICS)
    if done.status:
        raise SweepError(f"git archive: {done.reason}; expected an experiment with metrics; run it again")
    with tarfile.open(fileobj=io.BytesIO(done.data)) as tar:
        for member in tar:
            if (stream := tar.extractfile(member)) is not None:
                yield PurePosixPath(member.name).relative_to(METRICS).as_posix(), stream.read()


def _write_cached(folder: Path, reference: str, source: str, names: Sequence[str]) -> list[str]:
    """Write files that DVC's cache has of an experiment; those that it lacks are left out. Returns what was written."""
    # It takes half a second and more to import.
    api: Any = importlib.import_module("dvc.api")
    files = api.DVCFileSystem(rev=reference)
    there = [name for name in names if files.isfile(f"{source}/{name}")]
    for name in there:
        _write(folder / name, files.read_bytes(f"{source}/{name}"))
    return there


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
