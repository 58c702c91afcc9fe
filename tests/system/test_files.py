import errno
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from lengthwise.errors import FormatError, OutputError
from lengthwise.system.files import (
    DIGEST_CHUNK_BYTES,
    file_digest,
    replacing_file,
    replacing_folder,
    scratch_folder,
    write_json,
    write_metrics,
)


def fail_after(write):
    write()
    raise RuntimeError("half way")


def test_replacing_file_shows_nothing_before_it_is_complete(tmp_path):
    path = tmp_path / "deep" / "er" / "out.txt"
    with replacing_file(path) as beside:
        assert beside.parent == path.parent
        beside.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_replacing_file_leaves_the_old_content_after_an_error(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half way"), replacing_file(path) as beside:
        fail_after(lambda: beside.write_text("new"))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_file_writes_over_what_a_killed_process_left(tmp_path):
    path = tmp_path / "out.txt"
    with replacing_file(path) as beside:
        left = beside
        beside.write_text("new")
    left.write_text("half, and longer than the new one")
    with replacing_file(path) as beside:
        beside.write_text("newer")
    assert path.read_text() == "newer"
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_file_fails_where_nothing_was_written(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")
    with pytest.raises(OutputError, match="No such file"), replacing_file(path):
        pass
    assert path.read_text() == "old"


@pytest.mark.parametrize("replacing", [replacing_file, replacing_folder, scratch_folder])
def test_outputs_that_cannot_be_written_are_named_in_one_line(tmp_path, replacing):
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "file" / "out"
    with pytest.raises(OutputError) as refused, replacing(path):
        pass
    reason = "File exists" if replacing is replacing_file else "Not a directory"
    assert str(refused.value) == (
        f"{path}: cannot be written ({reason}); expected room and permission for it; see to both and run it again"
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "of Arrow. Detail: [errno 28]"), "No space left on device"),
        # As NumPy has it.
        (OSError("100 requested and\n 12 written"), "100 requested and 12 written"),
    ],
)
def test_replacing_folder_names_itself_not_the_file_within_it_that_had_no_room(tmp_path, error, reason):
    path = tmp_path / "out"
    path.mkdir()

    def write():
        with replacing_folder(path) as out, scratch_folder(path) as scratch, replacing_file(out / "a") as beside:
            (scratch / "file").touch()
            beside.touch()
            raise error

    with pytest.raises(OutputError) as refused:
        write()
    assert str(refused.value).startswith(f"{path}: cannot be written ({reason}); ")
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_file_lets_other_errors_through(tmp_path):
    with pytest.raises(FormatError, match="of an input"), replacing_file(tmp_path / "out"):
        raise FormatError("of an input")


def test_replacing_folder_never_shows_a_part_of_a_folder(tmp_path, monkeypatch):
    # Whatever is removed or renamed on the way: the folder is the old one, the new one, or absent.
    path = tmp_path / "out"
    path.mkdir()
    for number in range(3):
        (path / f"old{number}").touch()
    seen = []

    def watch(name):
        original = getattr(os, name)

        def watched(*arguments, **more):
            seen.append(sorted(entry.name for entry in path.iterdir()) if path.exists() else None)
            return original(*arguments, **more)

        monkeypatch.setattr(os, name, watched)

    for name in ("unlink", "rmdir", "rename", "replace"):
        watch(name)
    with replacing_folder(path) as beside:
        (beside / "new").touch()
    assert [entry.name for entry in path.iterdir()] == ["new"]
    assert len(seen) >= 4
    assert all(names in (["old0", "old1", "old2"], None, ["new"]) for names in seen)


def test_replacing_folder_puts_the_old_one_back_where_the_new_one_cannot_come(tmp_path, monkeypatch):
    path = tmp_path / "out"
    path.mkdir()
    (path / "old").touch()
    rename = Path.rename

    def refuse(self, target):
        if self.name == ".out.partial":
            raise OSError(errno.EIO, "broken")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OutputError, match="Input/output error"), replacing_folder(path) as beside:
        (beside / "new").touch()
    assert [entry.name for entry in path.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [path]


def test_folders_beside_are_cleared_of_what_a_killed_process_left(tmp_path):
    path = tmp_path / "out"
    for role in ("partial", "replaced", "scratch"):
        left = tmp_path / f".out.{role}"
        left.mkdir()
        (left / "half").touch()
    with replacing_folder(path) as beside, scratch_folder(path) as scratch:
        assert list(beside.iterdir()) == list(scratch.iterdir()) == []
    assert list(tmp_path.iterdir()) == [path]


def test_scratch_folder_is_empty_and_goes_also_after_an_error(tmp_path):
    path = tmp_path / "deep" / "out"
    with pytest.raises(RuntimeError, match="half way"), scratch_folder(path) as scratch:
        fail_after(lambda: (scratch / "file").write_text("much"))
    assert list(path.parent.iterdir()) == []


def test_replacing_folder_replaces_all_of_the_old_one(tmp_path):
    path = tmp_path / "deep" / "out"
    path.mkdir(parents=True)
    (path / "old.txt").write_text("old")
    with replacing_folder(path) as beside:
        (beside / "new.txt").write_text("new")
        assert [entry.name for entry in path.iterdir()] == ["old.txt"]
    assert [entry.name for entry in path.iterdir()] == ["new.txt"]
    assert list(path.parent.iterdir()) == [path]


def test_replacing_folder_leaves_the_old_content_after_an_error(tmp_path):
    path = tmp_path / "out"
    path.mkdir()
    (path / "old.txt").write_text("old")
    with pytest.raises(RuntimeError, match="half way"), replacing_folder(path) as beside:
        fail_after(lambda: (beside / "new.txt").write_text("new"))
    assert [entry.name for entry in path.iterdir()] == ["old.txt"]
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_folder_does_not_keep_what_a_killed_process_left(tmp_path):
    path = tmp_path / "out"
    with replacing_folder(path) as beside:
        left = beside
    left.mkdir()
    (left / "half.txt").write_text("half")
    with replacing_folder(path) as beside:
        (beside / "new.txt").write_text("new")
    assert [entry.name for entry in path.iterdir()] == ["new.txt"]


def test_write_json_is_sorted_indented_and_ends_with_a_newline(tmp_path):
    path = tmp_path / "deep" / "out.json"
    write_json(path, {"b": 1, "a": {"ü": [0.1, None]}})
    assert path.read_text(encoding="utf-8") == (
        '{\n  "a": {\n    "ü": [\n      0.1,\n      null\n    ]\n  },\n  "b": 1\n}\n'
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_write_json_refuses_numbers_that_are_not_finite(tmp_path, value):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "out.json", {"deep": [{"loss": value}]})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        float("-inf"),
        np.float64("nan"),
        True,
        False,
        None,
        [1],
        {"a": 1},
        np.bool_(True),
        np.array([1.0]),
        1j,
        b"text",
    ],
    ids=repr,
)
def test_write_metrics_refuses_what_dvc_would_drop_and_names_it(tmp_path, value):
    path = tmp_path / "metrics.json"
    path.write_text("old")
    with pytest.raises(ValueError, match="metric deep_loss: got"):
        write_metrics(path, {"fine": 1, "deep_loss": value})
    assert path.read_text() == "old"


def test_write_metrics_writes_numbers_and_strings(tmp_path):
    path = tmp_path / "metrics.json"
    metrics = {"b": 1, "a": 0.1 + 0.2, "name": "padded", "c": np.float64(0.5), "zero": 0, "big": 2**60}
    write_metrics(path, metrics)
    assert json.loads(path.read_text()) == metrics
    assert list(json.loads(path.read_text())) == sorted(metrics)


@pytest.mark.parametrize("size", [0, 1, DIGEST_CHUNK_BYTES - 1, DIGEST_CHUNK_BYTES, DIGEST_CHUNK_BYTES + 1])
def test_file_digest_is_sha_256_of_all_bytes(tmp_path, size):
    content = np.random.default_rng(size).bytes(size)
    (tmp_path / "file").write_bytes(content)
    assert file_digest(tmp_path / "file") == hashlib.sha256(content).hexdigest()
