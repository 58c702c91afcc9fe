"""publish: write what Git keeps of a run, figures rounded to what every processor agrees on.

No stage of its own: the last command of those stages with which a part of the run is complete.
"""

from pathlib import Path

from lengthwise.pipeline.published import publish
from lengthwise.pipeline.stage import run_without_figures

METRICS = Path("metrics")


def main(figures: Path, metrics: list[Path]) -> None:
    """Write each of `metrics` from its like in the folder `figures`."""
    publish(figures, METRICS, [str(path.relative_to(METRICS)) for path in metrics])


if __name__ == "__main__":
    run_without_figures(main)
