import subprocess
from typing import get_args

import pytest
import yaml

from lengthwise.params import load_params
from lengthwise.sweeps.grid import Run
from lengthwise.sweeps.keep import LEFT_OUT, keep
from lengthwise.sweeps.named import TARGETS, NamedRun

FUNNEL = {"ingest.json", "timing_ingest.json", "tokens.json"}
OF_CLASSIFIER = {"train/classifier.json", "baselines/timing.json", "evaluate/timing_classifier.json"}
OF_SEQ2SEQ = {
    "train/seq2seq.json",
    "train/timing_seq2seq.json",
    "train/seq2seq/epochs.csv",
    "evaluate/seq2seq/levels.csv",
}
OF_PIPELINE = {"environment.json", *OF_CLASSIFIER, *OF_SEQ2SEQ}
OF_ABLATIONS = {"ablations.csv", "timing_ablations.md"}
SHOWN_NOWHERE = {"train/seq2seq/steps.csv"}


def git(*arguments):
    identity = ["-c", "user.name=tester", "-c", "user.email=tester"]
    return subprocess.run(["git", *identity, *arguments], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    # A commit with metrics that the workspace no longer has.
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    for name in FUNNEL | OF_PIPELINE | OF_ABLATIONS | SHOWN_NOWHERE:
        path = tmp_path / "metrics" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"of {name}\n", encoding="utf-8")
    (tmp_path / "text.txt").write_text("not to be kept\n", encoding="utf-8")
    git("add", ".")
    git("commit", "--quiet", "--message", "experiment")
    git("update-ref", "refs/exps/ab/cd/article", "HEAD")
    git("rm", "--quiet", "-r", "metrics")
    git("commit", "--quiet", "--message", "next")
    return "refs/exps/ab/cd/article"


@pytest.fixture
def make_run(root):
    def make(*targets):
        content = load_params(root / "params.yaml")
        ingest = content.ingest.model_copy(update={"source": "/somebody's/place/blogs.zip"})
        return Run("article", {}, content.model_copy(update={"ingest": ingest}), targets=targets)

    return make


def files_of(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_keep_writes_the_metrics_of_the_experiment_and_no_other_file(experiment, make_run, tmp_path):
    keep(make_run(), experiment, tmp_path / "results" / "article")
    kept = tmp_path / "results" / "article"
    assert files_of(kept / "metrics") == FUNNEL | OF_PIPELINE
    assert files_of(kept) == {"params.yaml", *(f"metrics/{name}" for name in FUNNEL | OF_PIPELINE)}
    assert all(path.read_text("utf-8") == f"of {path.relative_to(kept / 'metrics')}\n" for path in kept.rglob("*.json"))


def test_keep_of_ablations_leaves_out_what_their_run_has_not_written(experiment, make_run, tmp_path):
    keep(make_run("ablations/dvc.yaml"), experiment, tmp_path / "out")
    assert files_of(tmp_path / "out" / "metrics") == FUNNEL | OF_ABLATIONS


def test_keep_of_training_alone_leaves_out_what_comes_after_it(experiment, make_run, tmp_path):
    keep(make_run("train"), experiment, tmp_path / "out")
    of_training = {name for name in OF_PIPELINE if name.startswith("train/")}
    assert files_of(tmp_path / "out" / "metrics") == FUNNEL | of_training


def test_keep_of_one_training_or_of_the_baselines_leaves_out_all_else(experiment, make_run, tmp_path):
    keep(make_run(*TARGETS["train_classifier"]), experiment, tmp_path / "train")
    assert files_of(tmp_path / "train" / "metrics") == FUNNEL | {"train/classifier.json"}
    keep(make_run(*TARGETS["baselines"]), experiment, tmp_path / "baselines")
    assert files_of(tmp_path / "baselines" / "metrics") == FUNNEL | {"baselines/timing.json"}


def test_keep_knows_everything_that_a_named_run_may_run():
    may_run = set(get_args(NamedRun.model_fields["runs"].annotation))
    assert set(LEFT_OUT) == set(TARGETS) == may_run


def test_keep_of_the_classifier_leaves_out_what_another_task_has_written(experiment, make_run, tmp_path):
    keep(make_run(*TARGETS["classifier"]), experiment, tmp_path / "out")
    assert files_of(tmp_path / "out" / "metrics") == FUNNEL | OF_CLASSIFIER


def test_keep_writes_all_params_and_no_place_of_a_machine(experiment, make_run, tmp_path):
    run = make_run()
    keep(run, experiment, tmp_path / "out")
    text = (tmp_path / "out" / "params.yaml").read_text(encoding="utf-8")
    assert "somebody" not in text
    written = load_params(tmp_path / "out" / "params.yaml")
    assert written.ingest.source == "blogs.zip"
    assert written.model_copy(update={"ingest": run.params.ingest}) == run.params
    assert list(yaml.safe_load(text)) == list(type(written).model_fields)


def test_keep_replaces_what_was_there_and_leaves_it_if_there_is_no_experiment(experiment, make_run, tmp_path):
    old = tmp_path / "out" / "metrics" / "old.json"
    old.parent.mkdir(parents=True)
    old.write_text("old", encoding="utf-8")
    with pytest.raises(subprocess.CalledProcessError):
        keep(make_run(), "refs/exps/ab/cd/nothing", tmp_path / "out")
    assert files_of(tmp_path / "out") == {"metrics/old.json"}
    keep(make_run(), experiment, tmp_path / "out")
    assert not old.exists()
    assert not list(tmp_path.glob(".*.partial"))
