"""evaluate: score a trained network once on the test split, per sequence, document and group, and with `linear`."""

from pathlib import Path

from lengthwise.pipeline.published import headline_of, write_headline
from lengthwise.pipeline.settings.params import EvaluateParams
from lengthwise.pipeline.stage import Figures, quiet_tensorflow, run_stage


def main(
    params: EvaluateParams, shards: Path, model: Path, baselines: Path, predictions: Path, tables: Path, headline: Path
) -> Figures:
    """Score `model` on `shards`, alone and with the linear one of `baselines`; write what the other paths name."""
    # TensorFlow takes seconds to import: only once the params are known to be good.
    with quiet_tensorflow():
        from lengthwise.pipeline.stages.evaluate import evaluate

    figures = evaluate(shards, model, predictions, tables, params.bootstrap, params.kernel, baselines)
    write_headline(headline, {model.name: headline_of(figures)})
    return Figures({**figures})


if __name__ == "__main__":
    run_stage(main, "evaluate")
