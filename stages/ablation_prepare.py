"""ablation_prepare: write the settings of an ablation, and its shards if it changes anything before training."""

from pathlib import Path

from lengthwise.ablations.prepare import PipelineData, prepare
from lengthwise.params import Params
from lengthwise.stage import run_without_figures, worker_count


def main(
    params: Params, name: str, documents: Path, tokens: Path, split: Path, vocabulary: Path, prepared: Path
) -> None:
    """Write the folder `prepared` of the ablation `name`."""
    pipeline = PipelineData(documents, tokens, split, vocabulary)
    prepare(params, name, pipeline, prepared, worker_count())


if __name__ == "__main__":
    run_without_figures(main, "params")
