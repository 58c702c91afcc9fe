import hashlib

import pytest
import yaml
from dvc.repo import Repo

from lengthwise.reports.change.cached import cached_files, output_hash, with_times
from lengthwise.reports.change.revisions import RunFiles, snapshot_of_folder

TIMES = {"data/timing/ingest.json": b'{"seconds": 1.5}', "data/timing/environment_classifier.json": b'{"dvc": "3"}'}


def locked(outs):
    entries = [{"path": path, "md5": hashlib.md5(content).hexdigest()} for path, content in outs.items()]
    return RunFiles("here", {"dvc.lock": yaml.safe_dump({"stages": {"ingest": {"outs": entries}}}).encode()})


@pytest.fixture
def project(tmp_path):
    with Repo.init(str(tmp_path), no_scm=True):
        pass
    return tmp_path


def put_into_cache(folder, content):
    digest = hashlib.md5(content).hexdigest()
    place = folder / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    place.parent.mkdir(parents=True)
    place.write_bytes(content)


def test_times_of_the_base_come_from_the_cache(project):
    base = locked(TIMES)
    assert with_times(base, project, here=False) == base
    put_into_cache(project, TIMES["data/timing/ingest.json"])
    found = with_times(base, project, here=False)
    assert found.timing == ["data/timing/ingest.json"]
    assert found.json("data/timing/ingest.json") == {"seconds": 1.5}


def test_times_of_the_working_tree_are_those_that_lie_there(project):
    (project / "data" / "timing").mkdir(parents=True)
    (project / "data" / "timing" / "ingest.json").write_bytes(b'{"seconds": 9}')
    put_into_cache(project, TIMES["data/timing/environment_classifier.json"])
    found = with_times(locked(TIMES), project, here=True)
    assert found.json("data/timing/ingest.json") == {"seconds": 9}
    assert found.json("data/timing/environment_classifier.json") == {"dvc": "3"}
    assert with_times(locked(TIMES), project, here=False).timing == ["data/timing/environment_classifier.json"]


def test_nothing_is_cached_where_there_is_no_dvc(tmp_path):
    assert cached_files(locked(TIMES), TIMES, tmp_path) == {}
    assert with_times(locked(TIMES), tmp_path, here=False) == locked(TIMES)


def test_output_hash_is_an_md5_or_none(root):
    run = snapshot_of_folder(root)
    assert len(output_hash(run, "data/predictions/classifier.parquet")) == 32
    assert output_hash(run, "data/shards").endswith(".dir")
    assert output_hash(run, "data/nothing") is None


@pytest.mark.parametrize(
    "stages",
    [None, [1], {"a": None}, {"a": {"outs": 3}}, {1: {"outs": [None, {"path": "data/shards", "md5": "../x"}]}}],
)
def test_locks_of_any_form_have_no_hash(stages):
    snapshot = RunFiles("odd", {"dvc.lock": yaml.safe_dump({"stages": stages}).encode()})
    assert output_hash(snapshot, "data/shards") is None
