"""Run every combination of a grid file as a DVC experiment: `python -m lengthwise.sweeps sweeps/learning_rate.yaml`.

Exits with 0 if every run is there, with 1 if some failed, each named with the end of its log, and with 2 if the grid
file is wrong, before anything is run.
"""

import argparse
from pathlib import Path

from lengthwise.errors import exit_on_user_error
from lengthwise.stage import PARAMS_FILE
from lengthwise.sweeps.grid import read_grid
from lengthwise.sweeps.sweep import LOGS, Sweep, run_and_exit


def main() -> None:
    """Run the sweep that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("grid", type=Path, metavar="GRID", help="YAML file of dotted keys and their values")
    path = parser.parse_args().grid
    with exit_on_user_error():
        sweep = Sweep(read_grid(path, PARAMS_FILE), LOGS / path.stem)
    run_and_exit(sweep)


if __name__ == "__main__":
    main()
