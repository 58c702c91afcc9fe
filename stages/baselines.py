"""baselines: score simple models of each task, such as the majority class, on the same split and at the same levels."""

from pathlib import Path

from lengthwise.core.names import Task
from lengthwise.pipeline.published import headline_of, write_headline
from lengthwise.pipeline.settings.params import BaselinesParams, EvaluateParams
from lengthwise.pipeline.stage import Figures, run_stage


def main(
    params: BaselinesParams, evaluation: EvaluateParams, tasks: list[Task], shards: Path, figures: Path, headline: Path
) -> Figures:
    """Write the folder `figures` and the file `headline`."""
    # scikit-learn takes a second to import: only once the params are known to be good.
    from lengthwise.pipeline.stages.baselines import evaluate_baselines

    made = evaluate_baselines(shards, figures, tasks, params.options, evaluation.bootstrap)
    # Their likelihoods would make `dvc metrics show` wider than a terminal.
    write_headline(headline, {model: dict([*headline_of(of).items()][:1]) for model, of in made.items()})
    return Figures({})


if __name__ == "__main__":
    run_stage(main, "baselines", "evaluate", "tasks", files=("timing",))
