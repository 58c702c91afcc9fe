"""ablation_member: train and score one ablation with one seed."""

from pathlib import Path

from lengthwise.pipeline.stage import Figures, quiet_tensorflow, run_stage


def main(seed: int, shards: Path, prepared: Path, member: Path) -> Figures:
    """Write the folder `member`, from `shards` or, where the ablation has its own, from those in `prepared`."""
    # TensorFlow takes seconds to import: only once the params are known to be good.
    with quiet_tensorflow():
        from lengthwise.pipeline.ablations.member import run_member

    result = run_member(seed, shards, prepared, member)
    return Figures(result.metrics, result.timing)


if __name__ == "__main__":
    run_stage(main)
