import hashlib
import json

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory, make_project):
    project = make_project(tmp_path_factory.mktemp("project"))
    project.change_params("train", epochs=2, log_every=5)
    project.change_params("evaluate", bootstrap_samples=50)
    project.commit("start")
    project.run("dvc", "repro", "--quiet")
    return project


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
        metrics = json.loads((project.folder / "metrics" / "evaluate" / f"{task}.json").read_text(encoding="utf-8"))
        assert len(metrics) <= 12
        assert all(0 <= value <= 1 for name, value in metrics.items() if not name.endswith("nll"))
    linear = json.loads((project.folder / "metrics" / "baselines" / "linear.json").read_text(encoding="utf-8"))
    assert linear["author_accuracy"] == 1.0


def test_repro_with_nothing_changed_runs_nothing(project):
    assert stages_run(project.run("dvc", "repro")) == []


@pytest.mark.parametrize(
    ("section", "change", "first"),
    [
        ("vocabulary", {"size": 90}, "vocabulary"),
        ("shards", {"max_length": 28}, "shards"),
        ("split", {"seed": 2}, "split"),
    ],
)
def test_repro_after_a_change_begins_at_its_stage(project, section, change, first):
    original = (project.folder / "params.yaml").read_text(encoding="utf-8")
    try:
        project.change_params(section, **change)
        would_run = stages_run(project.run("dvc", "repro", "--dry"))
    finally:
        (project.folder / "params.yaml").write_text(original, encoding="utf-8")
    order = ["ingest", "tokens", "split", "vocabulary", "shards"]
    assert would_run[0] == first
    assert not set(would_run) & set(order[: order.index(first)])


def test_repro_with_a_wrong_param_stops_with_one_line(project):
    original = (project.folder / "params.yaml").read_text(encoding="utf-8")
    before = digests(project.folder)
    assert len(before) > 30
    try:
        project.change_params("train", epochs="many")
        output = project.run("dvc", "repro", "train@classifier", expect=255)
    finally:
        (project.folder / "params.yaml").write_text(original, encoding="utf-8")
    assert "error: params.yaml: train.epochs: got 'many'; expected an integer from 1 to 100000; change it" in output
    # DVC clears a stage's outputs before it runs the command; what is cached or in Git can be had back.
    lost = set(before) - set(digests(project.folder))
    assert all(path.startswith(("data/models/classifier/", "metrics/train/classifier")) for path in lost)
    project.run("dvc", "repro", "--quiet")
    assert digests(project.folder) == before


def test_experiment_in_a_temporary_workspace_succeeds(project):
    project.commit("results")
    project.run("dvc", "exp", "run", "--temp", "--name", "short", "-S", "train.epochs=1", "evaluate@classifier")
    shown = json.loads(project.run("dvc", "exp", "show", "--json"))
    assert "short" in json.dumps(shown)
