import hashlib

import pytest
from dvc.exceptions import NotDvcRepoError
from dvc.repo import Repo

from lengthwise.reports.dvc_files import cache_places, repository_at, unreadable


@pytest.fixture
def project(tmp_path):
    with Repo.init(str(tmp_path), no_scm=True):
        pass
    return tmp_path


def test_cache_places_are_of_the_files_that_are_there(project):
    digest = hashlib.md5(b"here").hexdigest()
    place = project / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    place.parent.mkdir(parents=True)
    place.write_bytes(b"here")
    found = cache_places({"a": digest, "b": "0" * 32, "c": digest}, project)
    assert list(found) == ["a", "c"]
    assert {path.read_bytes() for path in found.values()} == {b"here"}
    assert cache_places({}, project) == {}


def test_nothing_has_a_place_where_there_is_no_dvc(tmp_path):
    assert cache_places({"a": "0" * 32}, tmp_path) == {}
    with pytest.raises(NotDvcRepoError), repository_at(tmp_path, None):
        pass


@pytest.mark.parametrize("below", [(), ("one",), ("one", "two words")])
def test_repository_is_found_from_below(project, below):
    folder = project.joinpath(*below)
    folder.mkdir(parents=True, exist_ok=True)
    with repository_at(folder, None) as (repo, inside):
        assert repo.root_dir == str(project)
        assert inside == str(folder)


def test_an_unreadable_pipeline_is_told_in_one_line():
    said = str(unreadable(ValueError("two\n  lines")))
    assert said == "dvc.yaml: DVC cannot read the pipeline (two lines); mend it"
