"""The command `join`: another process of a training that goes on elsewhere."""

# Help needs \b: it keeps the line breaks of the paragraph below it.
# ruff: noqa: D301

import os
from pathlib import Path
from typing import Annotated

import typer


def join(
    task: Annotated[str, typer.Argument(metavar="TASK", help="What is trained, such as classifier.")],
    shards: Annotated[Path, typer.Option(metavar="FOLDER", help="The output of the stage shards.")] = Path(
        "data/shards"
    ),
    params: Annotated[Path, typer.Option(metavar="FILE", help="The params of the run.")] = Path("params.yaml"),
) -> None:
    """Take part in a training as one of several workers.

    TF_CONFIG says which worker this is and where the first one listens: that is `dvc repro` or `dvc exp run`, with
    train.logical_shards set. This one needs the same shards, params and code. It waits for the first, computes its
    part of every step, and writes nothing.

    \b
    Exit status:
      0  the training is complete
      2  the first worker is not there or is gone, or trains something else
      130, 143  a worker was asked to end; the state is saved

    \b
    Example, on the second of two machines:
      export TF_CONFIG='{"cluster": {"worker": ["one:2222", "two:2222"]}, "task": {"type": "worker", "index": 1}}'
      lengthwise join classifier
    """
    from lengthwise.pipeline.settings.params import load_params
    from lengthwise.pipeline.stage import quiet_tensorflow
    from lengthwise.pipeline.stages.train.machines import other_machines
    from lengthwise.pipeline.translation import errors_under_keys

    with errors_under_keys():
        section = load_params(params).train
        # Before TensorFlow is imported, which takes seconds.
        other_machines(os.environ)
        with quiet_tensorflow():
            from lengthwise.pipeline.stages.train.training_run import join_training

        join_training(shards, task, section)
