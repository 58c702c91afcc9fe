"""A run is some keys of `params.yaml` changed; a grid file maps such keys to values, every combination a run."""

import copy
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from lengthwise.errors import ParamsError, SweepError
from lengthwise.pipeline.settings.params import Params, check_params, load_params
from lengthwise.system.dotted import leaves
from lengthwise.system.strict_yaml import read_yaml

# What Git refuses in the name of a reference, a shell would take apart, or looks like a path.
NOT_IN_A_NAME = re.compile(r"\.{2,}|\.(lock)?$|[^A-Za-z0-9._+=,-]+")
# A reference is a file, and Git adds to its name while it writes it.
LONGEST_NAME = 200
SCALARS = (bool, int, float, str, type(None))

Value = bool | int | float | str | list[Any] | None
Place = tuple[str, ...]


@dataclass(frozen=True)
class SweepRun:
    """The pipeline with some values changed.

    Attributes:
        name: of its experiment; of a combination of a grid's values, it says them.
        values: what it sets, by dotted key.
        params: all params of the run; None if these values are refused.
        refusal: why they are refused, in one line.
        targets: DVC files or stages that it runs, if not the whole pipeline.
    """

    name: str
    values: Mapping[str, Value]
    params: Params | None
    refusal: str = ""
    targets: Sequence[str] = ()

    @property
    def overrides(self) -> list[str]:
        """What `dvc exp run` takes behind each `-S`."""
        return [override(key, value) for key, value in self.values.items()]


def read_grid(path: Path, params_file: Path) -> list[SweepRun]:
    """All runs of a grid file, in its order, the last key changing fastest.

    A value that no run may have is an error. Values that `params.yaml` may not have together are refused run by run: in
    a grid of batching strategies and directions, one pair makes no sense and the others do.

    Args:
        path: the grid file.
        params_file: the values of all keys that the grid leaves alone.

    Raises:
        ParamsError: one of the files cannot be read, or the params file is wrong by itself.
        SweepError: the grid is no map, a key is no key of the params file, a key's values are not a list of values, or
            `params.yaml` may not have one of them.
    """
    base = load_params(params_file).model_dump()
    content = read_yaml(path)
    if not isinstance(content, dict) or not content:
        expected = "a map from dotted keys to lists of values"
        raise SweepError(f"{path}: got {content!r}; expected {expected}; see docs/sweeps.md")
    options = {key: grid_options(path, base, key, values) for key, values in content.items()}
    names = _short_names(base)
    combinations = [dict(zip(options, values, strict=True)) for values in product(*options.values())]
    runs = [changed_run(_name(values, names), values, base, path) for values in combinations]
    _refuse_values(options, combinations, runs)
    return runs


def _refuse_values(
    options: Mapping[str, list[Value]], combinations: Sequence[Mapping[str, Value]], runs: Sequence[SweepRun]
) -> None:
    for key, values in options.items():
        for value in values:
            # By identity: 1 equals true and 1.0.
            of_value = [run for run, chosen in zip(runs, combinations, strict=True) if chosen[key] is value]
            if all(run.params is None for run in of_value):
                raise SweepError(of_value[0].refusal)


def changed_run(name: str, values: Mapping[str, Value], base: Mapping[str, Any], path: Path) -> SweepRun:
    """A run that changes some values; it is refused if `params.yaml` may not have them.

    Args:
        name: of its experiment.
        values: by dotted keys, each one of the base's, see `check_key`.
        base: the values of all keys.
        path: where the values are from, for the message.
    """
    content = copy.deepcopy({**base})
    for key, value in values.items():
        *sections, last = key.split(".")
        here: Any = content
        for section in sections:
            here = here[section]
        here[last] = value
    try:
        params = check_params(content, path)
    except ParamsError as error:
        return SweepRun(name, values, None, str(error))
    # What was written as text and means a number (1e-3) is a number from here on; all else is set as it was written.
    read = dict(leaves(params.model_dump()))
    meant = {key: read[key] if isinstance(read.get(key), int | float) else value for key, value in values.items()}
    return SweepRun(name, meant, params)


def check_key(path: Path, base: Mapping[str, Any], key: object) -> None:
    """Refuse what is no dotted key of a value.

    Raises:
        SweepError: it is unknown, or names a section.
    """
    place = key.split(".") if isinstance(key, str) else [key]
    here: Any = base
    for part in place:
        if not isinstance(here, dict) or part not in here:
            known = f"one of {', '.join(map(str, here))}" if isinstance(here, dict) else "nothing below it"
            raise SweepError(f"{path}: {key}: is no key, at {part!r}; expected {known}; rename or remove it")
        here = here[part]
    if isinstance(here, dict):
        raise SweepError(f"{path}: {key}: is a section; expected a key in it, one of {', '.join(here)}; add its name")


def override(key: str, value: Value) -> str:
    """`KEY=VALUE` in the grammar of `dvc exp run -S`, which is Hydra's.

    That grammar has no key that begins with a digit, as names of classes may: what is set then is the map that it
    stands in, which leaves the map's other keys alone.
    """
    parent, _, last = key.rpartition(".")
    if parent and not re.fullmatch(r"[A-Za-z_]\w*", last, re.ASCII):
        return f"{parent}={{{last}:{_literal(value)}}}"
    return f"{key}={_literal(value)}"


def _literal(value: Value) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_literal, value))}]"
    if isinstance(value, str):
        # Backslashes are escaped where a quote follows, be it the closing one, and only there.
        text = re.sub(r"(\\*)('|\Z)", lambda match: match[1] * 2 + ("\\'" if match[2] else ""), value)
        return f"'{text}'"
    return json.dumps(value)


def _plain(value: Value) -> str:
    if isinstance(value, list):
        return "-".join(map(_plain, value))
    return value if isinstance(value, str) else json.dumps(value)


def grid_options(path: Path, base: Mapping[str, Any], key: object, values: object) -> list[Value]:
    """The values of one key of the grid, checked to be values but not yet to be legal ones.

    Raises:
        SweepError: the key is none, or its values are not a list of different values.
    """
    check_key(path, base, key)
    options: list[Value] = _as_list(values)
    if not options:
        raise SweepError(f"{path}: {key}: got an empty list; expected at least one value; add one or remove the key")
    for value in options:
        if not all(isinstance(item, SCALARS) for item in _as_list(value)):
            raise SweepError(f"{path}: {key}: got {value!r}; expected a value, or a list of values to try; change it")
    texts = [repr(value) for value in options]
    if twice := next((text for text in texts if texts.count(text) > 1), None):
        raise SweepError(f"{path}: {key}: got {twice} twice; expected different values; remove one")
    return options


def _as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def combination_name(values: Mapping[str, Value], base: Mapping[str, Any]) -> str:
    """The name of a run's experiment: its values, each with the shortest end of its key that no other key has.

    Args:
        values: by dotted key.
        base: the values of all keys.
    """
    return _name(values, _short_names(base))


def _name(values: Mapping[str, Value], names: Mapping[str, str]) -> str:
    """What the values are, as far as a name of a reference can say it; what it cannot say is told apart by a digest."""
    exact = ",".join(f"{names[key]}={_plain(value)}" for key, value in values.items())
    name = NOT_IN_A_NAME.sub("-", exact)
    if name == exact and len(name) <= LONGEST_NAME:
        return name
    return f"{name[:LONGEST_NAME]}-{hashlib.sha256(exact.encode()).hexdigest()[:6]}"


def _short_names(base: Mapping[str, Any]) -> dict[str, str]:
    """For each dotted key the shortest end of it that no other key has: `units`, but `model.kernel`."""
    places = [tuple(key.split(".")) for key, _ in leaves(base)]
    ends = [place[start:] for place in places for start in range(len(place))]
    short = {}
    for place in places:
        own = (place[start:] for start in reversed(range(len(place))))
        short[".".join(place)] = ".".join(next((end for end in own if ends.count(end) == 1), place))
    return short
