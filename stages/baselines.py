"""baselines: score the majority class and linear models on the same split and at the same levels."""

from pathlib import Path

from lengthwise.files import write_metrics
from lengthwise.params import BaselinesParams, EvaluateParams
from lengthwise.stage import Figures, run_stage


def main(params: BaselinesParams, evaluation: EvaluateParams, shards: Path, tables: Path, majority: Path) -> Figures:
    """Write the folder `tables` and the metrics file `majority`; the linear models' metrics are the stage's own."""
    # scikit-learn takes a second to import: only once the params are known to be good.
    from lengthwise.evaluation.baselines import LinearOptions, evaluate_baselines
    from lengthwise.evaluation.metrics import Bootstrap

    options = LinearOptions(params.inverse_regularization, params.max_iterations)
    bootstrap = Bootstrap(evaluation.bootstrap_samples, evaluation.confidence, evaluation.seed)
    headlines = evaluate_baselines(shards, tables, options, bootstrap)
    write_metrics(majority, headlines["majority"])
    return Figures({**headlines["linear"]})


if __name__ == "__main__":
    run_stage(main, "baselines", "evaluate")
