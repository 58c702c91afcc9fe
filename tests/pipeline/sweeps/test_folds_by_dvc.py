"""All folds by DVC itself, over a pipeline that trains nothing: each of 40 groups is of the fold of its number."""

import shutil
import sys

import pandas as pd
import pytest
import yaml

pytestmark = pytest.mark.slow

PIPELINE = {
    "stages": {
        "evaluate": {
            "cmd": "python stages/fake.py",
            "deps": ["stages/fake.py"],
            "params": ["split", "train"],
            "outs": ["data/figures/evaluate/classifier", "data/figures/baselines/tables"],
            "metrics": [{"metrics/test/classifier.json": {"cache": False}}],
        },
    },
}
STAGE = """
import json, os, sys
from pathlib import Path
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

params = yaml.safe_load(Path("params.yaml").read_text())
folds, fold, unit = params["split"]["folds"], params["split"]["fold"], params["train"]["model"]["units"]
with open(os.environ["TRACE"], "a") as file:
    file.write(f"begin {fold} {unit} {os.getpid()} {os.getcwd()}\\n")
if fold == 1 and unit == 7:
    sys.exit("error: fold 1 has no luck")
group = [number for number in range(40) if number % folds == fold]
places = {"evaluate/classifier": 4, "baselines/tables/linear": 2, "evaluate/classifier/classifier_and_linear": 3}
for place, right in places.items():
    path = Path("data/figures") / place / "items.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    accuracy = [float(number % 5 < right) for number in group]
    pq.write_table(pa.table({"level": ["author"] * len(group), "group": group, "accuracy": accuracy}), path)
path = Path("metrics/test/classifier.json")
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text(json.dumps({"clf": {"acc": 0.5}}) + "\\n")
"""


@pytest.fixture
def folds(finished_project, project):
    for path in ("dvc.lock", "metrics"):
        shutil.rmtree(project.folder / path, ignore_errors=True)
        (project.folder / path).unlink(missing_ok=True)
    (project.folder / "stages" / "fake.py").write_text(STAGE, encoding="utf-8")
    (project.folder / "dvc.yaml").write_text(yaml.safe_dump(PIPELINE), encoding="utf-8")
    project.run("git", "add", "--all")
    project.run("git", "commit", "--quiet", "--message", "folds")

    def folds(expect, *arguments):
        return project.run(sys.executable, "-m", "lengthwise.cli", "folds", *arguments, expect=expect)

    return folds


@pytest.mark.long
def test_all_folds_make_one_table_in_which_each_group_is_tested_once(folds, project):
    before = project.files()
    said = folds(0, "4", "--jobs", "2")
    assert "run 1 of 4: fold-0-of-4: done" in said
    assert "4 folds test 40 groups, each in one fold: 40 authors." in said
    assert "| author | accuracy | 0.400 (" in said
    assert "| author | accuracy | classifier | linear | +0.400 (" in said
    assert "| author | accuracy | classifier and linear | linear | +0.200 (" in said
    assert "| author | accuracy | classifier and linear | classifier | \N{MINUS SIGN}0.200 (" in said
    out = project.folder / "results" / "folds"
    figures = pd.read_csv(out / "levels.csv").set_index("model")["value"]
    assert figures.to_dict() == {"linear": 0.4, "classifier": 0.8, "classifier_and_linear": 0.6}
    assert pd.read_csv(out / "folds.csv").groupby("model")["items"].sum().tolist() == [40, 40, 40]
    assert project.experiments() == [f"fold-{fold}-of-4" for fold in range(4)]
    written = {path.name: path.read_bytes() for path in out.iterdir()}

    # Again: nothing is run, and the table is the same.
    project.trace.unlink()
    said = folds(0, "4")
    assert said.count(": is there already") == 4
    assert project.traced() == []
    assert {path.name: path.read_bytes() for path in out.iterdir()} == written
    shutil.rmtree(project.folder / "results")
    assert project.files() == before


@pytest.mark.long
def test_a_fold_that_fails_is_named_and_a_fold_without_its_data_too(folds, project):
    (project.folder / "keys.yaml").write_text("train.model.units: 7\n", encoding="utf-8")
    said = folds(1, "3", "--keys", "keys.yaml")
    assert "run 2 of 3: keys-fold-1-of-3: failed after" in said
    assert "2 of 3 runs are kept as experiments (`make exps` shows them); 1 failed" in said
    assert not (project.folder / "results").exists()

    folds(0, "2")
    shutil.rmtree(project.folder / ".dvc" / "cache")
    said = folds(2, "2")
    assert "error: fold-0-of-2: data/figures/" in said
    assert "expected it in the DVC cache; dvc exp remove fold-0-of-2, and run this again" in said
