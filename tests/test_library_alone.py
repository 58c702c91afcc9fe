# `pip install .` in an empty environment brings the library and what it needs, and the README's example trains there.

import json
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OF_THE_PIPELINE = {"dvc", "spacy", "scikit-learn", "pandas", "pydantic", "pyyaml", "jinja2"}
EXAMPLE = re.compile(r"^```python\n(.*?^import lengthwise as lw$.*?)^```$", re.DOTALL | re.MULTILINE)
MOST_LINES = 12
MINUTES = 15


@pytest.fixture(scope="module")
def example():
    """The first example of the library in the README."""
    found = EXAMPLE.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert found, "README.md: has no example with `import lengthwise as lw`"
    return found[1]


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A virtual environment with pip, and the source as Git has it: no build of another time."""
    folder = tmp_path_factory.mktemp("alone")
    venv.create(folder / "venv", with_pip=True)
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    return folder


def run_in(folder, *arguments):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(folder / "venv" / "bin" / "python"), *arguments],
        cwd=folder,
        env=environment | {"TF_CPP_MIN_LOG_LEVEL": "3", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60 * MINUTES,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_readme_example_is_short(example):
    assert len([line for line in example.splitlines() if line.strip()]) <= MOST_LINES


@pytest.mark.long
def test_library_alone_brings_no_package_of_the_pipeline_and_trains(empty, example, capsys):
    begun = time.monotonic()
    run_in(empty, "-m", "pip", "install", "--quiet", "./source")
    installed = time.monotonic() - begun
    packages = {
        package["name"].lower().replace("_", "-")
        for package in json.loads(run_in(empty, "-m", "pip", "list", "--format=json"))
    }
    assert "lengthwise" in packages
    assert not packages & OF_THE_PIPELINE

    (empty / "example.py").write_text(example, encoding="utf-8")
    begun = time.monotonic()
    assert "loss" in run_in(empty, "example.py")
    trained = time.monotonic() - begun

    installed_file = (
        "import lengthwise, pathlib; print(pathlib.Path(lengthwise.__file__).with_name('py.typed').exists())"
    )
    assert run_in(empty, "-c", installed_file) == "True\n"
    # The kernel is built from sources that have to be there.
    code = "from lengthwise.native.choice import choose_kernel; print(choose_kernel('auto', 'gru', 'tanh'))"
    assert run_in(empty, "-c", code) in ("native\n", "keras\n")
    with capsys.disabled():
        print(f"\n{len(packages)} packages, installed in {installed:.0f} s; the example ran in {trained:.0f} s")
        print(f"Python {sys.version.split()[0]}")
