import pytest

from lengthwise.errors import FormatError, RevisionError
from lengthwise.reports.change.revisions import RunFiles, finite, snapshot_at, snapshot_of_folder


def test_snapshot_at_a_commit_is_what_the_working_tree_was(project):
    then = snapshot_of_folder(project.folder)
    project.change("metrics/split.json", test_authors=1)
    (project.folder / "metrics" / "tokens.json").unlink()
    assert snapshot_at("main", project.folder).files == then.files
    now = snapshot_of_folder(project.folder)
    assert set(then.files) - set(now.files) == {"metrics/tokens.json"}
    assert now.json("metrics/split.json")["test_authors"] == 1
    assert now.json("metrics/tokens.json") == {}


def test_snapshot_at_works_below_the_top_of_the_repository(project):
    then = snapshot_of_folder(project.folder)
    (project.folder / "below").mkdir()
    for name in ("metrics", "params.yaml", "dvc.lock"):
        project.git("mv", name, f"below/{name}")
    project.commit()
    assert snapshot_at("HEAD", project.folder / "below").files == then.files
    assert len(then.files) > 40


def test_snapshot_at_reads_names_that_are_not_ascii(project):
    (project.folder / "metrics" / "é ü\t.json").write_text('{"a": 1}', "utf-8")
    project.commit()
    assert snapshot_at("HEAD", project.folder).json("metrics/é ü\t.json") == {"a": 1}


@pytest.mark.parametrize(
    "revision", ["nowhere", "", "-h", "--all", "--output=x", "--since=1", "main:params.yaml", "a\0b", "main..main"]
)
def test_snapshot_at_refuses_what_is_no_commit(project, revision):
    before = sorted(project.folder.iterdir())
    with pytest.raises(RevisionError, match=r"^--base: got .*; expected a commit, branch or tag .*; fetch it"):
        snapshot_at(revision, project.folder)
    assert sorted(project.folder.iterdir()) == before


def test_snapshot_at_refuses_a_folder_without_a_repository(project, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(RevisionError, match=r"^git rev-parse: not a git repository.*; run this in the project's"):
        snapshot_at("main", tmp_path)


def test_snapshot_at_says_when_git_is_not_there(project, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RevisionError, match=r"^git: cannot be run; expected it on the path; install it"):
        snapshot_at("main", project.folder)


def test_snapshots_without_metrics_are_refused(project):
    project.git("rm", "-r", "--quiet", "metrics")
    project.commit()
    with pytest.raises(RevisionError, match=r"^metrics/ of revision HEAD: .*; run dvc repro"):
        snapshot_at("HEAD", project.folder)
    with pytest.raises(RevisionError, match=r"^metrics/ of the working tree: .*; run dvc repro"):
        snapshot_of_folder(project.folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"3", b"\xff", b"[" * 100_000, b'{"a": 1' + b"0" * 5000 + b"}"])
def test_snapshot_refuses_metrics_that_are_no_json_object(content):
    with pytest.raises(FormatError, match=r"^metrics/a\.json of here: .*; run dvc repro") as caught:
        RunFiles("here", {"metrics/a.json": content}).json("metrics/a.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"a: [", b"- 1", b"text", b"\xff", b"\0", b"{? [1] : 2}"])
@pytest.mark.parametrize(("path", "read"), [("params.yaml", "params"), ("dvc.lock", "lock")])
def test_snapshot_refuses_params_that_are_no_map(content, path, read):
    with pytest.raises(FormatError, match=rf"^{path} of here: .*; mend it$") as caught:
        getattr(RunFiles("here", {path: content}), read)
    assert "\n" not in str(caught.value)


def test_snapshot_without_params_and_lock_has_none():
    assert RunFiles("here", {}).params == RunFiles("here", {}).lock == {}


def test_finite_takes_numbers_alone():
    assert all(map(finite, [0, -1.5, 10**300]))
    assert not any(map(finite, [None, "1", True, float("nan"), float("-inf"), 10**400, [1]]))
