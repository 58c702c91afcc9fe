"""ingest: read the corpus (zip, folder or CSV) into one table of documents, every repair counted."""

from pathlib import Path

from lengthwise.corpus.authors import AgeBrackets
from lengthwise.corpus.ingest import ingest
from lengthwise.corpus.sources import MEBIBYTE
from lengthwise.params import IngestParams
from lengthwise.stage import Figures, run_stage


def main(params: IngestParams, source: Path, documents: Path) -> Figures:
    """Read `source` into `documents`."""
    brackets = AgeBrackets({name: (low, high) for name, (low, high) in params.age_brackets.items()})
    counts = ingest(source, documents, brackets, params.max_member_mb * MEBIBYTE, params.authors)
    return Figures({**counts})


if __name__ == "__main__":
    run_stage(main, "ingest")
