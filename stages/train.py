"""train: train the recurrent network for one task, classifier or seq2seq, and save it."""

from pathlib import Path

from lengthwise.params import TrainParams
from lengthwise.stage import Figures, quiet_tensorflow, run_stage


def main(params: TrainParams, task: str, shards: Path, model: Path, curves: Path) -> Figures:
    """Train `task` on `shards`; write the folders `model` and `curves`."""
    # TensorFlow takes seconds to import: only once the params are known to be good.
    with quiet_tensorflow():
        from lengthwise.training.loop import train

    result = train(shards, model, curves, task, params)
    return Figures(result.metrics, result.timing)


if __name__ == "__main__":
    run_stage(main, "train")
