# A training that was stopped and resumed has the weights of one that was not, bit for bit.

import functools

import keras
import numpy as np
import pytest

from lengthwise.batching.fit import fit_data
from lengthwise.batching.fit_epoch import FitEpoch
from lengthwise.batching.placed import next_step
from lengthwise.batching.registry import make_strategy
from lengthwise.errors import ArgumentError
from lengthwise.layers import Recurrent
from lengthwise.sources import from_arrays

SETTINGS = {"batch_size": 4, "buckets": 3, "tokens": 40, "window": 5}
EPOCHS, STOPPED = 4, 2


def data_of(name, epoch):
    rng = np.random.default_rng(0)
    sequences = from_arrays([rng.integers(1, 9, length) for length in (7, 2, 3, 3, 18, 2, 5, 12, 2, 9, 4)])
    strategy = make_strategy(name, SETTINGS)
    return fit_data(sequences, strategy, inputs=("tokens", "resets"), targets=next_step("tokens"), epoch=epoch)


def model_of():
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    resets = keras.Input((None,), dtype="bool", name="resets")
    keras.utils.set_random_seed(1)
    features = keras.layers.Embedding(9, 3)(tokens)
    states = Recurrent(keras.layers.GRUCell(4), carried_rows=SETTINGS["batch_size"])(features, resets=resets)
    model = keras.Model({"tokens": tokens, "resets": resets}, keras.layers.Dense(9, activation="softmax")(states))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


@functools.cache
def undisturbed(name):
    return train(model_of(), data_of(name, 0))


def train(model, data, callbacks=(), **options):
    model.fit(data, callbacks=list(callbacks), **{"epochs": EPOCHS, "verbose": 0, "shuffle": False, **options})
    return [weight.numpy() for weight in model.trainable_variables]


class Stop(keras.callbacks.Callback):
    # The power fails in the middle of an epoch.
    def on_train_batch_end(self, batch, logs=None):
        if self.params["epochs"] == EPOCHS and self.model.optimizer.iterations > self.steps:
            raise KeyboardInterrupt

    def __init__(self, steps):
        super().__init__()
        self.steps = steps


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("way", "name"),
    [
        ("backup", "truncated"),
        pytest.param("backup", "bucketed", marks=pytest.mark.long),
        ("initial_epoch", "packed"),
        ("number", "packed"),
    ],
)
def test_resumed_training_has_the_weights_of_an_undisturbed_one(name, way, tmp_path):
    expected = undisturbed(name)
    steps = int(data_of(name, 0).cardinality())
    if way == "backup":

        def callbacks(epoch):
            return [keras.callbacks.BackupAndRestore(tmp_path / "backup"), epoch]

        epoch = FitEpoch()
        with pytest.raises(KeyboardInterrupt):
            train(model_of(), data_of(name, epoch), [*callbacks(epoch), Stop(STOPPED * steps)])
        epoch = FitEpoch()
        found = train(model_of(), data_of(name, epoch), callbacks(epoch))
    else:
        model, epoch = model_of(), FitEpoch()
        train(model, data_of(name, epoch), [epoch], epochs=STOPPED)
        model.save(tmp_path / "model.keras")
        model = keras.saving.load_model(tmp_path / "model.keras")
        again = FitEpoch() if way == "initial_epoch" else STOPPED
        called = [again] if way == "initial_epoch" else []
        found = train(model, data_of(name, again), called, initial_epoch=STOPPED)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.long
def test_without_the_epoch_a_resumed_training_differs(tmp_path):
    # Or the test above would show nothing.
    expected = undisturbed("packed")
    model = model_of()
    train(model, data_of("packed", 0), epochs=STOPPED)
    found = train(model, data_of("packed", 0), initial_epoch=STOPPED)
    assert any((ours != theirs).any() for ours, theirs in zip(found, expected, strict=True))


@pytest.mark.parametrize("epoch", [-1, 0.5, True, None, "first"])
def test_fit_data_refuses_an_epoch_that_is_no_number(epoch):
    with pytest.raises(ValueError, match=r"epoch: got .*; expected a whole number from 0, or a FitEpoch"):
        data_of("padded", epoch)


def test_passes_count_by_themselves_until_fit_says_the_epoch():
    orders = [
        [x["tokens"].tolist() for x, *_ in data.as_numpy_iterator()] for data in [data_of("padded", FitEpoch())] * 2
    ]
    assert orders[0] != orders[1]


def test_fit_refuses_a_model_that_contradicts_the_strategy_before_its_first_batch():
    model, epoch = model_of(), FitEpoch()
    data = data_of("packed", epoch)
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    stock = keras.layers.GRU(4, return_sequences=True)(keras.layers.Embedding(9, 3)(tokens))
    leaking = keras.Model({"tokens": tokens}, keras.layers.Dense(9, activation="softmax")(stock))
    leaking.compile("adam", "sparse_categorical_crossentropy")
    before = leaking.get_weights()
    with pytest.raises(ArgumentError, match=r"\(GRU\) with Packed.*; one sequence of a row would leak into the next"):
        train(leaking, data, [epoch])
    for ours, theirs in zip(leaking.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    train(model, data, [epoch], epochs=1)
