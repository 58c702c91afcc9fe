"""split: assign every sentence to train, validation or test, by a hash of its author, document or itself."""

from pathlib import Path

from lengthwise.pipeline.settings.params import SplitParams
from lengthwise.pipeline.stage import Figures, run_stage
from lengthwise.prepare.splits import split_sentences


def main(params: SplitParams, documents: Path, tokens: Path, split: Path) -> Figures:
    """Write the file `split`."""
    return Figures({**split_sentences(documents, tokens, split, params.by, params.shares)})


if __name__ == "__main__":
    run_stage(main, "split")
