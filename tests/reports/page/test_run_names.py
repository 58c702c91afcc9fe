import hashlib
import shutil

import pytest
import yaml
from records import record_as_folder

from lengthwise.errors import RevisionError
from lengthwise.runs.run_names import MOST_RUNS, open_sources


@pytest.fixture
def opened(project):
    def run(*names):
        return open_sources(names, project.folder)

    return run


def units(source):
    return source.run.params("train")["model"]["units"]


def test_sources_are_experiments_revisions_and_folders(project, opened):
    usual = project.run.params("train")["model"]["units"]
    experiment = project.experiment("wide", units=96)
    first = project.git("rev-parse", "HEAD")
    project.change("units", 128)
    project.commit("wider")
    project.git("tag", "v2")
    shutil.copytree(project.folder / "metrics", project.folder / "other" / "metrics")
    shutil.copy(project.folder / "dvc.lock", project.folder / "other")
    project.change("units", 8)
    sources = opened("wide", first, "v2", "main~1", "other", ".")
    assert [units(source) for source in sources] == [96, usual, 128, usual, 128, 8]
    assert [source.letter for source in sources] == list("ABCDEF")
    assert [source.commit for source in sources][:2] == [experiment, first]
    assert [source.name for source in sources][-2:] == ["other", "workspace"]


def test_sources_of_a_project_below_the_repository_are_found(project):
    usual = project.run.params("train")["model"]["units"]
    project.git("mv", "-k", "metrics", "dvc.lock", "params.yaml", ".")
    below = project.folder / "below"
    below.mkdir()
    project.git("mv", "metrics", "dvc.lock", "params.yaml", "below/")
    project.commit("move")
    (source,) = open_sources(["HEAD"], below)
    assert units(source) == usual


def test_source_takes_an_experiment_before_a_folder_of_its_name_and_a_path_before_all(project, opened):
    usual = project.run.params("train")["model"]["units"]
    project.experiment("wide", units=96)
    shutil.copytree(project.folder / "metrics", project.folder / "wide" / "metrics")
    shutil.copy(project.folder / "dvc.lock", project.folder / "wide")
    assert [units(source) for source in opened("wide", "./wide")] == [96, usual]


def test_source_of_a_name_of_two_experiments_is_the_one_of_this_commit_or_refused(project, opened):
    project.experiment("twice", units=96)
    project.change("units", 128)
    project.commit("wider")
    project.experiment("twice", units=256)
    assert units(*opened("twice")) == 256
    project.commit("next") if project.git("status", "--porcelain") else project.git(
        "commit", "-q", "--allow-empty", "-m", "x"
    )
    with pytest.raises(RevisionError, match="twice: is the name of 2 experiments; expected one; give its commit"):
        opened("twice")


def test_source_of_a_named_run_has_params_and_the_tasks_it_was_run_for(project, opened):
    with record_as_folder(project.folder / "results" / "best.json") as named:
        shutil.copytree(project.folder / "metrics", named / "metrics")
        shutil.rmtree(named / "metrics" / "evaluate" / "seq2seq")
        shutil.copy(project.folder / "params.yaml", named)
    (source,) = opened("results/best.json")
    assert source.run == opened("results/best")[0].run
    assert source.run.is_record
    assert list(source.run.tasks) == ["classifier"]
    assert source.run.all_params["shards.unit"] == "sentence"


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    "name",
    ["nothing", "--help", "-x", "main:metrics", "", "a\nb", "$(touch F)", "..", "refs/exps", "HEAD~99", "\udcff"],
)
def test_source_of_nothing_is_refused_in_one_line(project, opened, name):
    with pytest.raises(RevisionError) as error:
        opened(name)
    assert "is no run; expected a DVC experiment, a Git revision, a named run" in str(error.value)
    assert "\n" not in str(error.value)
    assert not (project.folder / "F").exists()


@pytest.mark.parametrize("lacking", ["dvc.lock", "metrics"])
def test_source_of_a_commit_that_was_never_run_says_what_it_lacks(project, opened, lacking):
    project.git("rm", "-q", "-r", lacking)
    project.commit("nothing run")
    with pytest.raises(RevisionError, match=rf"HEAD: lacks {lacking}/? at .*; expected a run that was committed"):
        opened("HEAD")


def test_sources_are_not_more_than_can_be_told_apart(opened):
    with pytest.raises(RevisionError, match=f"got {MOST_RUNS + 1} runs; expected at most {MOST_RUNS}"):
        opened(*["main"] * (MOST_RUNS + 1))


def test_source_of_a_commit_has_the_predictions_that_are_in_the_cache(project, opened, predict):
    predict(project.run)
    lock = yaml.safe_load((project.folder / "dvc.lock").read_text(encoding="utf-8"))
    paths = {task: f"data/predictions/{task}.parquet" for task in ("classifier", "seq2seq")}
    for task, path in paths.items():
        content = (project.folder / path).read_bytes()
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        for entry in lock["stages"][f"evaluate@{task}"]["outs"]:
            if entry["path"].endswith(".parquet"):
                entry["md5"] = digest
        cached = project.folder / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.write_bytes(content)
    (project.folder / "dvc.lock").write_text(yaml.safe_dump(lock), encoding="utf-8")
    project.commit("predictions")
    shutil.rmtree(project.folder / "data")
    (source,) = opened("HEAD")
    assert all(path in source.run.files for path in paths.values())
    cached.unlink()
    (source,) = opened("HEAD")
    assert [path in source.run.files for path in paths.values()] == [True, False]
    # The lock of one run does not take the predictions from another.
    (project.folder / "dvc.lock").write_text("stages: 3\n", encoding="utf-8")
    project.commit("damaged")
    _, source = opened("HEAD", "HEAD~1")
    assert paths["classifier"] in source.run.files
