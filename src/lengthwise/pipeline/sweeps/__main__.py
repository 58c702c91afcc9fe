"""Run every combination of a grid file as a DVC experiment: `python -m lengthwise.pipeline.sweeps GRID`.

Exits with 0 if every run is there, with 1 if some failed, each named with the end of its log, and with 2 if the grid
file is wrong, before anything is run.
"""

import argparse
from pathlib import Path

from lengthwise.errors import SweepError, exit_on_user_error
from lengthwise.pipeline.stage import PARAMS_FILE
from lengthwise.pipeline.sweeps.grid import read_grid
from lengthwise.pipeline.sweeps.sweep import LOGS, Sweep, run_and_exit

# Each takes DVC, TensorFlow and a workspace.
MOST_JOBS = 256


def main() -> None:
    """Run the sweep that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("grid", type=Path, metavar="GRID", help="YAML file of dotted keys and their values")
    parser.add_argument(
        "--jobs", default="1", metavar="N", help="runs at once, which share the processors (%(default)s)"
    )
    options = parser.parse_args()
    with exit_on_user_error():
        jobs = _positive("JOBS", options.jobs)
        sweep = Sweep(read_grid(options.grid, PARAMS_FILE), LOGS / options.grid.stem, jobs)
    run_and_exit(sweep)


def _positive(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_JOBS:
        raise SweepError(f"{name}: got {text!r}; expected an integer from 1 to {MOST_JOBS}; change it")
    return int(text)


if __name__ == "__main__":
    main()
