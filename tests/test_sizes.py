"""Files that people read and Git keeps stay small."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "src").rglob("*.py"))
MODULE_LINES = 300
LINES = {"dvc.yaml": 155, "ablations/dvc.lock": 3_000}
FILES = {"results": 60}


def line_count(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_module_is_longer_than_one_idea():
    assert len(MODULES) > 100
    assert {str(path.relative_to(ROOT)): n for path in MODULES if (n := line_count(path)) > MODULE_LINES} == {}


@pytest.mark.parametrize("name", LINES)
def test_files_of_the_pipeline_fit_their_lines(name):
    assert line_count(ROOT / name) <= LINES[name]


@pytest.mark.parametrize("folder", FILES)
def test_folders_in_git_hold_few_files(folder):
    listed = subprocess.run(["git", "ls-files", "-z", folder], cwd=ROOT, capture_output=True, check=True).stdout
    assert 0 < len(listed.split(b"\0")[:-1]) <= FILES[folder]
