import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from lengthwise.errors import FormatError
from lengthwise.reports.generated import documents, write_documents

ROOT = Path(__file__).parents[2]
# Charts of runs that are there.
CHARTS = ("docs/leak.svg", "docs/author_folds.svg")
PAGES = tuple(f"docs/{name}.md" for name in ("batching", "design", "layers", "pipeline", "reference", "results"))
NAMES = ("README.md", "MODEL_CARD.md", *PAGES, "docs/results.svg", *CHARTS)
SOURCES = ("dvc.lock", "ablations/params.yaml", "dvc.yaml", "params.yaml", "pyproject.toml", "requirements.lock")


def git(*arguments):
    if shutil.which("git") is None:
        pytest.skip("git is not there")
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def made():
    return documents(ROOT)


@pytest.fixture
def tree(run, tmp_path):
    for folder in ("ablations", "docs"):
        (tmp_path / folder).mkdir()
    for name in (*NAMES, *SOURCES[1:]):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "results", tmp_path / "results")
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_documents_are_those_of_the_committed_run(made, name):
    # Another processor may give other last digits: after a run of one's own there is nothing to compare.
    if git("diff", "--quiet", "HEAD", "--", "metrics", "dvc.lock").returncode:
        pytest.skip("metrics/ or dvc.lock has changes that are not committed")
    assert set(made) == {ROOT / name for name in NAMES}
    assert made[ROOT / name] == (ROOT / name).read_text(encoding="utf-8")


def test_documents_are_written_where_they_belong_and_make_writes_what_it_tests(tree):
    before = {name: (tree / name).read_bytes() for name in NAMES}
    for name in ("MODEL_CARD.md", "docs/results.svg"):
        (tree / name).unlink()
    write_documents(tree)
    made = documents(tree)
    assert {name: (tree / name).read_text(encoding="utf-8") for name in NAMES} == {
        name: made[tree / name] for name in NAMES
    }
    assert {path.name for path in tree.rglob(".*.partial")} == set()
    assert before.keys() == {str(path.relative_to(tree)) for path in made}


def test_documents_follow_the_metrics(tree, run):
    before = documents(tree)
    path = run.files.folder / "metrics" / "evaluate" / "classifier" / "levels.csv"
    table = pd.read_csv(path)
    table.loc[(table["level"] == "sentence") & (table["metric"] == "accuracy"), "value"] = 0.6123456
    table.to_csv(path, index=False)
    after = documents(tree)
    for name, figure in (
        ("docs/pipeline.md", "0.6123 "),
        ("MODEL_CARD.md", "0.6123 "),
        ("docs/results.svg", ">0.612<"),
    ):
        assert figure not in before[tree / name]
        assert figure in after[tree / name]


def test_documents_follow_the_runs_on_real_text(tree, run):
    shutil.rmtree(tree / "results" / "leak_author", ignore_errors=True)
    shutil.copytree(run.files.folder / "metrics", tree / "results" / "leak_author" / "metrics")
    shutil.copy(tree / "params.yaml", tree / "results" / "leak_author" / "params.yaml")
    made = documents(tree)
    assert ">split by author<" in made[tree / "docs" / "leak.svg"]
    # The image is found from where the document is.
    for name, image in (("README.md", 'src="docs/leak.svg"'), ("docs/results.md", 'src="leak.svg"')):
        assert image in made[tree / name]


def test_documents_are_all_left_alone_if_one_cannot_be_made(tree, run):
    (run.files.folder / "metrics" / "train" / "classifier" / "cost.json").unlink()
    before = {name: (tree / name).read_bytes() for name in NAMES}
    with pytest.raises(FormatError, match=r"cost\.json of .*: cannot be read .*; run dvc repro$"):
        write_documents(tree)
    assert {name: (tree / name).read_bytes() for name in NAMES} == before
