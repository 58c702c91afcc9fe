"""Authors' files read by several workers: what is read, counted and refused is that of one."""

import random
import zipfile

import pytest

from lengthwise.corpora.blogs import member_reading
from lengthwise.corpora.corpus import Extract
from lengthwise.corpora.ingest import ingest
from lengthwise.errors import CorpusError
from lengthwise.system.parallel import Workers

LIMIT = 1 << 20
PIECES = (
    "Hello.",
    "<post>",
    "</post>",
    "<date>14,May,2004</date>",
    "&nbsp;",
    "café",
    "\x00",
    "\r\n",
    " <b> ",
    "]]>",
)


def write_blogs(path, seed, authors=40):
    rng = random.Random(seed)
    with zipfile.ZipFile(path, "w") as archive:
        for author in range(authors):
            text = "".join(rng.choice(PIECES) for _ in range(rng.randrange(200)))
            text = f"<Blog><date>14,May,2004</date><post>{text}</post></Blog>"
            encoding = rng.choice(["utf-8", "cp1252", "utf-16"])
            archive.writestr(f"{author}.male.{rng.choice([15, 25, 35])}.Arts.Leo.xml", text.encode(encoding, "replace"))
    return path


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(member_reading, "BATCH_BYTES", 2_000)
    monkeypatch.setattr(member_reading, "ALONE_BYTES", 0)


def read(blogs, source, out, workers):
    counts = ingest(blogs, Extract(source, LIMIT, None, workers), out)
    return counts, out.read_bytes()


@pytest.mark.usefixtures("small_batches")
def test_any_number_of_workers_reads_and_counts_the_same(tmp_path, blogs):
    for seed in range(3):
        source = write_blogs(tmp_path / f"{seed}.zip", seed)
        alone = read(blogs, source, tmp_path / "alone.parquet", 1)
        assert alone[0]["documents"] >= 40
        assert read(blogs, source, tmp_path / "three.parquet", 3 if seed == 0 else 1) == alone
        with pytest.MonkeyPatch.context() as context:
            # One batch of all files.
            context.setattr(member_reading, "BATCH_BYTES", 1 << 30)
            assert read(blogs, source, tmp_path / "whole.parquet", 2) == alone


@pytest.mark.usefixtures("small_batches")
def test_broken_file_is_refused_by_workers_with_the_line_of_one(tmp_path, blogs):
    source = write_blogs(tmp_path / "blogs.zip", 5)
    with zipfile.ZipFile(source, "a") as archive:
        archive.writestr("7000.male.25.Arts.Leo.xml", b"x" * (LIMIT + 1))
    lines = []
    for workers in (1, 2):
        with pytest.raises(CorpusError, match=r"7000.*unpacks to") as refused:
            read(blogs, source, tmp_path / "out.parquet", workers)
        lines.append(str(refused.value))
        assert not (tmp_path / "out.parquet").exists()
    assert lines[0] == lines[1]


def test_small_corpus_starts_no_process(tmp_path, monkeypatch, blogs):
    started = []
    monkeypatch.setattr(
        member_reading, "Workers", lambda count, *start: started.append(count) or Workers(count, *start)
    )
    read(blogs, write_blogs(tmp_path / "blogs.zip", 1), tmp_path / "out.parquet", 8)
    assert started == [1]
