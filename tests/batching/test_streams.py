# Streams: every sequence once an epoch, a buffer at a time, in an order that a seed decides.
import re
import tracemalloc

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from closeness import assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

import lengthwise as lw
from lengthwise.batching.registry import STRATEGIES, make_strategy
from lengthwise.errors import FormatError

SETTINGS = {"batch_size": 3, "buckets": 2, "tokens": 30, "window": 10}
INPUTS = ("tokens", "resets", "sequence")


def rows_of(lengths):
    # No token occurs twice: a token says which sequence and which step it is.
    begins = np.cumsum([1, *lengths])
    return [
        {"ids": list(range(begins[number], begins[number + 1])), "label": number % 3} for number in range(len(lengths))
    ]


def stream_of(lengths, buffer, **options):
    return lw.Stream(lambda: iter(rows_of(lengths)), {"tokens": "ids"}, "label", buffer=buffer, **options)


def batches(data):
    return [[np.asarray(values) for values in keras.tree.flatten(batch)] for batch in data]


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=40),
    st.integers(1, 50),
    st.sampled_from(sorted(STRATEGIES)),
    st.integers(0, 3),
)
def test_stream_gives_every_step_once_an_epoch(lengths, buffer, name, seed):
    strategy = make_strategy(name, SETTINGS)
    stream = stream_of(lengths, buffer)
    data = lw.fit_data(stream, strategy, inputs=INPUTS, targets=lw.every_step("label"), seed=seed)
    found, labels = [], {}
    for (_, sequence, tokens), targets, weights in ((batch[:3], batch[3], batch[4]) for batch in batches_by_name(data)):
        real = sequence >= 0
        found += tokens[real].tolist()
        labels.update(zip(tokens[real].tolist(), targets[real].tolist(), strict=True))
        assert np.array_equal(real, weights > 0)
    assert sorted(found) == list(range(1, sum(lengths) + 1))
    expected = {token: row["label"] for row in rows_of(lengths) for token in row["ids"]}
    assert labels == expected


def batches_by_name(data):
    for x, y, weights in data:
        yield [np.asarray(x[name]) for name in ("resets", "sequence", "tokens")] + [
            np.asarray(y)[..., 0],
            np.asarray(weights),
        ]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_stream_of_one_buffer_gives_the_batches_of_all_sequences_in_memory(name):
    lengths = np.random.default_rng(1).integers(1, 10, 30).tolist()
    strategy = make_strategy(name, SETTINGS)
    asked = {"inputs": ("tokens", "resets"), "targets": lw.last_step("label"), "seed": 3}
    stream = lw.fit_data(stream_of(lengths, 30), strategy, **asked)
    rows = rows_of(lengths)
    whole = lw.from_arrays([row["ids"] for row in rows], [row["label"] for row in rows])
    memory = lw.fit_data(whole, strategy, **asked)
    for _ in range(2):
        # Two epochs, each with its own order.
        for found, expected in zip(batches(stream), batches(memory), strict=True):
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_array_equal(one, other)


def test_stream_has_another_order_in_every_epoch_and_buffer_and_the_same_for_the_same_seed():
    lengths = [1] * 40

    def orders(**options):
        data = lw.fit_data(stream_of(lengths, 20), lw.Padded(20), targets=None, **options)
        return [batch[0].ravel().tolist() for _ in range(2) for batch in batches(data)]

    found = orders(seed=1)
    assert len({tuple(token % 20 for token in order) for order in found}) == 4
    assert orders(seed=1) == found
    assert orders(seed=2) != found
    assert orders(seed=1, epoch=1)[:2] == found[2:]


def test_stream_that_does_not_end_trains_for_so_many_steps():
    def endless():
        number = 0
        while True:
            number += 1
            yield {"ids": [number % 7] * (1 + number % 5), "label": number % 2}

    stream = lw.Stream(endless, {"tokens": "ids"}, "label", buffer=50)
    model = keras.Sequential([keras.layers.Embedding(9, 4), lw.GRU(4)])
    model.compile("sgd", "sparse_categorical_crossentropy")
    data = lw.fit_data(stream, lw.Bucketed(8, buckets=2))
    history = model.fit(data, steps_per_epoch=20, epochs=3, shuffle=False, verbose=0)
    assert len(history.history["loss"]) == 3
    assert np.isfinite(history.history["loss"]).all()


# Keras says so of all data of which it does not know the length.
@pytest.mark.filterwarnings("ignore:.*ran out of data:UserWarning")
def test_stream_trains_to_the_weights_of_the_sequences_in_memory():
    lengths = np.random.default_rng(2).integers(1, 10, 24).tolist()
    whole = next(iter(stream_of(lengths, 24)))
    trained = []
    for source in (whole, stream_of(lengths, 24)):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.layers.Embedding(sum(lengths) + 1, 4, mask_zero=True), lw.GRU(3)])
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(lw.fit_data(source, lw.Bucketed(4, 2), seed=1), epochs=2, shuffle=False, verbose=0)
        trained.append(model.get_weights())
    assert_close(*trained, 0)


@pytest.mark.parametrize("buffer", [1, 7, 10, 25, 100])
def test_stream_of_parquet_files_has_buffers_of_so_many_rows(buffer, tmp_path):
    rows = rows_of([1 + number % 4 for number in range(25)])
    for number, (begin, end) in enumerate([(0, 10), (10, 11), (11, 25)]):
        table = pa.Table.from_pylist([{**row, "other": "x"} for row in rows[begin:end]])
        pq.write_table(table, tmp_path / f"{number}.parquet", row_group_size=4)
    stream = lw.Stream(tmp_path, {"tokens": "ids"}, "label", buffer=buffer)
    for _ in range(2):
        parts = list(stream)
        assert [len(part) for part in parts] == [buffer] * (25 // buffer) + [25 % buffer] * (25 % buffer > 0)
        assert np.concatenate([part["tokens"] for part in parts]).tolist() == [t for row in rows for t in row["ids"]]


def write_groups(folder, lengths, rows):
    # Several files of several row groups.
    for number, begin in enumerate(range(0, len(lengths), 20)):
        table = pa.Table.from_pylist(rows_of(lengths)[begin : begin + 20])
        pq.write_table(table, folder / f"{number}.parquet", row_group_size=rows)
    return folder


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", sorted(STRATEGIES))
@pytest.mark.parametrize("window", [1, 3, 100])
def test_stream_through_windows_gives_every_step_once_an_epoch(name, window, tmp_path):
    lengths = np.random.default_rng(1).integers(1, 9, 50).tolist()
    write_groups(tmp_path, lengths, 4)
    strategy = make_strategy(name, SETTINGS)
    stream = lw.Stream(tmp_path, {"tokens": "ids"}, "label", window_blocks=window)
    data = lw.fit_data(stream, strategy, inputs=INPUTS, targets=lw.every_step("label"), seed=window)
    orders = []
    for _ in range(2):
        found = [batch[2][batch[1] >= 0].tolist() for batch in batches_by_name(data)]
        orders.append([token for batch in found for token in batch])
        assert sorted(orders[-1]) == list(range(1, sum(lengths) + 1))
    assert orders[0] != orders[1]


def test_stream_through_windows_mixes_all_files_and_depends_on_seed_and_epoch_alone(tmp_path):
    stream = lw.Stream(write_groups(tmp_path, [1] * 60, 5), {"tokens": "ids"}, "label", window_blocks=4)

    def windows(seed, epoch):
        return [part["tokens"].tolist() for part in stream.of_epoch(seed, epoch)]

    made = {(seed, epoch): windows(seed, epoch) for seed in range(4) for epoch in range(4)}
    assert len({str(found) for found in made.values()}) == 16
    assert all(windows(*asked) == found for asked, found in made.items())
    for found in made.values():
        # Three windows of a block of each four that lie together.
        assert [len(part) for part in found] == [20, 20, 20]
        assert all(sorted({(token - 1) // 15 for token in part}) == [0, 1, 2, 3] for part in found)


def test_stream_through_one_window_gives_the_batches_of_the_files_in_memory(tmp_path):
    lengths = np.random.default_rng(1).integers(1, 10, 45).tolist()
    write_groups(tmp_path, lengths, 6)
    asked = {"targets": lw.last_step("label"), "seed": 3}
    strategy = lw.Bucketed(batch_size=3, buckets=4)
    stream = lw.fit_data(lw.Stream(tmp_path, {"tokens": "ids"}, "label", window_blocks=99), strategy, **asked)
    memory = lw.fit_data(lw.from_parquet(tmp_path, "ids"), strategy, **asked)
    for _ in range(2):
        for found, expected in zip(batches(stream), batches(memory), strict=True):
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_array_equal(one, other)


def test_stream_of_sequences_and_of_a_hugging_face_dataset():
    datasets = pytest.importorskip("datasets")
    rows = rows_of([3, 1, 2, 4, 1])
    features = datasets.Features(
        {"ids": datasets.List(datasets.Value("int32")), "label": datasets.ClassLabel(names=["a", "b", "c"])}
    )
    dataset = datasets.Dataset.from_list(rows, features=features)
    streamed = lw.Stream(dataset.to_iterable_dataset(), {"tokens": "ids"}, "label", buffer=2)
    parts = list(streamed)
    assert [len(part) for part in parts] == [2, 2, 1]
    assert {part.classes["label"] for part in parts} == {("a", "b", "c")}
    # Class weights need the classes.
    lw.fit_data(streamed, lw.Padded(2), class_weights={"b": 2.0})
    again = lw.Stream(parts, buffer=1)
    assert [part["tokens"].tolist() for part in again] == [row["ids"] for row in rows]


def test_stream_holds_one_buffer():
    def rows():
        for number in range(20_000):
            yield {"x": np.full((10, 20), number, np.float32)}

    # 16 MB in all, 800 kB a buffer.
    data = lw.fit_data(lw.Stream(rows, "x", buffer=1000), lw.Padded(100), inputs=("x",), targets=None)
    tracemalloc.start()
    count = sum(len(batch) for batch in data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 8e6


def words(*tags):
    return lambda: iter([{"ids": [1, 2], "tag": tag} for tag in tags])


@pytest.mark.parametrize(
    ("ask", "kind", "message"),
    [
        (lambda: stream_of([1], 0), ValueError, "buffer: got 0; expected a whole number of sequences, at least 1"),
        (lambda: lw.Stream(iter([{}]), "ids"), TypeError, "which can be read once; expected a function that"),
        (lambda: lw.Stream(3, "ids"), TypeError, "source: got int; expected rows"),
        (
            lambda: lw.Stream("a.parquet", "ids", window_blocks=0),
            ValueError,
            "window_blocks: got 0; expected a whole number, at least 1, or None",
        ),
        (
            lambda: lw.Stream(words(1), "ids", window_blocks=2),
            ValueError,
            "window_blocks: got it for rows; expected paths of Parquet files; give a buffer",
        ),
        (
            lambda: list(lw.Stream("nowhere.parquet", "ids", window_blocks=2)),
            FormatError,
            "nowhere.parquet: cannot be read",
        ),
        (lambda: list(lw.Stream(words("a"), (), "tag")), ValueError, "per_step: got no column"),
        (
            lambda: list(lw.Stream(words("a", "b"), "ids", "tag")),
            ValueError,
            "classes: got none for 'tag', a column of strings; expected all of them in order, such as {'tag': ('a', ",
        ),
        (
            lambda: list(lw.Stream(words("a", "b", "c"), "ids", "tag", classes={"tag": ("a", "b")})),
            ValueError,
            "tag: got 'c'; expected one of its 2 classes, a, b",
        ),
        (
            lambda: list(lw.Stream(words(1, 2.5), "ids", "tag", buffer=1)),
            ValueError,
            "source: got 'tag' of float32 () in buffer 1; expected int32 (), as in the first",
        ),
        (
            lambda: list(lw.Stream(words(1), "tokens")),
            ValueError,
            "source: got a row of columns ids, tag; expected a dict",
        ),
        (
            lambda: list(lw.Stream([[1, 2]], "ids")),
            ValueError,
            "source: got a row of list; expected a dict with the col",
        ),
        (lambda: list(lw.Stream("nowhere.parquet", "ids")), FormatError, "nowhere.parquet: cannot be read"),
        (
            lambda: lw.fit_data(lw.Stream(words(), "ids"), lw.Padded(2), inputs=("ids",), targets=None),
            ValueError,
            "source: got no rows; expected one at least",
        ),
        (
            lambda: lw.fit_data(lw.Stream(words(1), "ids", "tag"), lw.Padded(2), inputs=("ids",), targets="label"),
            ValueError,
            "targets: got 'label'; expected a column or one of ids, tag",
        ),
        (
            lambda: lw.fit_data(
                lw.Stream(words(1), "ids", "tag"), lw.Padded(2), inputs=("ids",), targets="tag", class_weights={1: 2.0}
            ),
            ValueError,
            "class_weights: got them for 'tag', whose classes the stream does not know; expected classes=",
        ),
        (
            lambda: lw.fit_data(lw.Stream(words(1), "ids", "tag"), lw.Padded(2), inputs=("ids",), seed=None),
            ValueError,
            "seed: got None; expected a whole number from 0",
        ),
        (
            lambda: lw.fit_data(
                lw.Stream(words(1), "ids", "tag"),
                lw.Packed(2, window=8),
                inputs=("ids", "resets"),
                targets=None,
                model=keras.Sequential([keras.layers.Embedding(9, 2), keras.layers.GRU(2)]),
            ),
            ValueError,
            "(GRU) with Packed(batch_size=2, window=8); one sequence of a row would leak into the next",
        ),
    ],
)
def test_stream_refuses_in_one_line(ask, kind, message):
    with pytest.raises(kind, match=re.escape(message)) as refusal:
        ask()
    assert "\n" not in str(refusal.value)
