"""train: train one of the two networks, classifier or seq2seq, and save it."""

import os
from pathlib import Path

from lengthwise.pipeline.settings.params import TrainParams
from lengthwise.pipeline.stage import Figures, quiet_tensorflow, run_stage
from lengthwise.pipeline.stages.train.environment import environment
from lengthwise.system.files import write_metrics

# Of the times of a run, these say with what it was computed.
KERNEL = ("kernel", "kernel_arch")


def main(
    params: TrainParams,
    task: str,
    shards: Path,
    model: Path,
    figures: Path,
    epochs: Path,
    steps: Path,
    headline: Path,
    record: Path,
) -> Figures:
    """Train `task` on `shards`; write the folders `model` and `figures`, three files that show the run, and `record`.

    What is in `record` says with which versions and on which machine the network was trained.
    """
    # TensorFlow takes seconds to import: only once the params are known to be good.
    with quiet_tensorflow():
        from lengthwise.pipeline.stages.train.events import tensorboard_folder
        from lengthwise.pipeline.stages.train.live import LiveFiles
        from lengthwise.pipeline.stages.train.training_run import TrainFiles, train

    live = LiveFiles(epochs, steps, headline, tensorboard_folder(os.environ))
    result = train(shards, TrainFiles(model, figures, live), task, params)
    write_metrics(record, environment({name: str(result.timing[name]) for name in KERNEL}))
    return Figures(result.metrics, result.timing)


if __name__ == "__main__":
    run_stage(main, "train", files=("timing",))
