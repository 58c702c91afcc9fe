"""The stage tokens beside a bare spaCy tokenizer with its sentencizer, over the same posts, in one run.

    python benchmarks/tokens.py data/documents.parquet --rounds 3

Prints seconds, tokens per second and ratios of medians: one worker against spaCy, two workers against one. Both give
the same tokens and sentences (tests/text holds that); only seconds are compared here. Each run is a process of its own
and pays for its start and imports, as the stage does.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median

# All else is imported where it is used: a run pays for what it needs, and for nothing else.


def bare_spacy(documents: Path) -> int:
    """Tokenize and split all posts, keep nothing; returns the tokens seen, white space among them."""
    import spacy

    from lengthwise.prepare.documents import open_documents, read_texts
    from lengthwise.system.progress import Progress

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
    from lengthwise.prepare.forms.tokenizer_options import SENTENCIZER, TokenizerOptions
    from lengthwise.prepare.text.tokens import tokenize

    options = TokenizerOptions("en", SENTENCIZER, False, False, None)
    with tempfile.TemporaryDirectory() as folder:
        return tokenize(documents, Path(folder) / "tokens", options, workers)["tokens"]


def seconds(work: Callable[[], int]) -> tuple[float, int]:
    """How long it takes in a new process, start and end included, and what it returns."""
    started = time.perf_counter()
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        result = process.submit(work).result()
    return time.perf_counter() - started, result


def main() -> None:
    """Run all variants in turn, several rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("documents", type=Path, metavar="DOCUMENTS", help="table of documents, from the stage ingest")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each variant (default: 3)")
    arguments = parser.parse_args()
    variants: dict[str, Callable[[], int]] = {
        "bare spaCy": partial(bare_spacy, arguments.documents),
        "one worker": partial(stage, arguments.documents, 1),
        "two workers": partial(stage, arguments.documents, 2),
    }
    times: dict[str, list[float]] = {name: [] for name in variants}
    tokens = {}
    for _ in range(arguments.rounds):
        for name, work in variants.items():
            took, tokens[name] = seconds(work)
            times[name].append(took)
            print(f"{name}: {took:.1f} s", flush=True)
    middle = {name: median(values) for name, values in times.items()}
    # All rates count the stage's tokens, so that white space, which spaCy counts too, does not flatter it.
    for name, took in middle.items():
        print(f"{name:12} {took:8.1f} s {tokens['one worker'] / took:12,.0f} tokens/s")
    print(f"one worker / bare spaCy   {middle['bare spaCy'] / middle['one worker']:.2f}")
    print(f"two workers / one worker  {middle['one worker'] / middle['two workers']:.2f}")


if __name__ == "__main__":
    main()
