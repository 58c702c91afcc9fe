"""Commands that read runs: each calls one function of `lengthwise.reports` and prints or writes what it returns."""

# Help needs \b: it keeps the line breaks of the paragraph below it.
# ruff: noqa: D301

from pathlib import Path
from typing import Annotated

import typer

from lengthwise.cli.pipes import write
from lengthwise.system.files import replacing_file

FAILURE = 1


def report(
    base: Annotated[str, typer.Option(metavar="REV", help="Commit, branch or tag to compare with.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to this file.  [default: standard output]")
    ] = None,
) -> None:
    """Judge what a change did to the metrics, in Markdown.

    Compares the working tree with a Git revision. The report has the verdict first, then metrics, params, data, cost
    and charts. It reads params.yaml and metrics/ of this pipeline, or what .lengthwise.yaml names in any other DVC
    repository. Run it in the folder with params.yaml. docs/reports.md explains the report.

    \b
    Exit status:
      0  no metric is worse or missing
      1  a metric is worse or missing, or params, code or data of a stage
         changed since the stage was run
      2  nothing could be compared; one line says why

    \b
    Examples:
      lengthwise report --base main
      lengthwise report --base "$(git merge-base origin/main HEAD)" --out report.md
    """
    from lengthwise.reports.change.report import report_on

    made = report_on(base, Path())
    if out is None:
        write(made.text)
    else:
        _write_file(out, made.text)
    if made.failed:
        raise typer.Exit(FAILURE)


def page(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN", help="Experiments, revisions or folders.  [default: .]", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="HTML file to write.")] = Path("report.html"),
) -> None:
    """Write one run, or several beside each other, as an HTML page.

    The page opens without a network. A run is a DVC experiment, a Git revision, or a folder with metrics/ and
    dvc.lock. Without a name the page shows the run of the working tree. If a folder has the name of an experiment or
    of a revision, write ./NAME.

    \b
    Examples:
      lengthwise page
      lengthwise page main wide-lstm . --out compared.html
    """
    from lengthwise.reports.page.pages import page_of

    _write_file(out, page_of(runs or [], Path()))


def results(
    metrics: Annotated[Path, typer.Argument(metavar="METRICS", help="Folder of metrics.")] = Path("metrics"),
) -> None:
    """Print every metric of the last run with its interval."""
    from lengthwise.reports.results import results_text

    write(f"{results_text(metrics)}\n")


def exps(
    commits: Annotated[str, typer.Option(metavar="N", help="Show the experiments of the last N commits.")] = "1",
) -> None:
    """Print the DVC experiments of this commit, the best first.

    The order is that of the validation accuracy. The table has the params that differ and the main metrics; `dvc exp
    show` has all of them.
    """
    from lengthwise.pipeline.sweeps.overview import experiments_text

    write(f"{experiments_text(commits)}\n")


def documents(
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="The working tree.")] = Path(),
) -> None:
    """Write the generated documents and charts.

    These are the model card, charts, and parts of README.md and of docs/. All of them are written, or none.
    """
    from lengthwise.reports.generated import write_documents

    write_documents(root)


def _write_file(path: Path, text: str) -> None:
    with replacing_file(path) as beside:
        beside.write_text(text, encoding="utf-8")
