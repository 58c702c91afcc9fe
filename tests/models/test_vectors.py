import bz2
import gzip
import lzma
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.errors import ArgumentError, VectorsError
from lengthwise.models.vectors import begin_with, check_vectors, forms_of, read_vectors, start_vectors

ROWS = {"the": [0.5, -1.0, 2.0], "of": [1e-3, 0.25, -7.0], "Été": [3.0, 1.0, 4.0], "1": [1.0, 2.0, 3.0]}
TOKENS = ("<PAD>", "<UNK>", "the", "The", "été", "Été", "1", "absent")


def text_of(rows, header=False, between=" ", end="\n"):
    lines = [f"{len(rows)} {len(next(iter(rows.values())))}"] if header else []
    lines += [between.join([token, *map(str, numbers)]) for token, numbers in rows.items()]
    return "".join(line + end for line in lines)


def write_zip(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def zstd(content):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


def assert_are_rows(found, rows=ROWS):
    assert set(found) == set(rows) & {form for token in TOKENS for form in forms_of(token)}
    for token, vector in found.items():
        assert vector.dtype == np.float32
        np.testing.assert_array_equal(vector, np.array(rows[token], np.float32))


@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize("form", [{}, {"between": "\t"}, {"end": " \r\n"}])
@pytest.mark.parametrize("packed", [bytes, gzip.compress, bz2.compress, lzma.compress, zstd])
def test_vectors_are_read_in_every_form_whatever_the_name_of_the_file(tmp_path, header, form, packed):
    path = tmp_path / "vectors"
    path.write_bytes(packed(text_of(ROWS, header, **form).encode()))
    assert_are_rows(read_vectors(path, TOKENS, 3))


@settings(max_examples=up_to(60), deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=("Z", "C")), min_size=1, max_size=6),
        st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=4, max_size=4),
        min_size=1,
        max_size=8,
    ),
    st.booleans(),
)
def test_vectors_of_any_tokens_and_numbers_are_read_back(tmp_path_factory, rows, header):
    path = tmp_path_factory.mktemp("any") / "vectors.txt"
    path.write_bytes(text_of(rows, header).encode())
    found = read_vectors(path, rows, 4)
    assert found.keys() == rows.keys()
    for token, numbers in rows.items():
        np.testing.assert_array_equal(found[token], np.array(numbers, np.float32))


def test_vectors_of_a_zip_are_those_of_its_file_of_the_size_that_is_asked_for(tmp_path):
    wider = {token: [*numbers, 1.0] for token, numbers in ROWS.items()}
    members = {"read.me": "Four vectors.", "glove.3d.txt": text_of(ROWS), "glove.4d.txt": text_of(wider)}
    path = write_zip(tmp_path / "glove.zip", **members, **{"__MACOSX/._glove.3d.txt": text_of(ROWS)})
    assert check_vectors(path, 4) == "glove.4d.txt"
    assert_are_rows(read_vectors(path, TOKENS, 3))
    assert_are_rows(read_vectors(path, TOKENS, 4), wider)
    with pytest.raises(ArgumentError, match="embedding: got 5; expected 3, 4, the numbers of each vector"):
        read_vectors(path, TOKENS, 5)
    path = write_zip(tmp_path / "twice.zip", a=text_of(ROWS), b=text_of(ROWS, header=True))
    with pytest.raises(VectorsError, match="several files of vectors of 3 numbers: a, b"):
        read_vectors(path, TOKENS, 3)


def test_the_first_of_two_vectors_counts_and_a_token_with_a_space_is_passed_over(tmp_path):
    path = tmp_path / "vectors.txt"
    text = "\ufeffthe 1 2 3\n. . . 7 7 7\nthe 4 5 6\n\nof 0 0 0\n"
    path.write_text(text, encoding="utf-8")
    assert {token: vector.tolist() for token, vector in read_vectors(path, ["the", ".", "of"], 3).items()} == {
        "the": [1, 2, 3],
        "of": [0, 0, 0],
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "line 1 is b''; expected a token and its numbers"),
        (b"3 3\nthe 1 2 3\nof 1 2 3\n", "has 2 vectors; its first line promises 3"),
        (b"the 1 2 3\nof 1 2\n", "line 2 has 2 numbers; expected 3"),
        (b"the 1 2 3\nof 1 two 3\n", "line 2: could not convert"),
        (b"the 1 2 3\nof 1 nan 3\n", "line 2 has a number that is not finite"),
        (b"the 1 2 3\nof 1 1e300 3\n", "line 2 has a number that is not finite"),
        (b"some words of prose\n", "line 1: could not convert"),
        (b"2 3\nthe \x00\x01\x02\xff\x00\x00\x80\x3f\x00", "line 2 has"),
        (b"\x1f\x8bno gzip", "expected the text form of word2vec"),
        (b"PK\x03\x04no zip", "expected the text form of word2vec"),
        (gzip.compress(b"the 1 2 3\n" * 999, mtime=0)[:-20], "expected the text form of word2vec"),
        (zstd(b"the 1 2 3\n" * 999)[:-6], "expected the text form of word2vec"),
        (b"the " + b"1" * (1 << 21), "a line has more than 1048576 bytes"),
    ],
)
def test_what_is_no_file_of_vectors_is_refused_in_one_line(tmp_path, content, said):
    path = tmp_path / "vectors.txt"
    path.write_bytes(content)
    with pytest.raises(VectorsError) as refused:
        read_vectors(path, ["the", "of"], 3)
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"{path}: ")


def test_vectors_that_are_not_there_and_those_of_another_size_are_refused(tmp_path):
    with pytest.raises(VectorsError, match="No such file or directory"):
        read_vectors(tmp_path / "absent.txt", ["the"], 3)
    path = tmp_path / "vectors.txt"
    for header in (False, True):
        path.write_text(text_of(ROWS, header), encoding="utf-8")
        with pytest.raises(ArgumentError, match="embedding: got 64; expected 3, the numbers of each vector of"):
            check_vectors(path, 64)


def test_start_vectors_are_those_of_the_token_before_those_of_another_case():
    table = {token: np.array(numbers) for token, numbers in ROWS.items()} | {"été": np.array([9.0, 9.0, 9.0])}
    made = start_vectors(TOKENS, table.get)
    assert made.ids.tolist() == [2, 3, 4, 5, 6]
    assert made.values.tolist() == [ROWS["the"], ROWS["the"], [9, 9, 9], ROWS["Été"], ROWS["1"]]
    assert (made.other_case, made.values.dtype) == (1, np.float32)
    # A table that has names in capitals alone, as that of a spaCy package; then "été" is found too.
    assert start_vectors(["<UNK>", "été", "THE"], {t: np.ones(3) for t in ROWS}.get).other_case == 2
    assert len(start_vectors(TOKENS, {}.get).ids) == 0


@pytest.mark.parametrize("ensemble", [1, 2])
def test_the_embedding_of_each_member_begins_with_the_vectors_and_other_rows_stay(make_network, ensemble):
    network = make_network(embedding=3, vocabulary_size=20, ensemble=ensemble)
    before = [member.embedding.embeddings.numpy().copy() for member in network.members]
    made = start_vectors(TOKENS, {token: np.array(numbers) for token, numbers in ROWS.items()}.get)
    rows = begin_with(network, made)
    assert len(rows) == ensemble
    for member, old in zip(network.members, before, strict=True):
        table = member.embedding.embeddings
        np.testing.assert_array_equal(table.numpy()[made.ids], made.values)
        others = ~rows[table.path]
        assert others.sum() == 20 - len(made.ids)
        np.testing.assert_array_equal(table.numpy()[others], old[others])


def test_no_vectors_change_nothing_and_one_hot_tokens_take_none(make_network):
    network = make_network(embedding=3)
    before = network.embedding.embeddings.numpy().copy()
    (rows,) = begin_with(network, start_vectors(TOKENS, {}.get)).values()
    assert not rows.any()
    np.testing.assert_array_equal(network.embedding.embeddings, before)
    with pytest.raises(ValueError, match="input: got one_hot"):
        begin_with(make_network(input="one_hot"), start_vectors(TOKENS, {}.get))
