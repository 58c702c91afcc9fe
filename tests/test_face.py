# The public names: found, lazy, documented with examples that run, and typed.

import ast
import doctest
import importlib.util
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import lengthwise as lw
from lengthwise.batching.registry import STRATEGIES
from lengthwise.layers.cells import CELLS

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "lengthwise"
NAMES = sorted(set(lw.__all__) - {"__version__"})
# What `pip install .` does not bring.
OF_THE_PIPELINE = ("dvc", "jinja2", "pandas", "pydantic", "sklearn", "spacy", "typer", "yaml")
HEAVY = ("keras", "numpy", "pandas", "pyarrow", "tensorflow")
MOST_SECONDS = 0.2


def run_python(code, folder):
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_face_offers_all_strategies_and_cells():
    public = {getattr(lw, name) for name in NAMES}
    assert public >= {*STRATEGIES.values(), *CELLS.values()}


def test_face_is_what_is_listed():
    assert set(lw.__all__) <= set(dir(lw))
    body = ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8"))
    typed = {
        (alias.name, node.module.removeprefix("lengthwise."))
        for block in body.body
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == set(lw._MODULES.items())
    assert {name for name, _ in typed} == set(NAMES)
    for name, module in typed:
        assert getattr(lw, name) is getattr(import_module(f"lengthwise.{module}"), name)
        assert getattr(lw, name).__module__ == f"lengthwise.{module}"


def test_face_has_no_other_name():
    with pytest.raises(AttributeError, match="module 'lengthwise' has no attribute 'Sequence'"):
        lw.Sequence  # noqa: B018


def test_importing_the_face_is_quick_and_imports_nothing_heavy(tmp_path):
    code = (
        "import sys, time; begun = time.perf_counter(); import lengthwise; seconds = time.perf_counter() - begun; "
        f"print(seconds, *(name for name in {HEAVY} if name in sys.modules))"
    )
    # The quickest of three: another process may take the processor.
    runs = [run_python(code, tmp_path).split() for _ in range(3)]
    assert all(len(run) == 1 for run in runs), runs
    assert min(float(run[0]) for run in runs) < MOST_SECONDS


def test_batching_and_sequences_need_no_tensorflow(tmp_path):
    names = [*(kind.__name__ for kind in STRATEGIES.values()), "Sequences", "from_arrays", "make_strategy"]
    code = f"import sys, lengthwise as lw; [getattr(lw, name) for name in {names}]; print('tensorflow' in sys.modules)"
    assert run_python(code, tmp_path) == "False\n"


@pytest.mark.long
def test_every_public_name_works_without_the_packages_of_the_pipeline(tmp_path):
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({OF_THE_PIPELINE})); import lengthwise as lw; "
        f"print(*(getattr(lw, name).__name__ for name in {NAMES}))"
    )
    assert run_python(code, tmp_path).split() == NAMES


def nodes_that_run(node):
    """All nodes but those that only type checkers see."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from nodes_that_run(child)


def reached_from(module):
    """The library's modules that a module imports, and those that they import, with what else they import."""
    outside, left, seen = {}, [module], set()
    while left:
        name = left.pop()
        seen.add(name)
        path = Path(importlib.util.find_spec(name).origin)
        for node in nodes_that_run(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module]
            for imported in names:
                if imported.startswith("lengthwise."):
                    left += [imported] if imported not in seen else []
                else:
                    outside.setdefault(imported.split(".")[0], name)
    return outside


@pytest.mark.parametrize("name", NAMES)
def test_nothing_reached_from_a_public_name_imports_a_package_of_the_pipeline(name):
    outside = reached_from(f"lengthwise.{lw._MODULES[name]}")
    assert not {package: outside[package] for package in OF_THE_PIPELINE if package in outside}


def test_no_module_of_the_library_imports_a_package_of_the_pipeline():
    # Evaluation makes tables, which are the pipeline's; nothing public reaches them, as the test above shows.
    folders = [SOURCE / wing for wing in ("batching", "layers", "models", "native", "system", "training")]
    paths = [*SOURCE.glob("*.py"), *(path for folder in folders for path in folder.glob("*.py"))]
    of_pipeline = {SOURCE / "system" / f"{name}.py" for name in ("commented_yaml", "strict_yaml", "templates")}
    for path in set(paths) - of_pipeline:
        for node in nodes_that_run(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & set(OF_THE_PIPELINE), path


def examples_of(name):
    found = doctest.DocTestFinder(recurse=False).find(getattr(lw, name), f"lengthwise.{name}", globs={})
    return [test for test in found if test.examples]


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_has_shapes_errors_and_an_example(name):
    doc = getattr(lw, name).__doc__
    assert examples_of(name), doc
    if name != "make_strategy":
        assert re.search(r"\([A-Z]\w*'?,[^)]*\)|batch +0", doc), doc
    assert "Raises:" in doc or "errors as of `Cell`" in doc


@pytest.fixture
def saved(make_network, tmp_path):
    from lengthwise.models.saved import save_network

    save_network(make_network(), tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.sampled(23)
@pytest.mark.parametrize("name", NAMES)
def test_examples_of_public_names_run(name, tmp_path, monkeypatch, request):
    if name == "from_hugging_face":
        pytest.importorskip("datasets")
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner()
    for test in examples_of(name):
        if name in ("load", "load_keras"):
            test.globs["folder"] = request.getfixturevalue("saved")
        said = []
        assert runner.run(test, out=said.append).failed == 0, "".join(said)


def test_example_of_the_package_runs():
    (test,) = doctest.DocTestFinder(recurse=False).find(lw, "lengthwise", globs={})
    said = []
    assert doctest.DocTestRunner().run(test, out=said.append) == (0, len(test.examples)), "".join(said)


GOOD = """
import numpy as np

import lengthwise as lw

sequences: lw.Sequences = lw.from_arrays([[4, 2, 7], [5]], labels=[0, 1])
plan = lw.Packed(batch_size=2, window=16).plan([3, 1])
rows: np.ndarray = plan.rows
lengths: np.ndarray = sequences.take([1]).lengths
data = lw.fit_data(sequences, lw.Bucketed(batch_size=2, buckets=2), seed=1)
layer = lw.Recurrent(lw.LayerNormLSTMCell(8), return_sequences=False)
network = lw.load_keras("model", kernel="keras")
probabilities: np.ndarray = lw.load("model").predict(sequences)
version: str = lw.__version__
"""
WRONG = {
    "lw.Bucketed(batch_size=2)": "call-arg",
    "lw.Padded(batch_size='2')": "arg-type",
    "lw.fit_data([[1, 2]], lw.Padded(2))": "arg-type",
    "lw.Sequence": "attr-defined",
    "lw.Padded(2).plan([1, 2]).width": "attr-defined",
    "lw.LSTMCell()": "call-arg",
    "number: int = lw.load('model')": "assignment",
}


def mypy(folder, code):
    (folder / "script.py").write_text(code, encoding="utf-8")
    options = ["--strict", f"--config-file={ROOT / 'pyproject.toml'}", f"--cache-dir={folder / 'cache'}", "script.py"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.stdout


@pytest.mark.long
@pytest.mark.slow
def test_types_of_a_users_script_are_checked(tmp_path):
    pytest.importorskip("mypy")
    assert "Success" in mypy(tmp_path, GOOD)
    found = mypy(tmp_path, "\n".join(["import lengthwise as lw", *WRONG]))
    errors = re.findall(r"script\.py:(\d+): error: .*\[([\w-]+)\]", found)
    assert errors == [(str(line), code) for line, code in enumerate(WRONG.values(), 2)], found


def test_types_are_shipped():
    assert (SOURCE / "py.typed").exists()
