"""`.lengthwise.yaml`: which metrics a repository has, what each is, and where the predictions are that they are of."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from lengthwise.errors import ParamsError
from lengthwise.system.dotted import finite
from lengthwise.system.strict_yaml import read_yaml

FILE = ".lengthwise.yaml"
# So that 200 pairs of equal runs hardly ever have more than ten alarms: at 0.95, every fourth trial had.
CONFIDENCE = 0.975
# Means over items, which predictions give: 1 if higher is better, -1 if lower is; and the columns that they need.
ITEMWISE: dict[str, tuple[int, tuple[str, ...]]] = {
    "accuracy": (1, ("prediction",)),
    "log_loss": (-1, ("score",)),
    "brier": (-1, ("score",)),
    "absolute_error": (-1, ("prediction",)),
    "squared_error": (-1, ("prediction",)),
}
DIRECTIONS = {"higher": 1, "lower": -1}
KINDS = (*ITEMWISE, *DIRECTIONS)
COLUMNS = ("id", "target", "prediction", "score", "group")
SUFFIXES = (".csv", ".tsv", ".json", ".parquet")


@dataclass(frozen=True)
class ConfiguredMetric:
    """One metric.

    Attributes:
        file: the JSON that has it, relative to the project.
        name: its dotted key there.
        kind: of `KINDS`.
        tolerance: the smallest difference that counts; None if none is given.
        training_noise: the standard deviation of the metric among runs that differ in their seed alone.
    """

    file: str
    name: str
    kind: str
    tolerance: float | None = None
    training_noise: float = 0.0

    @property
    def sign(self) -> int:
        """1 if higher is better, -1 if lower is."""
        return ITEMWISE[self.kind][0] if self.kind in ITEMWISE else DIRECTIONS[self.kind]


@dataclass(frozen=True)
class Config:
    """What a repository says of itself.

    Attributes:
        metrics: at least one.
        predictions: the file; None if there is none.
        columns: the file's columns by what they are to us, of `COLUMNS`.
        confidence: that no figure of equal runs is taken for better or worse.
    """

    metrics: tuple[ConfiguredMetric, ...]
    predictions: str | None = None
    columns: Mapping[str, str] | None = None
    confidence: float = CONFIDENCE


def read_config(folder: Path) -> Config | None:
    """What a project's `.lengthwise.yaml` says; None if it has none.

    Raises:
        ParamsError: a key is unknown, missing or of a wrong value.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    content = _map("", read_yaml(path), "a map with the key metrics")
    _known("", content, ("metrics", "predictions", "columns", "tolerance", "training_noise", "confidence"))
    if "metrics" not in content:
        raise _wrong("metrics", "nothing", "a map of files to their metrics, as {eval/metrics.json: {acc: accuracy}}")
    kinds = dict(_kinds(content["metrics"]))
    names = {name for _, name in kinds}
    tolerances = _numbers(content, "tolerance", names, lambda value: value >= 0, "a number from 0 on")
    noises = _numbers(content, "training_noise", names, lambda value: value >= 0, "a number from 0 on")
    metrics = tuple(
        ConfiguredMetric(file, name, kind, tolerances.get(name), noises.get(name, 0.0))
        for (file, name), kind in kinds.items()
    )
    confidence = content.get("confidence", CONFIDENCE)
    if not finite(confidence) or not 0.5 <= confidence < 1:
        raise _wrong("confidence", confidence, "a number from 0.5 to below 1")
    if "predictions" not in content:
        for metric in metrics:
            if metric.kind in ITEMWISE:
                expected = f"the file that {metric.name} ({metric.kind}) is made from; or the kind higher or lower"
                raise _wrong("predictions", "nothing", expected)
        return Config(metrics, confidence=confidence)
    predictions = _path("predictions", content["predictions"], SUFFIXES)
    return Config(metrics, predictions, _columns(content.get("columns"), metrics), confidence)


def _kinds(content: object) -> Iterator[tuple[tuple[str, str], str]]:
    example = "a map of files to their metrics, as {eval/metrics.json: {acc: accuracy}}"
    for file, names in _map("metrics", content, example).items():
        path = _path("metrics", file, (".json",))
        for name, kind in _map(f"metrics.{file}", names, "a map of its metrics, as {acc: accuracy}").items():
            if kind not in KINDS:
                raise _wrong(f"metrics.{file}.{name}", kind, f"one of {', '.join(KINDS)}")
            yield (path, str(name)), kind


def _columns(content: object, metrics: tuple[ConfiguredMetric, ...]) -> dict[str, str]:
    columns = _map("columns", content, "a map, as {id: id, target: label, prediction: predicted}")
    _known("columns.", columns, COLUMNS)
    for name, column in columns.items():
        if not isinstance(column, str) or not column:
            raise _wrong(f"columns.{name}", column, "the name of a column of the predictions")
    needed = {column: metric for metric in metrics for column in ITEMWISE.get(metric.kind, (0, ()))[1]}
    for name in ("id", "target", *needed):
        if name not in columns:
            use = f", which {needed[name].name} ({needed[name].kind}) is made from" if name in needed else ""
            raise _wrong(f"columns.{name}", "nothing", f"the name of a column of the predictions{use}")
    return columns


def _numbers(
    content: Mapping[str, Any], key: str, names: Collection[str], allowed: Callable[[float], bool], expected: str
) -> dict[str, float]:
    if key not in content:
        return {}
    values = _map(key, content[key], "a map of metrics to numbers, as {acc: 0.005}")
    _known(f"{key}.", values, sorted(names))
    for name, value in values.items():
        if not finite(value) or not allowed(value):
            raise _wrong(f"{key}.{name}", value, expected)
    return values


def _path(key: str, value: object, suffixes: tuple[str, ...]) -> str:
    expected = f"a file below this folder that ends in {' or '.join(suffixes)}"
    if not isinstance(value, str) or not value.endswith(suffixes):
        raise _wrong(key, value, expected)
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or "\0" in value:
        raise _wrong(key, value, expected)
    return path.as_posix()


def _map(key: str, value: object, expected: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        raise _wrong(key, value, expected)
    for name in value:
        if not isinstance(name, str):
            raise _wrong(f"{key}.{name}".lstrip("."), name, "a key that is text; put it into quotes")
    return value


def _known(prefix: str, content: Mapping[str, Any], known: Collection[str]) -> None:
    for name in content:
        if name not in known:
            raise ParamsError(f"{FILE}: {prefix}{name}: is unknown; expected one of {', '.join(known)}; rename it")


def _wrong(key: str, value: object, expected: str) -> ParamsError:
    got = value if value == "nothing" else f"{value!r:.80}"
    return ParamsError(f"{FILE}: {key}{': ' if key else ''}got {got}; expected {expected}; change it")
