"""ingest: read the corpus (zip, folder or CSV) into one table of documents, every repair counted."""

from pathlib import Path

from lengthwise.corpora.blogs.authors import AgeBrackets
from lengthwise.corpora.blogs.sources import MEBIBYTE
from lengthwise.corpora.ingest import ingest
from lengthwise.pipeline.settings.params import IngestParams
from lengthwise.pipeline.stage import Figures, run_stage


def main(params: IngestParams, documents: Path) -> Figures:
    """Read the corpus into `documents`; its place is a param, so that no shell reads it."""
    brackets = AgeBrackets({name: (low, high) for name, (low, high) in params.age_brackets.items()})
    counts = ingest(Path(params.source), documents, brackets, params.max_member_mb * MEBIBYTE, params.authors)
    return Figures({**counts})


if __name__ == "__main__":
    run_stage(main, "ingest")
