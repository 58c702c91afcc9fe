import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "src" / "lengthwise"
# From left to right, as the package's docstring draws the arrow; a module may import its own package and any later one.
ORDER = [
    {"predict", "reports"},
    {"training"},
    {"evaluation"},
    {"models"},
    {"layers", "losses"},
    {"native"},
    {"batching"},
    {"shards"},
    {"counting"},
    {"vocabulary"},
    {"splits"},
    {"text"},
    {"corpus"},
    {
        *("bursts", "environment", "files", "labels", "parallel", "progress", "published", "ragged", "seals"),
        *("strict_yaml", "errors"),
    },
]
FRAME = {"stage", "checked", "params", "refusals", "compat", "cli", "commands", "sweeps", "ablations"}
WITH_TENSORFLOW = {"layers", "models", "losses", "native", "training", "predict"}
MODULES_WITH_TENSORFLOW = {LIBRARY / "batching" / "fit.py"}


def package_of(path):
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def rank(package):
    return next(number for number, packages in enumerate(ORDER) if package in packages)


def modules():
    return [path for path in sorted(LIBRARY.rglob("*.py")) if path.name != "__init__.py"]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(LIBRARY)))
def test_module_imports_only_to_the_right(path, imported_names_of):
    package = package_of(path)
    if package in FRAME:
        return
    code = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        node.module
        for branch in ast.walk(code)
        if isinstance(branch, ast.If) and getattr(branch.test, "id", "") == "TYPE_CHECKING"
        for node in ast.walk(branch)
        if isinstance(node, ast.ImportFrom)
    }
    for name in imported_names_of(path):
        parts = name.split(".")
        if parts[0] != "lengthwise" or len(parts) < 2 or any(name.startswith(module) for module in typing_only):
            continue
        assert parts[1] == package or rank(parts[1]) > rank(package) or {parts[1], package} <= ORDER[-1], name


def test_tensorflow_is_imported_only_where_networks_are(imported_names_of):
    for path in modules():
        heavy = {name.split(".")[0] for name in imported_names_of(path)} & {"tensorflow", "keras"}
        assert package_of(path) in WITH_TENSORFLOW or path in MODULES_WITH_TENSORFLOW or not heavy, path


def test_stages_before_train_need_no_tensorflow(imported_names_of, import_closure_of):
    for stage in ("check", "ingest", "tokens", "split", "vocabulary", "shards", "publish", "baselines"):
        for path in import_closure_of(ROOT / "stages" / f"{stage}.py"):
            assert not {name.split(".")[0] for name in imported_names_of(path)} & {"tensorflow", "keras"}, path


def test_reports_need_no_tensorflow(imported_names_of, import_closure_of):
    for module in (LIBRARY / "reports").glob("*.py"):
        for path in {module, *import_closure_of(module)}:
            assert not {name.split(".")[0] for name in imported_names_of(path)} & {"tensorflow", "keras"}, path


def test_packages_have_a_docstring_and_no_code():
    # The layers alone are offered under one name, as Keras does it.
    for path in set(LIBRARY.rglob("__init__.py")) - {LIBRARY / "layers" / "__init__.py"}:
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert len(body) == 1, path
        assert ast.get_docstring(ast.Module(body, [])), path


# spaCy and TensorFlow take long to import, which the parent of several workers and a refused command can do without.
LATE_IMPORTS = {
    LIBRARY / "ablations" / "prepare.py",
    LIBRARY / "checked.py",
    LIBRARY / "text" / "by_rule.py",
    LIBRARY / "text" / "tokens.py",
    LIBRARY / "cli.py",
    LIBRARY / "commands/page.py",
}


def test_imports_stand_at_the_top_of_library_modules():
    for path in set(modules()) - LATE_IMPORTS:
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                assert not any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(function)), path
