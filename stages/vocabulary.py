"""vocabulary: keep the most frequent tokens of the training split, in a readable table."""

from pathlib import Path

from lengthwise.pipeline.settings.params import VocabularyParams
from lengthwise.pipeline.stage import Figures, run_stage
from lengthwise.prepare.counting import build_vocabulary
from lengthwise.system.no_pandas import without_pandas


def main(params: VocabularyParams, tokens: Path, split: Path, vocabulary: Path) -> Figures:
    """Write the table `vocabulary`."""
    return Figures({**build_vocabulary(tokens, split, vocabulary, params.size)})


if __name__ == "__main__":
    with without_pandas():
        run_stage(main, "vocabulary")
