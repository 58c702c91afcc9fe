"""A DVC repository that is not ours: the shape of iterative/example-get-started, in which nothing is real but DVC."""

import contextlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
import yaml
from dvc.repo import Repo

PIPELINE = """
stages:
  prepare:
    cmd: python src/prepare.py data/data.xml ${prepare.split}
    deps: [data/data.xml, src/prepare.py]
    params: [prepare.seed, prepare.split]
    outs: [data/prepared]
  featurize:
    cmd: python src/featurize.py data/prepared data/features
    deps: [data/prepared, src/featurize.py]
    params: [featurize.max_features, featurize.ngrams]
    outs: [data/features]
  train:
    cmd: python src/train.py data/features model.pkl
    deps: [data/features, src/train.py]
    params: [train.min_split, train.quality, train.seed]
    outs: [model.pkl]
  evaluate:
    cmd: python src/evaluate.py model.pkl data/features
    deps: [data/features, model.pkl, src/evaluate.py]
    outs:
      - eval/predictions.csv
metrics: [eval/metrics.json]
"""
PARAMS = """# As the example has it.
prepare:
  split: 0.2
  seed: 20170428
featurize:
  max_features: 200
  ngrams: 2
train:
  seed: 1
  quality: 0.9
  min_split: 0.01
"""
CONFIG = """metrics: {eval/metrics.json: {accuracy: accuracy, avg_prec.test: higher}}
predictions: eval/predictions.csv
columns: {id: item, target: label, prediction: predicted, score: probability}
tolerance: {avg_prec.test: 0.02}
training_noise: {accuracy: 0.0005}
"""
COPY = """import pathlib, shutil, sys
source, target = map(pathlib.Path, sys.argv[1:3])
shutil.copytree(source, target, dirs_exist_ok=True)
"""
PREPARE = """import pathlib, sys
target = pathlib.Path("data/prepared")
target.mkdir(parents=True, exist_ok=True)
items = len(pathlib.Path(sys.argv[1]).read_text().splitlines())
(target / "test.tsv").write_text(str(int(items / float(sys.argv[2]) * 0.2)))
"""
TRAIN = """import pathlib, re, sys
params = pathlib.Path("params.yaml").read_text()
found = [re.search(rf"{name}: (\\S+)", params.split("train:")[1])[1] for name in ("seed", "quality")]
pathlib.Path(sys.argv[2]).write_text(" ".join(found))
"""
# Items are hard for all models alike, by a correlation of 0.9 of what makes them hard.
EVALUATE = """import json, math, pathlib, random, statistics, sys
seed, quality = pathlib.Path(sys.argv[1]).read_text().split()
items = int((pathlib.Path(sys.argv[2]) / "test.tsv").read_text())
shared, own, limit = random.Random(0), random.Random(int(seed)), statistics.NormalDist().inv_cdf(float(quality))
right = [math.sqrt(0.9) * shared.gauss(0, 1) + math.sqrt(0.1) * own.gauss(0, 1) < limit for _ in range(items)]
rows, eval_ = ["item,label,predicted,probability,author"], pathlib.Path("eval")
for item, one in enumerate(right):
    label = item % 2
    predicted = label if one else 1 - label
    rows.append(f"{item},{label},{predicted},{0.8 if predicted else 0.2},a{item // 10}")
eval_.mkdir(exist_ok=True)
(eval_ / "predictions.csv").write_text("\\n".join(rows) + "\\n")
accuracy = sum(right) / items
figures = {"accuracy": accuracy, "avg_prec": {"train": 0.97, "test": round(accuracy, 3)}, "n": items}
(eval_ / "metrics.json").write_text(json.dumps(figures))
"""
ITEMS = 5000


@dataclass(frozen=True)
class Repository:
    """A DVC repository under Git, perhaps in a folder of a larger one."""

    folder: Path

    def run(self, *command, expect=0):
        names = {f"GIT_{who}_{what}": "tester" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, **names, "PATH": path, "GIT_CONFIG_GLOBAL": os.devnull, "DVC_NO_ANALYTICS": "1"}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    def commit(self, message="change"):
        self.run("git", "add", "--all", ".")
        self.run("git", "commit", "--quiet", "--message", message)
        return self.run("git", "rev-parse", "HEAD").strip()

    def set_params(self, **values):
        path = self.folder / "params.yaml"
        params = yaml.safe_load(path.read_text("utf-8"))
        for key, value in values.items():
            section, name = key.split("__")
            params[section][name] = value
        path.write_text(yaml.safe_dump(params), "utf-8")

    def repro(self, **values):
        if values:
            self.set_params(**values)
        # In this process: DVC's command takes a second to start.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        with contextlib.chdir(self.folder), mock.patch.dict(os.environ, PATH=path), Repo() as repo:
            repo.reproduce()


def make_repository(folder: Path, is_inside: bool = False) -> Repository:
    """The repository after its first run, and with the larger one's Git above it where it is inside one."""
    files = {
        "dvc.yaml": PIPELINE.replace("metrics: [eval/metrics.json]\n", "")
        + "    metrics:\n      - eval/metrics.json:\n          cache: false\n",
        "params.yaml": PARAMS,
        ".lengthwise.yaml": CONFIG,
        "src/prepare.py": PREPARE,
        "src/featurize.py": COPY,
        "src/train.py": TRAIN,
        "src/evaluate.py": EVALUATE,
        "data/data.xml": "<row/>\n" * ITEMS,
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, "utf-8")
    repository = Repository(folder)
    repository.run("git", "init", "--quiet", "--initial-branch", "main", *([".."] if is_inside else []))
    with contextlib.chdir(folder), Repo.init(subdir=is_inside) as repo:
        repo.add("data/data.xml")
    repository.repro()
    repository.commit("first run")
    return repository


@pytest.fixture(scope="session")
def _first_run(tmp_path_factory):
    if shutil.which("git") is None:
        pytest.skip("git is not there")
    return make_repository(tmp_path_factory.mktemp("get-started") / "repository").folder


@pytest.fixture
def get_started(_first_run, tmp_path):
    """A copy of the repository after its first run, for a test to change."""
    shutil.copytree(_first_run, tmp_path / "get-started", symlinks=True)
    return Repository(tmp_path / "get-started")


@pytest.fixture
def in_monorepo(tmp_path):
    """The repository as a folder of a larger one."""
    (tmp_path / "large" / "project").mkdir(parents=True)
    return make_repository(tmp_path / "large" / "project", is_inside=True)
