import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
AUTHORS = 72


def write_corpus(path):
    rng = np.random.default_rng(0)
    ages = [14, 25, 40]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for author in range(AUTHORS):
            gender, age = ("male", "female")[author % 2], ages[author // 2 % 3]
            posts = []
            for _ in range(3):
                sentences = [
                    " ".join(f"{gender[0]}{age}w{rng.zipf(1.6) % 50}" for _ in range(rng.integers(3, 35))) + "."
                    for _ in range(6)
                ]
                posts.append(f"<date>01,May,2004</date>\r\n<post>\r\n {' '.join(sentences)} &nbsp;\r\n</post>\r\n")
            name = f"blogs/{1000 + author}.{gender}.{age}.indUnk.Leo.xml"
            archive.writestr(name, f"<Blog>\r\n{''.join(posts)}</Blog>")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    for name in ("dvc.yaml", "params.yaml", ".dvcignore", "stages", "src", ".dvc/config", ".dvc/plots"):
        source, target = ROOT / name, folder / name
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(source, target)
    (folder / "data" / "sample").mkdir(parents=True)
    write_corpus(folder / "data" / "sample" / "blogs.zip")
    change_params(folder, "train", epochs=2, log_every=5)
    change_params(folder, "evaluate", bootstrap_samples=50)
    run(folder, "git", "init", "--quiet")
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "--quiet", "--message", "start")
    run(folder, "dvc", "repro", "--quiet")
    return folder


def change_params(folder, section, **changes):
    path = folder / "params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    params[section].update(changes)
    path.write_text(yaml.safe_dump(params), encoding="utf-8")


def run(folder, *command, expect=0):
    binaries = str(Path(sys.executable).parent)
    identity = {f"GIT_{who}_{what}": "tester" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **identity, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == expect, result.stdout + result.stderr
    return result.stdout + result.stderr


def digests(folder):
    files = [path for top in ("data", "metrics") for path in (folder / top).rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if not path.name.startswith("timing")
    }


def stages_run(output):
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


def test_repro_makes_finite_metrics_that_beat_nothing_by_accident(project):
    for task in ("classifier", "seq2seq"):
        metrics = json.loads((project / "metrics" / "evaluate" / f"{task}.json").read_text(encoding="utf-8"))
        assert len(metrics) <= 12
        assert all(0 <= value <= 1 for name, value in metrics.items() if not name.endswith("nll"))
    linear = json.loads((project / "metrics" / "baselines" / "linear.json").read_text(encoding="utf-8"))
    assert linear["author_accuracy"] == 1.0


def test_repro_with_nothing_changed_runs_nothing(project):
    assert stages_run(run(project, "dvc", "repro")) == []


def test_repro_forced_again_gives_the_same_bytes(project):
    before = digests(project)
    assert len(before) > 30
    run(project, "dvc", "repro", "--force", "--quiet")
    assert digests(project) == before


@pytest.mark.parametrize(
    ("section", "change", "first"),
    [
        ("vocabulary", {"size": 90}, "vocabulary"),
        ("shards", {"max_length": 28}, "shards"),
        ("split", {"seed": 2}, "split"),
    ],
)
def test_repro_after_a_change_begins_at_its_stage(project, section, change, first):
    original = (project / "params.yaml").read_text(encoding="utf-8")
    try:
        change_params(project, section, **change)
        would_run = stages_run(run(project, "dvc", "repro", "--dry"))
    finally:
        (project / "params.yaml").write_text(original, encoding="utf-8")
    order = ["ingest", "tokens", "split", "vocabulary", "shards"]
    assert would_run[0] == first
    assert not set(would_run) & set(order[: order.index(first)])


def test_repro_with_a_wrong_param_stops_with_one_line(project):
    original = (project / "params.yaml").read_text(encoding="utf-8")
    before = digests(project)
    try:
        change_params(project, "train", epochs="many")
        output = run(project, "dvc", "repro", "train@classifier", expect=255)
    finally:
        (project / "params.yaml").write_text(original, encoding="utf-8")
    assert "error: params.yaml: train.epochs: got 'many'; expected an integer from 1 to 100000; change it" in output
    # DVC clears a stage's outputs before it runs the command; what is cached or in Git can be had back.
    lost = set(before) - set(digests(project))
    assert all(path.startswith(("data/models/classifier/", "metrics/train/classifier")) for path in lost)
    run(project, "dvc", "repro", "--quiet")
    assert digests(project) == before


def test_experiment_in_a_temporary_workspace_succeeds(project):
    run(project, "git", "add", ".")
    run(project, "git", "commit", "--quiet", "--message", "results")
    run(project, "dvc", "exp", "run", "--temp", "--name", "wide", "-S", "train.model.units=16", "-S", "train.epochs=1")
    shown = json.loads(run(project, "dvc", "exp", "show", "--json"))
    assert "wide" in json.dumps(shown)
