# Whatever people have their sequences in gives the same columns.

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from lengthwise.errors import FormatError
from lengthwise.sources import from_arrays, from_hugging_face, from_parquet, from_table

FEATURES = [[[0.5, 1.0], [0.0, 2.0], [4.0, 8.0]], [[1.5, 0.5]], [[3.0, 3.0], [2.5, 1.0]]]
TAGS = [["b", "a", "b"], ["c"], ["a", "a"]]
SPEAKERS = ["eve", "adam", "eve"]
LENGTHS = [3, 1, 2]
FLAT = np.concatenate([np.array(rows) for rows in FEATURES])
PADDED = np.zeros((3, 4, 2))
MASK = np.arange(4) < np.array(LENGTHS)[:, np.newaxis]
PADDED[MASK] = FLAT
RAGGED = tf.RaggedTensor.from_row_lengths(FLAT, LENGTHS)
WAYS = {
    "lists": FEATURES,
    "tuples": tuple(tuple(map(tuple, rows)) for rows in FEATURES),
    "arrays": [np.array(rows) for rows in FEATURES],
    "strided": [np.array(rows)[::-1][::-1] for rows in FEATURES],
    "big_endian": [np.array(rows, ">f4") for rows in FEATURES],
    "lists_of_arrays": [[np.array(step) for step in rows] for rows in FEATURES],
    "generator": (rows for rows in FEATURES),
    "tensors": [tf.constant(rows) for rows in FEATURES],
    "ragged": RAGGED,
    "series": pd.Series(FEATURES, index=[7, 1, 1]),
    "series_of_arrays": pd.Series([np.array(rows) for rows in FEATURES]),
    "objects": np.array([np.array(rows) for rows in FEATURES], dtype=object),
    "arrow": pa.array(FEATURES),
    "arrow_large": pa.array(FEATURES, pa.large_list(pa.list_(pa.float32(), 2))),
    "arrow_slice": pa.array([[[9.0, 9.0]], *FEATURES])[1:],
    "arrow_chunks": pa.chunked_array([FEATURES[:1], FEATURES[1:]]),
}


@pytest.mark.parametrize("way", WAYS)
def test_features_are_the_same_from_whatever_they_are_in(way):
    found = from_arrays(per_step={"features": WAYS[way]})
    assert found.lengths.tolist() == LENGTHS
    assert found["features"].dtype.kind == "f"
    assert found["features"].dtype.isnative
    np.testing.assert_array_equal(found["features"], FLAT)


@pytest.mark.parametrize("side", ["post", "pre"])
@pytest.mark.parametrize("make", [np.array, lambda mask: mask.astype(int).tolist(), lambda mask: mask.astype(float)])
def test_a_mask_says_which_steps_of_a_padded_array_there_are(make, side):
    padded, mask = (PADDED, MASK) if side == "post" else (PADDED[:, ::-1], MASK[:, ::-1])
    found = from_arrays(per_step={"features": padded, "tokens": np.arange(12).reshape(3, 4)}, mask=make(mask))
    expected = FLAT if side == "post" else np.concatenate([np.array(rows)[::-1] for rows in FEATURES])
    assert found.lengths.tolist() == LENGTHS
    np.testing.assert_array_equal(found["features"], expected)
    np.testing.assert_array_equal(found["tokens"], np.arange(12).reshape(3, 4)[mask])


@pytest.mark.parametrize(
    "tags",
    [
        TAGS,
        [np.array(row) for row in TAGS],
        pa.array(TAGS),
        pa.array(TAGS, pa.large_list(pa.large_string())),
        pd.Series(TAGS),
    ],
    ids=["lists", "arrays", "arrow", "arrow_large", "pandas"],
)
def test_strings_become_classes_with_names(tags):
    found = from_arrays(per_step={"tag": tags})
    assert found.classes == {"tag": ("a", "b", "c")}
    assert found["tag"].tolist() == [1, 0, 1, 2, 0, 0]
    assert found["tag"].dtype == np.int32


SPEAKER_WAYS = {
    "list": SPEAKERS,
    "array": np.array(SPEAKERS),
    "objects": np.array(SPEAKERS, object),
    "series": pd.Series(SPEAKERS),
    "categories": pd.Series(SPEAKERS, dtype="category"),
    "categorical": pd.Categorical(SPEAKERS),
    "arrow": pa.array(SPEAKERS),
    "dictionary": pa.array(SPEAKERS).dictionary_encode(),
    "chunks": pa.chunked_array(
        [pa.array(SPEAKERS[:1]).dictionary_encode(), pa.array(SPEAKERS[1:]).dictionary_encode()]
    ),
}


@pytest.mark.parametrize("way", SPEAKER_WAYS)
def test_categories_per_sequence_become_classes_with_names(way):
    found = from_arrays([[1], [2], [3]], SPEAKER_WAYS[way])
    assert [found.classes["label"][number] for number in found["label"]] == SPEAKERS
    assert found["label"].dtype == np.int32
    again = from_arrays([[1], [2], [3]], SPEAKER_WAYS[way], classes={"label": ("zoe", "eve", "adam")})
    assert again["label"].tolist() == [1, 2, 1]


def test_classes_of_training_number_those_of_a_test():
    train = from_arrays([[1], [2]], ["no", "yes"])
    assert from_arrays([[3]], ["yes"], classes=train.classes)["label"].tolist() == [1]
    with pytest.raises(ValueError, match="label: got 'perhaps'; expected one of its 2 classes, no, yes"):
        from_arrays([[3]], ["perhaps"], classes=train.classes)
    with pytest.raises(ValueError, match="label: got int32 with 2 classes; expected their numbers, from 0"):
        from_arrays([[3]], [2], classes=train.classes)


def test_booleans_become_classes_and_vectors_keep_their_shape():
    found = from_arrays([[1], [2]], [True, False], per_sequence={"topics": np.array([[1, 0], [1, 1]], bool)})
    assert found.classes == {"label": ("false", "true"), "topics": ("false", "true")}
    assert found["label"].tolist() == [1, 0]
    assert found["topics"].tolist() == [[1, 0], [1, 1]]


@pytest.mark.parametrize("kind", ["int8", "uint8", "float16", "float32", "float64"])
def test_arrays_keep_their_type_unless_it_is_of_one_whole_number(kind):
    found = from_arrays(per_step={"x": [np.ones((2, 3), kind)]}, per_sequence={"y": np.ones((1, 2), kind)})
    assert found["x"].dtype == found["y"].dtype == np.dtype(kind)


def test_tables_of_every_kind_give_the_same(tmp_path):
    columns = {"ids": [[4, 2, 7], [5], [1, 1]], "x": FEATURES, "who": SPEAKERS, "age": [1.5, 2.0, 4.0]}
    table = pa.table(columns)
    folder = tmp_path / "parts"
    folder.mkdir()
    files = [folder / "a.parquet", folder / "b.parquet"]
    pq.write_table(table.slice(0, 2), files[0])
    pq.write_table(table.slice(2), files[1])
    sources = [table, table.to_pandas(), columns, table.to_batches()[0], folder, files, [str(file) for file in files]]
    try:
        import datasets
    except ImportError:
        pass
    else:
        dataset = datasets.Dataset(table)
        sources += [dataset, dataset.to_iterable_dataset()]
    for source in sources:
        found = from_table(source, per_step={"tokens": "ids", "x": "x"}, per_sequence=["who", "age"])
        assert found.names == ["age", "tokens", "who", "x"]
        assert found["tokens"].tolist() == [4, 2, 7, 5, 1, 1]
        np.testing.assert_array_equal(found["x"], FLAT)
        assert [found.classes["who"][number] for number in found["who"]] == SPEAKERS
        assert found["age"].tolist() == [1.5, 2.0, 4.0]
        with pytest.raises(FormatError, match="has no column 'absent'"):
            from_table(source, "absent")


def test_files_of_other_types_are_refused(tmp_path):
    for name, kind in (("a", pa.int32()), ("b", pa.float32())):
        pq.write_table(pa.table({"tokens": pa.array([[1, 2]], pa.list_(kind))}), tmp_path / f"{name}.parquet")
    with pytest.raises(FormatError, match=r"b\.parquet: has columns of other types than the file before"):
        from_parquet(tmp_path, label=None)


def test_what_a_tokenizer_padded_is_no_step():
    datasets = pytest.importorskip("datasets")
    columns = {"input_ids": [[0, 0, 7], [5, 6, 7]], "attention_mask": [[0, 0, 1], [1, 1, 1]], "label": [0, 1]}
    dataset = datasets.Dataset.from_dict(columns)
    for source in (dataset, dataset.to_iterable_dataset()):
        assert from_hugging_face(source)["tokens"].tolist() == [7, 5, 6, 7]
    assert from_hugging_face(dataset, label=None).names == ["tokens"]


def test_class_labels_of_a_dataset_keep_their_names():
    datasets = pytest.importorskip("datasets")
    features = {"input_ids": datasets.List(datasets.Value("int32")), "label": datasets.ClassLabel(names=["no", "yes"])}
    dataset = datasets.Dataset.from_dict({"input_ids": [[1], [2]], "label": [1, 0]}, datasets.Features(features))
    assert from_hugging_face(dataset).classes == {"label": ("no", "yes")}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "per_step: got no column"),
        ({"a": [[1], [2]], "b": [[1]]}, "b: got 1 sequences; expected 2, as in a"),
        ({"a": [[1], [2, 3]], "b": [[1], [2]]}, "b: got 1 steps in sequence 1; expected 2, as in a"),
        ({"a": [np.zeros((2, 3)), np.zeros((1, 4))]}, "a: sequence 1: got float64 of shape"),
        ({"a": [np.array(["a"]), np.array([1])]}, "a: sequence 1: got int64; expected <U1"),
        ({"a": np.arange(3)}, "a: got int64 of shape"),
        ({"a": "abc"}, "a: got str; expected a list for each sequence"),
        ({"a": tf.ragged.constant([[[1], [2, 3]]])}, "a: got steps of different lengths"),
        ({"a": pa.array([1, 2])}, "a: has the type int64; expected a list for each sequence"),
    ],
)
def test_columns_that_do_not_fit_are_refused_in_one_line(columns, message):
    with pytest.raises(ValueError, match=message) as error:
        from_arrays(per_step=columns)
    assert len(str(error.value).splitlines()) == 1


def test_a_mask_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="mask: got 2 steps in sequence 0; expected 3, as in tokens"):
        from_arrays([[1, 2, 3]], mask=[[1, 1]])
    with pytest.raises(ValueError, match="sequence 0: is empty"):
        from_arrays([[1, 2, 3]], mask=[[0, 0, 0]])


@pytest.mark.parametrize("seed", range(5))
def test_split_deals_every_sequence_once_and_groups_whole(seed):
    rng = np.random.default_rng(seed)
    authors = rng.integers(0, 40, 300)
    sequences = from_arrays([[number] for number in range(300)], per_sequence={"author": authors})
    parts = sequences.split([0.7, 0.2, 0.1], by="author", seed=seed)
    assert sorted(np.concatenate([part["tokens"] for part in parts]).tolist()) == list(range(300))
    found = [set(part["author"].tolist()) for part in parts]
    assert sum(map(len, found)) == len(set().union(*found))
    np.testing.assert_allclose([len(part) / 300 for part in parts], [0.7, 0.2, 0.1], atol=0.06)
    # The same groups fall to the same parts in any order of the sequences.
    order = rng.permutation(300)
    assert [
        set(part["author"].tolist()) for part in sequences.take(order).split([0.7, 0.2, 0.1], by="author", seed=seed)
    ] == found
    alone = sequences.split([0.5, 0.5], seed=seed)
    assert [len(part) for part in alone] == [150, 150]
    assert alone[0]["tokens"].tolist() == sorted(alone[0]["tokens"].tolist())


@pytest.mark.parametrize("shares", [[0.5], [0.5, 0.6], [-0.5, 1.5], [], 1.0])
def test_split_refuses_shares_that_are_not_of_one(shares):
    with pytest.raises(ValueError, match="shares: got"):
        from_arrays([[1], [2]]).split(shares)


def test_split_refuses_a_column_that_is_not_there():
    with pytest.raises(ValueError, match="by: got 'author'; expected a column with one value a sequence: label"):
        from_arrays([[1], [2]], [0, 1]).split([1.0], by="author")


def test_slices_take_sequences():
    sequences = from_arrays([[1], [2, 3], [4]], ["a", "b", "a"])
    assert sequences[1:]["tokens"].tolist() == [2, 3, 4]
    assert sequences[::-1]["tokens"].tolist() == [4, 2, 3, 1]
    assert sequences[:1].classes == {"label": ("a", "b")}
    with pytest.raises(TypeError, match="key: got 1; expected a column's name or a slice"):
        sequences[1]
