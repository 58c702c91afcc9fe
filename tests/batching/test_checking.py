# What `check` says of a model against what the model does: every batch of a strategy, and each sequence alone.

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from closeness import CLOSE

import lengthwise as lw
from lengthwise.batching.grid import grid_of
from lengthwise.batching.layer_readings import readings
from lengthwise.batching.plan import epoch_rng
from lengthwise.errors import ArgumentError

LENGTHS = [7, 1, 3, 3, 9, 2, 5, 8, 1, 9, 4, 3]
GIVEN = ("features", "resets", "ends", "mask")
STRATEGIES = [lw.Padded(3), lw.Padded(1), lw.PaddedToLongest(3), lw.Exact(2), lw.Packed(2, 9), lw.Truncated(3, 4)]
ROWS = [(s, padding) for s in STRATEGIES for padding in ("post", "pre") if not (s.cuts and padding == "pre")]


def cell():
    return lw.GRUCell(4)


def pooled_conv(x, **options):
    layer = lw.MaskedConv1D(4, **options)
    made = layer(x["features"], mask=x["mask"])
    return keras.layers.GRU(3)(made, mask=layer.compute_mask(x["features"], x["mask"]))


# With an output for each step.
OF_STEPS = {
    "stock": lambda x: keras.layers.GRU(4, return_sequences=True)(x["features"]),
    "stock and mask": lambda x: keras.layers.GRU(4, return_sequences=True)(x["features"], mask=x["mask"]),
    "drop-in": lambda x: lw.LSTM(4, return_sequences=True)(x["features"]),
    "backwards": lambda x: keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True))(x["features"]),
    "backwards and mask": lambda x: keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True))(
        x["features"], mask=x["mask"]
    ),
    "a stack": lambda x: keras.layers.RNN([keras.layers.GRUCell(4), cell()], return_sequences=True)(x["features"]),
    "told": lambda x: lw.Recurrent(cell())(x["features"], resets=x["resets"]),
    "told by place": lambda x: lw.Recurrent(cell())(x["features"], x["resets"]),
    "told nothing": lambda x: lw.Recurrent(cell())(x["features"]),
    "told and carries": lambda x: lw.Recurrent(cell(), carried_rows=3)(x["features"], resets=x["resets"]),
    "room for fewer rows": lambda x: lw.Recurrent(cell(), carried_rows=1)(x["features"], resets=x["resets"]),
    "room for more rows": lambda x: lw.Recurrent(cell(), carried_rows=9)(x["features"], resets=x["resets"]),
    "carries, told nothing": lambda x: lw.Recurrent(cell(), carried_rows=3)(x["features"]),
    "ends": lambda x: lw.Recurrent(cell(), reverse=True)(x["features"], ends=x["ends"]),
    "reverse, told nothing": lambda x: lw.Recurrent(cell(), reverse=True)(x["features"]),
    "both ways": lambda x: keras.layers.Bidirectional(lw.Recurrent(cell()))(x["features"], mask=x["mask"]),
    "convolution": lambda x: lw.MaskedConv1D(4, kernel_size=3)(x["features"], mask=x["mask"]),
    "causal": lambda x: lw.MaskedConv1D(4, kernel_size=2, padding="causal")(x["features"], mask=x["mask"]),
    "stock causal": lambda x: keras.layers.Conv1D(4, 2, padding="causal")(x["features"]),
    "a kernel of one step": lambda x: keras.layers.Conv1D(4, 1)(x["features"]),
    "no steps": lambda x: keras.layers.Dense(4)(x["features"]),
    "a model within": lambda x: inner(lw.Recurrent(cell()))([x["features"], x["resets"]]),
    "a model within, told nothing": lambda x: inner(keras.layers.GRU(4, return_sequences=True))(
        [x["features"], x["resets"]]
    ),
}
# With an output for each row.
OF_ROWS = {
    "last": lambda x: keras.layers.GRU(4)(x["features"]),
    "last and mask": lambda x: keras.layers.GRU(4)(x["features"], mask=x["mask"]),
    "last of ours": lambda x: lw.Recurrent(cell(), return_sequences=False)(x["features"], resets=x["resets"]),
    "last state": lambda x: keras.layers.GRU(4, return_sequences=True, return_state=True)(x["features"])[1],
    "last backwards": lambda x: keras.layers.GRU(4, go_backwards=True)(x["features"]),
    "mean": lambda x: keras.layers.GlobalAveragePooling1D()(x["features"]),
    "mean and mask": lambda x: keras.layers.GlobalAveragePooling1D()(x["features"], mask=x["mask"]),
    "largest": lambda x: keras.layers.GlobalMaxPooling1D()(x["features"]),
    "convolution": lambda x: pooled_conv(x, kernel_size=3),
    "stride": lambda x: pooled_conv(x, kernel_size=3, stride=2),
    "stride alone": lambda x: pooled_conv(x, kernel_size=1, stride=2),
    "valid": lambda x: pooled_conv(x, kernel_size=3, padding="valid"),
    "valid kernel of one step": lambda x: pooled_conv(x, kernel_size=1, padding="valid"),
}


def inner(layer):
    features, resets = keras.Input((None, 3)), keras.Input((None,), dtype="bool")
    told = {"resets": resets} if isinstance(layer, lw.Recurrent) else {}
    return keras.Model([features, resets], layer(features, **told))


def model_of(make):
    keras.utils.set_random_seed(1)
    x = {"features": keras.Input((None, 3), name="features")}
    x |= {name: keras.Input((None,), dtype="bool", name=name) for name in GIVEN[1:]}
    model = keras.Model(x, make(x))
    rng = np.random.default_rng(2)
    # Biases too: with none of them, padding would leave a state of zeros as it is.
    model.set_weights([rng.normal(size=weight.shape) for weight in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def sequences():
    rng = np.random.default_rng(0)
    # Below 0, so that padding is the largest.
    features = [rng.uniform(-2, -1, size=(length, 3)).astype(np.float32) for length in LENGTHS]
    return lw.from_arrays(per_step={"features": features})


class Run:
    """All models at once, so that they are traced at once: their outputs alone and in the rows of strategies."""

    def __init__(self, sequences):
        self.steps = sequences["features"]
        self.models = {("steps", name): model_of(make) for name, make in OF_STEPS.items()}
        self.models |= {("rows", name): model_of(make) for name, make in OF_ROWS.items()}
        signature = {name: tf.TensorSpec((None, None), tf.bool) for name in GIVEN[1:]}
        signature["features"] = tf.TensorSpec((None, None, 3), tf.float32)
        call = tf.function(
            lambda x: {key: model(x) for key, model in self.models.items()}, input_signature=(signature,)
        )
        self.call = call
        offsets = sequences.offsets
        plans = {row: row[0].plan(sequences.lengths, epoch_rng(3, 0)) for row in ROWS}
        self.grids = {
            row: [grid_of(plan, number, offsets, row[1]) for number in range(len(plan))] for row, plan in plans.items()
        }
        plan = lw.Padded(1).plan(sequences.lengths)
        self.alone = {}
        for number in range(len(plan)):
            grid = grid_of(plan, number, offsets)
            self.forget()
            self.alone[int(grid.sequence[0])] = self.outputs(grid)
        self.found = {}
        for row, grids in self.grids.items():
            self.forget()
            self.found[row] = [self.outputs(grid) for grid in grids]

    def forget(self):
        for model in self.models.values():
            for layer in model.layers:
                if getattr(layer, "stateful", False):
                    layer.reset_state()

    def outputs(self, grid):
        x = {"features": grid.of_steps(self.steps), "resets": grid.resets, "ends": grid.ends, "mask": grid.mask}
        return {key: value.numpy() for key, value in self.call(x).items()}

    def difference(self, key, row):
        """How far outputs are from those of each sequence alone, relative to the largest."""
        worst = 0.0
        for grid, outputs in zip(self.grids[row], self.found[row], strict=True):
            for place, sequence in np.ndenumerate(grid.sequences):
                if sequence >= 0:
                    expected = self.alone[sequence][key][0]
                    one, other = (
                        (outputs[key][place], expected[grid.positions[place]])
                        if key[0] == "steps"
                        else (outputs[key][place[0]], expected)
                    )
                    worst = max(worst, np.abs(one - other).max())
        return worst / max(np.abs(outputs[key]).max() for outputs in self.alone.values())


@pytest.fixture(scope="module")
def run(sequences):
    return Run(sequences)


def says(model, strategy, padding):
    try:
        lw.check(model, strategy, padding=padding)
    except ArgumentError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "key", [*(("steps", name) for name in OF_STEPS), *(("rows", name) for name in OF_ROWS)], ids=str
)
def test_check_rejects_a_model_exactly_where_it_differs_from_each_sequence_alone(run, key):
    for row in ROWS:
        strategy, padding = row
        # A row of several sequences has no output of its own.
        if key[0] == "steps" or not (strategy.packs or strategy.cuts):
            found, difference = says(run.models[key], strategy, padding), run.difference(key, row)
            assert bool(found) == (difference > 10 * CLOSE), (strategy, padding, difference, found)
            assert len(found.splitlines()) <= 1


@pytest.mark.parametrize("name", [name for name in OF_ROWS if name not in ("last of ours", "valid kernel of one step")])
@pytest.mark.parametrize("strategy", [lw.Packed(2, 9), lw.Truncated(3, 4)])
def test_check_rejects_stock_layers_of_one_value_a_row_where_rows_hold_several_sequences(name, strategy):
    assert says(model_of(OF_ROWS[name]), strategy, "post").startswith("model: got the layer ")


class OwnModel(keras.Model):
    def __init__(self, layer, told=True):
        super().__init__()
        self.inside, self.told = layer, told

    def call(self, x):
        return self.inside(x["features"], **({"resets": x["resets"]} if self.told else {}))


def test_check_rejects_of_a_model_of_its_own_class_what_its_layers_cannot_do():
    packed, truncated = lw.Packed(2, 9), lw.Truncated(3, 4)
    assert says(OwnModel(lw.Recurrent(cell())), packed, "post") == ""
    assert "the state would be lost" in says(OwnModel(lw.Recurrent(cell())), truncated, "post")
    assert says(OwnModel(lw.Recurrent(cell(), carried_rows=3)), truncated, "post") == ""
    assert "one sequence of a row would leak" in says(OwnModel(keras.layers.LSTM(3)), packed, "post")
    # Whether it gets a mask is not known.
    assert says(OwnModel(keras.layers.LSTM(3)), lw.Padded(3), "post") == ""
    assert "would lie over two sequences" in says(OwnModel(lw.MaskedConv1D(3, 2)), packed, "post")


@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
@pytest.mark.parametrize("shape", [(), [keras.Input((None,))]], ids=["unbuilt", "built"])
@pytest.mark.parametrize(
    ("layers", "right"),
    [
        (lambda: [keras.layers.Embedding(9, 4, mask_zero=True), keras.layers.GRU(4)], True),
        (lambda: [keras.layers.Embedding(9, 4), keras.layers.GRU(4)], False),
        (lambda: [keras.layers.Embedding(9, 4, mask_zero=True), keras.layers.Conv1D(4, 1), keras.layers.GRU(4)], False),
        (lambda: [keras.layers.Embedding(9, 4, mask_zero=True), lw.MaskedConv1D(4, 3), keras.layers.GRU(4)], True),
        (
            lambda: [
                keras.layers.Embedding(9, 4, mask_zero=True),
                keras.layers.Dense(3),
                keras.layers.Bidirectional(lw.GRU(4, return_sequences=True)),
                keras.layers.Dropout(0.1),
                keras.layers.GlobalAveragePooling1D(),
            ],
            True,
        ),
    ],
)
def test_check_follows_the_mask_through_a_sequential_model(layers, right, shape):
    model = keras.Sequential([*shape, *layers()])
    assert (says(model, lw.Bucketed(8, buckets=2), "post") == "") == right
    assert says(model, lw.Packed(8, window=20), "post")


@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
def test_check_says_that_a_layer_between_lost_the_mask():
    first, second = keras.Input((None,)), keras.Input((None, 3))
    embedded = keras.layers.Embedding(9, 4, mask_zero=True)(first)
    steps = keras.layers.Lambda(lambda pair: keras.ops.concatenate(pair, axis=-1), output_shape=(None, 7))(
        [embedded, second]
    )
    model = keras.Model([first, second], keras.layers.GRU(4)(steps))
    assert "(GRU) with Padded(batch_size=3); the last output would be that of the padding" in says(
        model, lw.Padded(3), "post"
    )


@pytest.mark.sampled(3)
@pytest.mark.parametrize("activation", ["relu", "elu", "gelu", "linear", "selu", keras.activations.relu])
def test_check_rejects_activations_without_bound_where_no_mask_is(activation):
    def make(x, **mask):
        return keras.layers.SimpleRNN(4, activation=activation, return_sequences=True)(x["features"], **mask)

    assert "states without bound may overflow" in says(model_of(make), lw.Padded(3), "post")
    assert says(model_of(make), lw.Exact(3), "post") == ""
    assert says(model_of(lambda x: make(x, mask=x["mask"])), lw.Padded(3), "post") == ""


def test_check_leaves_a_convolution_within_each_step_alone():
    def make(x):
        steps = keras.layers.Reshape((-1, 3, 1))(x["features"])
        return keras.layers.TimeDistributed(keras.layers.Conv1D(2, 2))(steps)

    for strategy, padding in ROWS:
        assert says(model_of(make), strategy, padding) == ""


def test_check_names_the_layer_within_a_wrapper():
    model = model_of(OF_STEPS["both ways"])
    inside = next(layer for layer, _ in readings(model))
    assert f"got the layer {inside.name} (Recurrent) with Packed" in says(model, lw.Packed(2, 9), "post")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("model", lw.Padded(2)), "model: got 'model'; expected a Keras model"),
        ((keras.Sequential(), "padded"), "strategy: got 'padded'; expected a strategy, such as Padded(batch_size=32)"),
        ((keras.Sequential(), lw.Padded), "strategy: got <class"),
    ],
)
def test_check_names_the_argument_that_is_none_of_its_kind(arguments, message):
    with pytest.raises(ArgumentError, match=re.escape(message)):
        lw.check(*arguments)


@pytest.mark.parametrize("padding", ["left", None, 0, ["post"]])
def test_check_knows_two_sides_of_padding(padding):
    with pytest.raises(ArgumentError, match=re.escape(f"padding: got {padding!r}; expected post or pre")):
        lw.check(keras.Sequential(), lw.Padded(2), padding=padding)
    with pytest.raises(ArgumentError, match="padding: got 'pre'; expected post with Truncated"):
        lw.check(keras.Sequential(), lw.Truncated(2, 3), padding="pre")


def test_fit_data_checks_the_model_that_it_is_given(sequences):
    options = {"inputs": GIVEN, "targets": None}
    lw.fit_data(sequences, lw.Packed(2, 9), model=model_of(OF_STEPS["told"]), **options)
    with pytest.raises(ArgumentError, match="model: got the layer"):
        lw.fit_data(sequences, lw.Packed(2, 9), model=model_of(OF_STEPS["stock"]), **options)
    with pytest.raises(ArgumentError, match="padding='pre'; the padded steps before a sequence"):
        lw.fit_data(sequences, lw.Padded(2), model=model_of(OF_STEPS["stock"]), padding="pre", **options)
