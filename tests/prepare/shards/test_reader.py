import itertools
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from lengthwise.core.labels import LabelFactor
from lengthwise.errors import FormatError
from lengthwise.prepare.forms.document_form import ColumnForm, SequenceForm
from lengthwise.prepare.shards.reader import read_index, read_split, sequences_of
from lengthwise.prepare.shards.schema import INDEX_NAME, shard_schema
from lengthwise.system.seals import seal

FILE = "train/00000.parquet"


@pytest.fixture
def folder(corpus, tmp_path):
    return shutil.copytree(corpus.shards, tmp_path / "shards")


def refusal_of(folder):
    with pytest.raises(FormatError) as caught:
        read_split(folder, read_index(folder), "train")
    message = str(caught.value)
    assert "\n" not in message
    assert "run the stage shards again" in message
    return message


@pytest.mark.parametrize("place", [0, 4, 200, -1])
def test_read_split_refuses_a_changed_byte(folder, place):
    content = bytearray((folder / FILE).read_bytes())
    content[place] ^= 1
    (folder / FILE).write_bytes(content)
    assert str(folder / FILE) in refusal_of(folder)


@pytest.mark.parametrize("kept", [0, 10, -1])
def test_read_split_refuses_a_cut_file(folder, kept):
    (folder / FILE).write_bytes((folder / FILE).read_bytes()[:kept])
    assert str(folder / FILE) in refusal_of(folder)


def test_read_split_refuses_a_missing_file(folder):
    (folder / FILE).unlink()
    assert str(folder / FILE) in refusal_of(folder)


def test_read_split_refuses_another_runs_file(folder):
    shutil.copy(folder / "test/00000.parquet", folder / FILE)
    assert str(folder / FILE) in refusal_of(folder)


def test_read_split_ignores_files_that_are_not_in_the_index(folder, corpus):
    shutil.copy(folder / FILE, folder / "train/00099.parquet")
    index = read_index(folder)
    assert len(read_split(folder, index, "train")) == index.splits["train"].rows


def test_read_index_refuses_a_folder_without_one(folder):
    (folder / INDEX_NAME).unlink()
    message = refusal_of(folder)
    assert str(folder) in message
    assert INDEX_NAME in message


@pytest.mark.parametrize("kept", [0, 1, 30, -2])
def test_read_index_refuses_a_cut_file(folder, kept):
    path = folder / INDEX_NAME
    path.write_bytes(path.read_bytes()[:kept])
    assert str(path) in refusal_of(folder)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"version": 1}, "version"),
        ({"version": "1"}, "version"),
        ({"unit": None}, "unit"),
        ({"vocabulary_size": -1}, "vocabulary_size"),
        ({"form": {"factors": [{"name": "gender"}]}}, "form.factors.0.classes"),
        ({"splits": []}, "splits"),
        ({"splits": {"train": {}}}, "splits.train"),
        ({"comment": "by hand"}, "comment"),
    ],
)
def test_read_index_refuses_what_is_not_in_its_schema_and_names_the_place(folder, change, place):
    path = folder / INDEX_NAME
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    seal(path)
    message = refusal_of(folder)
    assert str(path) in message
    assert place in message


def test_read_index_refuses_a_missing_split(folder):
    path = folder / INDEX_NAME
    content = json.loads(path.read_text())
    del content["splits"]["train"]
    path.write_text(json.dumps(content))
    seal(path)
    refusal_of(folder)


def test_read_split_gives_columns_of_one_length_each_sorted_by_length(corpus):
    index = read_index(corpus.shards)
    for name in index.splits:
        sequences = read_split(corpus.shards, index, name)
        assert {
            len(sequences["label"]),
            len(sequences["sequence"]),
            len(sequences["document"]),
            len(sequences["group"]),
        } == {len(sequences)}
        assert sequences.lengths.tolist() == sorted(sequences.lengths.tolist())
        assert sequences.lengths.min() >= 1
        assert sorted(sequences["sequence"].tolist()) == list(range(len(sequences)))
        assert sequences["tokens"].min() >= 1
        assert sequences["tokens"].max() < index.vocabulary_size


EVERYTHING = SequenceForm(
    factors=(LabelFactor("loud", ("no", "yes")), LabelFactor("fast", ("no", "yes"))),
    several=True,
    numbers=("size", "weight", "age"),
    steps=(
        ColumnForm("tokens", "tokens"),
        ColumnForm("tag", "tags", ("X", "Y")),
        ColumnForm("sound", "features", (), 2),
    ),
)


@pytest.mark.parametrize("seed", range(8))
def test_sequences_of_puts_columns_of_every_kind_into_order(seed):
    # Rows as they lie: by rising length, ties in any order, cut into tables anywhere. The values say which row it is.
    rng = np.random.default_rng(seed)
    lengths = np.sort(rng.integers(1, 6, 60))
    rank = rng.permutation(60)
    rows = [
        {
            **dict.fromkeys(("sequence", "document", "group", "label"), number),
            "numbers": [number, number + 0.25, number + 0.5],
            "labels": [number, number + 1],
            "tokens": [100 * number + step for step in range(length)],
            "affixes": [[number, step, 0, 1] for step in range(length)],
            "tag": [number + step for step in range(length)],
            "sound": [[number, step] for step in range(length)],
        }
        for number, length in zip(rank.tolist(), lengths.tolist(), strict=True)
    ]
    schema = shard_schema(EVERYTHING, affixes=3)
    cuts = [0, *np.sort(rng.integers(0, 61, 3)).tolist(), 60]
    tables = [pa.Table.from_pylist(rows[begin:end], schema) for begin, end in itertools.pairwise(cuts)]
    made = sequences_of(tables, SimpleNamespace(schema=schema, form=EVERYTHING))
    expected = sorted(rows, key=lambda row: (len(row["tokens"]), row["sequence"]))
    assert made.lengths.tolist() == [len(row["tokens"]) for row in expected]
    assert made.names == sorted(schema.names)
    assert made.classes == {"tag": ("X", "Y")}
    for name in made.per_sequence:
        assert made[name].tolist() == [row[name] for row in expected]
    for name in made.per_step:
        assert made[name].tolist() == [value for row in expected for value in row[name]]
