"""baselines: score the majority class and linear models on the same split and at the same levels."""

from pathlib import Path

from lengthwise.pipeline.published import headline_of, write_headline
from lengthwise.pipeline.settings.params import BaselinesParams, EvaluateParams
from lengthwise.pipeline.stage import Figures, run_stage
from lengthwise.system.files import write_metrics


def main(
    params: BaselinesParams, evaluation: EvaluateParams, shards: Path, tables: Path, majority: Path, headline: Path
) -> Figures:
    """Write the folder `tables` and the files `majority` and `headline`; the linear models' figures are its own."""
    # scikit-learn takes a second to import: only once the params are known to be good.
    from lengthwise.pipeline.stages.baselines import evaluate_baselines

    figures = evaluate_baselines(shards, tables, params.options, evaluation.bootstrap)
    write_metrics(majority, figures["majority"])
    # Their likelihoods would make `dvc metrics show` wider than a terminal.
    write_headline(headline, {model: {"acc": headline_of(figures[model])["acc"]} for model in figures})
    return Figures({**figures["linear"]})


if __name__ == "__main__":
    run_stage(main, "baselines", "evaluate")
