# The forms in which the corpus lies around: each is read right, or refused by one line that says what to do.

import bz2
import csv
import gzip
import io
import lzma
import tarfile
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lengthwise.corpora.blogs.decoding import NAMES
from lengthwise.corpora.blogs.form import Blogs
from lengthwise.corpora.corpus import Extract
from lengthwise.corpora.ingest import ingest
from lengthwise.errors import CorpusError

HEADER = ["id", "gender", "age", "topic", "sign", "date", "text"]
TEXTS = ["I went out today.", "It rained a lot, and so I stayed in.", "We had tea & cake; “quite”.", "Nothing more."]
DATE = "14,May,2004"


def people():
    # Six authors of every joint class, with two posts each.
    for number in range(6):
        yield str(100 + number), ("male", "female")[number % 2], (15, 25, 35)[number % 3], "Student", "Leo"


ROWS = [
    [*map(str, person), DATE, TEXTS[(number + post) % 4]] for number, person in enumerate(people()) for post in (0, 1)
]


def blog(*texts, date=DATE):
    return "<Blog>" + "".join(f"<date>{date}</date>\n<post>{text}</post>\n" for text in texts) + "</Blog>"


def files(change=lambda name: name):
    by_author = {}
    for *person, _, text in ROWS:
        by_author.setdefault(".".join(person), []).append(text)
    return {change(f"blogs/{name}.xml"): blog(*texts).encode() for name, texts in by_author.items()}


def table(rows=ROWS, header=HEADER, **dialect):
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, **dialect)
    writer.writerows([header, *rows])
    return stream.getvalue()


def reordered(columns):
    return [[row[HEADER.index(name)] for name in columns] for row in ROWS]


@pytest.fixture
def read(tmp_path):
    def ingested(path, most_groups=None, **keys):
        given = {"age_brackets": {"10s": [13, 17], "20s": [23, 27], "30s": [33, 48]}}
        corpus = Blogs(**given, **{"outside": "refuse", "quotes": "doubled", **keys})
        out = tmp_path / "documents.parquet"
        counts = ingest(corpus, Extract(path, 1 << 20, most_groups), out)
        rows = pq.read_table(out).to_pylist()
        assert counts["documents"] == len(rows) == sum(counts[f"documents_{name}"] for name in NAMES)
        return rows, counts

    return ingested


@pytest.fixture
def write(tmp_path):
    def written(name, content):
        path = tmp_path / name
        if isinstance(content, dict) and name.endswith(".zip"):
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for member, data in content.items():
                    archive.writestr(member, data)
        elif isinstance(content, dict):
            for member, data in content.items():
                (path / member).parent.mkdir(parents=True, exist_ok=True)
                (path / member).write_bytes(data)
        else:
            path.write_bytes(content)
        return path

    return written


def told(rows):
    return [(row["group"], row["gender"], row["age"], row["industry"], row["sign"], row["text"]) for row in rows]


EXPECTED = [(row[0], ("male", "female").index(row[1]), int(row[2]), *row[3:5], row[6]) for row in ROWS]
CSV = table().encode()
GOOD = files()
BESIDE = {
    "blogs/.DS_Store": b"\0",
    "__MACOSX/blogs/._100.male.15.Student.Leo.xml": b"\0",
    "blogs/readme.txt": b"read me",
}
INDEX = table([[number, *row] for number, row in enumerate(ROWS)], ["", *HEADER]).encode()
OTHER_ORDER = ["text", "date", "id", "sign", "age", "gender", "topic"]
READ_RIGHT = {
    "good.zip": GOOD,
    "folder": GOOD,
    "macosx.zip": GOOD | BESIDE,
    "dsstore_folder": GOOD | {".DS_Store": b"\0", ".gitignore": b"*", "blogs/.git/config": b""},
    "upper.zip": files(lambda name: name.replace(".xml", ".XML")),
    "txt.zip": files(lambda name: name.replace(".xml", ".txt")),
    "Female.zip": files(lambda name: name.replace("female", "Female").replace(".male", ".Male")),
    "a folder's name; (1) & it's.zip": GOOD,
    "good.csv": CSV,
    "good.CSV.txt": CSV,
    "no_suffix": CSV,
    "archive.zip": {"blogtext.csv": CSV},
    "archive_from_a_mac.zip": {"blogtext.csv": CSV, "__MACOSX/._blogtext.csv": b"\0"},
    "archive_folder": {"blogtext.csv": CSV, ".DS_Store": b"\0"},
    "good.csv.gz": gzip.compress(CSV),
    "good.csv.bz2": bz2.compress(CSV),
    "good.csv.xz": lzma.compress(CSV),
    "two_streams.csv.xz": lzma.compress(CSV[:300]) + lzma.compress(CSV[300:]),
    "two_streams.csv.gz": gzip.compress(CSV[:300]) + gzip.compress(CSV[300:]),
    "good.csv.zst": pa.Codec("zstd").compress(CSV, asbytes=True),
    "gz_without_suffix": gzip.compress(CSV),
    "bom_crlf.csv": b"\xef\xbb\xbf" + CSV,
    "lf.csv": table(lineterminator="\n").encode(),
    "utf16.csv": table().encode("utf-16"),
    "utf16_tabs.txt": table(delimiter="\t").encode("utf-16"),
    "semicolon.csv": table(delimiter=";").encode(),
    "tsv.tsv": table(delimiter="\t").encode(),
    "pipes.csv": table(delimiter="|").encode(),
    "index.csv": INDEX,
    "reordered.csv": table(reordered(OTHER_ORDER), OTHER_ORDER).encode(),
    "label_column.csv": table([[*row, "x"] for row in ROWS], [*HEADER, "label"]).encode(),
    "Male.csv": table([[row[0], row[1].title(), *row[2:]] for row in ROWS]).encode(),
    "float_ages.csv": table([[*row[:2], f"{row[2]}.0", *row[3:]] for row in ROWS]).encode(),
    "nul.csv": CSV.replace(b"rained", b"rai\0ned"),
    "all_quoted.csv": table(quoting=csv.QUOTE_ALL).encode(),
}


@pytest.mark.parametrize("name", READ_RIGHT)
def test_forms_of_the_corpus_are_read_right(read, write, name):
    path = write(name, READ_RIGHT[name])
    rows, counts = read(path)
    assert told(rows) == EXPECTED
    assert {row["date"] for row in rows} == {DATE}
    assert counts["authors"] == 6
    content = READ_RIGHT[name]
    assert counts["files"] + counts["files_passed_over"] == (len(content) if isinstance(content, dict) else 1)
    assert counts["rows"] == (0 if counts["files"] > 1 else len(rows))


def test_rows_of_an_author_are_read_wherever_they_are(read, write):
    rows, counts = read(write("unsorted.csv", table(ROWS[::2] + ROWS[1::2]).encode()))
    assert sorted(told(rows)) == sorted(EXPECTED)
    assert counts["authors"] == 6


def test_texts_with_line_ends_are_read_as_they_are(read, write):
    texts = [row[6].replace(" ", "\n") for row in ROWS]
    rows, _ = read(
        write("newlines.csv", table([[*row[:6], text] for row, text in zip(ROWS, texts, strict=True)]).encode())
    )
    assert [row["text"] for row in rows] == texts


def test_texts_with_backslashes_before_quotes_are_read_once_told(read, write):
    texts = [f'she said "{row[6]}" twice' for row in ROWS]
    content = table(
        [[*row[:6], text] for row, text in zip(ROWS, texts, strict=True)],
        quoting=csv.QUOTE_ALL,
        doublequote=False,
        escapechar="\\",
    )
    path = write("backslash_quote.csv", content.encode())
    with pytest.raises(CorpusError, match=r"line 2: is no CSV .*set ingest\.blogs\.quotes to backslash"):
        read(path)
    assert [row["text"] for row in read(path, quotes="backslash")[0]] == texts


@pytest.mark.parametrize("quotes", ["doubled", "backslash"])
def test_a_quote_in_the_middle_of_a_text_is_never_taken_for_its_end(tmp_path, read, quotes):
    with pytest.raises(CorpusError, match=r"line 14: is no CSV \(',' expected after '\"'\)"):
        read(inner_quote(tmp_path), quotes=quotes)


def test_texts_of_a_database_with_line_ends_after_backslashes_are_read(read, write):
    content = table() + '999,male,25,Student,Leo,1,"a \\"b\\" \\\\ c\\\nd \\n"\n'
    assert read(write("export.csv", content.encode()), quotes="backslash")[0][-1]["text"] == 'a "b" \\ c\nd \\n'


def test_names_with_dots_are_read_by_their_sign(read, write):
    more = {"blogs/2000.male.25.Arts.and.Crafts.Leo.xml": blog("More.").encode()}
    rows, _ = read(write("dotted.zip", GOOD | more))
    assert told(rows) == [*EXPECTED, ("2000", 0, 25, "Arts.and.Crafts", "Leo", "More.")]


EIGHTEEN = ["999", "male", "18", "Student", "Leo", DATE, "Outside."]
OUTSIDE = {
    "age18.zip": GOOD | {"blogs/999.male.18.Student.Leo.xml": blog("Outside.", "Outside.").encode()},
    "age18.csv": table([EIGHTEEN, *ROWS, EIGHTEEN]).encode(),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_authors_outside_the_brackets_are_refused_or_left_out_and_counted(read, write, name):
    path = write(name, OUTSIDE[name])
    with pytest.raises(CorpusError, match=r"age 18 is in no bracket; .* or set ingest\.blogs\.outside to leave_out"):
        read(path)
    rows, counts = read(path, outside="leave_out")
    assert told(rows) == EXPECTED
    assert (counts["authors"], counts["authors_outside"]) == (6, 1)
    if name.endswith(".zip"):
        assert (counts["files"], counts["files_outside"]) == (6, 1)
    else:
        assert (counts["rows"], counts["documents"], counts["documents_outside"]) == (14, 12, 2)


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("most", [1, 4, 6, 7])
def test_what_is_in_and_what_is_left_out_add_up(read, write, name, most):
    rows, counts = read(write(name, OUTSIDE[name]), most, outside="leave_out")
    assert counts["authors"] == len({row["group"] for row in rows}) == min(most, 6)
    assert counts["authors_outside"] == 1
    if name.endswith(".zip"):
        assert counts["files"] + counts["files_outside"] + counts["files_not_drawn"] == 7
        assert counts["files"] == counts["authors"]
    else:
        assert counts["documents"] + counts["documents_outside"] + counts["documents_not_drawn"] == counts["rows"] == 14


ODD = {
    "UTF-16": (blog("Odd.", "It’s.").encode("utf-16"), ["Odd.", "It’s."]),
    "<post >": (blog("Odd.").replace("<post>", "<post >").encode(), ["Odd."]),
    "<post id=..>": (blog("Odd.").replace("<post>", '<post id="3">').encode(), ["Odd."]),
    "<POST>": (blog("Odd.").upper().encode(), ["ODD."]),
    "koi8-r": (('<?xml version="1.0" encoding="koi8-r"?>' + blog("Привет мир")).encode("koi8-r"), ["Привет мир"]),
    "shift_jis": (('<?xml version="1.0" encoding="Shift_JIS"?>' + blog("今日は雨")).encode("shift_jis"), ["今日は雨"]),
    "gbk": (('<?xml version="1.0" encoding="GBK"?>' + blog("今天下雨")).encode("gbk"), ["今天下雨"]),
    "CDATA": (blog("<![CDATA[a <b> & c]]>").encode(), ["a <b> & c"]),
    "references to surrogates": (blog("&#55357;&#56832; &#x1F600;").encode(), ["\N{GRINNING FACE} \N{GRINNING FACE}"]),
    "CESU-8": (blog("hi X café").encode().replace(b"X", b"\xed\xa0\xbd\xed\xb8\x80"), ["hi \N{GRINNING FACE} café"]),
    "nothing": (b"", []),
    "no post": (b"<Blog><date>1</date></Blog>", []),
}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_file_beside_good_ones_loses_no_author_silently(read, write, kind):
    data, texts = ODD[kind]
    rows, counts = read(write("blogs.zip", GOOD | {"blogs/999.male.25.Student.Leo.xml": data}))
    assert told(rows) == [*EXPECTED, *(("999", 0, 25, "Student", "Leo", text) for text in texts)]
    assert counts["files"] == 7 == counts["authors"] + counts["files_without_posts"]
    assert counts["files_without_posts"] == (not texts)


def parquet(folder):
    path = folder / "hf_blog.parquet"
    pq.write_table(
        pa.table({"text": ["a b."], "date": ["x"], "gender": ["male"], "age": [15], "horoscope": ["Leo"]}), path
    )
    return path


def tar(folder):
    with tarfile.open(folder / "blogs.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("blogs/100.male.15.Student.Leo.xml")
        archive.addfile(info, io.BytesIO(b""))
    return folder / "blogs.tar.gz"


def inner_quote(folder):
    (folder / "inner_quote.csv").write_bytes(CSV + b'999,male,25,Student,Leo,"14,May,2004","she said "hi" there"\r\n')
    return folder / "inner_quote.csv"


def unquoted_date(folder):
    (folder / "unquoted_date.csv").write_bytes(
        (",".join(HEADER) + "\n999,male,25,S,Leo,14,May,2004,I went out.\n").encode()
    )
    return folder / "unquoted_date.csv"


def no_id(folder):
    (folder / "no_id.csv").write_bytes(table(reordered(HEADER[1:]), HEADER[1:]).encode())
    return folder / "no_id.csv"


def cut(pack):
    def make(folder):
        (folder / "cut.csv.gz").write_bytes(pack(CSV + CSV.split(b"\r\n", 1)[1] * 30)[:-20])
        return folder / "cut.csv.gz"

    return make


def json_lines(folder):
    (folder / "blogs.jsonl").write_text('{"text": "a"}\n', encoding="utf-8")
    return folder / "blogs.jsonl"


def lzma_zip(folder):
    with zipfile.ZipFile(folder / "blogs_lzma.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("blogtext.csv", CSV)
    return folder / "blogs_lzma.zip"


def copy_of_an_author(folder):
    with zipfile.ZipFile(folder / "copy.zip", "w") as archive:
        for name in ("blogs/100.male.15.Student.Leo.xml", "blogs/100.male.15.Student.Leo (1).xml"):
            archive.writestr(name, blog("a"))
    return folder / "copy.zip"


def only_beside(folder):
    with zipfile.ZipFile(folder / "beside.zip", "w") as archive:
        for name, data in BESIDE.items():
            archive.writestr(name, data)
    return folder / "beside.zip"


REFUSED = {
    "Parquet": (parquet, "looks like Parquet; expected a zip or a folder .* set ingest.corpus to a form that reads it"),
    "JSON lines": (json_lines, "looks like JSON; expected"),
    "a tar": (tar, "looks like a tar archive; expected .* unpack"),
    "quotes within a text": (
        inner_quote,
        r"line 14: is no CSV .* within a text, or set ingest\.blogs\.quotes",
    ),
    "a date that is cut": (unquoted_date, "line 2: has 9 fields; expected 7; quote what holds the separator"),
    "no author's id": (
        no_id,
        "has the header .*there is no author's id.*; expected id,gender,age,topic",
    ),
    "a cut gz": (cut(gzip.compress), "cannot be read .*; get the file again"),
    "a cut bz2": (cut(bz2.compress), "cannot be read .*; get the file again"),
    "a cut xz": (cut(lzma.compress), "cannot be read .*; get the file again"),
    "a cut zst": (cut(lambda data: pa.Codec("zstd").compress(data, asbytes=True)), "get the file again"),
    "packed by LZMA": (lzma_zip, "is packed by method 14; expected deflate; make the archive again"),
    "a copy": (
        copy_of_an_author,
        r"Leo\.xml: author 100 comes twice, first in .*Leo \(1\)\.xml; .* take one",
    ),
    "nothing but what lies beside": (only_beside, "is empty but for 3 files that are no blogs; expected files ID"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_such_corpus_is_refused_by_one_line_that_says_what_to_do(tmp_path, read, kind):
    make, message = REFUSED[kind]
    path = make(tmp_path)
    with pytest.raises(CorpusError, match=message) as error:
        read(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    assert not (tmp_path / "documents.parquet").exists()
