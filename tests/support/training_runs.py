"""Runs of the stage train within a test: where they write, what they wrote, and how they are stopped or die."""

import os
import signal
from pathlib import Path

import pytest

from lengthwise.pipeline.stages.train.live import LiveFiles
from lengthwise.pipeline.stages.train.training_run import TrainFiles, train
from lengthwise.training.resume import ResumeState
from lengthwise.training.step import Steps

FILES = TrainFiles(
    Path("model"),
    Path("figures"),
    LiveFiles(*(Path("live") / name for name in ("epochs.csv", "steps.csv", "headline.json", "events"))),
)


class DiesError(BaseException):
    """Nothing in the run catches it."""


def bytes_of(folder: Path) -> dict[str, bytes]:
    """What a run in a folder wrote, but for event files, which have times in them."""
    paths = [path for name in ("model", "figures", "live") for path in (folder / name).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths if "tfevents" not in path.name}


def stopped_run(step: int, shards: Path, task: str, params, *, death: bool = False, of: type = Steps) -> int | None:
    """Let a run get SIGTERM within a step, or die there after its state was saved after every step before.

    Returns:
        Its exit status; None of one that dies.
    """
    original, taken = of.train_over, []

    def counted(self, *arguments):
        for made in original(self, *arguments):
            taken.append(1)
            if len(taken) == step:
                if death:
                    raise DiesError
                os.kill(os.getpid(), signal.SIGTERM)
            yield made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lengthwise.training.calls.CALL_STEPS", 1)
        patch.setattr(of, "train_over", counted)
        if death:
            patch.setattr(ResumeState, "due", property(lambda _: True))
        with pytest.raises(DiesError if death else SystemExit) as end:
            train(shards, FILES, task, params)
    return None if death else end.value.code
