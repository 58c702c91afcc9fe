"""The documents that are generated, whole or in parts."""

from pathlib import Path

import lengthwise
from lengthwise.reports.charts.style import standalone
from lengthwise.reports.kept import Kept
from lengthwise.reports.markdown import with_blocks
from lengthwise.reports.model_card import model_card
from lengthwise.reports.page.scores import accuracy_chart
from lengthwise.reports.real_text import LEAK_CHART, leak_block, leak_chart, result_blocks
from lengthwise.reports.reference import ablations_table, params_tables, stages_table, strategies_table
from lengthwise.reports.results import results_table
from lengthwise.reports.run import Run
from lengthwise.system.files import replacing_file
from lengthwise.system.imports import drawing

PACKAGE = Path(lengthwise.__file__).parent
# The wings of the house, as docs/design.md draws them.
WINGS = {
    "library": ("predictor", "training", "evaluation", "models", "layers", "native", "batching", "system", "ground"),
    "preparation": ("corpora", "prepare"),
    "pipeline": ("cli", "pipeline", "reports"),
}
# The joint class and its factors; `make results` has the rest.
SHOWN = ("accuracy", "gender_accuracy", "age_bracket_accuracy")


def documents(root: Path) -> dict[Path, str]:
    """Every generated document of a working tree, and what it has to say.

    Raises:
        FormatError: what a document is made from is absent or damaged.
    """
    run, kept = Run(root / "metrics", root / "dvc.lock"), Kept(root / "results")
    pipeline = {"results": results_block(run.metrics), "stages": stages_table(root / "dvc.yaml")}
    docs, readme = root / "docs", root / "README.md"
    keys = {
        "params": params_tables(root / "params.yaml"),
        "ablations": ablations_table(root / "ablations" / "params.yaml"),
    }
    chart = leak_chart(kept)
    return {
        docs / "results.svg": standalone(accuracy_chart(run.levels)),
        **({} if chart is None else {docs / LEAK_CHART: standalone(chart)}),
        docs / "results.md": with_blocks(docs / "results.md", result_blocks(kept)),
        docs / "reference.md": with_blocks(docs / "reference.md", keys),
        docs / "design.md": with_blocks(
            docs / "design.md", {"wings": drawing(Path(lengthwise.__file__).parent, WINGS)}
        ),
        docs / "pipeline.md": with_blocks(docs / "pipeline.md", pipeline),
        docs / "batching.md": with_blocks(docs / "batching.md", {"strategies": strategies_table(run)}),
        root / "MODEL_CARD.md": model_card(run, root / "requirements.lock", root / "pyproject.toml"),
        readme: with_blocks(readme, {"real-text": leak_block(kept, f"docs/{LEAK_CHART}")}),
    }


def results_block(metrics: Path) -> str:
    """The accuracies of all models, as a block of code."""
    table = results_table(metrics)
    text = table[table.index.get_level_values("metric").isin(SHOWN)].to_string()
    return "\n".join(f"    {line.rstrip()}" for line in text.splitlines())


def write_documents(root: Path) -> None:
    """Write all generated documents of a working tree, or none.

    Raises:
        FormatError: what a document is made from is absent or damaged.
    """
    for path, text in documents(root).items():
        with replacing_file(path) as beside:
            beside.write_text(text, encoding="utf-8")
