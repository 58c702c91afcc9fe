"""ablation_data: make the shards of an ablation, if it changes anything before training."""

from pathlib import Path

from lengthwise.ablations.data import PipelineData, build_data
from lengthwise.params import Params, ablated
from lengthwise.stage import Figures, run_stage, worker_count


def main(
    params: Params, name: str, documents: Path, tokens: Path, split: Path, vocabulary: Path, data: Path
) -> Figures:
    """Write the folder `data` of the ablation `name`."""
    _, changed = ablated(params, name, params.seeds[0])
    return Figures(
        {**build_data(params, changed, PipelineData(documents, tokens, split, vocabulary), data, worker_count())}
    )


if __name__ == "__main__":
    run_stage(main, "params")
