"""Start a sweep: every combination of a grid file, or the named runs on a corpus of one's own.

Both exit with 0 if every run is kept, with 1 if some failed, each named with the end of its log, and with 2 before
anything is run if the file is wrong.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from lengthwise.errors import SweepError
from lengthwise.pipeline.stage import PARAMS_FILE
from lengthwise.pipeline.sweeps.grid_file import SweepRun, read_grid
from lengthwise.pipeline.sweeps.keep import keep
from lengthwise.pipeline.sweeps.named import read_named_runs
from lengthwise.pipeline.sweeps.sweep import LOGS, Sweep, run_and_exit

# Each takes DVC, TensorFlow and a workspace.
MOST_JOBS = 256


def run_grid(grid: Path, jobs: str) -> NoReturn:
    """Run every combination of a grid file as a DVC experiment, then exit.

    Args:
        grid: YAML file of dotted keys and their values.
        jobs: how many run at once, as the command line has it.

    Raises:
        SweepError: the number of jobs or the file is wrong.
    """
    number = _positive("JOBS", jobs)
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


def _positive(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_JOBS:
        raise SweepError(f"{name}: got {text!r}; expected an integer from 1 to {MOST_JOBS}; change it")
    return int(text)
