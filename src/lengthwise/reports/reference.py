"""The reference tables: stages from `dvc.yaml`, params from the params files, what registries have."""

import ast
import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import yaml

import lengthwise
from lengthwise.batching.registry import STRATEGIES
from lengthwise.core.names import CELL_PLACES, NATIVE_CELLS
from lengthwise.reports.words import percent, records
from lengthwise.runs.run import Run
from lengthwise.system.commented_yaml import CommentedKey, read_keys
from lengthwise.system.files import read_text
from lengthwise.system.markdown import code, table


def stages_table(pipeline: Path) -> str:
    """Every stage with its description and what it writes."""
    stages = yaml.safe_load(read_text(pipeline))["stages"]
    rows = []
    for name, stage in stages.items():
        outs = [next(iter(out)) if isinstance(out, dict) else out for out in stage["outs"]]
        data = [out.replace("${item.task}", "<task>") for out in outs if "timing" not in out]
        tasks = stage.get("matrix", {}).get("task", [])
        # Of a list in params.yaml, or of one that stands here.
        of_tasks = "<task>" if isinstance(tasks, str) else f"{{{','.join(tasks)}}}"
        shown = code(name + (f"@{of_tasks}" if tasks else ""))
        rows.append((shown, stage["desc"], ", ".join(code(out) for out in data)))
    return table(("stage", "does", "writes"), rows)


def strategies_table(run: Run) -> str:
    """Every batching strategy, what a batch of it is, and the padding that it costs on the run's sequences."""
    padding = run.table("train/classifier/batching.csv", ("strategy",), ("padding_share",))
    shares = {row.strategy: percent(row.padding_share) for row in records(padding)}
    rows = [
        (code(name), (kind.__doc__ or "").splitlines()[0], shares.get(name, "")) for name, kind in STRATEGIES.items()
    ]
    return table(("strategy", "batches", "padding"), rows)


def cells_table() -> str:
    """Every recurrent cell by its name in params: its class, what it is, and whether the native kernel computes it."""
    rows = []
    for name, place in sorted(CELL_PLACES.items()):
        kind = place.rpartition(".")[2]
        rows.append((code(name), code(kind), _first_line_about(place), "yes" if name in NATIVE_CELLS else ""))
    return table(("cell", "class", "is", "native"), rows)


def _first_line_about(place: str) -> str:
    """The first line of a class's docstring, read from its source: to import a cell would import TensorFlow."""
    *parts, kind = place.split(".")
    roots = [str(Path(lengthwise.__file__).parents[1]), *sys.path]
    source = next(path for root in roots if (path := Path(root, *parts).with_suffix(".py")).is_file())
    found = (n for n in ast.parse(read_text(source)).body if isinstance(n, ast.ClassDef) and n.name == kind)
    return (ast.get_docstring(next(found)) or "").partition("\n")[0]


def params_tables(params: Path) -> str:
    """Every key of a params file, a table a section."""
    sections = groupby(read_keys(params), key=lambda key: key.name.split(".")[0])
    return "\n\n".join(f"### {section}\n\n{_keys_table(keys)}" for section, keys in sections)


def ablations_table(definitions: Path) -> str:
    """The keys of the ablations' own params file, which has no sections, in one table."""
    return _keys_table(read_keys(definitions))


def _keys_table(keys: Iterable[CommentedKey]) -> str:
    rows = [(code(key.name), code(key.default), key.comment) for key in keys]
    return table(("key", "default", "meaning"), rows)
