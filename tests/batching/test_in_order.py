import re

import keras
import numpy as np
import pytest
from closeness import assert_close

from lengthwise.batching.in_order import predict
from lengthwise.batching.registry import STRATEGIES, make_strategy
from lengthwise.errors import ArgumentError
from lengthwise.layers import Recurrent
from lengthwise.sources import from_arrays

SETTINGS = {"batch_size": 4, "buckets": 3, "tokens": 40, "window": 5}
NAMES = sorted(STRATEGIES)
SEVERAL_IN_A_ROW = ("packed", "truncated")
PADDED = [(name, padding) for name in NAMES for padding in ("post", "pre") if (name, padding) != ("truncated", "pre")]
INPUTS = ("features", "resets")


@pytest.fixture(scope="module")
def sequences():
    rng = np.random.default_rng(0)
    lengths = [7, 1, 3, 3, 18, 2, 5, 12, 1, 9, 4]
    features = [rng.normal(size=(length, 3)).astype(np.float32) for length in lengths]
    return from_arrays(per_step={"features": features}, per_sequence={"age": np.arange(11.0, dtype=np.float32)})


def model_of(carried_rows=None, **options):
    features = keras.Input((None, 3), name="features")
    resets = keras.Input((None,), dtype="bool", name="resets")
    keras.utils.set_random_seed(3)
    states = Recurrent(keras.layers.LSTMCell(4), carried_rows=carried_rows, **options)(features, resets=resets)
    return keras.Model({"features": features, "resets": resets}, [keras.layers.Dense(2)(states), states])


def alone(model, sequences):
    # Each sequence by itself, from a model that carries nothing: a list for each output.
    found = []
    for begin, end in zip(sequences.offsets[:-1], sequences.offsets[1:], strict=True):
        resets = np.arange(end - begin)[np.newaxis] == 0
        outputs = model({"features": sequences["features"][np.newaxis, begin:end], "resets": resets})
        found.append([output.numpy()[0] for output in outputs])
    return list(zip(*found, strict=True))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("at", ["last_step", "every_step"])
@pytest.mark.parametrize(("name", "padding"), [*PADDED, (None, "post")])
def test_predict_equals_each_sequence_alone_in_their_order(sequences, name, padding, at):
    model = model_of(carried_rows=SETTINGS["batch_size"] if name == "truncated" else None)
    strategy = make_strategy(name, SETTINGS) if name else None
    found = predict(model, sequences, strategy, inputs=INPUTS, at=at, padding=padding)
    plain = model_of()
    for ours, outputs in zip(found, alone(plain, sequences), strict=True):
        expected = np.concatenate(outputs) if at == "every_step" else np.stack([output[-1] for output in outputs])
        assert_close(ours, expected)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", [None, *(name for name in NAMES if name not in SEVERAL_IN_A_ROW)])
def test_predict_of_rows_is_in_the_order_of_the_sequences(sequences, name):
    # A model of stock layers, which a mask tells of padding, and of a value per sequence.
    features, age = keras.Input((None, 3), name="features"), keras.Input((), name="age")
    mask = keras.Input((None,), dtype="bool", name="mask")
    states = keras.layers.GRU(4)(features, mask=mask)
    model = keras.Model(
        {"features": features, "mask": mask, "age": age}, {"states": states, "age": keras.layers.Identity()(age)}
    )
    strategy = make_strategy(name, SETTINGS) if name else None
    found = predict(model, sequences, strategy, inputs=("features", "mask", "age"))
    assert found["age"].tolist() == list(range(11))
    for number, (begin, end) in enumerate(zip(sequences.offsets[:-1], sequences.offsets[1:], strict=True)):
        x = sequences["features"][np.newaxis, begin:end]
        one = model({"features": x, "mask": np.ones((1, end - begin), bool), "age": np.zeros(1, np.float32)})
        assert_close(found["states"][number], one["states"].numpy()[0])


def stock():
    features, resets = keras.Input((None, 3), name="features"), keras.Input((None,), dtype="bool", name="resets")
    return keras.Model({"features": features, "resets": resets}, keras.layers.GRU(2, return_sequences=True)(features))


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("make", "name", "options", "message"),
    [
        (
            stock,
            "packed",
            {"at": "last_step"},
            "(GRU) with Packed(batch_size=4, window=5); one sequence of a row would",
        ),
        (model_of, "truncated", {"at": "every_step"}, "the state would be lost at the end of each window; set carried"),
        (stock, "padded", {"at": "every_step", "padding": "pre"}, "the padded steps before a sequence would change"),
        (model_of, "packed", {"at": "sequence"}, "at: got 'sequence'; expected last_step or every_step"),
        (model_of, "padded", {"at": "last"}, "at: got 'last'; expected one of sequence, last_step, every_step"),
        (
            model_of,
            "packed",
            {"at": "last_step", "inputs": ("features",)},
            "expected resets among them",
        ),
        (lambda: model_of(return_sequences=False), "exact", {"at": "last_step"}, "expected one at each step"),
        (
            lambda: model_of(return_sequences=False),
            None,
            {"at": "sequence"},
            "the last output would be that of the pad",
        ),
        (lambda: "model", None, {"at": "every_step"}, "model: got 'model'; expected a Keras model"),
    ],
)
def test_predict_says_in_one_line_what_would_be_wrong(sequences, make, name, options, message):
    with pytest.raises(ArgumentError, match=re.escape(message)) as error:
        predict(make(), sequences, name and make_strategy(name, SETTINGS), **{"inputs": INPUTS, **options})
    assert len(str(error.value).splitlines()) == 1


def test_predict_of_lists_says_how_sequences_are_made():
    with pytest.raises(ArgumentError, match="sequences: got list; expected Sequences; make them by from_arrays"):
        predict(model_of(), [[1, 2], [3]], inputs=INPUTS, at="last_step")


def test_predict_of_no_sequences_is_refused(sequences):
    with pytest.raises(ArgumentError, match="sequences: got none"):
        predict(model_of(), sequences[:0], inputs=INPUTS, at="last_step")
