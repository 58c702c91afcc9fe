# What `check_batching` finds in models that leak, and in models that do not.
import keras
import numpy as np
import pytest

import lengthwise as lw
from lengthwise.testing import BATCH, CUT, NEIGHBOUR, PADDING, assert_batching, check_batching

LENGTHS = [7, 1, 4, 9, 2, 4, 3, 5, 6, 1, 8]
VOCABULARY = 12


def sequences(seed=0):
    rng = np.random.default_rng(seed)
    return lw.from_arrays([rng.integers(1, VOCABULARY, length) for length in LENGTHS])


def functional(*layers, mask_zero=True):
    keras.utils.set_random_seed(1)
    tokens = x = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(VOCABULARY, 4, mask_zero=mask_zero)(x)
    for layer in layers:
        x = layer(x)
    return keras.Model(tokens, x)


def resetting(carried_rows=None, reads=True):
    keras.utils.set_random_seed(1)
    tokens, resets = (
        keras.Input((None,), dtype="int32", name="tokens"),
        keras.Input((None,), dtype="bool", name="resets"),
    )
    features = keras.layers.Embedding(VOCABULARY, 4)(tokens)
    layer = lw.Recurrent(lw.GRUCell(3), carried_rows=carried_rows)
    return keras.Model(
        {"tokens": tokens, "resets": resets}, layer(features, resets=resets) if reads else layer(features)
    )


class OverTheBatch(keras.layers.Layer):
    # As a batch normalization that is left in training.
    supports_masking = True

    def call(self, x):
        return x - keras.ops.mean(x, axis=0, keepdims=True)


def kinds(report):
    return {type(checked.strategy).__name__: checked for checked in report.checked if checked.padding == "post"}


def causes(report):
    return {checked.cause for checked in report.checked if checked.differing}


@pytest.mark.parametrize(
    "layer", [lw.GRU, *(pytest.param(a, marks=pytest.mark.long) for a in (lw.LSTM, keras.layers.GRU))]
)
def test_model_that_keeps_its_mask_agrees_under_every_strategy_of_whole_rows(layer):
    report = check_batching(functional(layer(3)), sequences())
    assert report, str(report)
    assert len(report.checked) == 6
    assert_batching(functional(layer(3, return_sequences=True)), sequences(), [lw.Padded(4)], at="every_step")


def test_model_that_reads_resets_and_carries_its_state_agrees_under_all_strategies():
    inputs = {"inputs": ("tokens", "resets"), "at": "every_step"}
    report = check_batching(resetting(carried_rows=3), sequences(), **inputs)
    assert report, str(report)
    assert {"Packed", "Truncated"} <= set(kinds(report))
    forgetful = check_batching(resetting(), sequences(), **inputs)
    assert causes(forgetful) == {CUT}
    assert [name for name, checked in kinds(forgetful).items() if checked.differing] == ["Truncated"]


def test_stock_layer_leaks_in_packed_rows_from_the_neighbour():
    # Causal: the first sequence of a row agrees, and all others differ.
    model = functional(keras.layers.GRU(3, return_sequences=True))
    strategy = lw.Packed(2, 18)
    report = check_batching(model, sequences(), [strategy], at="every_step")
    assert causes(report) == {NEIGHBOUR}
    (post, _) = report.checked
    plan = strategy.plan(sequences().lengths, np.random.default_rng([0, 0]))
    first = sum(plan.column == 0)
    assert post.differing == len(LENGTHS) - first
    with pytest.raises(AssertionError, match=r"(?s)the model does not say the same .*Packed.*a neighbour in its row"):
        assert_batching(model, sequences(), [strategy], at="every_step")


def test_layer_that_reads_no_resets_though_they_are_there_leaks():
    report = check_batching(resetting(reads=False), sequences(), inputs=("tokens", "resets"), at="last_step")
    assert NEIGHBOUR in causes(report)
    assert not kinds(report)["Padded"].differing


def test_convolution_reads_padding_and_neighbours():
    convolution = keras.layers.Conv1D(3, 3, padding="same")
    report = check_batching(functional(convolution, mask_zero=False), sequences(), at="every_step")
    found = kinds(report)
    # What stands in the padding is no zero: it has an embedding of its own.
    assert found["Padded"].cause == PADDING
    assert found["Packed"].cause == NEIGHBOUR
    assert not found["Exact"].differing
    assert found["Padded"].step == LENGTHS[found["Padded"].sequence] - 1


def test_mask_that_is_lost_shows_as_padding():
    # Layers that do not say `supports_masking` lose it.
    class Loses(keras.layers.Layer):
        def call(self, x):
            return keras.ops.concatenate([x, x], axis=-1)

        def compute_mask(self, _inputs, _mask=None):
            return None

    for model in (
        functional(Loses(), keras.layers.GRU(3)),
        functional(keras.layers.GlobalMaxPooling1D(), mask_zero=False),
    ):
        report = check_batching(model, sequences())
        assert causes(report) == {PADDING}
        assert not kinds(report)["Exact"].differing


def test_layer_that_looks_at_other_rows_shows_as_such():
    report = check_batching(functional(lw.GRU(3), OverTheBatch()), sequences(), [lw.Padded(4), lw.Exact(3)])
    assert BATCH in causes(report)


def test_outputs_that_are_no_numbers_differ():
    class Halved(keras.layers.Layer):
        # 0 / 0 where a row has no padding before its end.
        def call(self, x):
            return keras.ops.sum(x, axis=1) / keras.ops.cast(keras.ops.shape(x)[1] - 9, "float32")

    report = check_batching(functional(Halved(), mask_zero=False), sequences(), [lw.Padded(11)])
    assert not report
    assert report.checked[0].difference == np.inf


def test_carried_states_do_not_go_from_one_sequence_to_the_next_alone():
    # Each alone begins with nothing, so that what a stateful stock layer carries over is found.
    model = functional(lw.Recurrent(lw.GRUCell(3), carried_rows=3), mask_zero=False)
    report = check_batching(model, sequences(), [lw.Exact(3)], at="every_step")
    assert report.checked[0].differing


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at": "first_step"}, "at: got 'first_step'; expected one of sequence, last_step, every_step"),
        ({"inputs": ("words",)}, "inputs: got 'words'; expected a column"),
        ({"at": "every_step"}, "at: got 'every_step' and outputs"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(options, message):
    with pytest.raises(ValueError, match=message) as refusal:
        check_batching(functional(keras.layers.GRU(3)), sequences(), **options)
    assert "\n" not in str(refusal.value)
