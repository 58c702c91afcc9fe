import keras
import numpy as np
import pytest
import tensorflow as tf

from lengthwise.native.ops import apply_adam
from lengthwise.training.adam import FusedAdam

KINDS = [False, pytest.param(True, marks=pytest.mark.native)]

SHAPES = [(), (7,), (3, 5), (40, 33), (2, 3, 4)]
STEPS = 12


def make_variables(seed=0):
    rng = np.random.default_rng(seed)
    return [keras.Variable(rng.normal(size=shape).astype(np.float32)) for shape in SHAPES]


def draw_gradients(seed):
    # Of all sizes, some of them nothing.
    rng = np.random.default_rng([seed, 1])
    made = [rng.normal(size=shape) * 10 ** rng.uniform(-8, 4, shape) * (rng.random(shape) < 0.8) for shape in SHAPES]
    return [tf.constant(values, tf.float32) for values in made]


def compile_if(compiled, work):
    return tf.function(work) if compiled else work


def train(optimizer, steps=STEPS, compiled=True, rate=None):
    variables = make_variables()
    optimizer.build(variables)
    apply = compile_if(compiled, lambda gradients: optimizer.apply(gradients, variables))
    history = []
    for step in range(steps):
        if rate is not None and step == steps // 2:
            optimizer.learning_rate = rate
        apply(draw_gradients(step))
        history.append([variable.numpy() for variable in variables])
    return history, [variable.numpy() for variable in optimizer.variables]


def assert_same_training(ours, theirs, largest=0.01, **options):
    (found, found_state), (expected, expected_state) = train(ours, **options), train(theirs, **options)
    # 1 - 0.999 in single precision is 5e-5 off what it is in double, in which Keras takes it.
    tolerance = 3e-5 * largest * STEPS
    for here, there in zip(found, expected, strict=True):
        for one, other in zip(here, there, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=tolerance)
    for one, other in zip(found_state, expected_state, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=tolerance)
    assert np.abs(found[-1][3] - make_variables()[3].numpy()).max() > 100 * tolerance


@pytest.mark.sampled(2)
@pytest.mark.parametrize("native", KINDS)
@pytest.mark.parametrize("compiled", [False, True])
def test_fused_adam_equals_the_keras_one_through_a_change_of_the_learning_rate(compiled, native):
    assert_same_training(FusedAdam(0.01, native=native), keras.optimizers.Adam(0.01), 0.3, compiled=compiled, rate=0.3)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "options",
    [
        {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-2},
        {"clipnorm": 0.1},
        {"global_clipnorm": 0.1},
        {"weight_decay": 0.1},
        {"use_ema": True, "ema_overwrite_frequency": 3},
        {"gradient_accumulation_steps": 3},
    ],
)
@pytest.mark.parametrize("native", KINDS)
def test_fused_adam_has_the_options_of_the_keras_one(options, native):
    assert_same_training(FusedAdam(0.01, native=native, **options), keras.optimizers.Adam(0.01, **options))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("native", KINDS)
def test_fused_adam_follows_a_schedule_as_the_keras_one(native):
    def schedule():
        return keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)

    assert_same_training(FusedAdam(schedule(), native=native), keras.optimizers.Adam(schedule()), 0.1)


@pytest.mark.parametrize("native", KINDS)
def test_fused_adam_goes_on_from_the_moments_of_another(native):
    whole, *parts = (FusedAdam(0.01, native=native) for _ in range(3))
    expected = train(whole, 6)[0][-1]
    variables = make_variables()
    for number, optimizer in enumerate(parts):
        optimizer.build(variables)
        if number:
            for ours, theirs in zip(optimizer.variables, parts[0].variables, strict=True):
                ours.assign(theirs)
        for step in range(3 * number, 3 * number + 3):
            optimizer.apply(draw_gradients(step), variables)
    for one, other in zip(variables, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("native", KINDS)
@pytest.mark.parametrize("compiled", [False, True])
def test_fused_adam_refuses_a_gradient_of_slices_and_changes_nothing(compiled, native):
    table = keras.Variable(np.ones((4, 2), np.float32), name="table")
    optimizer = FusedAdam(0.01, native=native)
    optimizer.build([table])
    slices = tf.IndexedSlices(tf.ones((2, 2)), tf.constant([1, 1]), tf.constant([4, 2]))
    apply = compile_if(compiled, lambda gradients: optimizer.apply(gradients, [table]))
    with pytest.raises(TypeError, match=r"gradient of table.*: got IndexedSlices; expected a dense tensor"):
        apply([slices])
    np.testing.assert_array_equal(table, np.ones((4, 2)))


def test_fused_adam_refuses_the_variant_that_it_does_not_compute():
    with pytest.raises(ValueError, match="amsgrad"):
        FusedAdam(0.01, amsgrad=True)


def adam_state(shapes=((3, 5), (70_001,), (), (0, 4)), seed=0):
    # Weights, first moments, second ones, gradients.
    rng = np.random.default_rng(seed)
    drawn = [[rng.normal(size=shape).astype(np.float32) for shape in shapes] for _ in range(4)]
    drawn[2] = [values**2 for values in drawn[2]]
    return [[tf.Variable(values) for values in list_] for list_ in drawn[:3]], [
        tf.constant(values) for values in drawn[3]
    ]


def take_step(variables, gradients, step=3, rate=0.1, settings=(0.9, 0.999, 1e-7)):
    apply_adam(
        *variables, gradients, step=tf.constant(step, tf.int64), learning_rate=tf.constant(rate), settings=settings
    )


@pytest.mark.native
@pytest.mark.parametrize("step", [1, 2, 1000, 10**7])
@pytest.mark.parametrize("settings", [(0.9, 0.999, 1e-7), (0.0, 0.5, 1e-2)])
def test_apply_adam_equals_the_paper_in_double_precision(step, settings):
    variables, gradients = adam_state()
    beta_1, beta_2, epsilon = settings
    expected = []
    for weight, first, second, gradient in zip(*variables, gradients, strict=True):
        w, m, v, g = (np.asarray(values, np.float64) for values in (weight, first, second, gradient))
        m, v = beta_1 * m + (1 - beta_1) * g, beta_2 * v + (1 - beta_2) * g**2
        rate = 0.1 * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
        expected.append((w - rate * m / (np.sqrt(v) + epsilon), m, v))
    take_step(variables, gradients, step, settings=settings)
    for number, values in enumerate(expected):
        for kind, value in enumerate(values):
            np.testing.assert_allclose(variables[kind][number], value, rtol=2e-6, atol=1e-6)


@pytest.mark.native
def test_apply_adam_leaves_a_value_that_was_read_before_as_it_was():
    variables, gradients = adam_state()
    read = [variable.read_value() for variable in variables[0]]
    aliases = [variable.value() for variable in variables[0]]
    before = [values.numpy().copy() for values in read]
    take_step(variables, gradients)
    for one, other, expected, now in zip(read, aliases, before, variables[0], strict=True):
        np.testing.assert_array_equal(one, expected)
        np.testing.assert_array_equal(other, expected)
        assert expected.size == 0 or not np.array_equal(now, expected)


@pytest.mark.native
@pytest.mark.parametrize("place", range(4))
def test_apply_adam_refuses_shapes_that_differ_and_changes_nothing(place):
    variables, gradients = adam_state(((3, 5), (4,)))
    lists = [*variables, gradients]
    lists[place] = [lists[place][0], tf.Variable(np.ones(5, np.float32)) if place < 3 else tf.ones(5)]
    before = [[np.array(values) for values in list_] for list_ in lists]
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected"):
        take_step(lists[:3], lists[3])
    for list_, expected in zip(lists, before, strict=True):
        for values, value in zip(list_, expected, strict=True):
            np.testing.assert_array_equal(values, value)


@pytest.mark.native
def test_apply_adam_refuses_a_variable_that_comes_twice():
    variables, gradients = adam_state(((3, 5), (3, 5)))
    for kind in range(3):
        twice = [list(list_) for list_ in variables]
        twice[kind] = [variables[0][0]] * 2
        with pytest.raises(tf.errors.InvalidArgumentError, match="once"):
            take_step(twice, gradients)
    take_step(variables, gradients)  # And no lock is still held.
