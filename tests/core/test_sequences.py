import re
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lengthwise.core.sequences import Sequences
from lengthwise.errors import FormatError
from lengthwise.sources import from_arrays, from_hugging_face, from_parquet

TOKENS = [[4, 2, 7], [5], [3, 3, 8, 2, 6], [9, 4], [0, 0], [2**31 - 1, 1]]
LABELS = [0, 1, 1, 0, 5, 40_000]
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
SMALL = [[4, 2, 7], [5], [100, 0]]
ORDERS = {"all": [0, 1, 2, 3, 4, 5], "select": [4, 0, 3], "repeated": [2, 2, 1], "one": [5]}


def assert_same(found, tokens, labels):
    count = len(tokens)
    assert len(found) == count
    assert found["tokens"].tolist() == [token for ids in tokens for token in ids]
    assert found.lengths.tolist() == [len(ids) for ids in tokens]
    assert found["label"].tolist() == list(labels)
    assert found.offsets[0] == 0
    assert found["tokens"].dtype == found["label"].dtype == np.int32
    assert found.offsets.dtype == np.int64
    assert (found.per_step.keys(), found.per_sequence.keys()) == ({"tokens"}, {"label"})


def assert_one_line(error, *parts):
    message = str(error.value)
    assert message.strip()
    assert len(message.splitlines()) == 1, message
    for part in parts:
        assert part in message


def table_of(tokens, labels, kind=None, label_kind=None):
    return pa.table({"tokens": pa.array(tokens, kind), "label": pa.array(labels, label_kind)})


def written(folder, table, **options):
    pq.write_table(table, folder / "sequences.parquet", **options)
    return folder / "sequences.parquet"


def refused(folder, tokens, labels, kind=None):
    # What both sources of tables say, of tokens and labels that are wrong.
    table = table_of(tokens, labels, kind)
    with pytest.raises(ValueError, match=r"expected|null") as by_parquet:
        from_parquet(written(folder, table))
    datasets = pytest.importorskip("datasets")
    with pytest.raises(ValueError, match=r"expected|null") as by_hugging_face:
        from_hugging_face(datasets.Dataset(table), tokens="tokens")
    return by_parquet, by_hugging_face


@pytest.fixture
def hugging_face():
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    return datasets


@pytest.mark.parametrize("make", [list, tuple, np.array], ids=["list", "tuple", "numpy"])
def test_from_arrays_keeps_tokens_labels_and_order(make):
    assert_same(from_arrays([make(ids) for ids in TOKENS], make(LABELS)), TOKENS, LABELS)


@pytest.mark.parametrize("kind", INTEGERS)
def test_from_arrays_takes_every_type_of_whole_numbers(kind):
    assert_same(from_arrays([np.array(ids, kind) for ids in SMALL], np.array([1, 0, 3], kind)), SMALL, [1, 0, 3])


def test_from_arrays_takes_types_that_differ_from_sequence_to_sequence():
    kinds = ["uint64", "int8", "int64", "<i2", ">i4", "int64"]
    arrays = [np.array(ids, kind) for ids, kind in zip(TOKENS, kinds, strict=True)]
    assert_same(from_arrays(arrays, LABELS), TOKENS, LABELS)


def test_from_arrays_takes_rows_of_a_matrix_and_views_with_strides():
    matrix = np.arange(24, dtype=np.int64).reshape(4, 6)
    assert_same(from_arrays(matrix, [0, 1, 2, 3]), matrix.tolist(), [0, 1, 2, 3])
    assert_same(from_arrays(matrix[::-1, ::2], [0, 1, 2, 3]), matrix[::-1, ::2].tolist(), [0, 1, 2, 3])


def test_from_arrays_does_not_share_memory_with_what_it_was_given():
    ids, labels = np.array([1, 2, 3], np.int32), np.array([7], np.int32)
    found = from_arrays([ids], labels)
    ids[:], labels[:] = 0, 0
    assert_same(found, [[1, 2, 3]], [7])


@pytest.mark.parametrize("kind", [pa.list_(pa.int32()), pa.large_list(pa.int64()), pa.list_(pa.uint32())], ids=str)
@pytest.mark.parametrize("rows", [1, 2, 100])
def test_from_parquet_equals_arrays_for_lists_of_any_kind_in_any_row_groups(tmp_path, kind, rows):
    table = table_of(TOKENS, LABELS, kind, pa.uint16())
    path = written(tmp_path, table, row_group_size=rows)
    assert pq.ParquetFile(path).num_row_groups == -(-len(TOKENS) // rows)
    assert_same(from_parquet(path), TOKENS, LABELS)


@pytest.mark.parametrize("rows", [1, 2, 100])
@pytest.mark.parametrize("large", [False, True])
def test_from_parquet_equals_arrays_for_slices_and_chunks(tmp_path, large, rows):
    kind = pa.large_list(pa.int32()) if large else pa.list_(pa.int32())
    table = table_of(TOKENS, LABELS, kind)
    chunked = pa.concat_tables([table.slice(1, 2), table.slice(4), table.slice(0, 0), table.slice(0, 3)])
    order = [1, 2, 4, 5, 0, 1, 2]
    path = written(tmp_path, chunked, row_group_size=rows)
    assert_same(from_parquet(path), [TOKENS[row] for row in order], [LABELS[row] for row in order])


def test_from_parquet_reads_columns_of_other_names_and_ignores_the_rest(tmp_path):
    table = pa.table({"label": ["a", None], "y": [3, 1], "ids": [[1, 2], [3]], "tokens": [[0.5], None]})
    path = written(tmp_path, table)
    assert_same(from_parquet(path, tokens="ids", label="y"), [[1, 2], [3]], [3, 1])
    assert_same(from_parquet(str(path), tokens="ids", label="y"), [[1, 2], [3]], [3, 1])


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_from_hugging_face_equals_arrays_as_selected(hugging_face, order):
    dataset = hugging_face.Dataset.from_dict({"input_ids": TOKENS, "label": LABELS, "text": ["x"] * len(TOKENS)})
    assert_same(
        from_hugging_face(dataset.select(order)), [TOKENS[row] for row in order], [LABELS[row] for row in order]
    )


def test_from_hugging_face_equals_arrays_as_shuffled(hugging_face):
    dataset = hugging_face.Dataset.from_dict({"input_ids": TOKENS, "label": LABELS})
    for seed in range(4):
        shuffled = dataset.shuffle(seed=seed)
        assert_same(from_hugging_face(shuffled), shuffled["input_ids"][:], shuffled["label"][:])
    assert any(dataset.shuffle(seed=seed)["label"][:] != LABELS for seed in range(4))


def test_from_hugging_face_equals_arrays_as_filtered(hugging_face):
    dataset = hugging_face.Dataset.from_dict({"input_ids": TOKENS, "label": LABELS})
    kept = [row for row, ids in enumerate(TOKENS) if len(ids) == 2]
    filtered = dataset.filter(lambda row: len(row["input_ids"]) == 2)
    assert_same(from_hugging_face(filtered), [TOKENS[row] for row in kept], [LABELS[row] for row in kept])


def test_from_hugging_face_reads_columns_of_other_names_formats_and_features(hugging_face):
    features = hugging_face.Features(
        {
            "ids": hugging_face.LargeList(hugging_face.Value("int32")),
            "y": hugging_face.ClassLabel(names=["no", "yes"]),
            "label": hugging_face.Value("string"),
        }
    )
    columns = {"ids": [[1, 2], [3]], "y": [1, 0], "label": ["a", None]}
    dataset = hugging_face.Dataset.from_dict(columns, features=features)
    for seen in (dataset, dataset.with_format("numpy", columns=["label"]), dataset.with_format("pandas")):
        assert_same(from_hugging_face(seen, tokens="ids", label="y"), [[1, 2], [3]], [1, 0])


def test_from_hugging_face_reads_datasets_of_several_pieces_and_files(hugging_face, tmp_path):
    dataset = hugging_face.Dataset.from_dict({"input_ids": TOKENS, "label": LABELS})
    dataset.save_to_disk(tmp_path / "saved", num_shards=2)
    mapped = hugging_face.load_from_disk(tmp_path / "saved")
    joined = hugging_face.concatenate_datasets([mapped.select([3, 1]), dataset])
    order = [3, 1, *range(len(TOKENS))]
    assert_same(from_hugging_face(joined), [TOKENS[row] for row in order], [LABELS[row] for row in order])


def test_from_hugging_face_reads_lists_of_a_fixed_size(hugging_face):
    # What a tokenizer that pads to one length makes.
    features = hugging_face.Features(
        {"input_ids": hugging_face.List(hugging_face.Value("int32"), length=2), "label": hugging_face.Value("int64")}
    )
    columns = {"input_ids": [[1, 2], [3, 4], [5, 6]], "label": [1, 0, 2]}
    dataset = hugging_face.Dataset.from_dict(columns, features=features)
    assert_same(from_hugging_face(dataset), [[1, 2], [3, 4], [5, 6]], [1, 0, 2])
    assert_same(from_hugging_face(dataset.select([2, 0])), [[5, 6], [1, 2]], [2, 1])
    assert_same(from_hugging_face(dataset.select(range(1, 3))), [[3, 4], [5, 6]], [0, 2])


def test_sources_of_no_sequences_give_none(hugging_face, tmp_path):
    table = table_of([], [], pa.list_(pa.int32()), pa.int64())
    assert_same(from_arrays([], []), [], [])
    assert_same(from_arrays([], np.zeros(0, np.int64)), [], [])
    assert_same(from_parquet(written(tmp_path, table)), [], [])
    dataset = hugging_face.Dataset.from_dict({"input_ids": TOKENS, "label": LABELS})
    assert_same(from_hugging_face(dataset.select([])), [], [])
    assert_same(from_hugging_face(dataset.filter(lambda _: False)), [], [])


@pytest.mark.parametrize(
    "ids", [[], [1, None], [True], ["a"], [[1], [2]], [[1], [2, 3]], [1, [2, 3]], 5, None, "12", [2**70]], ids=repr
)
def test_from_arrays_says_in_one_line_which_sequence_is_wrong(ids):
    with pytest.raises(ValueError, match="sequence 1") as error:
        from_arrays([[1, 2], ids, [3]], [0, 1, 2])
    assert_one_line(error, "sequence 1")


@pytest.mark.parametrize(
    "labels",
    [[0], [0, 1, 2], [0, None], [None, 1], [0, [1]], [0, "a"], [[0], [1, 2]], 1, "ab", {"a": 1, "b": 2}, []],
    ids=repr,
)
def test_from_arrays_says_in_one_line_that_labels_are_wrong(labels):
    with pytest.raises(ValueError, match=r"^label: ") as error:
        from_arrays([[1, 2], [3]], labels)
    assert_one_line(error, "label: ")


def test_from_arrays_wants_no_labels_where_there_are_no_sequences():
    with pytest.raises(ValueError, match="label: got 1 values; expected 0") as error:
        from_arrays([], [1])
    assert_one_line(error)


WIDE = [2**31, 2**32 + 5, 2**53 + 1, -(2**31) - 1]


@pytest.mark.parametrize("value", WIDE, ids=str)
def test_sources_keep_whole_numbers_that_32_bits_do_not_hold(tmp_path, value):
    # A cast would wrap it around: another token, and nobody is told.
    ids, labels = [[1, 2], [3, value]], [0, value]
    arrays = [[np.array(row, np.int64) for row in ids], np.array(labels, np.int64)]
    table = table_of(ids, labels)
    for found in (from_arrays(ids, labels), from_arrays(*arrays), from_parquet(written(tmp_path, table))):
        assert found["tokens"].tolist() == [1, 2, 3, value]
        assert found["label"].tolist() == labels
        assert found["tokens"].dtype == found["label"].dtype == np.int64


@pytest.mark.parametrize("value", [2**63, 2**64 - 1], ids=str)
def test_sources_refuse_whole_numbers_that_64_bits_do_not_hold(tmp_path, value):
    with pytest.raises(ValueError, match=str(value)) as error:
        from_arrays([[1, 2], np.array([3, value], np.uint64)], [0, 1])
    assert_one_line(error)
    with pytest.raises(ValueError, match=f"label: got {value}") as error:
        from_arrays([[1, 2], [3]], np.array([0, value], np.uint64))
    assert_one_line(error)
    for error in refused(tmp_path, [[1, 2], [3, value]], [0, 1], pa.list_(pa.uint64())):
        assert_one_line(error, str(value))
    for error in refused(tmp_path, [[1, 2], [3]], pa.array([0, value], pa.uint64())):
        assert_one_line(error, str(value))


def test_sources_change_no_negative_id_silently(hugging_face, tmp_path):
    # An embedding has no row for it; either it is refused in one line, or it is as it was for the layer to refuse.
    table = table_of([[1, 2], [3, -1]], [0, 1])
    sources = (
        lambda: from_arrays([[1, 2], [3, -1]], [0, 1]),
        lambda: from_parquet(written(tmp_path, table)),
        lambda: from_hugging_face(hugging_face.Dataset(table), tokens="tokens"),
    )
    for source in sources:
        try:
            found = source()
        except ValueError as error:
            assert_one_line(SimpleNamespace(value=error), "-1")
        else:
            assert_same(found, [[1, 2], [3, -1]], [0, 1])


@pytest.mark.parametrize(
    ("tokens", "kind", "part"),
    [
        ([[1, 2], []], pa.list_(pa.int32()), "sequence 1"),
        ([[1, 2], []], pa.large_list(pa.int32()), "sequence 1"),
        ([[1, 2], None], pa.list_(pa.int32()), "null"),
        ([[1, 2], [None, 3]], pa.list_(pa.int32()), "null"),
        ([[1, 2], [None]], pa.large_list(pa.int32()), "null"),
        ([[[1], [2]], [[3, 4]]], pa.list_(pa.list_(pa.int32())), "entries of 1 to 2 values"),
        ([[{"a": 1}], [{"a": 2}]], pa.list_(pa.struct({"a": pa.int64()})), "type"),
        ([[b"a"], [b"b"]], pa.list_(pa.binary()), "type"),
        ([5, 6], pa.int64(), "type"),
        (["1 2", "3"], pa.string(), "type"),
        ([{"a": 1}, {"a": 2}], pa.struct({"a": pa.int64()}), "type"),
    ],
    ids=str,
)
def test_tables_say_in_one_line_what_is_wrong_with_tokens(tmp_path, tokens, kind, part):
    for error in refused(tmp_path, tokens, [0, 1], kind):
        assert_one_line(error, part)


@pytest.mark.parametrize(
    ("labels", "part"),
    [
        ([[0], [1, 2]], "entries of 1 to 2 values"),
        ([{"a": 1}, {"a": 2}], "type"),
        ([0, None], "nulls"),
        ([None, None], "nulls"),
    ],
    ids=str,
)
def test_tables_say_in_one_line_what_is_wrong_with_labels(tmp_path, labels, part):
    for error in refused(tmp_path, [[1, 2], [3]], labels):
        assert_one_line(error, "label", part)


@pytest.mark.parametrize("missing", [{"tokens": "absent"}, {"label": "absent"}, {"tokens": "absent", "label": "gone"}])
def test_tables_say_in_one_line_which_column_is_missing(hugging_face, tmp_path, missing):
    table = table_of(TOKENS, LABELS)
    path = written(tmp_path, table)
    with pytest.raises(FormatError, match="has no column 'absent'") as error:
        from_parquet(path, **missing)
    assert_one_line(error, str(path))
    with pytest.raises(FormatError, match="has no column 'absent'") as error:
        from_hugging_face(hugging_face.Dataset(table), **{"tokens": "tokens", **missing})
    assert_one_line(error)


@pytest.mark.parametrize(
    "content", [None, b"", b"tokens,label\n1 2,3\n", b"PAR1", b"PAR1\n\n\n\n\0\0\0\0PAR1"], ids=repr
)
def test_from_parquet_says_in_one_line_that_a_file_is_missing_or_no_parquet(tmp_path, content):
    path = tmp_path / "sequences.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FormatError, match=re.escape(str(path))) as error:
        from_parquet(path)
    assert_one_line(error, "cannot be read", "expected a Parquet file")


def test_from_parquet_refuses_a_folder_without_files_in_one_line(tmp_path):
    with pytest.raises(FormatError, match=re.escape(str(tmp_path))) as error:
        from_parquet(tmp_path)
    assert_one_line(error)


@pytest.mark.parametrize("seed", range(3))
def test_from_parquet_says_in_one_line_that_a_file_is_damaged(tmp_path, seed):
    path = written(tmp_path, table_of([list(range(50))] * 200, list(range(200))))
    whole = path.read_bytes()
    rng = np.random.default_rng(seed)
    refusals = 0
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 5):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(bytes(damaged[: rng.integers(len(whole) // 2, len(whole))] if rng.random() < 0.2 else damaged))
        try:
            from_parquet(path)
        except (FormatError, ValueError) as error:
            refusals += 1
            assert_one_line(SimpleNamespace(value=error))
    assert refusals > 20


def test_from_hugging_face_refuses_what_is_not_one_split_in_one_line(hugging_face):
    dataset = hugging_face.Dataset.from_dict({"input_ids": TOKENS, "label": LABELS})
    stream = hugging_face.IterableDatasetDict(train=dataset.to_iterable_dataset())
    for other in (hugging_face.DatasetDict(train=dataset), stream, [1], "name"):
        with pytest.raises((FormatError, ValueError, TypeError)) as error:
            from_hugging_face(other)
        assert_one_line(error)


def three():
    # Sequences of 2, 0 and 3 steps, with columns of several types and shapes.
    return Sequences(
        np.array([0, 2, 2, 5]),
        {"tokens": np.arange(5, dtype=np.int32), "features": np.arange(10.0).reshape(5, 2)},
        {"label": np.array([4, 5, 6]), "name": np.array(["a", "b", "c"])},
    )


def test_sequences_have_columns_by_name_and_lengths():
    sequences = three()
    assert (len(sequences), sequences.lengths.tolist()) == (3, [2, 0, 3])
    assert sequences["tokens"] is sequences.per_step["tokens"]
    assert sequences["label"] is sequences.per_sequence["label"]
    assert "label" in sequences.per_sequence


def test_sequences_say_which_columns_there_are():
    with pytest.raises(KeyError, match="labels: is no column; expected one of features, label, name, tokens"):
        three()["labels"]


def test_sequences_show_what_they_hold_and_not_the_values():
    assert repr(three()) == (
        "Sequences(3 sequences, 5 steps; per step: tokens int32, features float64 (2,); "
        "per sequence: label int64, name <U1)"
    )
    assert repr(Sequences(np.array([0]), {})) == "Sequences(0 sequences, 0 steps)"


@pytest.mark.parametrize("make", [list, tuple, np.array])
@pytest.mark.parametrize("rows", [[0, 1, 2], [2, 0], [1], [2, 2, 0, 2], []], ids=str)
def test_take_has_all_columns_of_the_sequences_asked_for(rows, make):
    taken = three().take(make(rows))
    steps = [[0, 1], [], [2, 3, 4]]
    expected = [step for row in rows for step in steps[row]]
    assert taken.lengths.tolist() == [len(steps[row]) for row in rows]
    assert taken["tokens"].tolist() == expected
    assert taken["features"].tolist() == [[2.0 * step, 2.0 * step + 1] for step in expected]
    assert taken["label"].tolist() == [4 + row for row in rows]
    assert taken["name"].tolist() == ["abc"[row] for row in rows]
    for name in ("tokens", "features", "label", "name"):
        assert taken[name].dtype == three()[name].dtype


def test_take_does_not_share_memory():
    sequences = three()
    taken = sequences.take([0, 1, 2])
    taken["tokens"][:] = 9
    assert sequences["tokens"].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([3], "rows: got 3; expected numbers from 0, below 3"),
        ([0, -1], "rows: got -1; expected numbers from 0, below 3"),
        ([0.5], "rows: got float64 of shape (1,); expected whole numbers, one after another"),
        # A mask is no list of numbers: taken for one it would give sequences 0 and 1 again and again.
        ([True, False, True], "rows: got bool of shape (3,); expected whole numbers, one after another"),
        (1, "rows: got int64 of shape (); expected whole numbers, one after another"),
    ],
)
def test_take_says_in_one_line_what_is_wrong_with_rows(rows, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        three().take(rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 2], {"tokens": np.arange(3)}), "tokens: got 3 values; expected 2, one for each step"),
        (([0, 2], {"tokens": np.arange(2)}, {"label": np.arange(2)}), "label: got 2 values; expected 1, one for each"),
        (([0, 2], {"tokens": np.array(2)}), "tokens: got one number; expected 2, one for each step"),
        (([0, 1], {"x": np.zeros(1)}, {"x": np.zeros(1)}), "x: names a column per step and one per sequence; rename"),
        (([], {}), "offsets: got array([]"),
        (([1, 2], {}), "offsets: got array([1, 2]); expected whole numbers, one after another, the first 0"),
        (([0.0, 2.0], {}), "offsets: got array([0., 2.]); expected whole numbers"),
        (([[0, 2]], {}), "offsets: got array([[0, 2]]); expected whole numbers"),
        (
            ([0, 3, 2], {"tokens": np.arange(2)}),
            "offsets: fall after sequence 1; expected each at least the one before",
        ),
    ],
)
def test_sequences_say_in_one_line_what_does_not_fit(arguments, message):
    offsets, *columns = arguments
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        Sequences(np.array(offsets), *columns)
    assert_one_line(error)
