"""check: refuse wrong params before DVC clears the outputs of any other stage."""

from pathlib import Path

from lengthwise.pipeline.stage import run_without_figures
from lengthwise.pipeline.stages.check import check_files


def main(params: Path, ablations: Path, checked: Path) -> None:
    """Check the files `params` and `ablations`; write the file `checked`, whose content never changes."""
    check_files(params, ablations, checked)


if __name__ == "__main__":
    run_without_figures(main)
