"""The baselines of every task: fitted on one split, asked about others.

classes       `majority`: how frequent classes are; `linear`: logistic regression, of texts on counts of tokens, of all
              else on what `lengthwise.evaluation.item_features` says of an item
labels        the same for each label by itself
numbers       `mean`; `linear`: ridge regression on the same features
tags          `majority`: the commonest tag of each token; `linear`: logistic regression on windows of steps
next tokens   `majority`: how frequent tokens are; `ngram`: interpolated n-grams
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from sklearn.linear_model import Ridge

from lengthwise.core.labels import joint_class_names
from lengthwise.core.sequences import LABEL, LABELS, NUMBERS, TOKENS
from lengthwise.evaluation.baseline_models import fit_linear, majority, predict_linear
from lengthwise.evaluation.baseline_options import MOST_DECADES, LinearOptions
from lengthwise.evaluation.baseline_task import EVERY_LEVEL, BaselineTask, ByLevel, Fitted, SplitItems, Tried
from lengthwise.evaluation.bounded_rows import ModelRows, RowsInParts, predict_rows, rows_of_level
from lengthwise.evaluation.character_grams import character_grams
from lengthwise.evaluation.fit_in_parts import RidgeInParts, logistic_in_parts
from lengthwise.evaluation.levels import Items
from lengthwise.evaluation.ngrams import NextTokens, NgramModel
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.evaluation.score import TaskScores, figures_of, points_of, score_task
from lengthwise.evaluation.scoring.class_scoring import ClassScoring
from lengthwise.evaluation.scoring.label_scoring import LabelScoring
from lengthwise.evaluation.scoring.next_token_scoring import NextTokenScoring
from lengthwise.evaluation.scoring.number_scoring import NumberScoring
from lengthwise.evaluation.scoring.tag_scoring import TagScoring, of_tags
from lengthwise.evaluation.scoring.task_scoring import ItemScoring, PredictedColumns, TaskScoring, with_one_target
from lengthwise.evaluation.tag_models import WindowTagger, commonest_tags
from lengthwise.evaluation.tuning import tuned_models
from lengthwise.system.progress import Progress

# From the task, the training split, those that are asked about, and progress.
Fit = Callable[[BaselineTask, SplitItems, Sequence[SplitItems], Progress], Fitted]
# From the training items, their targets, their rows, the rows of each split that is asked about, and options: by model,
# predictions for the items of these.
FitLevel = Callable[[Items, np.ndarray, ModelRows, list[ModelRows], LinearOptions], dict[str, list[PredictedColumns]]]


def fit_baselines(task: BaselineTask, training: SplitItems, asked: Sequence[SplitItems], progress: Progress) -> Fitted:
    """Fit a task's baselines and ask them.

    Models of items are fitted to the items of each level by themselves; those of steps have one prediction for all
    levels, under the name `EVERY_LEVEL`.

    Args:
        task: what is predicted, from what.
        training: on which they are fitted.
        asked: splits for which they predict.
        progress: of `baseline_work(task, training)` units.
    """
    return FITS[type(task.scoring)](task, training, asked, progress)


def baseline_work(task: BaselineTask, training: SplitItems) -> int:
    """What is done in all, for the progress."""
    if isinstance(task.scoring, TagScoring):
        return int(training.sequences.offsets[-1]) * task.options.tags.epochs
    if isinstance(task.scoring, NextTokenScoring):
        return int(training.sequences.offsets[-1])
    assert isinstance(task.scoring, ItemScoring)
    fits = len(task.scoring.names) if isinstance(task.scoring, LabelScoring) else 1
    levels = with_one_target(training.items, task.scoring.targets(training.sequences))
    return len(levels) * fits * task.options.linear.max_iterations * (1 + 2 * MOST_DECADES * task.tunes)


def score_baseline(
    model: str, scoring: TaskScoring, split: SplitItems, by_level: ByLevel, bootstrap: Bootstrap
) -> TaskScores:
    """Score a baseline's predictions for a split, as `lengthwise.evaluation.score.score_task` does a network's.

    Args:
        model: its name in the figures.
        scoring: what is predicted.
        split: for which it was asked.
        by_level: what it said.
        bootstrap: how intervals are made.
    """
    if not isinstance(scoring, ItemScoring):
        return score_task(model, scoring, split.sequences, by_level[EVERY_LEVEL], split.items, bootstrap)
    levels = scoring.levels_of(split.sequences, split.items, lambda items: by_level.get(items.name))
    group = split.items[0].group
    finest = {name: values[group] for name, values in by_level[split.items[0].name].items()}
    return TaskScores(
        figures_of(model, levels, bootstrap), levels, scoring.tables(split.sequences, finest, split.items)
    )


def baseline_points(scoring: TaskScoring, split: SplitItems, by_level: ByLevel) -> dict[str, float]:
    """What a choice is made by: see `lengthwise.evaluation.score.points_of`."""
    if isinstance(scoring, ItemScoring):
        return points_of(scoring.levels_of(split.sequences, split.items, lambda items: by_level.get(items.name)))
    return points_of(scoring.levels(split.sequences, by_level[EVERY_LEVEL], split.items))


def _fit_items(
    task: BaselineTask,
    training: SplitItems,
    asked: Sequence[SplitItems],
    targets: np.ndarray,
    fit: FitLevel,
    progress: Progress,
) -> Fitted:
    """Fit models to the items of each level that have one target each.

    Args:
        task: what is predicted, from what.
        training: on which they are fitted.
        asked: splits for which they predict.
        targets: (S, ...), of the training sequences.
        fit: fits those of one level.
        progress: it counts.
    """
    made: dict[str, list[dict[str, PredictedColumns]]] = {}
    tried: list[Tried] = []
    longest = task.options.linear.characters
    grams = None if longest is None else character_grams(task.tokens, longest)
    fits: list[Tried] = []
    for known in with_one_target(training.items, targets):
        # Texts are known by their words alone; each word of a sentence counts as it is.
        of_text = isinstance(task.scoring, ClassScoring) and task.inputs.names == (TOKENS,)
        of_sentences = known.name == training.items[0].name == "sentence"
        # A sentence has too few n-grams of characters.
        rows = rows_of_level(
            task,
            training,
            known,
            asked,
            weighted=not (of_text and of_sentences),
            lengths=not of_text,
            grams=None if of_sentences else grams,
        )
        ways = FITTED_BY_PASSES if rows.in_parts else FITTED_AT_ONCE
        fits.append({"level": known.name, "features_mb": rows.megabytes, "fitted_by": ways[type(task.scoring)]})
        _, first = np.unique(known.group, return_index=True)
        of_level = partial(fit, known, targets[first], rows.training, rows.asked)
        if task.tunes:
            begun = progress.done
            fitted, found = tuned_models(task, asked, known.name, of_level)
            tried += found
            # What was not tried is done too.
            progress.update((progress.done - begun) // len(found) * (1 + 2 * MOST_DECADES - len(found)))
        else:
            fitted = of_level(task.options.linear)
        for model, predictions in fitted.items():
            of_model = made.setdefault(model, [{} for _ in asked])
            for by_level, of_items in zip(of_model, predictions, strict=True):
                by_level[known.name] = of_items
    return Fitted({model: [*of_model] for model, of_model in made.items()}, tried, fits)


def _classes(task: BaselineTask, training: SplitItems, asked: Sequence[SplitItems], progress: Progress) -> Fitted:
    scoring = task.scoring
    assert isinstance(scoring, ClassScoring)
    classes = len(joint_class_names(scoring.factors))

    def fit(
        known: Items, labels: np.ndarray, rows: ModelRows, others: list[ModelRows], options: LinearOptions
    ) -> dict[str, list[PredictedColumns]]:
        frequent = [majority(known, other.shape[0], classes) for other in others]
        scores = _logistic(rows, labels, others, classes, options, progress)
        return {
            "majority": [{"log_probabilities": of} for of in frequent],
            "linear": [{"log_probabilities": of} for of in scores],
        }

    return _fit_items(task, training, asked, training.sequences[LABEL], fit, progress)


def _logistic(
    rows: ModelRows,
    labels: np.ndarray,
    others: Sequence[ModelRows],
    classes: int,
    options: LinearOptions,
    progress: Progress,
) -> list[np.ndarray]:
    """Log-probabilities of the rows of each split; where all training items have one class, it is certain of it."""
    if (labels == labels[0]).all():
        progress.update(options.max_iterations)
        certain = np.full(classes, np.log(np.finfo(float).tiny))
        certain[labels[0]] = 0
        return [np.tile(certain, (other.shape[0], 1)) for other in others]
    if isinstance(rows, RowsInParts):
        model = logistic_in_parts(rows, labels, options, progress)
    else:
        model = fit_linear(rows, labels, options, progress)
    return [predict_rows(lambda queries: predict_linear(model, queries, classes), other) for other in others]


def _labels(task: BaselineTask, training: SplitItems, asked: Sequence[SplitItems], progress: Progress) -> Fitted:
    def fit(
        _: Items, labels: np.ndarray, rows: ModelRows, others: list[ModelRows], options: LinearOptions
    ) -> dict[str, list[PredictedColumns]]:
        yes = labels.sum(axis=0)
        odds = np.log(yes + 1) - np.log(len(labels) - yes + 1)
        of_labels = []
        for place, label in enumerate((labels > 0).astype(np.int64).T):
            if 0 < yes[place] < len(labels):
                scores = _logistic(rows, label, others, 2, options, progress)
                of_labels.append([of[:, 1] - of[:, 0] for of in scores])
            else:  # A label that nothing has, or all have, is as frequent as it is.
                progress.update(options.max_iterations)
                of_labels.append([np.full(other.shape[0], odds[place]) for other in others])
        return {
            "majority": [{"logits": np.tile(odds, (other.shape[0], 1))} for other in others],
            "linear": [{"logits": np.stack(of_split, axis=1)} for of_split in zip(*of_labels, strict=True)],
        }

    return _fit_items(task, training, asked, training.sequences[LABELS], fit, progress)


def _numbers(task: BaselineTask, training: SplitItems, asked: Sequence[SplitItems], progress: Progress) -> Fitted:
    def fit(
        _: Items, numbers: np.ndarray, rows: ModelRows, others: list[ModelRows], options: LinearOptions
    ) -> dict[str, list[PredictedColumns]]:
        if isinstance(rows, RowsInParts):
            model = RidgeInParts(rows, numbers, options)
        else:
            model = Ridge(alpha=0.5 / options.inverse_regularization).fit(rows, numbers)
        progress.update(options.max_iterations)
        mean, width = numbers.mean(axis=0), numbers.shape[1]
        return {
            "mean": [{"predicted": np.tile(mean, (other.shape[0], 1))} for other in others],
            "linear": [{"predicted": predict_rows(model.predict, other).reshape(-1, width)} for other in others],
        }

    return _fit_items(task, training, asked, np.asarray(training.sequences[NUMBERS], np.float64), fit, progress)


def _tags(task: BaselineTask, training: SplitItems, asked: Sequence[SplitItems], progress: Progress) -> Fitted:
    scoring = task.scoring
    assert isinstance(scoring, TagScoring)
    column, classes = scoring.column, len(scoring.classes)
    tagger = WindowTagger.fit(training.sequences, column, classes, task.inputs.names, task.options.tags, progress)
    scores = {
        "majority": [commonest_tags(training.sequences, split.sequences, column, classes) for split in asked],
        "linear": [tagger.predict(split.sequences) for split in asked],
    }
    return Fitted(
        {
            model: [{EVERY_LEVEL: of_tags(of, split.sequences[column])} for of, split in zip(made, asked, strict=True)]
            for model, made in scores.items()
        }
    )


def _next_tokens(task: BaselineTask, training: SplitItems, asked: Sequence[SplitItems], progress: Progress) -> Fitted:
    size = task.inputs.counted[TOKENS]
    frequent = np.log(np.bincount(training.sequences[TOKENS], minlength=size) + 1)
    frequent -= np.log(np.exp(frequent).sum())
    model = NgramModel.fit(training.sequences, size, task.options.ngrams.order)
    progress.update(int(training.sequences.offsets[-1]))

    def unigrams(tokens: np.ndarray) -> NextTokens:
        return NextTokens(np.full(len(tokens), frequent.argmax(), np.int32), frequent[tokens])

    made = {
        "majority": [unigrams(split.sequences[TOKENS]) for split in asked],
        "ngram": [model.predict(split.sequences) for split in asked],
    }
    return Fitted({name: [{EVERY_LEVEL: vars(of)} for of in predictions] for name, predictions in made.items()})


# How linear models of items are fitted where memory holds the features of all items, and where it does not.
FITTED_AT_ONCE: dict[type[TaskScoring], str] = {ClassScoring: "lbfgs", LabelScoring: "lbfgs", NumberScoring: "ridge"}
FITTED_BY_PASSES: dict[type[TaskScoring], str] = {
    ClassScoring: "minibatches",
    LabelScoring: "minibatches",
    NumberScoring: "conjugate_gradients",
}
FITS: dict[type[TaskScoring], Fit] = {
    ClassScoring: _classes,
    LabelScoring: _labels,
    TagScoring: _tags,
    NumberScoring: _numbers,
    NextTokenScoring: _next_tokens,
}
