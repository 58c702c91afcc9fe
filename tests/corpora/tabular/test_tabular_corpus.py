import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.corpora.corpus import Extract
from lengthwise.corpora.ingest import ingest
from lengthwise.corpora.tabular.tabular_corpus import Table
from lengthwise.errors import CorpusError
from lengthwise.prepare.documents import open_documents, read_document_table

LIMIT = 1 << 20
KEYS = {
    "format": "auto",
    "files": "*",
    "text": ["text"],
    "tokens": None,
    "labels": ["label"],
    "several": False,
    "rename": {},
    "bins": {},
    "numbers": [],
    "group": None,
    "split": None,
    "separator": None,
    "header": True,
    "quote": '"',
    "escape": None,
    "encoding": "utf-8",
    "clean": [],
    "missing": "refuse",
    "empty": "keep",
}


def read(source, most=None, **keys):
    corpus, extract, counts = Table(**{**KEYS, **keys}), Extract(source, LIMIT, most), Counter()
    form = corpus.form(extract)
    return form, list(corpus.documents(extract, form, counts)), counts


def labels_of(form, documents):
    return [tuple(f.classes[c] for f, c in zip(form.factors, d.codes, strict=True)) for d in documents]


def as_csv(rows, separator=",", quote='"', escape=None, encoding="utf-8", header=True, ends="\r\n"):
    stream = io.StringIO(newline="")
    writer = csv.writer(
        stream, delimiter=separator, quotechar=quote, escapechar=escape, doublequote=escape is None, lineterminator=ends
    )
    writer.writerows([["label", "text"]] * header + rows)
    return stream.getvalue().encode(encoding)


def as_json_lines(rows):
    return "".join(json.dumps({"label": label, "text": text}) + "\n" for label, text in rows).encode()


def as_table(rows):
    return pa.table({"label": [label for label, _ in rows], "text": [text for _, text in rows]})


def as_parquet(rows):
    with io.BytesIO() as stream:
        pq.write_table(as_table(rows), stream)
        return stream.getvalue()


def as_arrow(rows):
    table = as_table(rows)
    with io.BytesIO() as stream:
        with pa.ipc.new_file(stream, table.schema) as file:
            file.write_table(table)
        return stream.getvalue()


def in_zip(name, data):
    with io.BytesIO() as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("__MACOSX/._rows", b"x")
            archive.writestr(f"folder/{name}", data)
        return stream.getvalue()


NUMBERED = {"header": False, "text": ["2"], "labels": ["1"]}
# What a file is called, how rows become its bytes, and the keys that say so.
FORMS = {
    "comma": ("rows.csv", as_csv, {}),
    "line feeds": ("rows.csv", lambda rows: as_csv(rows, ends="\n"), {}),
    "mark": ("rows.csv", lambda rows: as_csv(rows, encoding="utf-8-sig"), {}),
    "tab": ("rows.tsv", lambda rows: as_csv(rows, "\t"), {}),
    "semicolon": ("rows.csv", lambda rows: as_csv(rows, ";"), {"separator": ";"}),
    "bar": ("rows.txt", lambda rows: as_csv(rows, "|"), {"separator": "|", "format": "csv"}),
    "backslash": ("rows.csv", lambda rows: as_csv(rows, escape="\\"), {"escape": "\\"}),
    "apostrophes": ("rows.csv", lambda rows: as_csv(rows, quote="'"), {"quote": "'"}),
    "utf-16": ("rows.csv", lambda rows: as_csv(rows, encoding="utf-16"), {}),
    "no header": (
        "rows.csv",
        lambda rows: as_csv(rows, header=False),
        {"header": False, "text": ["2"], "labels": ["1"]},
    ),
    "json lines": ("rows.jsonl", as_json_lines, {}),
    "json lines by content": ("rows", as_json_lines, {}),
    "array": ("rows.json", lambda rows: json.dumps([{"text": t, "label": n} for n, t in rows]).encode(), {}),
    "parquet": ("rows.parquet", as_parquet, {}),
    "arrow": ("rows.arrow", as_arrow, {}),
    "gz": ("rows.csv.gz", lambda rows: gzip.compress(as_csv(rows)), {}),
    "bz2": ("rows.jsonl.bz2", lambda rows: bz2.compress(as_json_lines(rows)), {}),
    "xz": ("rows.csv.xz", lambda rows: lzma.compress(as_csv(rows)), {}),
    "zst": ("rows.csv.zst", lambda rows: pa.compress(as_csv(rows), "zstd", asbytes=True), {}),
    "zip": ("rows.zip", lambda rows: in_zip("rows.tsv", as_csv(rows, "\t")), {}),
    "zip of gz": ("rows.zip", lambda rows: in_zip("rows.csv.gz", gzip.compress(as_csv(rows))), {}),
}
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=30).map(str.strip)
ROWS = st.lists(st.tuples(st.sampled_from(["spam", "ham", "größer"]), TEXT).map(list), min_size=3, max_size=8)


@pytest.mark.sampled(9)
@pytest.mark.parametrize("name", FORMS)
@settings(max_examples=15, deadline=None)
@given(ROWS)
def test_a_table_reads_back_the_same_in_any_form(tmp_path_factory, name, rows):
    file, write, keys = FORMS[name]
    rows = [["spam", "a,b;c|d\t\"e\" 'f' \\g"], ["ham", "two\nlines"], *rows]
    source = tmp_path_factory.mktemp("table") / file
    source.write_bytes(write(rows))
    form, documents, counts = read(source, **keys)
    assert [document.text for document in documents] == [text for _, text in rows]
    assert labels_of(form, documents) == [(label,) for label, _ in rows]
    assert counts["rows"] == len(rows)


def write(tmp_path, text, name="rows.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# The forms in which well-known corpora are found.
def test_sms_messages_without_header_and_with_quotes_that_are_not_closed(tmp_path):
    source = write(tmp_path, 'ham\tCall you "later, ok?\nspam\tWINNER!! A £900 prize\n', "SMSSpamCollection")
    form, documents, _ = read(source, header=False, quote=None, text=["2"], labels=["1"])
    assert [document.text for document in documents] == ['Call you "later, ok?', "WINNER!! A £900 prize"]
    assert labels_of(form, documents) == [("ham",), ("spam",)]


def test_quotes_that_are_not_closed_say_what_to_set(tmp_path):
    source = write(tmp_path, 'label\ttext\nham\t"never closed\nspam\tx\n', "rows.tsv")
    with pytest.raises(CorpusError, match=r"is no CSV .*set ingest\.table\.quote to null"):
        read(source)


def test_columns_without_a_name_go_by_their_numbers_and_bytes_by_their_encoding(tmp_path):
    source = write(tmp_path, "v1,v2,,,\nham,ok,,,\nspam,A £900 prize,,,\n".encode("cp1252"))
    keys = {"text": ["v2"], "labels": ["v1"]}
    with pytest.raises(CorpusError, match=r"is not utf-8.*; set ingest\.table\.encoding"):
        read(source, **keys)
    _, documents, _ = read(source, encoding="cp1252", **keys)
    assert [document.text for document in documents] == ["ok", "A £900 prize"]


def test_two_text_columns_classes_that_are_numbers_and_escapes_in_texts(tmp_path):
    rows = 'Class Index,Title,Description\n10,"Oil","A\\nline #36;5 &amp;lt;b&amp;gt;"\n9,"B",""\n'
    form, documents, _ = read(
        write(tmp_path, rows),
        text=["Title", "Description"],
        labels=["Class Index"],
        rename={"9": "Sci", "10": "World"},
        clean=["entities", "newlines", "tags"],
    )
    assert [document.text for document in documents] == ["Oil\nA\nline #36;5", "B"]
    assert (form.factors[0].name, form.factors[0].classes) == ("Class_Index", ("Sci", "World"))


def test_classes_that_are_numbers_are_in_their_order(tmp_path):
    form, _, _ = read(write(tmp_path, "label,text\n10,a\n9,b\n2,c\n"))
    assert form.factors[0].classes == ("2", "9", "10")


def test_phrases_of_a_sentence_are_held_out_together_in_any_order(tmp_path):
    rows = "PhraseId\tSentenceId\tPhrase\tSentiment\n1\t1\tA\t1\n2\t2\tB\t2\n3\t1\tC\t1\n"
    source = write(tmp_path, rows, "train.tsv")
    keys = {"text": ["Phrase"], "labels": ["Sentiment"], "group": "SentenceId"}
    form, documents, _ = read(source, **keys)
    assert form.group == "sentenceid"
    assert [document.group for document in documents] == ["1", "2", "1"]
    _, part, counts = read(source, most=1, **keys)
    assert len({document.group for document in part}) == 1
    assert counts["rows"] == counts["rows_left_out_part"] + len(part) == 3
    counts = ingest(Table(**{**KEYS, **keys}), Extract(source, LIMIT), tmp_path / "documents.parquet")
    assert (counts["sentenceids"], counts["documents"]) == (2, 3)
    assert read_document_table(tmp_path / "documents.parquet").group.tolist() == [0, 1, 0]


def test_a_folder_per_class_has_classes_and_splits_in_its_path(tmp_path, write_folder):
    members = {
        f"{split}/{kind}/{i}.txt": f"{kind} {i}".encode()
        for split in ("train", "test")
        for kind in "ab"
        for i in (0, 1)
    }
    source = write_folder(tmp_path / "texts", members)
    form, documents, _ = read(source, format="folder", labels=["folder"], split="folder2")
    assert form.has_split
    assert labels_of(form, documents) == [(document.text[0],) for document in documents]
    assert Counter(document.split for document in documents) == {"train": 4, "test": 4}


def test_fasttext_lines_have_their_labels_before_the_text(tmp_path):
    source = write(tmp_path, "__label__pos good stuff\n__label__neg bad  stuff\n", "fasttext.txt")
    form, documents, _ = read(source, labels=["labels"])
    assert [document.text for document in documents] == ["good stuff", "bad stuff"]
    assert labels_of(form, documents) == [("pos",), ("neg",)]


def test_fasttext_lines_of_several_labels_are_yes_or_no_for_each(tmp_path):
    source = write(tmp_path, "__label__b __label__a one\n__label__b two\nthree\n__label__c d\n", "fasttext.txt")
    form, documents, _ = read(source, labels=["labels"], several=True)
    assert [(factor.name, factor.classes) for factor in form.factors] == [(name, ("no", "yes")) for name in "abc"]
    assert [document.codes for document in documents] == [(1, 1, 0), (0, 1, 0), (0, 0, 0), (0, 0, 1)]
    with pytest.raises(CorpusError, match=r"line 1: labels has 2 labels; expected one; set ingest\.table\.several"):
        read(source, labels=["labels"])
    twice = write(tmp_path, '{"a": 1, "tags": ["a"]}\n{"a": 0, "tags": ["b"]}\n', "twice.jsonl")
    with pytest.raises(CorpusError, match="'a' is a label of two columns"):
        read(twice, text=[], labels=["a", "tags"], several=True, empty="keep")


def test_several_labels_numbers_and_ready_tokens(tmp_path):
    rows = [
        {"words": ["A", "b"], "toxic": 1, "rude": "no", "stars": 4.5},
        {"words": ["C"], "toxic": False, "rude": "Yes", "stars": "2"},
    ]
    source = write(tmp_path, "".join(json.dumps(row) + "\n" for row in rows), "rows.jsonl")
    form, documents, _ = read(source, tokens="words", labels=["toxic", "rude"], several=True, numbers=["stars"])
    assert form.several
    assert [document.codes for document in documents] == [(1, 0), (0, 1)]
    assert [document.numbers for document in documents] == [(4.5,), (2.0,)]
    assert [document.steps for document in documents] == [(["A", "b"],), (["C"],)]
    ingest(
        Table(**{**KEYS, "tokens": "words", "labels": ["toxic", "rude"], "several": True, "numbers": ["stars"]}),
        Extract(source, LIMIT),
        tmp_path / "documents.parquet",
    )
    table = read_document_table(tmp_path / "documents.parquet")
    assert table.codes.tolist() == [[1, 0], [0, 1]]
    assert table.numbers.tolist() == [[4.5], [2.0]]
    assert open_documents(tmp_path / "documents.parquet").read()["tokens"].to_pylist() == [["A", "b"], ["C"]]


@pytest.mark.parametrize(
    ("rows", "keys", "left_out"),
    [
        ("label,text\na,x\n,y\nb,z\nNaN,w\n", {}, {"rows_left_out_label": 2}),
        ("label,text\n15,x\n20,y\n25,z\n", {"bins": {"young": "13-17", "old": "23-"}}, {"rows_left_out_label": 1}),
        ("label,text,n\na,x,1\nb,y,?\nb,z,2\n", {"numbers": ["n"]}, {"rows_left_out_number": 1}),
        ("label,text\na,x\nb,\nb,z\n", {"empty": "leave_out"}, {"rows_left_out_empty": 1}),
        ("label,text\na,x\n,\nb,z\n", {"empty": "leave_out"}, {"rows_left_out_label": 1}),
    ],
)
def test_rows_that_lack_something_are_refused_or_left_out_and_counted(tmp_path, rows, keys, left_out):
    source = write(tmp_path, rows)
    _, documents, counts = read(source, missing="leave_out", **keys)
    assert counts["rows"] == len(documents) + sum(left_out.values())
    assert {name: count for name, count in counts.items() if "left_out" in name and count} == left_out
    strict = {**keys, **({"empty": "refuse"} if keys.get("empty") else {})}
    with pytest.raises(CorpusError, match=r"line [0-9]+: .*; expected .*ingest\.table\.(missing|empty) to"):
        read(source, **strict)


@pytest.mark.parametrize(
    ("text", "keys", "message"),
    [
        ("a,b\n1,2\n", {}, r"ingest\.table\.text: .*has no column 'text'; found a, b; name one of them"),
        ("label,text\na,x,y\n", {}, r"line 2: has 3 columns; expected 2; quote the value"),
        ("label,label\na,x\n", {}, r"has the column 'label' twice"),
        ("label,text\na,x\n", {}, r"label has the classes \['a'\]; expected two or more"),
        ("label,text\na,x\nb,y\n", {"encoding": "no such"}, r"ingest\.table\.encoding: got 'no such'"),
        ("label,text\na,x\nb,y\n", {"split": "label"}, r"label is 'a'; expected one of train, validation, test"),
        ("label,text\n1,x\n2,y\n", {"bins": {"a": "one-2", "b": "3-"}}, r"ingest\.table\.bins: got 'one-2'"),
        ('label,text\na,"x\nb,y\n', {}, r"is no CSV"),
        (b"\x00\x01PK", {"format": "parquet"}, r"is no Parquet or Arrow file"),
        ('{"text": 1\n', {"format": "jsonl"}, r"line 1: is no JSON"),
        ("[1]", {"format": "json"}, r"is no array of objects"),
        ("[" * 100_000, {"format": "json"}, r"is no JSON"),
    ],
)
def test_what_is_no_such_table_is_refused_in_one_line(tmp_path, text, keys, message):
    with pytest.raises(CorpusError, match=message) as caught:
        read(write(tmp_path, text), **keys)
    assert "\n" not in str(caught.value)


def test_formulas_and_code_are_text(tmp_path):
    rows = [["a", "=HYPERLINK(1)"], ["b", "__import__('os').system('touch x')"]]
    _, documents, _ = read(write(tmp_path, as_csv(rows)))
    assert [document.text for document in documents] == [text for _, text in rows]
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


@pytest.mark.parametrize("name", ["../rows.csv", "/rows.csv"])
def test_names_that_lead_out_of_an_archive_are_refused(tmp_path, name):
    path = tmp_path / "rows.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"label,text\na,x\nb,y\n")
    with pytest.raises(CorpusError, match="way out of the archive"):
        read(path)


def test_a_table_that_bursts_is_refused(tmp_path):
    path = write(tmp_path, gzip.compress(b"label,text\na," + b"x" * (3 * LIMIT) + b"\nb,y\n"), "rows.csv.gz")
    with pytest.raises(CorpusError, match=r"ingest\.max_member_mb"):
        read(path)
