import errno
import os
import random
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from lengthwise.corpora.blogs.author_files import (
    AuthorFile,
    FolderSource,
    ZipSource,
    name_parts,
    read_member,
    refuse_copies,
)
from lengthwise.corpora.blogs.blog_source import open_blogs
from lengthwise.errors import CorpusError

NAME = "7.male.25.Arts.Leo.xml"
LIMIT = 1 << 20


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("0007.female.17.indUnk.Virgo.xml", ("0007", "female", "17", "indUnk", "Virgo")),
        ("7.Male.25.Arts.Leo.XML", ("7", "Male", "25", "Arts", "Leo")),
        ("7.male.25.Arts.Leo.txt", ("7", "male", "25", "Arts", "Leo")),
        ("7.male.25.Arts.and.Crafts.leo.xml", ("7", "male", "25", "Arts.and.Crafts", "leo")),
        ("7.male.25.Arts.Snake.xml", ("7", "male", "25", "Arts", "Snake")),
        ("7.male.25.Arts.Leo (1).xml", ("7", "male", "25", "Arts", "Leo")),
    ],
)
def test_name_parts_are_the_five_fields(name, parts):
    assert name_parts(AuthorFile("x.zip:7", name, 1)) == parts


def test_refuse_copies_names_both_files_of_an_author():
    files = [AuthorFile(f"blogs.zip:{name}", name, 1) for name in ("7.a.xml", "8.a.xml", "7.a (1).xml")]
    refuse_copies(files[:2], ["7", "8"])
    named = r"^blogs\.zip:7\.a \(1\)\.xml: author 7 comes twice, first in blogs\.zip:7\.a\.xml"
    with pytest.raises(CorpusError, match=named):
        refuse_copies(files, ["7", "8", "7"])


@pytest.mark.parametrize(
    "name",
    [
        "README",
        ".DS_Store",
        "._7.male.25.Arts.Leo.xml",
        "7.male.25.Arts.Leo.xml.bak",
        "7.male.25.Arts.xml",
        "7.male.25.Arts.Leo.more.xml",
        ".male.25.Arts.Leo.xml",
        "7.male.25..Leo.xml",
        "7.male.2x.Arts.Leo.xml",
        "7.male.1025.Arts.Leo.xml",
        "7.male.25.Arts.Leo.xml\n",
    ],
)
def test_name_parts_refuses_other_names(name):
    with pytest.raises(CorpusError, match=r"^the/place: is not named like a blog; expected ID\.GENDER\.AGE"):
        name_parts(AuthorFile("the/place", name, 1))


BESIDE = (
    """
.DS_Store|blogs/.DS_Store|__MACOSX/blogs/._7.male.25.Arts.Leo.xml|readme.txt|blogs/README|LICENSE.md|Thumbs.db
desktop.ini|.git/config|.ipynb_checkpoints/7.male.25.Arts.Leo.xml|blogs/.gitignore|Read Me.pdf
""".strip()
    .replace("\n", "|")
    .split("|")
)


def test_sources_pass_over_what_lies_beside_blogs_and_count_it(tmp_path, write_zip, write_folder):
    blogs = [f"blogs/{NAME}", "./8.male.25.Arts.Leo.xml", "../9.male.25.Arts.Leo.xml"]
    archive = open_blogs(write_zip(tmp_path / "blogs.zip", dict.fromkeys([*BESIDE, *blogs], b"x")))
    assert sorted(member.name for member in archive.members) == [f"{i}.male.25.Arts.Leo.xml" for i in (7, 8, 9)]
    folder = open_blogs(write_folder(tmp_path / "folder", dict.fromkeys([*BESIDE, blogs[0]], b"x")))
    assert [member.name for member in folder.members] == [NAME]
    assert archive.passed_over == folder.passed_over == len(BESIDE)


def test_zip_source_reads_names_with_the_separators_of_windows(tmp_path, write_zip):
    archive = open_blogs(write_zip(tmp_path / "blogs.zip", {f"blogs\\{NAME}": b"x", "__MACOSX\\blogs\\a": b""}))
    assert ([member.name for member in archive.members], archive.passed_over) == ([NAME], 1)


def test_sources_list_members_in_one_order_whatever_the_archives(tmp_path, write_zip, write_folder):
    names = [f"{i}.male.25.Arts.Leo.xml" for i in (10, 9, 1, 100)] + ["sub/5.male.25.Arts.Leo.xml"]
    members = {name: name.encode() for name in names}
    folder = open_blogs(write_folder(tmp_path / "folder", members))
    archive = open_blogs(write_zip(tmp_path / "blogs.zip", dict(reversed(members.items()))))
    listed = [
        [(member.name, member.size, read_member(source, member, LIMIT)) for member in source.members]
        for source in (folder, archive)
    ]
    assert listed[0] == listed[1] == [(n.removeprefix("sub/"), len(n), n.encode()) for n in sorted(names)]
    assert [member.place for member in archive.members] == [f"{tmp_path}/blogs.zip:{name}" for name in sorted(names)]


def test_zip_source_leaves_out_folders(tmp_path):
    path = tmp_path / "blogs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.mkdir("blogs")
        archive.writestr(f"blogs/{NAME}", b"x")
    assert [member.name for member in open_blogs(path).members] == [NAME]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_read_member_unpacks_what_is_stored_and_deflated(tmp_path, write_zip, compression):
    data = bytes(range(256)) * 50
    source = open_blogs(write_zip(tmp_path / "blogs.zip", {NAME: data}, compression))
    assert read_member(source, source.members[0], LIMIT) == data


def test_open_blogs_refuses_what_is_absent_or_empty(tmp_path, write_zip):
    with pytest.raises(CorpusError, match=r"^ingest\.source: .*nowhere does not exist; put the corpus there"):
        open_blogs(tmp_path / "nowhere")
    (tmp_path / "folder" / "sub").mkdir(parents=True)
    for path in (tmp_path / "folder", write_zip(tmp_path / "blogs.zip", {})):
        with pytest.raises(CorpusError, match=rf"^ingest\.source: {path} is empty; expected files ID\.GENDER"):
            open_blogs(path)


@pytest.mark.parametrize("data", [b"", b"PK", b"no zip", b"PK\x05\x06" + b"\xff" * 18])
def test_zip_source_refuses_what_is_no_zip(tmp_path, data):
    path = tmp_path / "blogs.zip"
    path.write_bytes(data)
    with pytest.raises(CorpusError, match=rf"^{path}: is no readable zip .*; get the file again"):
        ZipSource(path)


def test_zip_source_refuses_an_archive_cut_anywhere(tmp_path, write_zip):
    path = write_zip(tmp_path / "blogs.zip", {NAME: b"text"})
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(CorpusError, match="is no readable zip"):
            ZipSource(path)


def test_zip_source_refuses_two_members_of_one_name(tmp_path):
    path = tmp_path / "blogs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(NAME, b"x")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(NAME, b"y")
    with pytest.raises(CorpusError, match=rf"^{path}: two members have one name; make the archive again"):
        ZipSource(path)


def patch_sizes(path, size, crc=None):
    # Size and checksum stand 22 and 14 bytes into the local header, 24 and 16 into the directory's entry.
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02")
    for start in (22, directory + 24):
        data[start : start + 4] = struct.pack("<I", size)
    if crc is not None:
        for start in (14, directory + 16):
            data[start : start + 4] = struct.pack("<I", crc)
    path.write_bytes(data)


@pytest.mark.parametrize("flag", [0x1, 0x41])
def test_read_member_refuses_an_encrypted_member(tmp_path, write_zip, flag):
    path = write_zip(tmp_path / "blogs.zip", {NAME: b"secret"})
    data = bytearray(path.read_bytes())
    data[6] |= flag
    data[data.index(b"PK\x01\x02") + 8] |= flag
    path.write_bytes(data)
    source = open_blogs(path)
    with pytest.raises(CorpusError, match=rf"^{path}:{NAME}: is encrypted; unlock the archive"):
        read_member(source, source.members[0], LIMIT)


def test_read_member_refuses_a_wrong_checksum(tmp_path, write_zip):
    path = write_zip(tmp_path / "blogs.zip", {NAME: b"some text"}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"some text", b"same text"))
    source = open_blogs(path)
    with pytest.raises(CorpusError, match=rf"^{path}:{NAME}: cannot be unpacked \(Bad CRC.*; get the archive again"):
        read_member(source, source.members[0], LIMIT)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_source_turns_any_damaged_byte_into_an_error_or_the_same_bytes(tmp_path, write_zip, compression):
    data = b"some text, some more text and " + random.Random(1).randbytes(40)
    path = write_zip(tmp_path / "blogs.zip", {"7.male.25.Café.Leo.xml": data}, compression)
    whole = path.read_bytes()
    unexpected = []
    for place in range(len(whole)):
        for flip in (0x01, 0xFF):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
            try:
                source = ZipSource(path)
                read = [read_member(source, member, LIMIT) for member in source.members]
            except Exception as error:
                if not isinstance(error, CorpusError) or str(path) not in str(error):
                    unexpected.append((place, flip, repr(error)))
            else:
                assert read in ([data], [])
    assert unexpected == []


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_read_member_allows_the_limit_and_refuses_one_byte_more(tmp_path, write_zip, write_folder, compression):
    members = {NAME: b"x" * 1000}
    sources = [
        open_blogs(write_zip(tmp_path / "blogs.zip", members, compression)),
        open_blogs(write_folder(tmp_path / "blogs", members)),
    ]
    for source in sources:
        (member,) = source.members
        assert read_member(source, member, 1000) == members[NAME]
        with pytest.raises(CorpusError) as error:
            read_member(source, member, 999)
        assert str(error.value).startswith(f"{member.place}: unpacks to 1000 bytes or more; expected at most")
        assert str(error.value).endswith("raise ingest.max_member_mb if the file is what it should be")


@pytest.mark.parametrize("claimed", [0, 10, 999, 1001, 4_000_000_000])
def test_read_member_refuses_a_header_that_lies_about_the_size(tmp_path, write_zip, claimed):
    path = write_zip(tmp_path / "blogs.zip", {NAME: b"x" * 5000})
    patch_sizes(path, claimed)
    source = open_blogs(path)
    with pytest.raises(CorpusError, match=NAME):
        read_member(source, source.members[0], 1000)


def test_read_member_unpacks_no_more_than_the_limit_whatever_is_claimed(tmp_path, write_zip):
    path = write_zip(tmp_path / "blogs.zip", {NAME: b"x" * 5000})
    patch_sizes(path, 10, zlib.crc32(b"x" * 10))
    source = open_blogs(path)
    assert len(read_member(source, source.members[0], 1000)) <= 1000


def test_read_member_refuses_a_file_that_has_grown(tmp_path, write_folder):
    source = FolderSource(write_folder(tmp_path / "blogs", {NAME: b"x"}))
    (tmp_path / "blogs" / NAME).write_bytes(b"x" * 2000)
    with pytest.raises(CorpusError, match="unpacks to 1001 bytes or more"):
        read_member(source, source.members[0], 1000)


def test_folder_source_refuses_a_file_that_has_gone(tmp_path, write_folder):
    source = FolderSource(write_folder(tmp_path / "blogs", {NAME: b"x"}))
    (tmp_path / "blogs" / NAME).unlink()
    with pytest.raises(CorpusError, match=rf"{NAME}: cannot be read \(No such file or directory\); put it back"):
        source.read(source.members[0], 10)


def test_folder_source_refuses_a_folder_that_it_may_not_list(tmp_path, write_folder, monkeypatch):
    # `Path.rglob` would pass over it, and over all its authors. Permissions do not bind root: scandir stands for them.
    folder = write_folder(tmp_path / "blogs", {f"a/{NAME}": b"x", f"b/{NAME}": b"y"})
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "b":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(CorpusError, match=r"blogs/b: cannot be read \(Permission denied\)"):
        FolderSource(folder)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_read_member_refuses_what_cannot_be_unpacked_in_bounds(tmp_path, write_zip, compression):
    source = open_blogs(write_zip(tmp_path / "blogs.zip", {NAME: b"text"}, compression))
    with pytest.raises(CorpusError, match=rf"{NAME}: is packed by method {compression}; expected deflate; make the"):
        read_member(source, source.members[0], LIMIT)
