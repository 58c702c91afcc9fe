"""A name means one thing in the whole tree: no two classes, types or modules of one name."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[1] / "src" / "lengthwise"
# Modules that have a name twice, and why it is no other meaning.
ALLOWED = {
    "__init__": "Python's own name for what a package is",
    "registry": "of each wing that has one: where its names become legal",
}


def is_type(node):
    """Whether a statement gives a name to a type, as `Figures = dict[str, float]` does."""
    named = isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
    return named and node.targets[0].id.lstrip("_")[:1].isupper() and not node.targets[0].id.isupper()


def types_of(path):
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            yield node.name.lstrip("_")
        elif is_type(node):
            yield node.targets[0].id.lstrip("_")


def twice(named):
    return {name: sorted(places) for name, places in named.items() if len(places) > 1}


@pytest.fixture(scope="module")
def modules():
    return sorted(LIBRARY.rglob("*.py"))


def test_no_two_classes_or_types_have_one_name(modules):
    named = defaultdict(list)
    for path in modules:
        for name in types_of(path):
            named[name].append(str(path.relative_to(LIBRARY)))
    assert len(named) > 100
    assert twice(named) == {}


def test_no_two_modules_or_packages_have_one_name(modules):
    named = defaultdict(set)
    for path in modules:
        named[path.stem].add(str(path.relative_to(LIBRARY)))
        if path.name == "__init__.py":
            named[path.parent.name].add(f"{path.parent.relative_to(LIBRARY)}/")
    found = twice(named)
    # A command has the name of the wing that it calls, as `cli/advise.py` would.
    commands = {name for name, places in found.items() if {*places} == {f"{name}/", f"cli/{name}.py"}}
    assert found.keys() - commands == ALLOWED.keys()
