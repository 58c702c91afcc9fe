"""Commands that run the pipeline many times: each calls one function of `lengthwise.pipeline.sweeps`."""

# Help needs \b: it keeps the line breaks of the paragraph below it.
# ruff: noqa: D301

from pathlib import Path
from typing import Annotated

import typer

from lengthwise.cli.pipes import write


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


def folds(
    number: Annotated[str, typer.Argument(metavar="K", help="How many folds, from 2 to 100.")],
    jobs: Annotated[str, typer.Option(metavar="N", help="Runs at once; they share the processors.")] = "1",
    keys: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="YAML file of dotted keys and values that all folds have.", show_default=False
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the table is written.")] = Path("results/folds"),
) -> None:
    """Cross-validate, each fold as a DVC experiment.

    The end has one table over all folds. In it each group of the corpus, such as an author, is tested once. The exit
    status is that of `lengthwise sweep`.

    \b
    Example:
      lengthwise folds 10 --jobs 2
    """
    from lengthwise.pipeline.sweeps.start import run_folds

    run_folds(number, keys, jobs, out)


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


def recipes() -> None:
    """List the recipes: named sets of keys, each for a kind of data.

    \b
    Example:
      lengthwise recipes
    """
    from lengthwise.pipeline.sweeps.recipes import read_recipes

    for name, recipe in read_recipes().items():
        write(f"{name}\n  {recipe.description}\n  of {recipe.source}\n")


def run(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="Name of a recipe, see `lengthwise recipes`.")],
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="The file or folder that it is run on.")],
) -> None:
    """Run a recipe on a file of yours as a DVC experiment.

    The exit status is that of `lengthwise sweep`. `dvc exp apply RECIPE` then brings params, metrics and networks into
    the working tree.

    \b
    Example:
      lengthwise run sms_spam sms-spam.tsv
    """
    from lengthwise.pipeline.sweeps.recipes import run_recipe

    run_recipe(recipe, source)
