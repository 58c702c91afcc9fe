"""split: assign every sentence to train, validation or test, by its group, its document, itself or its place."""

import sys
from pathlib import Path

from lengthwise.pipeline.settings.params import SplitParams
from lengthwise.pipeline.stage import Figures, run_stage
from lengthwise.prepare.splits import split_sentences
from lengthwise.system.no_pandas import without_pandas


def main(params: SplitParams, documents: Path, tokens: Path, split: Path) -> Figures:
    """Write the file `split`."""
    if params.shares.folds is not None:
        fold = f"fold {params.shares.fold} of {params.shares.folds}"
        print(f"split: {fold} is the test; split.test={params.shares.test} is not used", file=sys.stderr)
    return Figures({**split_sentences(documents, tokens, split, params.by, params.shares)})


if __name__ == "__main__":
    with without_pandas():
        run_stage(main, "split")
