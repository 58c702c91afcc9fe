"""What of a named run stays in Git: its params and its metrics, small, and no place of anybody's machine."""

import io
import subprocess
import tarfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import yaml

from lengthwise.files import replacing_folder
from lengthwise.sweeps.grid import Run
from lengthwise.sweeps.named import TARGETS

METRICS, PARAMS_NAME = "metrics", "params.yaml"
# Of metrics, what is left out: what nothing is made of that is shown, and, by its targets, what a run has not written.
_NOWHERE_SHOWN = ("train/*/steps.csv",)
_OF_ABLATIONS = ("ablations.*", "timing_ablations.*")
_OF_ENVIRONMENT = ("environment.json", "timing_environment.json")
_OF_STAGES = (*_OF_ENVIRONMENT, "baselines/*", "evaluate/*")
_OF_SEQ2SEQ = ("train/*seq2seq*", "evaluate/*seq2seq*", *_OF_ENVIRONMENT)
LEFT_OUT = {
    "dvc.yaml": (*_NOWHERE_SHOWN, *_OF_ABLATIONS),
    "train": (*_NOWHERE_SHOWN, *_OF_ABLATIONS, *_OF_STAGES),
    "train_classifier": (*_NOWHERE_SHOWN, *_OF_ABLATIONS, *_OF_STAGES, *_OF_SEQ2SEQ),
    "classifier": (*_NOWHERE_SHOWN, *_OF_ABLATIONS, *_OF_SEQ2SEQ),
    "baselines": ("train/*", "evaluate/*", *_OF_ENVIRONMENT, *_OF_ABLATIONS),
    "ablations/dvc.yaml": ("train/*", *_OF_STAGES),
}


def keep(run: Run, reference: str, folder: Path) -> None:
    """Write `params.yaml` and `metrics/` of a run that is an experiment.

    Args:
        run: whose params are written, of the corpus's place only its name.
        reference: of the experiment in Git.
        folder: what is in it is replaced.
    """
    if run.params is None:
        raise ValueError(f"{run.name}: was refused, so there is nothing to keep")
    content = run.params.model_dump()
    content["ingest"]["source"] = Path(content["ingest"]["source"]).name
    left_out = next(LEFT_OUT[kind] for kind, targets in TARGETS.items() if targets == tuple(run.targets))
    with replacing_folder(folder) as beside:
        (beside / PARAMS_NAME).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        for name, data in _metrics(reference):
            if not any(fnmatch(name, pattern) for pattern in left_out):
                path = beside / METRICS / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)


def _metrics(reference: str) -> Iterator[tuple[str, bytes]]:
    """The files below `metrics`, by their names there."""
    command = ["git", "archive", "--format=tar", reference, METRICS]
    archive = subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            if (stream := tar.extractfile(member)) is not None:
                yield PurePosixPath(member.name).relative_to(METRICS).as_posix(), stream.read()
