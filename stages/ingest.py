"""ingest: read the corpus into one table of documents, every repair counted."""

from pathlib import Path

from lengthwise.corpora.corpus import Extract
from lengthwise.corpora.ingest import ingest
from lengthwise.pipeline.settings.params import IngestParams
from lengthwise.pipeline.stage import Figures, run_stage

MEBIBYTE = 1 << 20


def main(params: IngestParams, documents: Path) -> Figures:
    """Read the corpus into `documents`; its place is a param, so that no shell reads it."""
    extract = Extract(Path(params.source), params.max_member_mb * MEBIBYTE, params.groups)
    return Figures({**ingest(params.chosen, extract, documents)})


if __name__ == "__main__":
    run_stage(main, "ingest")
