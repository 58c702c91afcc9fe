"""How much a linear model is regularized, chosen by a split that is held out."""

from collections.abc import Callable, Mapping, Sequence

from lengthwise.evaluation.baseline_options import MOST_DECADES, LinearOptions
from lengthwise.evaluation.baseline_task import BaselineTask, SplitItems, Tried
from lengthwise.evaluation.score import loss_of_level
from lengthwise.evaluation.scoring.task_scoring import ItemScoring, PredictedColumns

# By model, predictions for the items of each split that is asked about.
OfLevel = dict[str, list[PredictedColumns]]


def tuned_models(
    task: BaselineTask,
    asked: Sequence[SplitItems],
    level: str,
    fit: Callable[[LinearOptions], OfLevel],
) -> tuple[OfLevel, list[Tried]]:
    """Fit the models of a level with a C that no decade less or more betters, and tell what was tried.

    From the C that is set it goes down as long as that is better, or else up: models of little C are fitted quickly.
    """
    fitted: dict[int, OfLevel] = {}
    losses: dict[int, float] = {}

    def loss(decades: int) -> float:
        if decades not in fitted:
            fitted[decades] = fit(task.options.linear.decades_away(decades))
            losses[decades] = _loss_of(task, asked, level, fitted[decades])
        return losses[decades]

    best = 0
    for direction in (-1, 1):
        # Where it went down, it does not go up.
        while best * direction >= 0 and abs(best + direction) <= MOST_DECADES and loss(best + direction) < loss(best):
            best += direction
    tried: list[Tried] = [
        {
            "level": level,
            "inverse_regularization": task.options.linear.decades_away(decades).inverse_regularization,
            "validation_loss": losses[decades],
            "chosen": decades == best,
        }
        for decades in sorted(fitted)
    ]
    return fitted[best], tried


def _loss_of(
    task: BaselineTask, asked: Sequence[SplitItems], level: str, fitted: Mapping[str, list[PredictedColumns]]
) -> float:
    """What the linear model of a level loses on the split that chooses: the first metric that is better if smaller."""
    assert task.judge is not None
    judge, predictions = asked[task.judge], fitted["linear"][task.judge]
    assert isinstance(task.scoring, ItemScoring)
    scored = task.scoring.levels_of(judge.sequences, judge.items, lambda of: predictions if of.name == level else None)
    losses = [loss_of_level(of) for of in scored]
    # A level of which the split has no item is not chosen for.
    return losses[0] if losses else 0.0
