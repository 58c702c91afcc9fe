"""Run named runs on a corpus of one's own: `python -m lengthwise.pipeline.sweeps.real RUNS CORPUS NAME...`.

Each is a DVC experiment; its params and metrics are written to a folder of its name beside the file. Without names all
are run. Exits as `python -m lengthwise.pipeline.sweeps` does.
"""

import argparse
from pathlib import Path

from lengthwise.errors import exit_on_user_error
from lengthwise.pipeline.stage import PARAMS_FILE
from lengthwise.pipeline.sweeps.grid import Run
from lengthwise.pipeline.sweeps.keep import keep
from lengthwise.pipeline.sweeps.named import read_named_runs
from lengthwise.pipeline.sweeps.sweep import LOGS, Sweep, run_and_exit


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, metavar="FILE", help="YAML file of named runs")
    parser.add_argument("corpus", type=Path, metavar="CORPUS", help="zip, folder or CSV of the corpus")
    parser.add_argument("names", nargs="*", metavar="RUN", help="a run's name (default: all)")
    options = parser.parse_args()
    with exit_on_user_error():
        runs = read_named_runs(options.file, PARAMS_FILE, options.corpus, options.names)

    def keep_run(run: Run, reference: str) -> None:
        keep(run, reference, options.file.parent / run.name)

    run_and_exit(Sweep(runs, LOGS / options.file.stem, keep=keep_run))


if __name__ == "__main__":
    main()
