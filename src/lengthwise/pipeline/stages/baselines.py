"""The stage baselines: shards in, the figures of the majority class and of linear models out."""

from pathlib import Path

import numpy as np
from scipy.sparse import vstack
from sklearn.feature_extraction.text import TfidfTransformer

from lengthwise.evaluation.baseline_models import count_tokens, linear, majority
from lengthwise.evaluation.level_tables import headline, level_figures, write_level_tables
from lengthwise.evaluation.levels import Items, Level, items_of
from lengthwise.evaluation.linear_options import LinearOptions
from lengthwise.evaluation.metrics import point_figures
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.labels import joint_class_names
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.system.files import replacing_folder
from lengthwise.system.progress import Progress

MODELS = ("majority", "linear")


def evaluate_baselines(
    shards: Path, tables: Path, options: LinearOptions, bootstrap: Bootstrap
) -> dict[str, dict[str, float]]:
    """Fit both models at every level on the training split and score the test split.

    Args:
        shards: the folder of shards.
        tables: a folder that gets, per model, a folder with `levels.csv` and `confusion_<level>.csv`.
        options: of the linear model.
        bootstrap: how intervals are made.

    Returns:
        The headline figures of each model; where there is a validation split, also its figures,
        `validation_<level>_...`: what is chosen, such as the options, is to be chosen by them.

    Raises:
        FormatError: the shards are absent or damaged.
    """
    index = read_index(shards)
    training, test, validation = (read_split(shards, index, name) for name in ("train", "test", "validation"))
    classes = len(joint_class_names(index.factors))
    levels: dict[str, list[Level]] = {model: [] for model in MODELS}
    held_out: dict[str, dict[str, float]] = {model: {} for model in MODELS}
    known_items = items_of(training.per_sequence, index.unit)
    asked_splits = [(test, items_of(test.per_sequence, index.unit))]
    if len(validation):
        asked_splits.append((validation, items_of(validation.per_sequence, index.unit)))
    with Progress("baselines", len(known_items) * options.max_iterations, "iterations") as progress:
        for place, known in enumerate(known_items):
            asked = [items[place] for _, items in asked_splits]
            counts = count_tokens(training, known, index.vocabulary_size)
            queries = vstack(
                [count_tokens(of, items[place], index.vocabulary_size) for of, items in asked_splits], format="csr"
            )
            if known.name != index.unit or index.unit != "sentence":
                weighting = TfidfTransformer(sublinear_tf=True).fit(counts)
                counts, queries = weighting.transform(counts), weighting.transform(queries)
            scores = {
                "majority": majority(known, queries.shape[0], classes),
                "linear": linear(counts, known.labels, queries, classes, options, progress),
            }
            for model in MODELS:
                on_test, *on_validation = (
                    _as_level(items, part)
                    for items, part in zip(asked, np.split(scores[model], [len(asked[0].labels)]), strict=False)
                )
                levels[model].append(on_test)
                for level in on_validation:
                    held_out[model] |= point_figures(level, index.factors)
    headlines = {}
    with replacing_folder(tables) as out:
        for model, scored in levels.items():
            figures = level_figures(model, scored, index.factors, bootstrap)
            (out / model).mkdir()
            write_level_tables(out / model, figures, scored, index.factors)
            headlines[model] = headline(figures) | {f"validation_{name}": of for name, of in held_out[model].items()}
    return headlines


def _as_level(items: Items, log_probabilities: np.ndarray) -> Level:
    return Level(items.name, log_probabilities, items.labels, items.author)
