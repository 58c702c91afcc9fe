"""Commands that run the pipeline many times: each calls one function of `lengthwise.pipeline.sweeps`."""

# Help needs \b: it keeps the line breaks of the paragraph below it.
# ruff: noqa: D301

from pathlib import Path
from typing import Annotated

import typer


def sweep(
    grid: Annotated[Path, typer.Argument(metavar="GRID", help="YAML file of dotted keys and their values.")],
    jobs: Annotated[str, typer.Option(metavar="N", help="Runs at once; they share the processors.")] = "1",
) -> None:
    """Run every combination of a grid file as a DVC experiment.

    \b
    Exit status:
      0  every run is kept as an experiment
      1  some runs failed; each is named with the end of its log
      2  the grid file is wrong; nothing was run

    \b
    Example:
      lengthwise sweep sweeps/learning_rate.yaml --jobs 2
    """
    from lengthwise.pipeline.sweeps.start import run_grid

    run_grid(grid, jobs)


def real(
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="Zip, folder or CSV of the corpus.")],
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN", help="Names of runs.  [default: all]", show_default=False),
    ] = None,
    file: Annotated[
        Path, typer.Option("--runs", metavar="FILE", help="YAML file of named runs; results are written beside it.")
    ] = Path("results/runs.yaml"),
) -> None:
    """Run the named runs on a corpus of your own.

    Their params and metrics are kept in results/. Each run is a DVC experiment. The exit status is that of `lengthwise
    sweep`.

    \b
    Example:
      lengthwise real corpus.zip article best_author
    """
    from lengthwise.pipeline.sweeps.start import run_named

    run_named(file, corpus, names or [])
