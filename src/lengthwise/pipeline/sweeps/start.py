"""Start a sweep: every combination of a grid file, the named runs on a corpus of one's own, or all folds.

All exit with 0 if every run is kept, with 1 if some failed, each named with the end of its log, and with 2 before
anything is run if the file is wrong.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from lengthwise.errors import SweepError
from lengthwise.pipeline.stage import PARAMS_FILE
from lengthwise.pipeline.sweeps.fold_runs import fold_runs, items_at
from lengthwise.pipeline.sweeps.grid_file import SweepRun, read_grid
from lengthwise.pipeline.sweeps.keep import keep
from lengthwise.pipeline.sweeps.named import read_named_runs
from lengthwise.pipeline.sweeps.search_file import is_search, read_search
from lengthwise.pipeline.sweeps.sweep import LOGS, Sweep, run_and_exit
from lengthwise.system.variables import number_of

# Each takes DVC, TensorFlow and a workspace.
MOST_JOBS = 256


def run_grid(grid: Path, jobs: str) -> NoReturn:
    """Run every combination of a grid file, or the trials of a search file, as DVC experiments, then exit.

    Args:
        grid: YAML file of dotted keys and their values; with the key `search` it is a search file.
        jobs: how many run at once, as the command line has it.

    Raises:
        SweepError: the number of jobs or the file is wrong.
    """
    number = _positive("JOBS", jobs)
    if is_search(grid):
        # Optuna takes a second to import.
        from lengthwise.pipeline.sweeps.search_runs import STUDY_NAME, SearchRuns

        plan = read_search(grid, PARAMS_FILE)
        source = SearchRuns(plan, LOGS / grid.stem / STUDY_NAME, number)
        run_and_exit(Sweep(source, LOGS / grid.stem, number))
    run_and_exit(Sweep(read_grid(grid, PARAMS_FILE), LOGS / grid.stem, number))


def run_named(file: Path, corpus: Path, names: Sequence[str]) -> NoReturn:
    """Run named runs on a corpus as DVC experiments, then exit.

    The params and metrics of each are written to a folder of its name beside the file.

    Args:
        file: YAML file of named runs.
        corpus: zip, folder or CSV.
        names: of the runs; all if there are none.

    Raises:
        SweepError: the file is wrong, or has no run of a name.
    """

    def keep_run(run: SweepRun, reference: str) -> None:
        keep(run, reference, file.parent / f"{run.name}.json")

    runs = read_named_runs(file, PARAMS_FILE, corpus, names)
    run_and_exit(Sweep(runs, LOGS / file.stem, keep=keep_run))


def run_folds(folds: str, keys: Path | None, jobs: str, out: Path) -> NoReturn:
    """Run all folds of a cross-validation as DVC experiments, print and write one table over them, then exit.

    Args:
        folds: how many, as the command line has it.
        keys: YAML file of dotted keys and values that all folds have; None for none.
        jobs: how many run at once, as the command line has it.
        out: a folder for the table, which is written if no fold failed; what was in it goes.

    Raises:
        SweepError: one of the numbers is wrong, or the file.
    """
    number, runs = _positive("JOBS", jobs), fold_runs(folds, PARAMS_FILE, keys)
    references: dict[str, str] = {}

    def keep_run(run: SweepRun, reference: str) -> None:
        references[run.name] = reference

    def conclude() -> str:
        # numpy and pandas and DVC's own imports take a second: only once all folds are there.
        from lengthwise.pipeline.sweeps.fold_table import pooled

        params = runs[0].params
        assert params is not None, "fold_runs refuses such"
        items = [items_at(references[run.name], run.name) for run in runs]
        tables = pooled(items, params.split.by == "group", params.evaluate.bootstrap)
        tables.write(out)
        return f"{tables.text()}\n\nThis table and its figures are in {out}."

    run_and_exit(Sweep(runs, LOGS / f"folds-{runs[0].name.partition('fold-')[0]}{folds}", number, keep_run), conclude)


def _positive(name: str, text: str) -> int:
    number = number_of(text)
    if number is None or number > MOST_JOBS:
        raise SweepError(f"{name}: got {text!r}; expected an integer from 1 to {MOST_JOBS}; change it")
    return number
