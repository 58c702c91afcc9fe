"""The stage tokens beside a bare spaCy tokenizer with its sentencizer, over the same posts, in one run.

    python benchmarks/tokens.py data/documents.parquet --rounds 3

Prints seconds, tokens per second and ratios of medians: one worker against spaCy, two workers against one. Both give
the same tokens and sentences (tests/text holds that); only seconds are compared here.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import spacy

from lengthwise.corpus.documents import open_documents, read_texts
from lengthwise.progress import Progress
from lengthwise.text.normalization import Normalization
from lengthwise.text.tokens import SENTENCIZER, TokenizerOptions, tokenize

OPTIONS = TokenizerOptions("en", SENTENCIZER, Normalization(False, False), False)


def bare_spacy(documents: Path) -> int:
    """Tokenize and split all posts, keep nothing; returns the tokens seen, white space among them."""
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.max_length = 2**30
    file = open_documents(documents)
    tokens = 0
    with Progress("spaCy", file.metadata.num_rows, "documents") as progress:
        for number in range(file.num_row_groups):
            texts = read_texts(documents, number).to_pylist()
            tokens += sum(len(doc) for doc in nlp.pipe(texts))
            progress.update(len(texts))
    return tokens


def stage(documents: Path, workers: int) -> int:
    """Run the stage with this many workers; returns the tokens written."""
    with tempfile.TemporaryDirectory() as folder:
        return tokenize(documents, Path(folder) / "tokens", OPTIONS, workers)["tokens"]


def seconds(work: Callable[[], int]) -> tuple[float, int]:
    """How long it takes, and what it returns."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def main() -> None:
    """Run all variants in turn, several rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("documents", type=Path, metavar="DOCUMENTS", help="table of documents, from the stage ingest")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each variant (default: 3)")
    arguments = parser.parse_args()
    variants: dict[str, Callable[[], int]] = {
        "bare spaCy": lambda: bare_spacy(arguments.documents),
        "one worker": lambda: stage(arguments.documents, 1),
        "two workers": lambda: stage(arguments.documents, 2),
    }
    times: dict[str, list[float]] = {name: [] for name in variants}
    tokens = {}
    for _ in range(arguments.rounds):
        for name, work in variants.items():
            took, tokens[name] = seconds(work)
            times[name].append(took)
    middle = {name: median(values) for name, values in times.items()}
    # All rates count the stage's tokens, so that white space, which spaCy counts too, does not flatter it.
    for name, took in middle.items():
        print(f"{name:12} {took:8.1f} s {tokens['one worker'] / took:12,.0f} tokens/s")
    print(f"one worker / bare spaCy   {middle['bare spaCy'] / middle['one worker']:.2f}")
    print(f"two workers / one worker  {middle['one worker'] / middle['two workers']:.2f}")


if __name__ == "__main__":
    main()
