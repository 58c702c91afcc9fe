# Corpora with garbage in them, and corpora made to burst: what is sound is kept, what is hostile is refused in bounds.

import json
import os
import random
import shutil
import struct
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.corpora.blogs.blog_source import open_blogs
from lengthwise.corpora.blogs.csv_rows import RowReading, read_csv_rows
from lengthwise.corpora.blogs.form import Blogs
from lengthwise.corpora.blogs.posts import read_posts
from lengthwise.corpora.corpus import Extract
from lengthwise.corpora.ingest import ingest
from lengthwise.errors import CorpusError

BLOGS = Blogs(age_brackets={"10s": [13, 17], "20s": [23, 27], "30s": [33, 48]}, outside="refuse", quotes="doubled")
MEBIBYTE = 1 << 20
READING = RowReading(BLOGS.brackets, MEBIBYTE)
PIECES = [
    b"<post>",
    b"</post>",
    b"<date>",
    b"</date>",
    b"<date>1,May,2004</date>",
    b"<Blog>",
    b"</Blog>",
    b"<",
    b">",
    b"&",
]
PIECES += [
    b"<post",
    b"/post>",
    b"<!--",
    b"]]>",
    b"<![CDATA[",
    b"\0",
    b"\r\n",
    b" ",
    b"\xff\xfe",
    b"\xe2\x80",
    b"a" * 310,
]
GARBAGE = st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(PIECES), max_size=8).map(b"".join))
EXAMPLES = pytest.mark.parametrize("examples", [300, pytest.param(5_000, marks=pytest.mark.long)])
FEW_EXAMPLES = pytest.mark.parametrize("examples", [30, pytest.param(500, marks=pytest.mark.long)])


def sound_post(number: int) -> tuple[bytes, tuple[str, str]]:
    date, text = f"{number},May,2004", f"sound {number}"
    return f"<date>{date}</date>\r\n\r\n<post>{text}</post>".encode(), (date, text)


def is_within(some: list, others: list) -> bool:
    # In their order.
    rest = iter(others)
    return all(one in rest for one in some)


@EXAMPLES
def test_read_posts_loses_no_sound_post_nor_its_date_whatever_stands_between(examples):
    @settings(max_examples=examples, deadline=None, database=None)
    @given(st.lists(GARBAGE, min_size=1, max_size=6))
    def hold(between):
        posts = [sound_post(number) for number in range(len(between) - 1)]
        data = b"".join(part for (post, _), garbage in zip(posts, between, strict=False) for part in (garbage, post))
        read = [(post.date, post.text) for post in read_posts(data + between[-1], Counter())]
        assert is_within([expected for _, expected in posts], read)

    hold()


@EXAMPLES
def test_read_posts_keeps_all_posts_before_and_after_one_that_is_garbage(examples):
    @settings(max_examples=examples, deadline=None, database=None)
    @given(st.integers(0, 4), st.integers(0, 4), GARBAGE, st.integers(0, 60), st.integers(0, 60))
    def hold(before, after, garbage, begin, size):
        # Garbage in the place of a part of a post's mark-up and text.
        posts = [sound_post(number) for number in range(before + 1 + after)]
        hit = bytearray(posts[before][0])
        hit[begin : begin + size] = garbage
        data = b"\r\n".join([*(post for post, _ in posts[:before]), hit, *(post for post, _ in posts[before + 1 :])])
        read = [(post.date, post.text) for post in read_posts(data, Counter())]
        assert read[:before] == [expected for _, expected in posts[:before]]
        assert read[len(read) - after :] == [expected for _, expected in posts[before + 1 :]]

    hold()


@FEW_EXAMPLES
def test_ingest_keeps_every_document_of_others_whatever_one_blogger_s_file_holds(examples, tmp_path):
    sound = b"<Blog>" + b"".join(sound_post(number)[0] for number in range(3)) + b"</Blog>"

    @settings(max_examples=examples, deadline=None, database=None)
    @given(st.lists(GARBAGE, max_size=4).map(b"".join))
    def hold(garbage):
        path = tmp_path / "blogs.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for number, content in enumerate([sound, garbage, sound]):
                archive.writestr(f"{number}.male.25.Arts.Leo.xml", content)
        ingest(BLOGS, Extract(path, MEBIBYTE), tmp_path / "documents.parquet")
        table = pq.read_table(tmp_path / "documents.parquet", columns=["document_id", "text"]).to_pylist()
        others = [(row["document_id"], row["text"]) for row in table if not row["document_id"].startswith("1/")]
        assert others == [(f"{author}/{number}", f"sound {number}") for author in (0, 2) for number in range(3)]

    hold()


@EXAMPLES
def test_read_csv_rows_refuses_garbage_between_rows_or_keeps_them_all(examples, tmp_path):
    path = tmp_path / "blogs.csv"
    line = '{},male,25,Arts,Leo,"1,May,2004","sound {}"\r\n'

    @settings(max_examples=examples, deadline=None, database=None)
    @given(st.one_of(GARBAGE, st.text('"\n\r,\0a7', max_size=12).map(str.encode)), st.integers(0, 3))
    def hold(garbage, place):
        lines = [line.format(number, number).encode() for number in range(3)]
        path.write_bytes(b"".join([b"id,gender,age,topic,sign,date,text\r\n", *lines[:place], garbage, *lines[place:]]))
        texts, refusal = [], ""
        try:
            texts += [row.text.decode("utf-8", "replace") for row in read_csv_rows(open_blogs(path), READING)]
        except CorpusError as error:
            refusal = str(error)
        # What stands before a row in its line is its author's id: the row is there all the same.
        kept = all(any(text.endswith(f"sound {number}") for text in texts) for number in range(3))
        assert kept or str(path) in refusal

    hold()


# Runs ingest on each corpus in a process of its own that may take so much memory and processor time more, and no more.
DRIVER = """
import json, os, resource, sys
from pathlib import Path
from lengthwise.corpora.ingest import ingest
from lengthwise.corpora.blogs.form import Blogs
from lengthwise.corpora.corpus import Extract
from lengthwise.errors import LengthwiseError
memory, seconds, limit, *paths = sys.argv[1:]
for path in paths:
    read, write = os.pipe()
    if not os.fork():
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + int(memory),) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds),) * 2)
        sys.stderr = open(os.devnull, "w")
        try:
            blogs = Blogs(age_brackets={"10s": [13, 17], "20s": [23, 27]}, outside="refuse", quotes="doubled")
            counts = ingest(blogs, Extract(Path(path), int(limit)), Path(path + ".parquet"))
            told = f"{counts['documents']} documents"
        except LengthwiseError as error:
            told = str(error)
        except BaseException as error:
            told = f"crash: {error!r}"
        os.write(write, told.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        told = stream.read()
    print(json.dumps([path, told or "killed", os.path.exists(path + ".parquet")]))
    os.wait()
"""


def ingest_within(paths: list[Path], memory: int, seconds: int, limit: int) -> dict[str, tuple[str, bool]]:
    """What ingest says of each corpus, and whether it left a table of documents."""
    command = [sys.executable, "-c", DRIVER, *map(str, (memory, seconds, limit, *paths))]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    return {Path(path).name: (told, left) for path, told, left in map(json.loads, done.stdout.splitlines())}


NAME = "7.male.25.Arts.Leo.xml"
POST = b"<post>Hello</post>"


def write_zip(path: Path, data: bytes, name: str = NAME, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(zipfile.ZipInfo(name), data, method)
    return path


def patch(path: Path, signature: bytes, offset: int, value: bytes) -> None:
    # Of the last record with this signature.
    data = bytearray(path.read_bytes())
    place = data.rindex(signature) + offset
    data[place : place + len(value)] = value
    path.write_bytes(data)


def write_archives(folder: Path, size: int) -> None:
    """Zips made to burst, to lie or to write elsewhere; `size` is what the bombs hold."""
    for name, method in (("bzip2", zipfile.ZIP_BZIP2), ("deflate", zipfile.ZIP_DEFLATED), ("lzma", zipfile.ZIP_LZMA)):
        bomb = write_zip(folder / f"bomb_{name}.zip", bytes(size), method=method)
        shutil.copy(bomb, folder / f"bomb_small_claim_{name}.zip")
        patch(folder / f"bomb_small_claim_{name}.zip", b"PK\1\2", 24, struct.pack("<I", 10))
    write_zip(folder / "within_zip.zip", (folder / "bomb_deflate.zip").read_bytes())
    for name in ("../" * 5 + NAME, f"/etc/{NAME}", "C:\\" + NAME, "blogs/../../" + NAME):
        write_zip(folder / f"elsewhere_{len(name)}.zip", POST, name)
    for offset, name in ((8, "entries"), (12, "directory_size"), (16, "directory_place")):
        for value in (b"\xff\xff", b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff")[: 1 if name == "entries" else 3]:
            path = write_zip(folder / f"absurd_{name}_{value.hex()}.zip", POST)
            patch(path, b"PK\5\6", offset, value)
    for offset, name in ((20, "packed_size"), (24, "size"), (28, "name_length"), (30, "extra_length"), (42, "place")):
        path = write_zip(folder / f"absurd_{name}.zip", POST)
        patch(path, b"PK\1\2", offset, b"\xff\xff" if "length" in name else b"\xff\xff\xff\xff")
    write_zip(folder / "nameless.zip", POST, "x")
    # The name becomes a byte of extra.
    patch(folder / "nameless.zip", b"PK\1\2", 28, b"\0\0\1\0")


def write_files(folder: Path, size: int) -> None:
    """Blog files and CSVs of mark-up or of lines without an end; `size` is in bytes."""
    header = b"id,gender,age,topic,sign,date,text\n"
    bomb = b"<!DOCTYPE a [<!ENTITY a 'x'>" + b"".join(
        b"<!ENTITY %c '%s'>" % (letter + 1, b"&%c;" % letter * 20) for letter in range(ord("a"), ord("k"))
    )
    contents = {
        "nested": b"<a>" * (size // 3),
        "nested_posts": b"<post>" * (size // 30),
        "dates": b"<post>" + b"<date>" * (size // 6 - 1),
        "entities": b"<post>" + b"&#65;" * (size // 5 - 2),
        "entity_bomb": bomb + b"]><a>&k;</a>",
        "no_newline": b"<post>" + b"x" * (size - 6),
        "nothing": b"<" * size,
    }
    for name, content in contents.items():
        (folder / name).mkdir()
        (folder / name / NAME).write_bytes(content)
    row = b"7,male,25,Arts,Leo,,"
    (folder / "quote_never_closed.csv").write_bytes(header + row + b'"' + b"x\n" * size)
    (folder / "commas.csv").write_bytes(header + b"," * size)
    (folder / "quotes.csv").write_bytes(header + row + b'"' * (size // 2 * 2))


def write_gigabyte(path: Path, beginning: bytes, *, sparse: bool) -> None:
    with path.open("wb") as stream:
        stream.write(beginning)
        if sparse:
            stream.truncate(1 << 30)
        else:
            block = random.Random(1).randbytes(MEBIBYTE).translate(bytes(97 + i % 26 for i in range(256)))
            for _ in range(1024):
                stream.write(block)


# Bytes of memory that a byte of the largest allowed file may cost.
MEMORY = 24


@pytest.mark.long
@pytest.mark.parametrize(
    ("bomb", "limit", "seconds", "sparse"),
    [
        (3 * MEBIBYTE, MEBIBYTE // 8, 60, True),
        pytest.param(24 * MEBIBYTE, MEBIBYTE, 60, True, marks=pytest.mark.long),
        pytest.param(1024 * MEBIBYTE, 16 * MEBIBYTE, 300, False, marks=pytest.mark.long),
    ],
)
def test_ingest_reads_or_refuses_hostile_corpora_within_memory_and_time(tmp_path, bomb, limit, seconds, sparse):
    folder = tmp_path / "corpora"
    folder.mkdir()
    write_archives(folder, bomb)
    write_files(folder, limit)
    write_gigabyte(folder / "line.csv", b"id,gender,age,topic,sign,date,text\n7,male,25,a,b,,", sparse=sparse)
    write_gigabyte(folder / "quoted_line.csv", b'id,gender,age,topic,sign,date,text\n7,male,25,a,b,,"', sparse=sparse)
    (folder / "gigabyte").mkdir()
    write_gigabyte(folder / "gigabyte" / NAME, b"<post>", sparse=sparse)
    said = ingest_within(sorted(folder.iterdir()), MEMORY * limit + 64 * MEBIBYTE, seconds, limit)
    print(json.dumps(said, indent=1))
    wrong = {name: told for name, (told, _) in said.items() if told.startswith(("crash", "killed"))}
    assert not wrong
    read = {name for name, (told, _) in said.items() if told.endswith(" documents")}
    harmless = {"dates", "entities", "nested_posts", "no_newline", "quotes.csv"}
    assert read <= harmless | {name for name in said if name.startswith(("elsewhere", "absurd"))}
    assert harmless <= read
    for name, (told, left) in said.items():
        assert left == (name in read), name
        assert name in read or (name in told and told.isprintable() and "; " in told), told
    # Nothing was unpacked anywhere, and nothing half-written is left.
    assert {path.name for path in folder.iterdir()} == {*said, *(f"{name}.parquet" for name in read)}
    assert [path.name for path in tmp_path.iterdir()] == ["corpora"]


def test_ingest_within_notices_what_takes_too_much(tmp_path):
    # The test's own bounds: what is allowed nothing is found to crash, not to be refused.
    write_files(tmp_path, MEBIBYTE)
    assert ingest_within([tmp_path / "no_newline"], 0, 60, MEBIBYTE)["no_newline"][0].startswith(("crash", "killed"))
