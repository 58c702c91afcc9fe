import gzip
from collections import Counter

import pytest

from lengthwise.corpora.corpus import Extract
from lengthwise.corpora.ingest import ingest
from lengthwise.corpora.plain import Plain
from lengthwise.errors import CorpusError
from lengthwise.prepare.documents import open_documents, read_texts

LIMIT = 1 << 20


def read(source, encoding="utf-8", files="*", groups=None):
    corpus, extract, counts = Plain(files=files, encoding=encoding), Extract(source, LIMIT, groups), Counter()
    form = corpus.form(extract)
    return {document.group: document.text for document in corpus.documents(extract, form, counts)}, counts


TEXT = "  First Line,\r\n\tsecond\n\n\nÖ 😀 \x00 end\n \n"


def test_a_file_is_a_document_as_it_is(tmp_path):
    (tmp_path / "a.txt").write_bytes(TEXT.encode())
    documents, counts = read(tmp_path / "a.txt")
    assert documents == {"a.txt": TEXT}
    assert counts == {"files": 1, "bytes": len(TEXT.encode())}


@pytest.mark.parametrize("place", ["folder", "zip"])
def test_files_of_a_folder_or_an_archive_are_documents_by_their_names(tmp_path, write_zip, write_folder, place):
    members = {"b/2.txt": b"two", "a.txt": b"one", "c.txt.gz": gzip.compress(b"three"), ".hidden": b"x", "d.md": b"x"}
    source = write_zip(tmp_path / "all.zip", members) if place == "zip" else write_folder(tmp_path / "all", members)
    documents, counts = read(source, files="*.txt")
    assert documents == {"a.txt": "one", "b/2.txt": "two", "c.txt": "three"}
    assert counts["files"] == 3
    part, _ = read(source, files="*.txt", groups=2)
    assert len(part) == 2
    assert part.items() <= documents.items()


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "koi8-r", "utf-8"])
def test_text_is_in_the_encoding_that_is_named(tmp_path, encoding):
    text = "привет\n" if encoding == "koi8-r" else "Öl\n"
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    assert read(tmp_path / "a.txt", encoding)[0] == {"a.txt": text}


def test_a_byte_order_mark_is_no_character(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffa\ufeff".encode())
    assert read(tmp_path / "a.txt")[0] == {"a.txt": "a\ufeff"}


def test_what_is_not_in_the_encoding_is_refused_with_its_byte(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"abc\xff")
    with pytest.raises(CorpusError, match=r"a.txt: byte 3 is not utf-8; set ingest.plain.encoding"):
        read(tmp_path / "a.txt")
    with pytest.raises(CorpusError, match=r"ingest.plain.encoding: got 'utf-9'"):
        read(tmp_path / "a.txt", "utf-9")
    # Of codecs that make no text of bytes.
    with pytest.raises(CorpusError, match=r"ingest.plain.encoding: got 'zlib'"):
        read(tmp_path / "a.txt", "zlib")


def test_the_stage_writes_the_text_as_it_is(tmp_path):
    (tmp_path / "a.txt").write_bytes(TEXT.encode())
    corpus = Plain(files="*", encoding="utf-8")
    counts = ingest(corpus, Extract(tmp_path / "a.txt", LIMIT), tmp_path / "documents.parquet")
    assert (counts["documents"], counts["files"]) == (1, 1)
    open_documents(tmp_path / "documents.parquet")
    assert read_texts(tmp_path / "documents.parquet", 0).to_pylist() == [TEXT]
