import csv
import io

import pytest

from lengthwise.corpora.blogs.blog_source import open_blogs
from lengthwise.corpora.blogs.csv_rows import RowReading, read_csv_rows
from lengthwise.errors import CorpusError

NAME = "7.male.25.Arts.Leo.xml"
LIMIT = 1 << 20


def read_rows(path, brackets, limit=LIMIT, **reading):
    return read_csv_rows(open_blogs(path), RowReading(brackets, limit, **reading))


def rows_of(path, brackets, limit=LIMIT):
    return [(row.author.author_id, row.date, row.text) for row in read_rows(path, brackets, limit)]


def test_read_csv_rows_yields_texts_as_they_are(tmp_path, brackets, write_csv):
    texts = [b'a "quoted", text', b"two\r\nlines\rand\nmore", b"caf\xe9 \xff\x92\x80", "“ü”".encode(), b"", b"\x00"]
    path = write_csv(tmp_path / "blogs.csv", *[(b"7", b"male", b"25", b"Arts", b"Leo", b" 1 ", text) for text in texts])
    assert rows_of(path, brackets) == [("7", "1", text) for text in texts]


def test_read_csv_rows_says_how_far_the_file_is_read(tmp_path, brackets, write_csv):
    path = write_csv(tmp_path / "blogs.csv", *[(b"7", b"male", b"25", b"Arts", b"Leo", b"1", b"x" * 900)] * 100)
    positions = [row.position for row in read_rows(path, brackets)]
    assert positions == sorted(positions)
    assert 0 < positions[0] < positions[-1] == path.stat().st_size == open_blogs(path).size


@pytest.mark.parametrize("date", [b"", b" ", b"\t"])
def test_read_csv_rows_gives_no_date_where_the_field_is_blank(tmp_path, brackets, write_csv, date):
    path = write_csv(tmp_path / "blogs.csv", (b"7", b"male", b"25", b"Arts", b"Leo", date, b"text"))
    assert rows_of(path, brackets) == [("7", None, b"text")]


@pytest.mark.parametrize(
    "header",
    [
        "id,gender,age,topic,sign,date,text",
        "\ufeffid,gender,age,topic,sign,date,text",
        "ID, Gender,AGE ,topic,sign,date,text",
    ],
)
def test_read_csv_rows_takes_the_header_with_a_mark_or_capitals(tmp_path, brackets, header):
    path = tmp_path / "blogs.csv"
    path.write_text(f"{header}\n7,male,25,Arts,Leo,,text\n", encoding="utf-8")
    assert rows_of(path, brackets) == [("7", None, b"text")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"blogs\.csv: has the header \[\]; expected id,gender,age,topic,sign,date,text"),
        (b"\n7,male,25,Arts,Leo,1,a\n", r"blogs\.csv: has the header"),
        (b"id,gender,age,topic,sign,date\n", r"blogs\.csv: has the header .*expected id,gender"),
        (b"gender,age,text\n", r"blogs\.csv: has the header .*there is no author's id.* set ingest\.corpus to a form"),
        (b"id,gender,age,text,text\n", r"blogs\.csv: has the column text twice in its header; rename"),
        ("id,gender,age,topic\n".encode("utf-16"), r"blogs\.csv: has the header \['id', 'gender'.*expected id,gender"),
        (b"HEAD7,male,25,Arts,Leo,1,a\n8,male,25,Arts,Leo,1\n", "line 3: has 6 fields; expected 7; quote what holds"),
        (b"HEAD7,male,25,Arts,Leo,1,a,b\n", "line 2: has 8 fields; expected 7; quote what holds"),
        (b'HEAD7,male,25,Arts,Leo,1,"a\nb\n', "is no CSV .*; close the quote"),
        (b'HEAD7,male,25,Arts,Leo,1,"a"b\n', "line 2: is no CSV .*; close the quote"),
        (b"HEAD7,male,25,Arts,Leo,1," + b"x" * 1001 + b"\n", "line 2: is no CSV .*limit.*shorten the field"),
        (
            b"HEAD7,male,25,Arts,Leo,1,a\n7,female,25,Arts,Leo,1,a\n",
            "line 3: author 7 comes with female, 25.* before with",
        ),
        (b"HEAD7,male,25,Arts,Leo,1,a\n7,male,26,Arts,Leo,1,a\n", "line 3: author 7 comes with male, 26.* before"),
        (b'HEAD7,male,25,Arts,Leo,1,"a \\" b"\n', r"line 2: is no CSV .*set ingest\.blogs\.quotes to backslash"),
        (b"HEAD7,none,25,Arts,Leo,1,a\n", "line 2: gender 'none'; expected male or female"),
        (b"HEAD7,male,20,Arts,Leo,1,a\n", r"line 2: age 20 is in no bracket; .*ingest\.blogs\.age_brackets"),
        (b'HEAD7,male,25,Arts,Leo,1,"a\nb"\n7,male,2x,Arts,Leo,1,a\n', "line 4: age '2x'; expected a whole number"),
    ],
)
def test_read_csv_rows_refuses_what_is_no_corpus_and_names_the_line(tmp_path, brackets, content, message):
    path = tmp_path / "blogs.csv"
    path.write_bytes(content.replace(b"HEAD", b"id,gender,age,topic,sign,date,text\n"))
    with pytest.raises(CorpusError, match=message) as error:
        rows_of(path, brackets, 1000)
    assert "\n" not in str(error.value)


def test_read_csv_rows_allows_a_field_as_large_as_the_limit(tmp_path, brackets, write_csv):
    path = write_csv(tmp_path / "blogs.csv", (b"7", b"male", b"25", b"Arts", b"Leo", b"1", b"x" * 1000))
    assert [row[2] for row in rows_of(path, brackets, 1000)] == [b"x" * 1000]


def test_read_csv_rows_refuses_a_text_of_more_bytes_than_the_limit(tmp_path, brackets, write_csv):
    path = write_csv(tmp_path / "blogs.csv", (b"7", b"male", b"25", b"Arts", b"Leo", b"1", "é".encode() * 501))
    with pytest.raises(CorpusError):
        rows_of(path, brackets, 1000)


@pytest.mark.parametrize("field", [0, 3, 4, 5])
def test_read_csv_rows_repairs_or_refuses_bytes_that_are_no_utf8_outside_of_the_text(
    tmp_path, brackets, write_csv, field
):
    row = [b"7", b"male", b"25", b"Arts", b"Leo", b"1", b"text"]
    row[field] = b"caf\xe9"
    path = write_csv(tmp_path / "blogs.csv", tuple(row))
    try:
        (read,) = read_rows(path, brackets)
    except CorpusError as error:
        assert "line 2" in str(error)  # noqa: PT017
    else:
        "".join([read.author.author_id, read.author.industry, read.author.sign, read.date]).encode()


def test_read_csv_rows_refuses_an_author_without_id(tmp_path, brackets, write_csv):
    path = write_csv(tmp_path / "blogs.csv", (b"", b"male", b"25", b"Arts", b"Leo", b"1", b"text"))
    with pytest.raises(CorpusError, match="line 2"):
        rows_of(path, brackets)


def test_read_csv_rows_refuses_a_file_that_has_gone(tmp_path, brackets):
    (tmp_path / "gone.csv").write_bytes(b"")
    file = open_blogs(tmp_path / "gone.csv")
    (tmp_path / "gone.csv").unlink()
    with pytest.raises(CorpusError, match=r"gone.csv: cannot be read \(No such file.*put it back"):
        next(read_csv_rows(file, RowReading(brackets, 100)))


def test_read_csv_rows_refuses_a_line_longer_than_any_row_may_be(tmp_path, brackets):
    path = tmp_path / "blogs.csv"
    path.write_bytes(b"id,gender,age,topic,sign,date,text\n" + b"x" * (2 * LIMIT + (1 << 17)))
    with pytest.raises(
        CorpusError, match=rf"^{path} line 2: has [0-9]+ characters or more; expected fields of at most 1"
    ):
        list(read_rows(path, brackets))


HEADERS = [
    "id,gender,age,topic,sign,date,text",
    ",id,gender,age,topic,sign,date,text",
    "date,text,sign,label,topic,age,gender,id",
    "Unnamed: 0,ID,Gender,Age,Job,Horoscope,Text",
    "id,gender,age,text",
]


PERSON = {"id": "7", "gender": "MALE", "age": "25.0", "topic": "Arts", "sign": "Leo", "date": "14/May/2004"}
PERSON |= {"job": "Arts", "horoscope": "Leo"}


WRITTEN = {"doubled": {}, "backslash": {"doublequote": False, "escapechar": "\\"}}


def csv_of(names, texts, separator, quotes):
    rows = [[text if name.lower() == "text" else PERSON.get(name.lower(), "x") for name in names] for text in texts]
    if quotes == "none":
        return "".join(separator.join(row) + "\n" for row in [names, *rows])
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=separator, quoting=csv.QUOTE_ALL, **WRITTEN[quotes]).writerows([names, *rows])
    return stream.getvalue()


@pytest.mark.sampled(12)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("quotes", ["doubled", "backslash", "none"])
def test_read_csv_rows_reads_every_dialect_back(tmp_path, brackets, header, separator, encoding, quotes):
    texts = ["It rained.", "“Über” größere 今天 \N{GRINNING FACE}", "", 'the "end"']
    texts.append('an "open one' if quotes == "none" else "a\nb,c;d\te|f \\n")
    names = header.split(",")
    path = tmp_path / "blogs.csv"
    path.write_bytes(csv_of(names, texts, separator, quotes).encode(encoding))
    rows = [*read_rows(path, brackets, quotes=quotes)]
    assert [row.source.decode(row.text)[0] for row in rows] == texts
    author = rows[0].author
    assert {row.author for row in rows} == {author}
    assert (author.author_id, author.codes, author.age) == ("7", (0, 1), 25)
    told = {"sign", "horoscope"} & {*header.lower().split(",")}
    assert (author.industry, author.sign) == (("Arts", "Leo") if told else (None, None))
    assert {row.date for row in rows} == {"14/May/2004" if "date" in names else None}


def test_read_csv_rows_takes_an_author_s_rows_in_any_order(tmp_path, brackets, write_csv):
    told = [(b"7", b"a"), (b"8", b"b"), (b"7", b"c"), (b"8", b"d"), (b"7", b"e")]
    rows = [(name, b"male", b"25", b"Arts", b"Leo", b"1", text) for name, text in told]
    read = rows_of(write_csv(tmp_path / "blogs.csv", *rows), brackets)
    assert read == [(name.decode(), "1", text) for name, text in told]


def test_read_csv_rows_gives_rows_outside_the_brackets_without_an_author_if_told_so(tmp_path, brackets, write_csv):
    rows = [(b"%d" % age, b"male", b"%d" % age, b"Arts", b"Leo", b"1", b"a") for age in (15, 18, 25, 50)]
    path = write_csv(tmp_path / "blogs.csv", *rows)
    read = [(row.author_id, row.author is None) for row in read_rows(path, brackets, leave_out=True)]
    assert read == [("15", False), ("18", True), ("25", False), ("50", True)]
    # What is wrong otherwise is refused all the same.
    path = write_csv(tmp_path / "blogs.csv", *rows, (b"18", b"female", b"18", b"Arts", b"Leo", b"1", b"a"))
    with pytest.raises(CorpusError, match="line 6: author 18 comes with female"):
        list(read_rows(path, brackets, leave_out=True))
