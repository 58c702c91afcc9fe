import pytest

from lengthwise.corpora.blogs.csv_rows import read_csv_rows
from lengthwise.errors import CorpusError

NAME = "7.male.25.Arts.Leo.xml"
LIMIT = 1 << 20


def rows_of(path, brackets, limit=LIMIT):
    return [(row.author.author_id, row.date, row.text, row.offset) for row in read_csv_rows(path, brackets, limit)]


def test_read_csv_rows_yields_texts_as_they_are_with_their_offsets(tmp_path, brackets, write_csv):
    texts = [b'a "quoted", text', b"two\r\nlines\rand\nmore", b"caf\xe9 \xff\x92\x80", "“ü”".encode(), b"", b"\x00"]
    path = write_csv(tmp_path / "blogs.csv", *[(b"7", b"male", b"25", b"Arts", b"Leo", b" 1 ", text) for text in texts])
    ends = [sum(len(text) for text in texts[: i + 1]) for i in range(len(texts))]
    assert rows_of(path, brackets) == [("7", "1", text, end) for text, end in zip(texts, ends, strict=True)]


@pytest.mark.parametrize("date", [b"", b" ", b"\t"])
def test_read_csv_rows_gives_no_date_where_the_field_is_blank(tmp_path, brackets, write_csv, date):
    path = write_csv(tmp_path / "blogs.csv", (b"7", b"male", b"25", b"Arts", b"Leo", date, b"text"))
    assert rows_of(path, brackets) == [("7", None, b"text", 4)]


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
    assert rows_of(path, brackets) == [("7", None, b"text", 4)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"blogs\.csv: has the header \[\]; expected id,gender,age,topic,sign,date,text"),
        (b"\n7,male,25,Arts,Leo,1,a\n", r"blogs\.csv: has the header"),
        (b"id,gender,age,topic,sign,date\n", r"blogs\.csv: has the header .*expected id,gender"),
        (b"id,gender,age,sign,topic,date,text\n", r"blogs\.csv: has the header .*expected id,gender"),
        ("id,gender,age,topic,sign,date,text\n".encode("utf-16"), r"blogs\.csv: has the header .*expected id,gender"),
        (b"HEAD7,male,25,Arts,Leo,1,a\n8,male,25,Arts,Leo,1\n", "line 3: has 6 fields; expected 7; quote the text"),
        (b"HEAD7,male,25,Arts,Leo,1,a,b\n", "line 2: has 8 fields; expected 7; quote the text"),
        (b'HEAD7,male,25,Arts,Leo,1,"a\nb\n', "is no CSV .*; close the quote"),
        (b'HEAD7,male,25,Arts,Leo,1,"a"b\n', "line 2: is no CSV .*; close the quote"),
        (b"HEAD7,male,25,Arts,Leo,1," + b"x" * 1001 + b"\n", "line 2: is no CSV .*limit.*shorten the field"),
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
        (read,) = read_csv_rows(path, brackets, LIMIT)
    except CorpusError as error:
        assert "line 2" in str(error)  # noqa: PT017
    else:
        "".join([read.author.author_id, read.author.industry, read.author.sign, read.date]).encode()


def test_read_csv_rows_refuses_an_author_without_id(tmp_path, brackets, write_csv):
    path = write_csv(tmp_path / "blogs.csv", (b"", b"male", b"25", b"Arts", b"Leo", b"1", b"text"))
    with pytest.raises(CorpusError, match="line 2"):
        rows_of(path, brackets)


def test_read_csv_rows_refuses_a_file_that_has_gone(tmp_path, brackets):
    with pytest.raises(CorpusError, match=r"gone.csv: cannot be read \(No such file"):
        next(read_csv_rows(tmp_path / "gone.csv", brackets, 100))


def test_read_csv_rows_refuses_a_line_longer_than_any_row_may_be(tmp_path, brackets):
    path = tmp_path / "blogs.csv"
    path.write_bytes(b"id,gender,age,topic,sign,date,text\n" + b"x" * (2 * LIMIT + (1 << 17)))
    with pytest.raises(
        CorpusError, match=rf"^{path} line 2: has [0-9]+ characters or more; expected fields of at most 1"
    ):
        list(read_csv_rows(path, brackets, LIMIT))
