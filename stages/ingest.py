"""ingest: read the corpus into one table of documents, every repair counted."""

from pathlib import Path

from lengthwise.corpora.corpus import Extract
from lengthwise.corpora.ingest import ingest
from lengthwise.pipeline.settings.params import IngestParams
from lengthwise.pipeline.stage import Figures, run_stage, worker_count

MEBIBYTE = 1 << 20


def main(params: IngestParams, documents: Path) -> Figures:
    """Read the corpus into `documents`; its place is a param, so that no shell reads it."""
    source, limit = Path(params.source), params.max_member_mb * MEBIBYTE
    extract = Extract(source, limit, params.groups, worker_count())
    return Figures({**ingest(params.chosen, extract, documents)})


if __name__ == "__main__":
    run_stage(main, "ingest")
