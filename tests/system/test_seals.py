import json
import random
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.errors import FormatError
from lengthwise.system.seals import (
    MARK,
    SEAL_KEY,
    UNSEALED,
    check_seal,
    read_sealed_json,
    seal,
    sealed_file,
    write_sealed_json,
)


@dataclass(frozen=True)
class Pair:
    left: int
    right: str


def write(path, content):
    with sealed_file(path) as beside:
        beside.write_bytes(content)
    return path


@settings(max_examples=up_to(60), deadline=None)
@given(
    st.binary(max_size=40),
    st.binary(max_size=40).filter(lambda after: MARK not in after),
    st.integers(1, 255),
    st.randoms(use_true_random=False),
)
def test_check_seal_refuses_every_changed_byte_every_cut_and_every_addition(
    tmp_path_factory, before, after, change, random_number
):
    path = write(tmp_path_factory.mktemp("seal") / "file", before + UNSEALED.encode() + after)
    whole = path.read_bytes()
    check_seal(path, "stage")
    place = random_number.randrange(len(whole))
    changed = bytearray(whole)
    changed[place] ^= change
    for content in (changed, whole[:place], whole[place + 1 :], whole + b"\n"):
        path.write_bytes(content)
        with pytest.raises(FormatError, match=r"^.*file: .*; run the stage stage again \(dvc repro -f stage\)$"):
            check_seal(path, "stage")


def test_check_seal_takes_the_last_mark_for_the_seal(tmp_path):
    # A corpus may speak of seals.
    path = write(tmp_path / "file", UNSEALED.encode() + b" and " + UNSEALED.encode() + b" " + MARK[:-1])
    check_seal(path, "stage")
    assert path.read_bytes().startswith(UNSEALED.encode())


def test_seal_gives_the_same_bytes_again_and_replaces_an_older_one(tmp_path):
    path = write(tmp_path / "file", b"first " + UNSEALED.encode())
    first = path.read_bytes()
    seal(path)
    assert path.read_bytes() == first
    path.write_bytes(first.replace(b"first", b"other"))
    with pytest.raises(FormatError, match="is damaged"):
        check_seal(path, "stage")
    seal(path)
    check_seal(path, "stage")


@pytest.mark.parametrize("content", [b"", b"text", UNSEALED[:-1].encode()])
def test_check_seal_refuses_a_file_that_has_none(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(FormatError, match="file: cannot be read"):
        check_seal(tmp_path / "file", "stage")


def test_check_seal_refuses_what_is_no_file(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(FormatError, match="cannot be read"):
            check_seal(path, "stage")


def test_sealed_file_leaves_the_old_file_where_there_is_no_place_for_a_seal(tmp_path):
    path = write(tmp_path / "file", UNSEALED.encode())
    with pytest.raises(ValueError, match="no seal"):
        write(path, b"new")
    check_seal(path, "stage")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_sealed_json_survives_and_names_the_place_of_what_does_not_fit(tmp_path):
    path = tmp_path / "pair.json"
    write_sealed_json(path, {"left": 1, "right": "é"})
    assert read_sealed_json(path, Pair, "stage") == Pair(left=1, right="é")
    path.write_text(json.dumps({"left": "many", SEAL_KEY: UNSEALED}))
    seal(path)
    with pytest.raises(
        FormatError, match=r"pair\.json: left: got 'many'; expected a whole number; run the stage stage again"
    ):
        read_sealed_json(path, Pair, "stage")


def test_sealed_parquet_is_read_by_arrow_as_ever_whatever_its_texts(tmp_path):
    # Bytes that zstd cannot compress stand in the file as they are: the marks among them come before the footer's.
    texts = [UNSEALED + str(random.Random(number).random()) for number in range(100)]
    path = tmp_path / "file.parquet"
    with sealed_file(path) as beside, pq.ParquetWriter(beside, pa.schema([("text", pa.string())])) as writer:
        writer.add_key_value_metadata({SEAL_KEY: UNSEALED})
        writer.write_table(pa.table({"text": texts}))
    check_seal(path, "stage")
    assert pq.read_table(path)["text"].to_pylist() == texts
    assert pq.read_metadata(path).metadata[SEAL_KEY.encode()] != UNSEALED.encode()
