"""The documents that are generated, whole or in parts."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import lengthwise
from lengthwise.charts.style import standalone
from lengthwise.reports.model_card import CardWords, model_card
from lengthwise.reports.page.scores import accuracy_chart
from lengthwise.reports.reference import ablations_table, cells_table, params_tables, stages_table, strategies_table
from lengthwise.reports.results import results_table
from lengthwise.runs.kept import Kept
from lengthwise.runs.run import Run, run_in
from lengthwise.system.files import replacing_file
from lengthwise.system.imports import drawing
from lengthwise.system.markdown import with_blocks

PACKAGE = Path(lengthwise.__file__).parent
# The wings of the house, as docs/design.md draws them.
WINGS = {
    "library": (
        "testing",
        "generation",
        "predictor",
        "inference",
        "advice",
        "training",
        "evaluation",
        "models",
        "layers",
        "native",
        "batching",
        "system",
        "sources",
        "columns",
        "tables",
        "core",
        "ground",
    ),
    "preparation": ("corpora", "prepare"),
    "pipeline": ("charts", "cli", "pipeline", "reports", "runs", "verdict"),
}


def documents(root: Path) -> dict[Path, str]:
    """Every generated document of a working tree, and what it has to say.

    Raises:
        FormatError: what a document is made from is absent or damaged.
    """
    run, kept = run_in(root), Kept(root / "results")
    pipeline = {"results": results_block(run), "stages": stages_table(root / "dvc.yaml")}
    docs = root / "docs"
    keys = {
        "params": params_tables(root / "params.yaml"),
        "ablations": ablations_table(root / "ablations" / "params.yaml"),
    }
    card = _texts(str(run.params("ingest")["corpus"]), "card")
    words = CardWords() if card is None else card.WORDS
    of_corpora = [_texts(folder.name, "named_runs") for folder in sorted((PACKAGE / "corpora").iterdir())]
    return {
        docs / "results.svg": standalone(accuracy_chart(run.levels)),
        docs / "reference.md": with_blocks(docs / "reference.md", keys),
        docs / "design.md": with_blocks(docs / "design.md", {"wings": drawing(PACKAGE, WINGS)}),
        docs / "pipeline.md": with_blocks(docs / "pipeline.md", pipeline),
        docs / "batching.md": with_blocks(docs / "batching.md", {"strategies": strategies_table(run)}),
        docs / "layers.md": with_blocks(docs / "layers.md", {"cells": cells_table()}),
        root / "MODEL_CARD.md": model_card(run, words, root / "requirements.lock", root / "pyproject.toml"),
        **{path: text for module in of_corpora if module for path, text in module.written(root, kept).items()},
    }


def _texts(corpus: str, name: str) -> ModuleType | None:
    """A module of what a corpus has to say in documents, if it says anything: reports know no corpus by its name."""
    there = (PACKAGE / "corpora" / corpus / "texts" / f"{name}.py").is_file()
    return import_module(f"lengthwise.corpora.{corpus}.texts.{name}") if there else None


def results_block(run: Run) -> str:
    """The accuracies of all models, of the joint class and of its factors, as a block of code."""
    table = results_table(run)
    # `make results` has the rest.
    text = table[table.index.get_level_values("metric").str.endswith("accuracy")].to_string()
    return "\n".join(f"    {line.rstrip()}" for line in text.splitlines())


def write_documents(root: Path) -> None:
    """Write all generated documents of a working tree, or none.

    Raises:
        FormatError: what a document is made from is absent or damaged.
    """
    for path, text in documents(root).items():
        with replacing_file(path) as beside:
            beside.write_text(text, encoding="utf-8")
