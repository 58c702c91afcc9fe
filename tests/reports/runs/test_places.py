import hashlib

import pytest
import yaml
from dvc.exceptions import NotDvcRepoError
from dvc.repo import Repo

from lengthwise.errors import RevisionError
from lengthwise.runs.places import (
    cache_places,
    output_hash,
    repository_at,
    resolve,
    run_at,
    unreadable,
    with_cached,
)
from lengthwise.runs.run import Run, run_in
from lengthwise.runs.run_files import FolderFiles, PlacedFiles

TIMES = {"data/timing/ingest.json": b'{"seconds": 1.5}', "data/timing/environment_classifier.json": b'{"dvc": "3"}'}


@pytest.fixture
def cache(tmp_path):
    with Repo.init(str(tmp_path), no_scm=True):
        pass
    return tmp_path


def test_cache_places_are_of_the_files_that_are_there(cache):
    digest = hashlib.md5(b"here").hexdigest()
    place = cache / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    place.parent.mkdir(parents=True)
    place.write_bytes(b"here")
    found = cache_places({"a": digest, "b": "0" * 32, "c": digest}, cache)
    assert list(found) == ["a", "c"]
    assert {path.read_bytes() for path in found.values()} == {b"here"}
    assert cache_places({}, cache) == {}


def test_nothing_has_a_place_where_there_is_no_dvc(tmp_path):
    assert cache_places({"a": "0" * 32}, tmp_path) == {}
    with pytest.raises(NotDvcRepoError), repository_at(tmp_path, None):
        pass


@pytest.mark.parametrize("below", [(), ("one",), ("one", "two words")])
def test_repository_is_found_from_below(cache, below):
    folder = cache.joinpath(*below)
    folder.mkdir(parents=True, exist_ok=True)
    with repository_at(folder, None) as (repo, inside):
        assert repo.root_dir == str(cache)
        assert inside == str(folder)


def test_an_unreadable_pipeline_is_told_in_one_line():
    said = str(unreadable(ValueError("two\n  lines")))
    assert said == "dvc.yaml: DVC cannot read the pipeline (two lines); mend it"


def locked(outs):
    entries = [{"path": path, "md5": hashlib.md5(content).hexdigest()} for path, content in outs.items()]
    return Run("here", {"dvc.lock": yaml.safe_dump({"stages": {"ingest": {"outs": entries}}}).encode()})


def put_into_cache(folder, content):
    digest = hashlib.md5(content).hexdigest()
    place = folder / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    place.parent.mkdir(parents=True)
    place.write_bytes(content)


def is_time(path):
    return path.startswith("data/timing")


def test_outputs_of_a_run_come_from_the_cache(cache):
    base = locked(TIMES)
    assert with_cached(base, cache, is_time) == base
    for content in TIMES.values():
        put_into_cache(cache, content)
    found = with_cached(base, cache, lambda path: path.endswith("ingest.json"))
    assert found.timing_files == ["data/timing/ingest.json"]
    assert found.json("data/timing/ingest.json") == {"seconds": 1.5}
    assert found.stages == base.stages


def test_outputs_of_the_working_tree_are_those_that_lie_there(cache):
    (cache / "data" / "timing").mkdir(parents=True)
    (cache / "data" / "timing" / "ingest.json").write_bytes(b'{"seconds": 9}')
    (cache / "dvc.lock").write_bytes(locked(TIMES).files["dvc.lock"])
    for content in TIMES.values():
        put_into_cache(cache, content)
    found = with_cached(run_in(cache), cache, is_time)
    assert found.timing_files == sorted(TIMES)
    assert found.json("data/timing/ingest.json") == {"seconds": 9}
    assert found.json("data/timing/environment_classifier.json") == {"dvc": "3"}


def test_nothing_is_cached_where_there_is_no_dvc(tmp_path):
    assert with_cached(locked(TIMES), tmp_path, is_time) == locked(TIMES)


def test_output_hash_is_an_md5_or_none(root):
    run = run_in(root)
    assert len(output_hash(run, "data/predictions/classifier.parquet")) == 32
    assert output_hash(run, "data/shards").endswith(".dir")
    assert output_hash(run, "data/nothing") is None


@pytest.mark.parametrize(
    "stages",
    [None, [1], {"a": None}, {"a": {"outs": 3}}, {1: {"outs": [None, {"path": "data/shards", "md5": "../x"}]}}],
)
def test_locks_of_any_form_have_no_hash(stages):
    odd = Run("odd", {"dvc.lock": yaml.safe_dump({"stages": stages}).encode()})
    assert output_hash(odd, "data/shards") is None


def test_files_are_mappings_that_read_when_they_are_asked(tmp_path):
    (tmp_path / "metrics").mkdir()
    here, placed = FolderFiles(tmp_path), PlacedFiles({"b": tmp_path / "b", "a": tmp_path / "no"}, {"a": b"1"})
    assert not here
    (tmp_path / "metrics" / "a.json").write_bytes(b"{}")
    (tmp_path / "b").write_bytes(b"2")
    assert dict(here) == {"metrics/a.json": b"{}"}
    assert here["b"] == b"2"
    assert "metrics" not in here
    with pytest.raises(KeyError):
        here["metrics"]
    assert dict(placed) == {"a": b"1", "b": b"2"}
    assert len(placed) == 2


def committed(revision, folder):
    return run_at(resolve(revision, folder), folder, revision)


def test_run_at_a_commit_is_what_the_working_tree_was(project):
    then = dict(run_in(project.folder).files)
    project.change("metrics/split.json", test_authors=1)
    (project.folder / "metrics" / "tokens.json").unlink()
    assert committed("main", project.folder).files == then
    now = run_in(project.folder)
    assert set(then) - set(now.files) == {"metrics/tokens.json"}
    assert now.json("metrics/split.json")["test_authors"] == 1
    assert now.json("metrics/tokens.json") == {}


def test_run_at_works_below_the_top_of_the_repository(project):
    then = dict(run_in(project.folder).files)
    (project.folder / "below").mkdir()
    for name in ("metrics", "params.yaml", "dvc.lock"):
        project.git("mv", name, f"below/{name}")
    project.commit()
    assert committed("HEAD", project.folder / "below").files == then
    assert len(then) > 40


def test_run_at_reads_names_that_are_not_ascii(project):
    (project.folder / "metrics" / "é ü\t.json").write_text('{"a": 1}', "utf-8")
    project.commit()
    assert committed("HEAD", project.folder).json("metrics/é ü\t.json") == {"a": 1}


@pytest.mark.parametrize(
    "revision", ["nowhere", "", "-h", "--all", "--output=x", "--since=1", "main:params.yaml", "a\0b", "main..main"]
)
def test_run_at_refuses_what_is_no_commit(project, revision):
    before = sorted(project.folder.iterdir())
    with pytest.raises(RevisionError, match=r"^--base: got .*; expected a commit, branch or tag .*; fetch it"):
        committed(revision, project.folder)
    assert sorted(project.folder.iterdir()) == before


def test_run_at_refuses_a_folder_without_a_repository(project, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(RevisionError, match=r"^git rev-parse: not a git repository.*; run this in the project's"):
        committed("main", tmp_path)


def test_run_at_says_when_git_is_not_there(project, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RevisionError, match=r"^git: cannot be run; expected it on the path; install it"):
        committed("main", project.folder)
