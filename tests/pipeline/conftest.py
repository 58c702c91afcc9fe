import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "src" / "lengthwise"
# They refuse, report, or frame a stage, and change no output.
FRAME = {"stage", "params", "compat", "errors", "progress"}


def imported_names(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def imported_modules(path: Path) -> set[Path]:
    candidates = (ROOT / "src" / f"{name.replace('.', '/')}.py" for name in imported_names(path))
    return {file for file in candidates if file.is_file()}


def import_closure(path: Path) -> set[Path]:
    seen: set[Path] = set()
    waiting = [path]
    while waiting:
        new = {module for module in imported_modules(waiting.pop()) if module.stem not in FRAME} - seen
        seen |= new
        waiting += new
    return seen


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def import_closure_of():
    return import_closure


@pytest.fixture(scope="session")
def imported_names_of():
    return imported_names
