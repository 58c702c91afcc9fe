import configparser

import pytest

from lengthwise.errors import SweepError
from lengthwise.pipeline.sweeps.workspace import STATES, take_snapshot, workspace


@pytest.fixture
def here(project, monkeypatch):
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(project.folder)
    return project


def test_workspace_has_the_tracked_files_as_they_are_now_and_goes(here, tmp_path):
    (here.folder / "new.txt").write_text("new\n", encoding="utf-8")
    here.run("git", "add", "new.txt")
    (here.folder / "untracked.txt").write_text("mine\n", encoding="utf-8")
    (here.folder / "params.yaml").write_text("changed\n", encoding="utf-8")
    (here.folder / "dvc.lock").unlink()
    before = here.files()
    snapshot = take_snapshot()
    left = tmp_path / "workspaces" / "1" / "left"
    left.parent.mkdir(parents=True)
    left.write_text("of a run that was killed", encoding="utf-8")
    with workspace(left.parent, snapshot, tmp_path / "states") as folder:
        there = type(here)(folder, here.trace)
        assert (folder / "new.txt").read_text(encoding="utf-8") == "new\n"
        assert (folder / "params.yaml").read_text(encoding="utf-8") == "changed\n"
        assert not any((folder / name).exists() for name in ("untracked.txt", "dvc.lock", "left", "data/model.bin"))
        assert there.run("git", "rev-parse", "HEAD").strip() == snapshot.commit
        (folder / STATES[0] / "state").write_text("state", encoding="utf-8")
        settings = configparser.ConfigParser()
        settings.read(folder / ".dvc" / "config.local")
        assert settings["cache"]["dir"] == str(here.folder / ".dvc" / "cache")
        assert there.run("git", "config", "user.name") == "tester\n"
    assert not folder.exists()
    assert (tmp_path / "states" / "resume" / "state").read_text(encoding="utf-8") == "state"
    assert not (tmp_path / "states" / "ablations").exists()
    assert here.files() == before
    with workspace(left.parent, snapshot, tmp_path / "empty"):
        pass
    assert not (tmp_path / "empty").exists()


def test_workspace_is_gone_after_an_error(here, tmp_path):
    with pytest.raises(KeyboardInterrupt), workspace(tmp_path / "1", take_snapshot(), tmp_path / "resume"):
        raise KeyboardInterrupt
    assert not (tmp_path / "1").exists()


def test_snapshot_without_git_a_commit_or_dvc_is_refused_in_one_line(here, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    there = type(here)(elsewhere, here.trace)
    with pytest.raises(SweepError, match="has no Git commit; expected the project's folder"):
        take_snapshot()
    there.run("git", "init", "--quiet")
    with pytest.raises(SweepError, match="has no Git commit"):
        take_snapshot()
    there.run("git", "commit", "--quiet", "--allow-empty", "--message", "start")
    with pytest.raises(SweepError, match="expected a project of DVC") as caught:
        take_snapshot()
    assert "\n" not in str(caught.value)


def test_snapshot_says_when_git_is_not_there(here, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SweepError, match=r"^git: cannot be run; expected it on the path; install it$"):
        take_snapshot()


def test_snapshot_in_a_merge_is_refused(here):
    here.run("git", "branch", "other")
    for branch in ("-", "other"):
        if branch == "other":
            here.run("git", "checkout", "--quiet", branch)
        (here.folder / "params.yaml").write_text(f"{branch}\n", encoding="utf-8")
        here.run("git", "commit", "--quiet", "--all", "--message", branch)
    here.run("git", "merge", "-", expect=1)
    with pytest.raises(SweepError, match=r"params\.yaml: has merge conflicts"):
        take_snapshot()


def test_workspace_keeps_the_states_that_stages_go_on_from(root):
    # Where they write them, in files that take seconds to import.
    for path, state in zip(
        ("src/lengthwise/pipeline/stages/train/training_run.py", "stages/ablations.py"), STATES, strict=True
    ):
        text = (root / path).read_text(encoding="utf-8")
        assert f'Path("{state.parent}") / "{state.name}"' in text or f'Path("{state}")' in text
