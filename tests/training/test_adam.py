import keras
import numpy as np
import pytest
import tensorflow as tf

from lengthwise.training.adam import FusedAdam

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


@pytest.mark.parametrize("compiled", [False, True])
def test_fused_adam_equals_the_keras_one_through_a_change_of_the_learning_rate(compiled):
    assert_same_training(FusedAdam(0.01), keras.optimizers.Adam(0.01), 0.3, compiled=compiled, rate=0.3)


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
def test_fused_adam_has_the_options_of_the_keras_one(options):
    assert_same_training(FusedAdam(0.01, **options), keras.optimizers.Adam(0.01, **options))


def test_fused_adam_follows_a_schedule_as_the_keras_one():
    def schedule():
        return keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)

    assert_same_training(FusedAdam(schedule()), keras.optimizers.Adam(schedule()), 0.1)


def test_fused_adam_goes_on_from_the_moments_of_another():
    whole, parts = FusedAdam(0.01), [FusedAdam(0.01), FusedAdam(0.01)]
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


@pytest.mark.parametrize("compiled", [False, True])
def test_fused_adam_refuses_a_gradient_of_slices_and_changes_nothing(compiled):
    table = keras.Variable(np.ones((4, 2), np.float32), name="table")
    optimizer = FusedAdam(0.01)
    optimizer.build([table])
    slices = tf.IndexedSlices(tf.ones((2, 2)), tf.constant([1, 1]), tf.constant([4, 2]))
    apply = compile_if(compiled, lambda gradients: optimizer.apply(gradients, [table]))
    with pytest.raises(TypeError, match=r"gradient of table.*: got IndexedSlices; expected a dense tensor"):
        apply([slices])
    np.testing.assert_array_equal(table, np.ones((4, 2)))


def test_fused_adam_refuses_the_variant_that_it_does_not_compute():
    with pytest.raises(ValueError, match="amsgrad"):
        FusedAdam(0.01, amsgrad=True)
