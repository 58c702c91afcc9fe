from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from closeness import CLOSE, assert_close
from examples import up_to
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rows_alone import BIASED_TWICE, CELLS_ALONE, NORMALIZED, run_alone

from lengthwise.layers.sequence_ends import sequence_ends
from lengthwise.native.ops import (
    CellWeights,
    RaggedLayout,
    load,
    mirrored_layout,
    ragged_layout,
    ragged_recurrent,
)

pytestmark = pytest.mark.native

WEIGHTS = CellWeights._fields
GRADIENTS = ("items", "states", "initial", *WEIGHTS)


@dataclass
class Problem:
    cell: str
    mask: np.ndarray  # (B, T)
    resets: np.ndarray
    reverse: bool
    reads: np.ndarray  # (B, T), the item that a step reads.
    items: np.ndarray
    states: np.ndarray
    initial: np.ndarray
    weights: CellWeights
    by_outputs: np.ndarray  # (B, T, U), the gradient that comes from above.
    by_last: np.ndarray

    def steps_of(self, row):
        # Steps of a row in the order it takes them, and whether it begins anew there.
        begins = False
        for step in range(self.mask.shape[1])[:: -1 if self.reverse else 1]:
            begins |= self.resets[row, step]
            if self.mask[row, step]:
                yield step, begins
                begins = False


def draw_problem(cell, seed=0, rows=3, width=7, features=5, units=6, items=9, reverse=False, valid=0.7, fresh=0.2):
    rng = np.random.default_rng([seed, 9])
    gates, states, vectors, _ = CELLS_ALONE[cell]

    def normal(*shape, scale=1.0):
        return (scale * rng.normal(size=shape)).astype(np.float32)

    return Problem(
        cell,
        rng.random((rows, width)) < valid,
        rng.random((rows, width)) < fresh,
        reverse,
        rng.integers(0, items, (rows, width)).astype(np.int32),
        normal(items, features),
        normal(states, rows, units, scale=0.5),
        normal(states, units, scale=0.5),
        CellWeights(
            normal(features, gates * units, scale=features**-0.5),
            normal(units, gates * units, scale=units**-0.5),
            normal(gates * units, scale=0.3),
            normal(gates * units if cell in BIASED_TWICE else 0, scale=0.3),
            normal(vectors, units, scale=0.5),
        ),
        normal(rows, width, units),
        normal(states, rows, units),
    )


def compute(
    cell, reverse, save, projected, every, mask, resets, reads, by_outputs, by_last, items, states, initial, *weights
):
    # Outputs (B, T, U), zeros where there is no step, last states, and all gradients.
    layout, places = ragged_layout(mask, resets, reverse=reverse)
    index = tf.gather(tf.reshape(reads, [-1]), places.steps)
    units = states.shape[2]
    # Every second one or all; in another order than they come.
    read = None if every else tf.range(tf.size(places.steps))[::-2]
    steps = places.steps if every else tf.gather(places.steps, read)
    factors = tf.gather(tf.reshape(by_outputs, [-1, units]), steps)
    sources = [items, states, initial, *weights]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        here = CellWeights(*weights)
        if projected:
            items, here = items @ here.kernel, here._replace(kernel=None)
        outputs, last = ragged_recurrent(cell, here, items, index, layout, states, initial, read=read, save=save)
        loss = tf.reduce_sum(outputs * factors) + tf.reduce_sum(last * by_last)
    padded = tf.scatter_nd(steps[:, tf.newaxis], outputs, [tf.size(mask), units])
    gradients = dict(zip(GRADIENTS, tape.gradient(loss, sources), strict=True))
    return {"outputs": tf.reshape(padded, by_outputs.shape), "last": last, **gradients}


def run(problem, save=True, wrap=lambda work: work, projected=False, every=True):
    arrays = [getattr(problem, name) for name in ("mask", "resets", "reads", "by_outputs", "by_last")]
    arrays += [problem.items, problem.states, problem.initial, *problem.weights]
    work = wrap(partial(compute, problem.cell, problem.reverse, save, projected, every))
    return {name: values.numpy() for name, values in work(*map(tf.convert_to_tensor, arrays)).items()}


def assert_same(found, expected, tolerance=CLOSE, units=1):
    # What is added up is of size 1, also where it cancels out. The gradient of an item is a sum over all units: the
    # roundings of n terms come to those of its root.
    assert found.keys() == expected.keys()
    for name in expected:
        terms = units**0.5 if name == "items" else 1.0
        assert_close({name: found[name]}, {name: expected[name]}, tolerance, terms=terms)


def assert_same_bytes(found, expected):
    assert {name: values.tobytes() for name, values in found.items()} == {
        name: values.tobytes() for name, values in expected.items()
    }


SHAPES = st.fixed_dictionaries(
    {
        "cell": st.sampled_from(sorted(CELLS_ALONE)),
        "seed": st.integers(0, 2**16),
        "rows": st.sampled_from([0, 1, 2, 3, 5, 13]),
        "width": st.integers(0, 9),
        "features": st.integers(1, 40),
        "units": st.integers(1, 70),
        "items": st.sampled_from([1, 3, 50]),
        "reverse": st.booleans(),
        "valid": st.sampled_from([0.0, 0.5, 0.9, 1.0]),
        "fresh": st.sampled_from([0.0, 0.3, 1.0]),
    }
)


@settings(deadline=None, max_examples=up_to(300))
@given(shape=SHAPES, projected=st.booleans())
# The gradient of an item is -0.85, of hundreds of terms of either sign.
@example(
    shape={
        "cell": "layer_norm_lstm",
        "seed": 1475,
        "rows": 13,
        "width": 7,
        "features": 1,
        "units": 68,
        "items": 3,
        "reverse": False,
        "valid": 0.5,
        "fresh": 0.0,
    },
    projected=False,
)
def test_ragged_recurrent_equals_each_row_run_alone(shape, projected):
    problem = draw_problem(**shape)
    assert_same(run(problem, projected=projected), run_alone(problem), units=shape["units"])


@settings(deadline=None, max_examples=up_to(100))
@given(shape=SHAPES, projected=st.booleans(), save=st.booleans())
def test_ragged_recurrent_gives_the_outputs_that_are_read_and_takes_their_gradients(shape, projected, save):
    problem = draw_problem(**shape)
    shown = np.zeros((*problem.mask.shape, 1), bool)
    _, places = ragged_layout(problem.mask, problem.resets, reverse=problem.reverse)
    shown.reshape(-1)[places.steps.numpy()[::-1][::2]] = True
    expected = run_alone(replace(problem, by_outputs=problem.by_outputs * shown))
    found = run(problem, save=save, projected=projected, every=False)
    assert_same(found, expected | {"outputs": expected["outputs"] * shown}, units=shape["units"])


@pytest.mark.sampled(1)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", sorted(CELLS_ALONE))
def test_ragged_recurrent_of_so_many_rows_that_several_shards_share_them(cell, reverse):
    problem = draw_problem(cell, rows=531, width=5, features=7, units=19, items=40, reverse=reverse)
    problem.mask[300:340] = False
    assert_same(run(problem), run_alone(problem))


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "shape",
    [
        {"rows": 1, "width": 700},
        {"rows": 60, "width": 12, "features": 3, "units": 33},
        {"rows": 2, "width": 4, "features": 300, "units": 3},
        {"rows": 2, "width": 4, "features": 3, "units": 270},
    ],
)
@pytest.mark.parametrize("cell", sorted(CELLS_ALONE))
def test_ragged_recurrent_of_more_than_is_computed_at_once(cell, shape):
    problem = draw_problem(cell, valid=0.95, fresh=0.02, **shape)
    assert_same(run(problem), run_alone(problem))


@pytest.mark.sampled(6)
@pytest.mark.parametrize("units", range(1, 35))
def test_ragged_recurrent_computes_each_unit_whatever_their_number(units):
    for cell in sorted(CELLS_ALONE):
        problem = draw_problem(cell, seed=units, rows=4, features=units % 18 + 1, units=units)
        assert_same(run(problem), run_alone(problem))


KERAS_LAYERS = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM, "simple": keras.layers.SimpleRNN}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("cell", KERAS_LAYERS)
def test_ragged_recurrent_equals_the_masked_keras_layer(cell):
    kind = KERAS_LAYERS[cell]
    problem = replace(draw_problem(cell, rows=6, width=8, units=21), resets=np.zeros((6, 8), bool))
    layer = kind(21, return_sequences=True, return_state=True)
    layer.build((None, None, 5))
    kernel, recurrent_kernel, bias, recurrent_bias, vectors = problem.weights
    layer.set_weights([kernel, recurrent_kernel, np.stack([bias, recurrent_bias]) if cell == "gru" else bias])
    items, states = tf.constant(problem.items), tf.constant(problem.states)
    with tf.GradientTape() as tape:
        tape.watch([items, states])
        outputs, *last = layer(
            tf.gather(items, problem.reads), mask=problem.mask, initial_state=tf.unstack(states), training=True
        )
        shown = problem.mask[..., np.newaxis]
        loss = tf.reduce_sum(outputs * problem.by_outputs * shown) + tf.reduce_sum(tf.stack(last) * problem.by_last)
    by_items, by_states, *by_weights = tape.gradient(loss, [items, states, *layer.trainable_variables])
    by_bias = by_weights.pop()
    found = run(problem)
    assert not found.pop("initial").any()
    expected = {
        "outputs": np.where(shown, outputs, 0),
        "last": tf.stack(last).numpy(),
        "items": tf.convert_to_tensor(by_items).numpy(),
        "states": by_states.numpy(),
        "kernel": by_weights[0].numpy(),
        "recurrent_kernel": by_weights[1].numpy(),
        "bias": by_bias[0].numpy() if cell == "gru" else by_bias.numpy(),
        "recurrent_bias": by_bias[1].numpy() if cell == "gru" else np.zeros(0),
        "vectors": vectors,
    }
    assert_same(found, expected)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("rows", [5, 333])
@pytest.mark.parametrize("cell", sorted(CELLS_ALONE))
def test_ragged_recurrent_has_the_same_bytes_in_each_run_saved_or_not_compiled_or_not(cell, rows):
    problem = draw_problem(cell, rows=rows, units=18, reverse=True)
    expected = run(problem)
    for save in (True, False):
        for wrap in (tf.function, lambda work: work):
            assert_same_bytes(run(problem, save, wrap), expected)


def test_ragged_recurrent_has_the_same_bytes_when_many_ask_at_once_for_more_threads_than_there_are():
    problems = [draw_problem(cell, rows=300, units=18) for cell in sorted(CELLS_ALONE)] * 8
    alone = [run(problem) for problem in problems[: len(CELLS_ALONE)]] * 8
    with ThreadPoolExecutor(max_workers=12) as many:
        together = list(many.map(run, problems, timeout=120))
    for found, expected in zip(together, alone, strict=True):
        assert_same_bytes(found, expected)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("rows", [7, 300])
@pytest.mark.parametrize("cell", sorted(CELLS_ALONE))
def test_ragged_recurrent_does_not_depend_on_the_order_of_rows(cell, rows):
    problem = draw_problem(cell, rows=rows)
    order = np.random.default_rng(2).permutation(rows)
    changes = {name: getattr(problem, name)[order] for name in ("mask", "resets", "reads", "by_outputs")}
    changes |= {name: getattr(problem, name)[:, order] for name in ("states", "by_last")}
    found, expected = run(replace(problem, **changes)), run(problem)
    expected |= {"outputs": expected["outputs"][order]}
    expected |= {name: expected[name][:, order] for name in ("last", "states")}
    # What is summed over rows is rounded in another order.
    by_row = {name: (found.pop(name), expected.pop(name)) for name in ("outputs", "last", "states")}
    assert_same(*({name: pair[side] for name, pair in by_row.items()} for side in (0, 1)))
    assert_same(found, expected)


@pytest.mark.parametrize("cell", sorted(CELLS_ALONE))
def test_ragged_recurrent_of_windows_that_give_their_states_on_equals_the_whole(cell):
    problem = draw_problem(cell, rows=4, width=9, valid=0.8)
    # A reset may not stand where the window before ends without a step of its own.
    problem.resets &= problem.mask
    expected = run(problem)
    found = {name: np.zeros_like(values) for name, values in expected.items()}
    windows = [slice(0, 2), slice(2, 3), slice(3, 9)]
    parts = [
        replace(
            problem, **{name: getattr(problem, name)[:, window] for name in ("mask", "resets", "reads", "by_outputs")}
        )
        for window in windows
    ]
    for number, part in enumerate(parts):
        part.states = parts[0].states if number == 0 else run(parts[number - 1])["last"]
    by_last = problem.by_last
    for window, part in reversed(list(zip(windows, parts, strict=True))):
        made = run(replace(part, by_last=by_last))
        found["outputs"][:, window] = made.pop("outputs")
        by_last, last = made.pop("states"), made.pop("last")
        found["last"] = last if window is windows[-1] else found["last"]
        for name, values in made.items():
            found[name] += values
    assert_same({**found, "states": by_last}, expected)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("shape", [{"rows": 0}, {"width": 0}, {"valid": 0.0}, {"valid": 0.0, "rows": 300}])
@pytest.mark.parametrize("cell", sorted(CELLS_ALONE))
def test_ragged_recurrent_of_no_steps_hands_its_states_on(cell, shape):
    problem = draw_problem(cell, **shape)
    found = run(problem)
    np.testing.assert_array_equal(found["last"], problem.states)
    np.testing.assert_array_equal(found["states"], problem.by_last)
    assert not any(found[name].any() for name in ("outputs", "items", "initial", *WEIGHTS))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("cell", sorted(CELLS_ALONE))
def test_ragged_recurrent_reads_nothing_of_what_the_mask_leaves_out(cell, value):
    problem = draw_problem(cell, items=21)
    problem.reads[:] = np.arange(21).reshape(3, 7)
    expected = run(problem)
    problem.items[problem.reads[~problem.mask]] = value
    assert_same_bytes(run(problem), expected)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("units", [3, 16])
@pytest.mark.parametrize("cell", sorted(CELLS_ALONE))
def test_ragged_recurrent_keeps_what_is_no_number_to_the_steps_after_it_of_its_sequence(cell, units):
    problem = draw_problem(cell, rows=8, width=6, units=units, items=48, valid=1.0, fresh=0.0)
    problem.reads[:] = np.arange(48).reshape(8, 6)
    problem.resets[2, 4] = True
    clean = run(problem)
    problem.items[problem.reads[2, 2]] = np.nan
    found = run(problem)
    hit = np.zeros((8, 6), bool)
    hit[2, 2:4] = True
    assert np.all(np.isnan(found["outputs"][hit]))
    np.testing.assert_array_equal(found["outputs"][~hit], clean["outputs"][~hit])
    np.testing.assert_array_equal(found["last"], clean["last"])
    others = np.arange(8) != 2
    np.testing.assert_array_equal(found["states"][:, others], clean["states"][:, others])
    # No gradient goes from one sequence to the other.
    unread = np.ones(48, bool)
    unread[problem.reads[2, :4]] = False
    np.testing.assert_array_equal(found["items"][unread], clean["items"][unread])


@pytest.mark.sampled(3)
@pytest.mark.parametrize("units", [3, 16])
@pytest.mark.parametrize("cell", sorted(CELLS_ALONE))
def test_ragged_recurrent_of_a_state_that_is_no_number_keeps_it_to_its_row(cell, units):
    problem = draw_problem(cell, rows=3, units=units, valid=1.0, fresh=0.0)
    clean = run(problem)
    problem.states[0, 1, 0] = np.nan
    found = run(problem)
    assert np.all(np.isnan(found["outputs"][1]))
    assert np.all(np.isnan(found["last"][0, 1]))
    for row in (0, 2):
        np.testing.assert_array_equal(found["outputs"][row], clean["outputs"][row])
        np.testing.assert_array_equal(found["states"][:, row], clean["states"][:, row])


GATES_OF_CELLS = [(cell, gate) for cell in sorted(CELLS_ALONE) for gate in range(CELLS_ALONE[cell][0])]


@pytest.mark.parametrize(("cell", "gate"), GATES_OF_CELLS)
def test_ragged_recurrent_shows_what_is_no_number_in_any_gate(cell, gate):
    problem = draw_problem(cell, rows=2, width=1, valid=1.0)
    problem.weights.bias[gate * 6 + 1] = np.nan
    found = run(problem)["outputs"]
    # A sum or a memory that is normalized has it in every unit; what only opens the output has it in its own.
    everywhere = cell == "layer_norm_simple" or (cell == "layer_norm_lstm" and gate < 3)
    assert np.all(np.isnan(found) == ((np.arange(6) == 1) | everywhere))


# The variance of 1e30 is no float32.
SATURATED = [(cell, size) for cell in sorted(CELLS_ALONE) for size in (1e2, 1e4, 1e30)[: 3 - (cell in NORMALIZED)]]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("units", [5, 16])
@pytest.mark.parametrize(("cell", "size"), SATURATED)
def test_ragged_recurrent_of_saturated_gates_has_the_gradients_of_the_reference(cell, size, units):
    problem = draw_problem(cell, rows=4, units=units, items=28, valid=1.0)
    # One feature decides, so that no gate is open by rounding alone.
    problem.weights.kernel[0] += np.sign(problem.weights.kernel[0])
    problem.items[:, 0] = 0
    problem.items[::2] = 0
    problem.items[::4, 0], problem.items[2::4, 0] = size, -size
    with np.errstate(over="ignore"):
        expected = run_alone(problem)
    found = run(problem)
    if size == 1e30:
        # A gate that is shut leaves nothing of 1e30 here, and 1e-8 there.
        assert np.all(np.isfinite(found.pop("kernel")[0]))
        del expected["kernel"]
    assert_same(found, expected)


@pytest.mark.parametrize("units", [5, 16])
@pytest.mark.parametrize("cell", NORMALIZED)
def test_ragged_recurrent_of_an_infinite_feature_that_is_normalized_keeps_it_to_its_row(cell, units):
    problem = draw_problem(cell, rows=2, units=units, items=14, valid=1.0, fresh=0.0)
    problem.reads[:] = np.arange(14).reshape(2, 7)
    clean = run(problem)
    problem.items[3, 1] = np.inf
    found = run(problem)
    assert np.all(np.isnan(found["outputs"][0, 3:]))
    np.testing.assert_array_equal(found["outputs"][0, :3], clean["outputs"][0, :3])
    np.testing.assert_array_equal(found["outputs"][1], clean["outputs"][1])
    np.testing.assert_array_equal(found["items"][7:], clean["items"][7:])


@pytest.mark.parametrize("units", [5, 16])
@pytest.mark.parametrize("cell", sorted({*CELLS_ALONE} - {*NORMALIZED}))
def test_ragged_recurrent_of_an_infinite_feature_has_the_gradients_of_the_reference(cell, units):
    problem = draw_problem(cell, rows=2, units=units, items=14, valid=1.0, fresh=0.0)
    problem.reads[:] = np.arange(14).reshape(2, 7)
    problem.items[3, 1] = np.inf
    with np.errstate(over="ignore", invalid="ignore"):
        expected = run_alone(problem)
    found = run(problem)
    # By the kernel it is infinity times nothing.
    del found["kernel"], expected["kernel"]
    assert_same(found, expected)


@settings(deadline=None, max_examples=up_to(60))
@given(st.floats(-100, 100, width=32, allow_subnormal=False), st.integers(1, 17))
def test_ragged_recurrent_has_the_precision_of_its_type_for_every_input(value, units):
    one = np.ones((1, 1), bool)
    layout, _ = ragged_layout(one, one)
    for cell, (gates, states, vectors, step) in CELLS_ALONE.items():
        weights = CellWeights(
            np.zeros((1, gates * units), np.float32),
            np.zeros((units, gates * units), np.float32),
            np.full(gates * units, value, np.float32),
            np.zeros(gates * units if cell in BIASED_TWICE else 0, np.float32),
            np.zeros((vectors, units), np.float32),
        )
        outputs, _ = ragged_recurrent(
            cell,
            weights,
            np.zeros((1, 1), np.float32),
            tf.zeros(1, tf.int32),
            layout,
            np.zeros((states, 1, units), np.float32),
            np.full((states, units), 0.25, np.float32),
        )
        before = [np.full(units, 0.25)] * states
        nothing = np.zeros(gates * units)
        with np.errstate(over="ignore"):
            after, _ = step(nothing, nothing, before, CellWeights(*(weight.astype(float) for weight in weights)))
        expected = after[0]
        # Small values keep their precision where nothing cancels out.
        np.testing.assert_allclose(outputs[0], expected, rtol=1e-6, atol=0 if cell == "simple" else 3e-7)


# ---------------------------------------------------------------------------------------------------------- layouts


def layout_reference(mask, resets, reverse):
    rows, width = mask.shape
    problem = SimpleNamespace(mask=mask, resets=resets, reverse=reverse)
    steps = [list(Problem.steps_of(problem, row)) for row in range(rows)]
    order = sorted(range(rows), key=lambda row: -len(steps[row]))
    longest = max(map(len, steps), default=0)
    flat = [(row, time) for time in range(longest) for row in order if time < len(steps[row])]
    place = np.full((rows, width), -1)
    for row in range(rows):
        for step in range(width):
            before = [time for time, (at, _) in enumerate(steps[row]) if (at >= step if reverse else at <= step)]
            if before:
                place[row, step] = flat.index((row, before[-1]))
    return {
        "order": order,
        "active": [sum(len(own) > time for own in steps) for time in range(longest)],
        "steps": [row * width + steps[row][time][0] for row, time in flat],
        "begins": [steps[row][time][1] for row, time in flat],
        "place": place,
    }


def test_ragged_layout_of_the_documented_example():
    mask = np.array([[1, 1, 1], [1, 0, 0], [1, 1, 0]], bool)
    layout, places = ragged_layout(mask, np.zeros((3, 3), bool))
    np.testing.assert_array_equal(layout.order, [0, 2, 1])
    np.testing.assert_array_equal(layout.active, [3, 2, 1])
    names = np.array([["a0", "a1", "a2"], ["b0", "", ""], ["c0", "c1", ""]])
    assert names.reshape(-1)[places.steps.numpy()].tolist() == ["a0", "c0", "b0", "a1", "c1", "a2"]
    np.testing.assert_array_equal(places.place, [[0, 3, 5], [2, 2, 2], [1, 4, 4]])
    assert [values.dtype for values in (*layout, *places)] == [tf.int32, tf.int32, tf.bool, tf.int32, tf.int32]


@settings(deadline=None, max_examples=up_to(150))
@given(
    st.integers(0, 2**16), st.integers(0, 7), st.integers(0, 8), st.sampled_from([0.0, 0.4, 0.8, 1.0]), st.booleans()
)
def test_ragged_layout_equals_a_plain_reference(seed, rows, width, valid, reverse):
    rng = np.random.default_rng(seed)
    mask, resets = rng.random((rows, width)) < valid, rng.random((rows, width)) < 0.3
    layout, places = ragged_layout(mask, resets, reverse=reverse)
    found = layout._asdict() | places._asdict()
    for name, values in layout_reference(mask, resets, reverse).items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


@pytest.mark.parametrize("reverse", [False, True])
def test_ragged_layout_reset_where_there_is_no_step_is_for_the_next_one(reverse):
    turn = slice(None, None, -1 if reverse else 1)
    mask = np.array([[1, 0, 0, 1, 1, 0], [0, 0, 1, 1, 0, 0]], bool)[:, turn]
    resets = np.array([[0, 1, 1, 0, 0, 1], [1, 0, 0, 0, 0, 0]], bool)[:, turn]
    layout, _ = ragged_layout(mask, resets, reverse=reverse)
    # The rows' first steps, their second ones, and the third of the longer row.
    assert layout.begins.numpy().tolist() == [False, True, True, False, False]


@pytest.mark.parametrize("other", [(2, 4), (3, 3), (1, 3), (3,), (2, 3, 1), (0, 0)])
def test_ragged_layout_refuses_shapes_that_differ(other):
    for mask, resets in (((2, 3), other), (other, (2, 3)), ((3,), (3,))):
        with pytest.raises(tf.errors.InvalidArgumentError, match="mask and resets"):
            ragged_layout(np.ones(mask, bool), np.ones(resets, bool))


@settings(deadline=None, max_examples=up_to(100))
@given(st.integers(0, 2**16), st.integers(0, 6), st.integers(0, 8))
def test_mirrored_layout_is_the_one_of_the_same_rows_backwards(seed, rows, width):
    # Rows without gaps, as batches have them.
    rng = np.random.default_rng(seed)
    mask = np.arange(width) < rng.integers(0, width + 1, rows)[:, np.newaxis]
    resets = mask & (rng.random((rows, width)) < 0.4)
    layout, places = ragged_layout(mask, resets)
    found, mirror = mirrored_layout(layout)
    expected, places_back = ragged_layout(mask, sequence_ends(tf.constant(resets), tf.constant(mask)), reverse=True)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for one, other in ((places, places_back), (places_back, places)):
        np.testing.assert_array_equal(mirror, tf.gather(tf.reshape(one.place, [-1]), other.steps))


def test_mirrored_layout_of_the_documented_example():
    layout = RaggedLayout(tf.constant([0, 2, 1]), tf.constant([3, 2, 1]), tf.constant([True] * 3 + [False] * 3))
    back, mirror = mirrored_layout(layout)
    assert mirror.numpy().tolist() == [5, 4, 2, 3, 1, 0]
    assert back.begins.numpy().tolist() == [True] * 3 + [False] * 3


@pytest.mark.parametrize("active", [[3, 2], [3, 2, 2], [2, 3, 1], [3, 2, 0, 1], [0], [-1, 7], [[3, 2, 1]]])
def test_mirrored_layout_refuses_what_is_no_layout(active):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"active|begins"):
        load().lengthwise_mirrored_layout(active, [True] * 6)


# ---------------------------------------------------------------------------------------------------- hostile inputs


def legal_inputs(cell="gru"):
    # Rows of 3, 2 and 1 steps over two items.
    gates, states, vectors, _ = CELLS_ALONE[cell]
    return {
        "inputs": np.ones((2, 5)),
        "index": np.array([0, 1, 0, 1, 0, 1], np.int32),
        "active": np.array([3, 2, 1], np.int32),
        "order": np.array([0, 2, 1], np.int32),
        "begins": np.zeros(6, bool),
        "states": np.ones((states, 3, 4)),
        "initial": np.ones((states, 4)),
        "kernel": np.ones((5, gates * 4)),
        "recurrent_kernel": np.ones((4, gates * 4)),
        "bias": np.ones(gates * 4),
        "recurrent_bias": np.ones(gates * 4 if cell in BIASED_TWICE else 0),
        "vectors": np.ones((vectors, 4)),
        "read": np.array([5, 0, 3], np.int32),
    }


def floats(inputs):
    return {
        name: values.astype(np.float32) if values.dtype == np.float64 else values for name, values in inputs.items()
    }


def run_forward(inputs, cell="gru"):
    return load().lengthwise_ragged_recurrent(**floats(inputs), cell=cell, read_all=False, save=True)


def run_gradient(inputs, cell="gru", **more):
    outputs, last, saved = run_forward(legal_inputs(cell), cell)
    given_back = {"saved": saved, "by_outputs": outputs, "by_last": last, **more}
    return load().lengthwise_ragged_recurrent_grad(**floats(inputs), **given_back, cell=cell, read_all=False)


HOSTILE = [
    ("inputs", np.ones(5)),
    ("inputs", np.ones((2, 5, 1))),
    ("inputs", np.ones(())),
    ("kernel", np.ones((4, 12))),
    ("kernel", np.ones((5, 11))),
    ("kernel", np.ones(60)),
    ("recurrent_kernel", np.ones((5, 12))),
    ("recurrent_kernel", np.ones((4, 16))),
    ("bias", np.ones(13)),
    ("bias", np.ones((1, 12))),
    ("recurrent_bias", np.ones(0)),
    ("recurrent_bias", np.ones(4)),
    ("vectors", np.ones((3, 4))),
    ("vectors", np.ones(0)),
    ("initial", np.ones((1, 3))),
    ("initial", np.ones((2, 4))),
    ("initial", np.ones(4)),
    ("states", np.ones((3, 4))),
    ("states", np.ones((2, 3, 4))),
    ("states", np.ones((1, 2, 4))),
    ("begins", np.zeros(5, bool)),
    ("begins", np.zeros((6, 1), bool)),
    ("read", np.array([0, 6], np.int32)),
    ("read", np.array([-1], np.int32)),
    ("read", np.array([2, 0, 2], np.int32)),
    ("read", np.array([[0]], np.int32)),
    ("index", np.array([0, 1, 0, 1, 0, 2], np.int32)),
    ("index", np.array([-1, 1, 0, 1, 0, 1], np.int32)),
    ("index", np.array([2**31 - 1, 1, 0, 1, 0, 1], np.int32)),
    ("index", np.zeros((6, 1), np.int32)),
    ("active", np.array([2, 3, 1], np.int32)),
    ("active", np.array([3, 2, 0], np.int32)),
    ("active", np.array([3, 3, 1], np.int32)),
    ("active", np.array([3, 2], np.int32)),
    ("active", np.array([4, 1, 1], np.int32)),
    ("active", np.array([-1, 4, 3], np.int32)),
    ("active", np.array([3, 2, 1, 0], np.int32)),
    ("active", np.array([3, 2, 1, -1], np.int32)),
    ("active", np.array([[3, 2, 1]], np.int32)),
    ("active", np.array([], np.int32)),
    ("order", np.array([0, 2, 2], np.int32)),
    ("order", np.array([0, 3, 1], np.int32)),
    ("order", np.array([0, -1, 1], np.int32)),
    ("order", np.array([[0, 2, 1]], np.int32)),
]


@pytest.mark.parametrize(("name", "values"), HOSTILE)
def test_ragged_recurrent_and_its_gradient_refuse_what_does_not_fit(name, values):
    for work in (run_forward, run_gradient):
        with pytest.raises(tf.errors.InvalidArgumentError, match=rf"\b{name}\b"):
            work({**legal_inputs(), name: values})
    run_gradient(legal_inputs())


@pytest.mark.parametrize("cell", sorted({*CELLS_ALONE} - {*BIASED_TWICE}))
def test_ragged_recurrent_refuses_a_recurrent_bias_where_there_is_none(cell):
    for size in (1, 4, len(legal_inputs(cell)["bias"])):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"\brecurrent_bias\b"):
            run_forward({**legal_inputs(cell), "recurrent_bias": np.ones(size)}, cell)


@pytest.mark.parametrize(
    "changes", [{"inputs": np.ones((0, 5))}, {"begins": np.zeros(7, bool), "index": np.zeros(7, np.int32)}]
)
def test_ragged_recurrent_refuses_steps_that_have_nothing_to_read_or_no_row(changes):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\bindex\b"):
        run_forward({**legal_inputs(), **changes})


def test_ragged_recurrent_refuses_rows_that_order_and_states_do_not_agree_on():
    for order in ([0, 1], [0, 1, 2, 3], []):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"\bstates\b"):
            run_forward({**legal_inputs(), "order": np.array(order, np.int32)})


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("saved", (1,)),
        ("saved", (10_000_000,)),
        ("by_outputs", (5, 4)),
        ("by_outputs", (6, 3)),
        ("by_outputs", (24,)),
        ("by_last", (1, 3, 3)),
        ("by_last", (3, 4)),
    ],
)
def test_ragged_recurrent_gradient_refuses_what_does_not_fit_the_way_forward(name, shape):
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"\b{name}\b"):
        run_gradient(legal_inputs(), **{name: np.ones(shape, np.float32)})


def test_ragged_recurrent_refuses_what_does_not_fit_in_a_graph_too():
    inputs = floats({**legal_inputs(), "index": np.full(6, 7, np.int32)})
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\bindex\b"):
        tf.function(lambda: load().lengthwise_ragged_recurrent(**inputs, cell="gru", save=True)[0])()


@pytest.mark.parametrize("cell", ["GRU", "peephole_gru", ""])
def test_ragged_recurrent_refuses_a_cell_that_it_does_not_compute(cell):
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError), match="cell"):
        load().lengthwise_ragged_recurrent(**floats(legal_inputs()), cell=cell, save=True)


def test_ragged_recurrent_knows_its_shapes_in_a_graph():
    problem = draw_problem("lstm")

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.bool)] * 2)
    def shapes(mask, resets):
        layout, places = ragged_layout(mask, resets)
        index = tf.zeros(tf.shape(places.steps), tf.int32)
        outputs, last = ragged_recurrent(
            "lstm", CellWeights(*problem.weights), problem.items, index, layout, problem.states, problem.initial
        )
        assert isinstance(layout, RaggedLayout)
        assert [values.shape.rank for values in (*layout, *places)] == [1, 1, 1, 1, 2]
        assert outputs.shape.as_list() == [None, 6]
        assert last.shape.as_list() == [2, 3, 6]
        return outputs

    assert shapes(problem.mask, problem.resets).shape == (problem.mask.sum(), 6)
