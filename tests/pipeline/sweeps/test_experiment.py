import subprocess

import pytest
import yaml

from lengthwise.errors import SweepError
from lengthwise.pipeline.settings.params import load_params
from lengthwise.pipeline.sweeps.experiment import figures_of, find_or_name, reference_of, take_over
from lengthwise.pipeline.sweeps.grid_file import SweepRun
from lengthwise.pipeline.sweeps.workspace import Snapshot


def git(*arguments):
    identity = ["-c", "user.name=tester", "-c", "user.email=tester"]
    done = subprocess.run(["git", *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def snapshot():
    # What is staged stands for the working tree.
    git("add", ".")
    return Snapshot(git("rev-parse", "HEAD"), git("write-tree"), None, None, {})


@pytest.fixture
def repository(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "code.py").write_text("one = 1\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("words\n", encoding="utf-8")
    (tmp_path / "params.yaml").write_bytes((root / "params.yaml").read_bytes())
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "start")
    return tmp_path


@pytest.fixture
def keep_experiment(repository):
    # As DVC keeps one: a commit that no branch has, with other params and its results, under the baseline's name.
    def keep(name, files=(), **train):
        commit = git("rev-parse", "HEAD")
        original = (repository / "params.yaml").read_text(encoding="utf-8")
        params = yaml.safe_load(original)
        params["train"].update(train)
        (repository / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        changed = load_params(repository / "params.yaml")
        for path, content in {"dvc.lock": "results\n", **dict(files)}.items():
            (repository / path).parent.mkdir(parents=True, exist_ok=True)
            (repository / path).write_text(content, encoding="utf-8")
        git("add", ".")
        tree = git("write-tree")
        kept = git("commit-tree", tree, "-p", commit, "-m", "an experiment")
        git("update-ref", reference_of(name, commit), kept)
        git("reset", "--quiet", "--hard")
        return changed

    return keep


def test_experiment_that_is_there_is_found(keep_experiment, repository):
    params = keep_experiment("epochs=3", epochs=3)
    (repository / "README.md").write_text("other words\n", encoding="utf-8")
    assert find_or_name(SweepRun("epochs=3", {}, params), snapshot()) == ("epochs=3", True)


def test_experiment_of_another_name_is_not_there(keep_experiment):
    params = keep_experiment("epochs=3", epochs=3)
    assert find_or_name(SweepRun("epochs=4", {}, params), snapshot()) == ("epochs=4", False)


def test_experiment_with_other_params_stays_and_the_next_name_is_free(keep_experiment):
    keep_experiment("epochs=3", epochs=3, seed=5)
    run = SweepRun("epochs=3", {}, keep_experiment("epochs=3-3", epochs=3, seed=6))
    assert find_or_name(run, snapshot()) == ("epochs=3-2", False)
    keep_experiment("epochs=3-2", epochs=3, seed=7)
    assert find_or_name(run, snapshot()) == ("epochs=3-3", True)


def test_experiment_with_other_code_is_not_the_same(keep_experiment, repository):
    params = keep_experiment("epochs=3", epochs=3)
    (repository / "src" / "code.py").write_text("one = 2\n", encoding="utf-8")
    assert find_or_name(SweepRun("epochs=3", {}, params), snapshot()) == ("epochs=3-2", False)


def test_experiment_with_another_target_is_the_same_only_while_its_target_is(keep_experiment, repository):
    (repository / "ablations").mkdir()
    (repository / "ablations" / "dvc.yaml").write_text("one: 1\n", encoding="utf-8")
    git("add", ".")
    git("commit", "--quiet", "--message", "ablations")
    params = keep_experiment("ablations", epochs=3)
    run = SweepRun("ablations", {}, params, targets=("ablations/dvc.yaml",))
    assert find_or_name(run, snapshot()) == ("ablations", True)
    (repository / "ablations" / "dvc.yaml").write_text("one: 2\n", encoding="utf-8")
    assert find_or_name(run, snapshot()) == ("ablations-2", False)
    assert find_or_name(SweepRun("ablations", {}, params), snapshot()) == ("ablations", True)


def test_experiment_of_another_commit_is_not_there(keep_experiment):
    params = keep_experiment("epochs=3", epochs=3)
    git("commit", "--quiet", "--allow-empty", "--message", "next")
    assert find_or_name(SweepRun("epochs=3", {}, params), snapshot()) == ("epochs=3", False)


def test_experiment_has_its_headline_figures(keep_experiment):
    files = {
        "metrics/live/classifier.json": '{"clf": {"val_acc": 0.5}}',
        "metrics/test/classifier.json": '{"clf": {"acc": 0.25}}',
        "metrics/test/baselines.json": "no JSON",
        "metrics/test/tagger.json": '{"tag": {"acc": 0.75}}',
        "metrics/split.json": '{"sentences": 3}',
    }
    keep_experiment("a", files)
    reference = reference_of("a", git("rev-parse", "HEAD"))
    assert figures_of(reference, ["classifier"]) == {"clf.val_acc": 0.5, "clf.acc": 0.25}
    # Whatever the commit that it began with has of other tasks.
    assert figures_of(reference, ["tagger"]) == {"tag.acc": 0.75}
    assert figures_of("refs/exps/ab/cd/nothing", ["classifier"]) == {}


def clone(folder):
    git("clone", "--quiet", "--mirror", ".", str(folder))
    return folder


def test_experiment_is_taken_over_under_a_name_that_is_free(keep_experiment, tmp_path_factory):
    run = SweepRun("a", {}, keep_experiment("a", epochs=3))
    there = clone(tmp_path_factory.mktemp("clone"))
    reference = reference_of("a", git("rev-parse", "HEAD"))
    git("update-ref", "-d", reference)
    # Somebody takes its name before it is done.
    keep_experiment("a", epochs=4)
    other = git("rev-parse", reference)
    assert take_over(run, snapshot(), there) == "a-2"
    assert git("rev-parse", reference) == other
    assert git("rev-parse", f"{reference}-2") == git("--git-dir", str(there), "rev-parse", reference)
    # Again: it is the same one.
    assert take_over(run, snapshot(), there) == "a-2"


def test_experiment_that_is_not_in_the_workspace_is_an_error(keep_experiment, tmp_path_factory):
    run = SweepRun("a", {}, keep_experiment("b", epochs=3))
    with pytest.raises(SweepError, match="expected the experiment 'a' in"):
        take_over(run, snapshot(), clone(tmp_path_factory.mktemp("clone")))
