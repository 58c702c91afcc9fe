"""The runs of a cross-validation: the pipeline once a fold, and what each has left of its test items."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

from lengthwise.errors import SweepError
from lengthwise.evaluation.baseline_names import is_together
from lengthwise.evaluation.item_table import ITEMS_NAME, LevelScores, read_item_scores
from lengthwise.pipeline.settings.params import load_params
from lengthwise.pipeline.sweeps.grid_file import SCALARS, SweepRun, Value, changed_run, check_key
from lengthwise.prepare.splits import MOST_FOLDS
from lengthwise.system.strict_yaml import read_yaml
from lengthwise.system.variables import number_of

FOLDS, FOLD = "split.folds", "split.fold"
# Where stages leave what each test item adds to the metrics, a folder a model.
BASELINES, NETWORKS = "data/figures/baselines", "data/figures/evaluate"


@dataclass(frozen=True)
class FoldItems:
    """What a fold's models are worth on its test items.

    Attributes:
        baselines: by model, its levels.
        networks: by task.
        together: of a network and the linear model together, by their name.
    """

    baselines: Mapping[str, list[LevelScores]]
    networks: Mapping[str, list[LevelScores]]
    together: Mapping[str, list[LevelScores]] = field(default_factory=dict)

    @property
    def models(self) -> dict[str, list[LevelScores]]:
        """All of them, the baselines first."""
        return {**self.baselines, **self.networks, **self.together}


def fold_runs(folds: str, params_file: Path, keys: Path | None) -> list[SweepRun]:
    """A run of the whole pipeline for each fold.

    Args:
        folds: how many, as the command line has it.
        params_file: the values of all keys.
        keys: a YAML map of dotted keys and values that all folds have; None for none.

    Raises:
        ParamsError: the params file is wrong.
        SweepError: the number is, or the file of keys, or `params.yaml` may not have all of that together.
    """
    count = number_of(folds)
    if count is None or not 2 <= count <= MOST_FOLDS:
        raise SweepError(f"FOLDS: got {folds!r}; expected an integer from 2 to {MOST_FOLDS}; change it")
    base = load_params(params_file).model_dump()
    shared = {} if keys is None else _shared(keys, base)
    begin = "" if keys is None else f"{keys.stem}-"
    place = params_file if keys is None else keys
    runs = [
        changed_run(f"{begin}fold-{fold}-of-{count}", {**shared, FOLDS: count, FOLD: fold}, base, place)
        for fold in range(count)
    ]
    if refused := next((run for run in runs if run.params is None), None):
        raise SweepError(refused.refusal)
    return runs


def _shared(path: Path, base: Mapping[str, Any]) -> dict[str, Value]:
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise SweepError(f"{path}: got {content!r}; expected a map from dotted keys to values; see docs/folds.md")
    for key, value in content.items():
        check_key(path, base, key)
        if key in (FOLDS, FOLD):
            raise SweepError(f"{path}: {key}: each fold has its own; expected other keys; remove it")
        if not all(isinstance(item, SCALARS) for item in (value if isinstance(value, list) else [value])):
            raise SweepError(f"{path}: {key}: got {value!r}; expected one value; change it")
    return content


def items_at(reference: str, name: str) -> FoldItems:
    """The test items of a fold, from the DVC cache.

    Args:
        reference: of its experiment in Git.
        name: of the experiment, for messages.

    Raises:
        SweepError: the cache does not have them.
    """
    # It takes half a second and more to import.
    api: Any = importlib.import_module("dvc.api")
    files = api.DVCFileSystem(rev=reference)
    baselines, networks = (_models_below(files, folder, name) for folder in (BASELINES, NETWORKS))
    if not networks:
        raise SweepError(
            f"{name}: has no {ITEMS_NAME} below {NETWORKS}; expected an experiment of this version; dvc exp remove "
            f"{name}, and run this again"
        )
    together = {model: networks.pop(model) for model in [*networks] if is_together(model)}
    return FoldItems(baselines, networks, together)


def _models_below(files: Any, folder: str, name: str) -> dict[str, list[LevelScores]]:  # noqa: ANN401
    try:
        paths = sorted(path for path in files.find(folder) if PurePosixPath(path).name == ITEMS_NAME)
        return {
            PurePosixPath(path).parent.name: read_item_scores(BytesIO(files.read_bytes(path)), f"{path} of {name}")
            for path in paths
        }
    except OSError as error:
        reason = " ".join(str(error).split())
        raise SweepError(
            f"{name}: {folder} cannot be read ({reason}); expected it in the DVC cache; dvc exp remove {name}, and run "
            "this again"
        ) from error
