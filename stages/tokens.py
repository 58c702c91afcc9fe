"""tokens: split all documents into sentences of tokens with spaCy, once for every later choice."""

from pathlib import Path

from lengthwise.pipeline.settings.params import TokensParams
from lengthwise.pipeline.stage import Figures, run_stage, worker_count


def main(params: TokensParams, documents: Path, tokens: Path) -> Figures:
    """Tokenize `documents` into the folder `tokens`."""
    # spaCy takes a second to import: only once the params are known to be good.
    from lengthwise.prepare.text.tokens import tokenize

    workers = worker_count()
    counts = tokenize(documents, tokens, params.options, workers)
    return Figures({**counts}, {"workers": workers})


if __name__ == "__main__":
    run_stage(main, "tokens")
