import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lengthwise.reports.readme import with_results

ROOT = Path(__file__).parents[2]


def git(*arguments):
    if shutil.which("git") is None:
        pytest.skip("git is not there")
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_readme_shows_the_committed_metrics():
    # Another processor may give other last digits: after a run of one's own there is nothing to compare.
    if git("diff", "--quiet", "HEAD", "--", "metrics").returncode:
        pytest.skip("metrics/ has changes that are not committed")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_results(readme, ROOT / "metrics") == readme


def test_readme_results_are_replaced_and_nothing_else(tmp_path):
    levels = "model,level,metric,value,low,high\nlinear,author,accuracy,0.5,0.4,0.6\nlinear,author,nll,1,1,1\n"
    (tmp_path / "levels.csv").write_text(levels, encoding="utf-8")
    readme = "before\n<!-- results: made -->\nold\n<!-- /results -->\nafter\n"
    lines = with_results(readme, tmp_path).splitlines()
    assert [lines[0], lines[1], lines[-2], lines[-1]] == readme.splitlines()[:2] + readme.splitlines()[-2:]
    assert "author accuracy  0.5000 (0.4000-0.6000)" in "\n".join(lines)
    assert "nll" not in "\n".join(lines)
    assert "old" not in lines


def test_readme_names_only_files_and_targets_that_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^):]+)\)", readme):
        assert (ROOT / target).exists(), target
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make (\w+)`", readme):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
