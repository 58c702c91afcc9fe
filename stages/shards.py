"""shards: encode sequences of the wanted lengths and write them sorted by length, split by split."""

from pathlib import Path

from lengthwise.pipeline.settings.params import ShardsParams
from lengthwise.pipeline.stage import Figures, run_stage
from lengthwise.prepare.shards.writer import ShardInputs, build_shards
from lengthwise.system.no_pandas import without_pandas


def main(params: ShardsParams, documents: Path, tokens: Path, split: Path, vocabulary: Path, shards: Path) -> Figures:
    """Write the folder `shards`."""
    inputs = ShardInputs(documents, tokens, split, vocabulary)
    return Figures({**build_shards(inputs, shards, params.unit, params.limits, params.rows_per_shard, params.affixes)})


if __name__ == "__main__":
    with without_pandas():
        run_stage(main, "shards")
