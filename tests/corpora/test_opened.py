"""Files, folders and archives: what is in them, and what is never opened."""

import bz2
import gzip
import lzma
import stat
import zipfile

import pyarrow as pa
import pytest

from lengthwise.corpora.opened import files_of
from lengthwise.errors import CorpusError
from lengthwise.system.decompressed import COMPRESSIONS

LIMIT = 1 << 20


def zst(data):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


PACK = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zst}
LINES = b"".join(b"line %d\n" % number for number in range(20_000))


def test_every_end_of_a_compressed_file_is_tried_here():
    assert PACK.keys() == COMPRESSIONS.keys()


@pytest.mark.parametrize("end", ["", *PACK])
@pytest.mark.parametrize("place", ["file", "folder", "zip"])
def test_a_file_is_read_the_same_wherever_it_is(tmp_path, write_zip, end, place):
    data, name = PACK.get(end, bytes)(LINES), f"a.txt{end.upper() if place == 'zip' else end}"
    if place == "zip":
        source = write_zip(tmp_path / "all.zip", {f"deep/{name}": data})
    else:
        source = tmp_path / name if place == "file" else tmp_path
        (tmp_path / name).write_bytes(data)
    (file,) = files_of(source, LIMIT)
    assert file.name == ("deep/a.txt" if place == "zip" else "a.txt")
    for _ in range(2):
        with file.open() as stream:
            assert list(stream) == LINES.splitlines(keepends=True)


def test_hidden_files_and_those_of_macos_are_passed_over_and_names_are_in_order(tmp_path, write_zip):
    members = dict.fromkeys(("b/2.txt", "a.txt", ".DS_Store", "__MACOSX/._a.txt", "b/.git/c.txt", "b/1.txt"), b"x")
    source = write_zip(tmp_path / "all.zip", members)
    assert [file.name for file in files_of(source, LIMIT)] == ["a.txt", "b/1.txt", "b/2.txt"]
    assert [file.name for file in files_of(source, LIMIT, ("1*", "b/2*"))] == ["b/1.txt", "b/2.txt"]


@pytest.mark.parametrize("name", ["../a.txt", "b/../../a.txt", "/a.txt", "..\\a.txt", "\\a.txt"])
def test_a_name_that_leads_out_of_an_archive_is_refused(tmp_path, write_zip, name):
    with pytest.raises(CorpusError, match="is named like a way out of the archive"):
        files_of(write_zip(tmp_path / "all.zip", {name: b"x"}), LIMIT)


def test_a_link_in_an_archive_is_refused(tmp_path):
    info = zipfile.ZipInfo("a.txt")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr(info, "/etc/hostname")
    with pytest.raises(CorpusError, match=r"all.zip:a.txt: is a link; expected files"):
        files_of(tmp_path / "all.zip", LIMIT)


@pytest.mark.parametrize("end", [*PACK, ".zip"])
def test_what_unpacks_to_more_than_the_limit_is_refused_on_the_way(tmp_path, write_zip, end):
    zeros = bytes(LIMIT + 1)
    source = tmp_path / f"a.txt{end}"
    if end == ".zip":
        write_zip(source, {"a.txt": zeros})
    else:
        source.write_bytes(PACK[end](zeros))
    assert source.stat().st_size < LIMIT // 50
    (file,) = files_of(source, LIMIT)
    with (
        file.open() as stream,
        pytest.raises(CorpusError, match=r"unpacks to more than 1 MiB; .* ingest.max_member_mb"),
    ):
        stream.read()
    (file,) = files_of(source, LIMIT + 1)
    with file.open() as stream:
        assert len(stream.read()) == LIMIT + 1


# Arrow writes .zst without a checksum.
@pytest.mark.parametrize("end", [*(end for end in PACK if end != ".zst"), ".zip"])
def test_damage_is_refused_in_a_line(tmp_path, write_zip, end):
    source = tmp_path / f"a.txt{end}"
    if end == ".zip":
        write_zip(source, {"a.txt": LINES})
    else:
        source.write_bytes(PACK[end](LINES))
    data = bytearray(source.read_bytes())
    middle = len(data) // 3
    data[middle : middle + 8] = bytes(byte ^ 0xFF for byte in data[middle : middle + 8])
    source.write_bytes(data)
    (file,) = files_of(source, LIMIT)
    with pytest.raises(CorpusError, match="get the file again") as caught, file.open() as stream:
        stream.read()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("end", PACK)
def test_a_compressed_file_that_is_cut_is_refused_in_a_line(tmp_path, end):
    data = PACK[end](LINES)
    (tmp_path / f"a.txt{end}").write_bytes(data[: len(data) // 2])
    (file,) = files_of(tmp_path, LIMIT)
    with pytest.raises(CorpusError, match="get the file again") as caught, file.open() as stream:
        stream.read()
    assert "\n" not in str(caught.value)


def test_a_member_that_is_not_where_the_archive_says_is_refused(tmp_path, write_zip):
    source = write_zip(tmp_path / "all.zip", {"a.txt": b"some text"})
    source.write_bytes(b"XX" + source.read_bytes()[2:])
    (file,) = files_of(source, LIMIT)
    with pytest.raises(CorpusError, match="a member is not where the archive says"), file.open():
        pass


def test_an_archive_behind_other_bytes_is_read(tmp_path, write_zip):
    source = write_zip(tmp_path / "all.zip", {"a.txt": b"some text"})
    source.write_bytes(b"#!/bin/sh\n" + source.read_bytes())
    (file,) = files_of(source, LIMIT)
    with file.open() as stream:
        assert stream.read() == b"some text"


@pytest.mark.parametrize("name", ["nothing", "x" * 999])
def test_nothing_there_is_told(tmp_path, name):
    with pytest.raises(CorpusError, match=r"ingest.source: .* does not exist"):
        files_of(tmp_path / name, LIMIT)


def test_no_file_that_fits_is_told_with_what_is_there(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"x")
    with pytest.raises(CorpusError, match=r"has no file \*.txt; found a.csv"):
        files_of(tmp_path, LIMIT, ("*.txt",))
    (tmp_path / "a.zip").write_bytes(b"PK\x05\x06" + bytes(9))
    with pytest.raises(CorpusError):
        files_of(tmp_path / "a.zip", LIMIT, ("*.txt",))
