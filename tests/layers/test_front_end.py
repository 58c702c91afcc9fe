import keras
import numpy as np
import pytest
import tensorflow as tf
from closeness import assert_close
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.core.names import CONV_PADDINGS
from lengthwise.layers.cells import GRUCell
from lengthwise.layers.front_end import MaskedConv1D, behind_convolution, output_lengths, steps_at
from lengthwise.layers.recurrent import Recurrent
from lengthwise.native.ops import RaggedLayout, ragged_layout

FILTERS, FEATURES = 4, 3
LENGTHS = (1, 2, 5, 8)
PLACES = [(1, 1), (2, 1), (3, 1), (4, 1), (1, 2), (2, 2), (3, 2), (4, 3), (2, 5)]
GARBAGE = [0.0, 1e6, np.inf, np.nan]


def randomized(layer, seed=0):
    rng = np.random.default_rng(seed)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(0, 0.7, variable.shape).astype(np.float32))
    return layer


def make(kernel_size=3, seed=0, **options):
    layer = MaskedConv1D(FILTERS, kernel_size, **options)
    layer.build((None, None, FEATURES))
    return randomized(layer, seed)


def draw(seed, *shape):
    return np.random.default_rng([seed, 1]).normal(0, 1, shape).astype(np.float32)


def padded(sequences, width, garbage=0.0):
    inputs = np.full((len(sequences), width, FEATURES), garbage, np.float32)
    mask = np.zeros((len(sequences), width), bool)
    for row, sequence in enumerate(sequences):
        inputs[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = True
    return inputs, mask


def places(length, kernel_size, stride, padding):
    # First steps of the kernel over one sequence.
    if padding == "valid":
        return [0, *(begin for begin in range(stride, length, stride) if begin + kernel_size <= length)]
    before = kernel_size - 1 if padding == "causal" else (kernel_size - 1) // 2
    return [begin - before for begin in range(0, length, stride)]


def reference(sequence, layer):
    kernel, bias = (weight.numpy().astype(np.float64) for weight in (layer.kernel, layer.bias))
    outputs = []
    for begin in places(len(sequence), layer.kernel_size, layer.stride, layer.padding):
        total = bias.copy()
        for tap in range(layer.kernel_size):
            if 0 <= begin + tap < len(sequence):
                total += sequence[begin + tap].astype(np.float64) @ kernel[tap]
        outputs.append(total)
    return np.array(outputs)


def gradients(layer, sequences, factors, width, garbage):
    inputs, mask = padded(sequences, width, garbage)
    inputs = tf.constant(inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, mask=mask)
        loss = sum(tf.reduce_sum(outputs[row, : len(part)] * part) for row, part in enumerate(factors))
    return tape.gradient(loss, [inputs, layer.kernel.value, layer.bias.value])


def graph_model(*layers):
    tokens = keras.Input((None,), dtype="int32")
    features = keras.layers.Embedding(9, FEATURES, mask_zero=True)(tokens)
    for layer in layers:
        features = layer(features)
    return randomized(keras.Model(tokens, features), seed=5)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=9), st.integers(1, 9), st.integers(1, 9))
@pytest.mark.parametrize("padding", CONV_PADDINGS)
def test_output_lengths_count_the_places_of_the_kernel(padding, lengths, kernel_size, stride):
    found = output_lengths(np.array(lengths), kernel_size, stride, padding)
    assert found.tolist() == [len(places(length, kernel_size, stride, padding)) for length in lengths]


@pytest.mark.parametrize("padding", CONV_PADDINGS)
def test_output_lengths_are_at_least_one_and_never_more_than_the_steps(padding):
    lengths = np.arange(1, 40)
    for kernel_size in range(1, 7):
        for stride in range(1, 7):
            steps = output_lengths(lengths, kernel_size, stride, padding)
            assert steps.min() == 1
            assert np.all(steps <= lengths)
            assert np.all(np.isin(np.diff(steps), [0, 1]))
            assert steps.dtype == lengths.dtype


@pytest.mark.sampled
@pytest.mark.parametrize(("kernel_size", "stride"), PLACES)
@pytest.mark.parametrize("padding", CONV_PADDINGS)
def test_masked_conv1d_of_a_padded_batch_equals_the_reference_of_each_sequence(padding, kernel_size, stride):
    layer = make(kernel_size, stride=stride, padding=padding)
    sequences = [draw(length, length, FEATURES) for length in LENGTHS]
    for garbage in GARBAGE:
        inputs, mask = padded(sequences, 10, garbage)
        outputs = layer(inputs, mask=mask)
        assert outputs.shape == (len(sequences), *output_lengths(np.array([10]), kernel_size, stride, padding), FILTERS)
        for row, sequence in enumerate(sequences):
            expected = reference(sequence, layer)
            assert_close(outputs[row, : len(expected)], expected)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("kernel_size", "stride"), PLACES)
@pytest.mark.parametrize("padding", CONV_PADDINGS)
def test_masked_conv1d_does_not_depend_on_padding_in_outputs_or_gradients(padding, kernel_size, stride):
    layer = make(kernel_size, stride=stride, padding=padding)
    sequences = [draw(length, length, FEATURES) for length in LENGTHS]
    steps = output_lengths(np.array(LENGTHS), kernel_size, stride, padding)
    factors = [draw(row + 20, count, FILTERS) for row, count in enumerate(steps)]
    longest = max(LENGTHS)
    inputs, mask = padded(sequences, longest)
    outputs, expected = layer(inputs, mask=mask), gradients(layer, sequences, factors, longest, 0.0)
    for extra, garbage in ((1, 1e6), (2, np.nan), (7, -5.0)):
        inputs, mask = padded(sequences, longest + extra, garbage)
        wider = layer(inputs, mask=mask)
        for row, count in enumerate(steps):
            assert_close(wider[row, :count], outputs[row, :count])
        of_inputs, *of_weights = gradients(layer, sequences, factors, longest + extra, garbage)
        assert_close(of_inputs[:, :longest], expected[0])
        assert not np.any(of_inputs.numpy()[~mask])
        for one, other in zip(of_weights, expected[1:], strict=True):
            assert_close(one, other)


@pytest.mark.sampled
@pytest.mark.parametrize(("kernel_size", "stride"), PLACES)
@pytest.mark.parametrize("padding", CONV_PADDINGS)
def test_masked_conv1d_mask_is_as_long_as_output_lengths_say(padding, kernel_size, stride):
    layer = make(kernel_size, stride=stride, padding=padding)
    lengths = np.arange(1, 12)
    for width in (11, 12, 15):
        mask = np.arange(width) < lengths[:, np.newaxis]
        found = np.asarray(layer.compute_mask(np.zeros((11, width, FEATURES)), mask))
        steps = output_lengths(lengths, kernel_size, stride, padding)
        np.testing.assert_array_equal(found, np.arange(found.shape[1]) < steps[:, np.newaxis])
        assert found.shape[1] == layer(np.zeros((11, width, FEATURES), np.float32)).shape[1]


@pytest.mark.parametrize("padding", CONV_PADDINGS)
def test_masked_conv1d_makes_no_valid_step_of_an_empty_row(padding):
    layer = make(3, stride=2, padding=padding)
    found = layer.compute_mask(np.zeros((2, 5, FEATURES)), np.array([[False] * 5, [True] + [False] * 4]))
    assert np.sum(found, axis=1).tolist() == [0, 1]


def test_masked_conv1d_without_a_mask_counts_all_steps_and_makes_none():
    layer = make(3)
    inputs = draw(0, 2, 6, FEATURES)
    assert layer.compute_mask(inputs, None) is None
    np.testing.assert_array_equal(layer(inputs), layer(inputs, mask=np.ones((2, 6), bool)))


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("padding", "stride"),
    [("same", 1), ("causal", 1), ("causal", 2), ("causal", 3), ("valid", 1), ("valid", 2), ("valid", 3)],
)
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
def test_masked_conv1d_equals_the_stock_layer_without_padding(kernel_size, padding, stride):
    layer = make(kernel_size, seed=kernel_size, padding=padding, stride=stride, activation="tanh")
    stock = keras.layers.Conv1D(FILTERS, kernel_size, strides=stride, padding=padding, activation="tanh")
    stock.build((None, None, FEATURES))
    stock.set_weights(layer.get_weights())
    for width in (5, 6, 7, 9):
        inputs = draw(width, 2, width, FEATURES)
        assert_close(layer(inputs), stock(inputs))


@pytest.mark.parametrize("stride", [1, 2])
def test_masked_conv1d_causal_steps_see_nothing_later(stride):
    layer = make(3, padding="causal", stride=stride)
    inputs = tf.constant(draw(0, 1, 8, FEATURES))
    for number in range(8 // stride):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            output = layer(inputs)[:, number]
        seen = np.flatnonzero(np.abs(tape.gradient(output, inputs)[0]).sum(axis=-1))
        here = number * stride
        assert seen.tolist() == list(range(max(0, here - 2), here + 1))


@pytest.mark.sampled(4)
@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("padding", CONV_PADDINGS)
def test_masked_conv1d_makes_one_step_of_a_sequence_shorter_than_the_kernel(padding, stride):
    layer = make(5, padding=padding, stride=stride)
    sequence = draw(1, 1, FEATURES)
    alone = layer(sequence[np.newaxis])
    assert alone.shape == (1, 1, FILTERS)
    assert_close(alone[0], reference(sequence, layer))
    for width in (2, 4, 5, 6, 9):
        inputs, mask = padded([sequence], width, np.nan)
        assert_close(layer(inputs, mask=mask)[:, :1], alone)
        assert np.sum(layer.compute_mask(inputs, mask)) == 1


@pytest.mark.sampled(1)
@pytest.mark.parametrize("padding", CONV_PADDINGS)
@pytest.mark.parametrize("follower", ["recurrent", "stock"])
def test_masked_conv1d_in_a_functional_model_tells_the_next_layer_what_is_padding(follower, padding):
    after = Recurrent(GRUCell(5), return_sequences=False) if follower == "recurrent" else keras.layers.GRU(5)
    model = graph_model(MaskedConv1D(FILTERS, 3, stride=2, padding=padding), after)
    for length in (1, 2, 5, 6):
        tokens = np.random.default_rng(length).integers(1, 9, (2, length))
        expected = model(tokens)
        for extra in (1, 2, 5):
            assert_close(model(np.pad(tokens, [(0, 0), (0, extra)])), expected)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("padding", CONV_PADDINGS)
def test_masked_conv1d_called_eagerly_tells_the_next_layer_what_is_padding(padding):
    embedding, gru = keras.layers.Embedding(9, FEATURES, mask_zero=True), keras.layers.GRU(5)
    layer = make(3, stride=2, padding=padding)
    tokens = np.array([[1, 2, 3, 4, 5]])
    expected = gru(layer(embedding(tokens)))
    assert_close(gru(layer(embedding(np.pad(tokens, [(0, 0), (0, 4)])))), expected)


@pytest.mark.long
@pytest.mark.parametrize("padding", ["causal", *(pytest.param(p, marks=pytest.mark.long) for p in ("same", "valid"))])
def test_masked_conv1d_trains_in_a_functional_model(padding):
    tokens = np.random.default_rng(0).integers(1, 9, (10, 7))
    tokens[np.arange(7) >= np.arange(1, 11)[:, np.newaxis]] = 0
    model = graph_model(MaskedConv1D(FILTERS, 3, stride=2, padding=padding), keras.layers.GRU(5))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    before = [weight.numpy() for weight in model.trainable_weights]
    model.fit(tokens, np.ones((10, 5)), batch_size=4, verbose=0)
    assert all(np.any(old != new.numpy()) for old, new in zip(before, model.trainable_weights, strict=True))
    expected = [model(row[np.newaxis, row > 0])[0] for row in tokens]
    assert_close(model.predict(tokens, batch_size=4, verbose=0), expected)


@pytest.mark.parametrize("padding", CONV_PADDINGS)
def test_masked_conv1d_survives_saving_of_a_model_without_masks(padding, tmp_path):
    inputs = keras.Input((None, FEATURES))
    model = keras.Model(inputs, make(2, stride=3, padding=padding, activation="relu")(inputs))
    model.save(tmp_path / "model.keras")
    rows = draw(0, 2, 8, FEATURES)
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(rows), model(rows))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("padding", CONV_PADDINGS)
def test_masked_conv1d_survives_saving_of_a_model_with_masks(padding, tmp_path):
    model = graph_model(MaskedConv1D(FILTERS, 3, stride=2, padding=padding), Recurrent(GRUCell(5)))
    model.save(tmp_path / "model.keras")
    tokens = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 7, 8]])
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(tokens), model(tokens))


@pytest.mark.parametrize("activation", [None, "tanh"])
@pytest.mark.parametrize("padding", CONV_PADDINGS)
def test_masked_conv1d_survives_its_config(padding, activation):
    layer = MaskedConv1D(2, 5, stride=3, padding=padding, activation=activation, name="before")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert (again.filters, again.kernel_size, again.stride, again.padding, again.name) == (2, 5, 3, padding, "before")
    assert again.activation is keras.activations.get(activation)
    assert again.get_config() == layer.get_config()


def test_masked_conv1d_has_stride_one_same_padding_and_no_activation_by_default():
    layer = make(3)
    sequence = draw(0, 6, FEATURES)
    explicit = make(3, stride=1, padding="same", activation="linear")
    np.testing.assert_array_equal(layer(sequence[np.newaxis]), explicit(sequence[np.newaxis]))
    assert layer(sequence[np.newaxis]).shape == (1, 6, FILTERS)
    assert np.min(layer(sequence[np.newaxis])) < 0


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_masked_conv1d_puts_the_activation_on_its_sum(activation):
    inputs = draw(0, 2, 6, FEATURES)
    expected = keras.activations.get(activation)(make(3)(inputs))
    assert_close(make(3, activation=activation)(inputs), expected)


def test_masked_conv1d_has_a_glorot_kernel_and_no_bias_at_first():
    layer = MaskedConv1D(FILTERS, 2)
    layer.build((None, None, FEATURES))
    assert [tuple(weight.shape) for weight in layer.trainable_weights] == [(2, FEATURES, FILTERS), (FILTERS,)]
    assert 0 < np.abs(layer.kernel).max() <= np.sqrt(6 / (2 * (FEATURES + FILTERS)))
    assert not np.any(layer.bias)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 1), (4, 2)])
@pytest.mark.parametrize("padding", CONV_PADDINGS)
def test_masked_conv1d_is_traced_once_for_all_rows_and_widths(padding, kernel_size, stride):
    layer = make(kernel_size, stride=stride, padding=padding)
    traces = []

    @tf.function(
        input_signature=[tf.TensorSpec((None, None, FEATURES), tf.float32), tf.TensorSpec((None, None), tf.bool)]
    )
    def run(inputs, mask):
        traces.append(inputs)
        return layer(inputs, mask=mask), layer.compute_mask(inputs, mask)

    for lengths, width in (((3, 1), 3), ((1,), 1), ((6, 2, 5), 9)):
        sequences = [draw(length, length, FEATURES) for length in lengths]
        outputs, mask = run(*padded(sequences, width, np.nan))
        assert outputs.shape[:2] == mask.shape
        for row, sequence in enumerate(sequences):
            expected = reference(sequence, layer)
            assert mask[row].numpy().sum() == len(expected)
            assert_close(outputs[row, : len(expected)], expected)
    assert len(traces) == 1


@pytest.mark.parametrize(
    "options",
    [{"filters": 0}, {"kernel_size": 0}, {"stride": 0}, {"stride": -1}, {"padding": "full"}, {"padding": "SAME"}],
)
def test_masked_conv1d_refuses_what_makes_no_convolution(options):
    settings = {"filters": 2, "kernel_size": 3, "stride": 1, "padding": "same", **options}
    (key, value), *_ = options.items()
    with pytest.raises(ValueError, match=rf"^{key}: got {value!r}; expected (at least 1|one of causal, same, valid)$"):
        MaskedConv1D(settings.pop("filters"), settings.pop("kernel_size"), **settings)


def flat_positions(layout):
    # Row and step of each flat step.
    steps = np.argwhere(np.arange(int(layout.order.shape[0])) < layout.active.numpy()[:, np.newaxis])
    return np.stack([layout.order.numpy()[steps[:, 1]], steps[:, 0]], axis=1)


@pytest.mark.native
@pytest.mark.parametrize("reads", ["table", "one_hot", "steps"])
@settings(deadline=None, max_examples=up_to(40))
@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=7),
    st.integers(1, 6),
    st.integers(1, 5),
    st.sampled_from(CONV_PADDINGS),
    st.sampled_from([None, "tanh"]),
    st.integers(0, 2**16),
)
def test_masked_conv1d_over_flat_steps_is_the_one_over_padded_rows(
    reads, lengths, kernel_size, stride, padding, activation, seed
):
    lengths, rng = np.array(lengths), np.random.default_rng(seed)
    layer = make(kernel_size, seed, stride=stride, padding=padding, activation=activation, use_bias=seed % 2 == 0)
    mask = np.arange(lengths.max(initial=1)) < lengths[:, np.newaxis]
    ids = rng.integers(0, FEATURES, mask.shape)
    table = tf.constant(np.eye(FEATURES) if reads == "one_hot" else rng.normal(size=(FEATURES, FEATURES)), tf.float32)
    layout, places = ragged_layout(mask, np.zeros_like(mask))
    index = tf.gather(ids.reshape(-1).astype(np.int32), places.steps)
    weights = [weight.value for weight in layer.trainable_variables] + [table] * (reads != "one_hot")
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(table)
        if reads == "steps":
            flat, behind = layer.over(tf.gather(table, index), None, layout)
        else:
            flat, behind = layer.over(table if reads == "table" else None, index, layout)
        features = tf.gather(table, ids)
        rows, there = layer(features, mask=mask), np.asarray(layer.compute_mask(features, mask))
        at = flat_positions(behind)
        by = tf.constant(rng.normal(size=flat.shape), tf.float32)
        sums = tf.reduce_sum(flat * by), tf.reduce_sum(tf.gather_nd(rows, at) * by)
    assert len(flat) == there.sum() == output_lengths(lengths[lengths > 0], kernel_size, stride, padding).sum()
    np.testing.assert_array_equal(there[tuple(at.T)], True)
    assert_close(flat, tf.gather_nd(rows, at), terms=1.0)
    for ours, theirs in zip(*(tape.gradient(total, weights) for total in sums), strict=True):
        assert_close(tf.convert_to_tensor(ours), tf.convert_to_tensor(theirs), terms=1.0)
    np.testing.assert_array_equal(steps_at(behind, at.astype(np.int32)), np.arange(len(flat)))
    np.testing.assert_array_equal(behind.begins, at[:, 1] == 0)


@pytest.mark.native
@pytest.mark.sampled
@pytest.mark.parametrize("padding", ["causal", "valid"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel_size", [1, 2, 4])
def test_masked_conv1d_over_flat_steps_is_the_stock_layer_of_each_sequence(kernel_size, padding, stride):
    layer = make(kernel_size, padding=padding, stride=stride, activation="tanh")
    stock = keras.layers.Conv1D(FILTERS, kernel_size, strides=stride, padding=padding, activation="tanh")
    stock.build((None, None, FEATURES))
    stock.set_weights(layer.get_weights())
    table, lengths = draw(0, 9, FEATURES), np.array([5, 4, 9, 4, 7])
    mask = np.arange(9) < lengths[:, np.newaxis]
    ids = np.random.default_rng(1).integers(0, 9, mask.shape).astype(np.int32)
    layout, places = ragged_layout(mask, np.zeros_like(mask))
    flat, behind = layer.over(table, tf.gather(ids.reshape(-1), places.steps), layout)
    at = flat_positions(behind)
    for row, length in enumerate(lengths):
        assert_close(flat.numpy()[at[:, 0] == row], stock(table[ids[row, :length]][np.newaxis])[0])


@pytest.mark.parametrize("padding", CONV_PADDINGS)
def test_behind_convolution_rows_have_as_many_steps_as_output_lengths_say(padding):
    lengths = np.arange(20, 0, -1)
    active = np.array([np.sum(lengths > time) for time in range(20)], np.int32)
    for kernel_size in range(1, 7):
        for stride in range(1, 7):
            before = RaggedLayout(tf.range(20), tf.constant(active), tf.range(active.sum()) < 20)
            behind = behind_convolution(before, kernel_size, stride, padding)
            found = np.sum(np.arange(20)[:, np.newaxis] < behind.active, axis=1)
            np.testing.assert_array_equal(found, output_lengths(lengths, kernel_size, stride, padding))


@pytest.mark.native
def test_masked_conv1d_over_flat_steps_refuses_an_item_that_there_is_not():
    layout, _ = ragged_layout(np.ones((1, 2), bool), np.zeros((1, 2), bool))
    for items in (None, draw(0, FEATURES, FEATURES)):
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=f"index: got {FEATURES}; expected 0 to {FEATURES - 1}"
        ):
            make(2).over(items, tf.constant([0, FEATURES]), layout)
