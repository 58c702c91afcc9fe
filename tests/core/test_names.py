"""Legal names stand in one place, and something stands behind each of them."""

import ast
from pathlib import Path
from typing import get_args

from lengthwise.core import names
from lengthwise.layers.cells import CELLS
from lengthwise.models.tasks import TARGETS

SOURCE = Path(names.__file__).parents[1]
ALIASES = {name: get_args(value) for name, value in vars(names).items() if get_args(value) and name[0].isupper()}
TUPLES = {name: value for name, value in vars(names).items() if isinstance(value, tuple)}


def test_every_cell_and_task_has_something_behind_it():
    assert [f"{kind.__module__}.{kind.__name__}" for kind in CELLS.values()] == [*names.CELL_PLACES.values()]
    assert sorted(TARGETS) == sorted(names.TASKS)
    assert {*names.NATIVE_CELLS} <= {*names.CELL_PLACES}
    assert {*names.UNBOUNDED} < {*names.ACTIVATIONS}


def test_native_kernel_has_the_names_of_its_cells():
    text = (SOURCE / "native" / "recurrent_op.h").read_text(encoding="utf-8")
    attribute = next(line for line in text.splitlines() if "cell: {" in line)
    assert sorted(name.strip(" '\"") for name in attribute.split("{")[1].split("}")[0].split(",")) == sorted(
        names.NATIVE_CELLS
    )


def lists_of_texts(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Tuple | ast.List | ast.Set) and len(node.elts) > 1:
            values = [element.value for element in node.elts if isinstance(element, ast.Constant)]
            if len(values) == len(node.elts) and all(isinstance(value, str) for value in values):
                yield node.lineno, frozenset(values)


# What has the same words for another reason: which splits baselines read, or which tables have a name.
OTHERS = {"pipeline/stages/baselines.py"}


def test_no_module_lists_legal_names_again():
    known = {frozenset(values) for values in (*ALIASES.values(), *TUPLES.values())}
    for path in SOURCE.rglob("*.py"):
        if path.name != "names.py" and str(path.relative_to(SOURCE)) not in OTHERS:
            assert [(path, line) for line, values in lists_of_texts(path) if values in known] == []
