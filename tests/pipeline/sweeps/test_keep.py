import os
import subprocess
from typing import get_args

import pytest
import yaml
from dvc_at_hand import run_dvc
from records import unpack

from lengthwise.errors import SweepError
from lengthwise.pipeline.settings.params import load_params
from lengthwise.pipeline.sweeps.grid_file import SweepRun
from lengthwise.pipeline.sweeps.keep import WRITTEN, keep
from lengthwise.pipeline.sweeps.named import TARGETS, NamedRun

FUNNEL = {"ingest.json", "shards.json", "tokens.json"}
OF_CLASSIFIER = {"train/classifier.json", "train/classifier/epochs.csv", "evaluate/classifier.json"}
OF_SEQ2SEQ = {"train/seq2seq.json", "train/seq2seq/epochs.csv", "evaluate/seq2seq/levels.csv"}
OF_BASELINES = {"baselines/linear.json", "baselines/tables/linear/levels.csv"}
OF_ABLATIONS = {"ablations.csv", "timing_ablations.md"}
SHOWN_NOWHERE = {"train/seq2seq/steps.csv", "live/classifier.json", "test/classifier.json"}
# In DVC's cache.
UNPUBLISHED = {
    f"train/{task}{end}"
    for task in ("classifier", "seq2seq")
    for end in (".json", "/batching.csv", "/cost.json", "/lengths.csv")
}
TIMING = ["ingest", "shards", "train_classifier", "train_seq2seq", "evaluate_classifier", "baselines"]
TIMING += ["environment_classifier", "environment_seq2seq"]
READ_TIMING = [name for name in TIMING if name.split("_")[0] in ("train", "environment", "baselines")]


def git(*arguments, folder):
    identity = ["-c", "user.name=tester", "-c", "user.email=tester"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def write(folder, names, text):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(name), encoding="utf-8")


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    # A commit with metrics that the workspace no longer has.
    folder = tmp_path_factory.mktemp("repository")
    git("init", "--quiet", folder=folder)
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").write_text("[core]\n    analytics = false\n", encoding="utf-8")
    of_git = FUNNEL | OF_CLASSIFIER | OF_SEQ2SEQ | OF_BASELINES | OF_ABLATIONS | SHOWN_NOWHERE
    write(folder / "metrics", of_git, '{{"of": "{}"}}')
    write(folder / "data" / "figures", UNPUBLISHED, '{{"of": 0.123456789}}')
    write(folder / "data" / "timing", [f"{stage}.json" for stage in TIMING], '{{"seconds": 0.123456789}}')
    write(folder, ["text.txt"], "not to be kept\n")
    run_dvc(["add", "--quiet", "data/figures", "data/timing"], folder, os.environ).check_returncode()
    git("add", ".", folder=folder)
    git("commit", "--quiet", "--message", "experiment", folder=folder)
    git("update-ref", "refs/exps/ab/cd/article", "HEAD", folder=folder)
    git("rm", "--quiet", "-r", "metrics", "data", folder=folder)
    git("commit", "--quiet", "--message", "next", folder=folder)
    return folder


@pytest.fixture
def experiment(repository, monkeypatch):
    monkeypatch.chdir(repository)
    return "refs/exps/ab/cd/article"


@pytest.fixture
def make_run(root):
    def make(kind="dvc.yaml"):
        content = load_params(root / "params.yaml")
        ingest = content.ingest.model_copy(update={"source": "/somebody's/place/blogs.zip"})
        return SweepRun("article", {}, content.model_copy(update={"ingest": ingest}), targets=TARGETS[kind])

    return make


def files_of(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def kept_of(run, experiment, folder):
    """What is kept of a run, as the folder that its record is made of."""
    keep(run, experiment, folder / "out.json")
    unpack(folder / "out.json", folder / "out")
    return folder / "out"


def test_keep_writes_params_metrics_and_times_of_the_experiment_and_no_other_file(experiment, make_run, tmp_path):
    kept = kept_of(make_run(), experiment, tmp_path)
    assert files_of(kept / "metrics") == FUNNEL | OF_CLASSIFIER | OF_SEQ2SEQ | OF_BASELINES
    assert files_of(kept / "data" / "timing") == {f"{stage}.json" for stage in READ_TIMING}
    assert {path.name for path in kept.iterdir()} == {"params.yaml", "metrics", "data"}
    for path in (kept / "metrics").rglob("*.*"):
        assert path.read_text("utf-8").strip() == f'{{"of": "{path.relative_to(kept / "metrics").as_posix()}"}}'
    # As it was measured.
    assert (kept / "data" / "timing" / "baselines.json").read_text("utf-8").strip() == '{"seconds": 0.123456789}'


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("kind", "metrics", "timing"),
    [
        (
            "train",
            {name for name in OF_CLASSIFIER | OF_SEQ2SEQ if name.startswith("train/")} | UNPUBLISHED,
            TIMING[2:4],
        ),
        (
            "train_classifier",
            {"train/classifier/epochs.csv"} | {name for name in UNPUBLISHED if "classifier" in name},
            TIMING[2:3],
        ),
        ("classifier", OF_CLASSIFIER | OF_BASELINES, ["train_classifier", "evaluate_classifier", "baselines"]),
        ("baselines", OF_BASELINES, ["baselines"]),
        ("ablations/dvc.yaml", OF_ABLATIONS, []),
    ],
)
def test_keep_leaves_out_what_other_targets_have_written(experiment, make_run, tmp_path, kind, metrics, timing):
    kept_of(make_run(kind), experiment, tmp_path)
    assert files_of(tmp_path / "out" / "metrics") == FUNNEL | {name for name in metrics if "lengths" not in name}
    of_timing = {path.removesuffix(".json") for path in files_of(tmp_path / "out" / "data" / "timing")}
    assert {stage for stage in of_timing if not stage.startswith("environment")} == {*timing} & {*READ_TIMING}


def test_keep_publishes_what_training_alone_leaves_in_the_cache(experiment, make_run, tmp_path):
    # What Git has there is of an earlier run.
    kept_of(make_run("train"), experiment, tmp_path)
    assert yaml.safe_load((tmp_path / "out" / "metrics" / "train" / "seq2seq.json").read_text("utf-8")) == {
        "of": 0.123457
    }


def test_keep_knows_everything_that_a_named_run_may_run():
    may_run = set(get_args(NamedRun.model_fields["runs"].annotation))
    assert set(WRITTEN) == set(TARGETS) == may_run


def test_keep_writes_all_params_and_no_place_of_a_machine(experiment, make_run, tmp_path):
    run = make_run()
    kept_of(run, experiment, tmp_path)
    text = (tmp_path / "out" / "params.yaml").read_text(encoding="utf-8")
    assert "somebody" not in text
    written = load_params(tmp_path / "out" / "params.yaml")
    assert written.ingest.source == "blogs.zip"
    assert written.model_copy(update={"ingest": run.params.ingest}) == run.params
    assert list(yaml.safe_load(text)) == list(type(written).model_fields)


def test_keep_replaces_what_was_there_and_leaves_it_if_there_is_no_experiment(experiment, make_run, tmp_path):
    record = tmp_path / "out.json"
    record.write_text("old")
    with pytest.raises(SweepError, match="git archive: "):
        keep(make_run(), "refs/exps/ab/cd/nothing", record)
    assert record.read_text() == "old"
    keep(make_run(), experiment, record)
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]
    first = record.read_bytes()
    keep(make_run(), experiment, record)
    assert record.read_bytes() == first
