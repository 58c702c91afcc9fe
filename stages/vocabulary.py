"""vocabulary: keep the most frequent tokens of the training split, in a readable table."""

from pathlib import Path

from lengthwise.counting import build_vocabulary
from lengthwise.params import VocabularyParams
from lengthwise.stage import Figures, run_stage


def main(params: VocabularyParams, tokens: Path, split: Path, vocabulary: Path) -> Figures:
    """Write the table `vocabulary`."""
    return Figures({**build_vocabulary(tokens, split, vocabulary, params.size)})


if __name__ == "__main__":
    run_stage(main, "vocabulary")
