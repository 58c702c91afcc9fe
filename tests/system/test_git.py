import os
import shutil

import pytest

from lengthwise.system.git import git

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not there")


@pytest.fixture
def repository(tmp_path):
    assert git("init", "--quiet", folder=tmp_path).status == 0
    return tmp_path


@pytest.mark.parametrize("content", [b"", b"\0\r\n\xff\xfe", b"no line break", "é\n".encode()])
def test_git_gives_what_it_was_given_byte_for_byte(repository, content):
    blob = git("hash-object", "-w", "--stdin", folder=repository, given=content).text.strip()
    assert git("cat-file", "blob", blob, folder=repository).data == content


def test_git_text_names_files_that_are_not_utf8(repository):
    name = b"\xff\xe9 name"
    (repository / os.fsdecode(name)).write_bytes(b"here")
    assert git("add", ".", folder=repository).status == 0
    listed = git("ls-files", "-z", folder=repository).text.rstrip("\0")
    assert os.fsencode(listed) == name
    assert git("show", f":{listed}", folder=repository).data == b"here"


def test_git_that_fails_says_why_on_one_line(repository):
    answer = git("cat-file", "blob", "nothing", folder=repository)
    assert answer.status
    assert not answer.is_absent
    assert answer.command == "git cat-file"
    assert "nothing" in answer.reason
    assert "\n" not in answer.reason
    assert git("rev-parse", "--verify", "--quiet", "nothing", folder=repository).reason == "status 1"


def test_git_takes_no_zero_byte(repository):
    answer = git("rev-parse", "a\0b", folder=repository)
    assert (answer.status, answer.is_absent) == (128, False)
    assert "null byte" in answer.reason


def test_git_that_is_not_there_is_an_answer(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    answer = git("status", folder=repository)
    assert answer.is_absent
    assert answer.text == ""
