import keras
import numpy as np
import pytest
import tensorflow as tf
from closeness import assert_close

from lengthwise.core.names import OPTIMIZERS
from lengthwise.training.optimizers import FusedDescent, make_optimizer
from lengthwise.training.schedule import learning_rate
from lengthwise.training.training_settings import OptimizerSettings

STEPS = 200
# As weights are called, the last of three parts; those that decay are the second, the third and the last.
NAMES = ["bias", "kernel", "embeddings", "gain", "bias", "recurrent_kernel"]
SHAPES = [(7,), (3, 5), (40, 33), (), (2, 9), (2, 3, 4)]
KINDS = [False, pytest.param(True, marks=pytest.mark.native)]
PLAIN = {"learning_rate": 0.01, "schedule": "constant", "clip_norm": None}
PLAIN |= {"name": "adam", "momentum": 0.0, "weight_decay": 0.0, "warmup_steps": 0}


def make_weights():
    rng = np.random.default_rng(0)
    return [
        keras.Variable(rng.normal(size=shape).astype(np.float32), name=name)
        for name, shape in zip(NAMES, SHAPES, strict=True)
    ]


def train(optimizer, weights, steps=STEPS, first=0):
    apply = tf.function(lambda gradients: optimizer.apply(gradients, weights))
    for step in range(first, first + steps):
        rng = np.random.default_rng([step, 1])
        # The sizes of gradients differ, as those of rare and of frequent tokens do.
        drawn = [rng.normal(size=shape) * 10 ** rng.uniform(-3, 1, shape) for shape in SHAPES]
        apply([tf.constant(values, tf.float32) for values in drawn])
    return [weight.numpy() for weight in weights]


def of_keras(settings, rate):
    decay = settings.weight_decay or None
    if settings.name == "sgd":
        return keras.optimizers.SGD(rate, settings.momentum, weight_decay=decay)
    kind = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW}[settings.name]
    return kind(rate, **({"weight_decay": decay} if decay else {}))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("native", KINDS)
@pytest.mark.parametrize(
    "changes",
    [
        {"name": "adam", "schedule": "linear", "warmup_steps": 30},
        {"name": "adamw", "weight_decay": 0.3},
        {"name": "adamw", "weight_decay": 0.3, "schedule": "cosine", "warmup_steps": 9},
        {"name": "sgd"},
        {"name": "sgd", "momentum": 0.9, "schedule": "cosine"},
        {"name": "sgd", "momentum": 0.5, "weight_decay": 0.3, "schedule": "linear", "warmup_steps": 30},
    ],
)
def test_each_optimizer_equals_the_keras_one_over_many_steps(changes, native):
    settings = OptimizerSettings(**PLAIN | changes)
    weights, others = make_weights(), make_weights()
    rate = learning_rate(settings.schedule, settings.learning_rate, STEPS, settings.warmup_steps)
    ours = make_optimizer(settings, rate, weights, native=native)
    theirs = of_keras(settings, rate)
    theirs.exclude_from_weight_decay([others[0], others[3], others[4]])
    theirs.build(others)
    before = [weight.numpy() for weight in weights]
    expected = train(theirs, others)
    assert_close(train(ours, weights), expected, 1e-4)
    assert_close([v.numpy() for v in ours.variables], [v.numpy() for v in theirs.variables], 1e-4)
    assert all(np.abs(old - new).max() > 0.01 for old, new in zip(before, expected, strict=True))


@pytest.mark.parametrize("native", KINDS)
@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_decay_takes_its_share_of_embeddings_and_kernels_that_are_not_kept(name, native):
    weights = make_weights()
    settings = OptimizerSettings(**PLAIN | {"name": name, "weight_decay": 0.25, "learning_rate": 0.5})
    optimizer = make_optimizer(settings, 0.5, weights, {weights[2].path}, native=native)
    before = [weight.numpy() for weight in weights]
    optimizer.apply([tf.zeros(shape) for shape in SHAPES], weights)
    shares = [1.0, 0.875, 1.0, 1.0, 1.0, 0.875]
    assert_close([weight.numpy() for weight in weights], [old * s for old, s in zip(before, shares, strict=True)])


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_goes_on_from_its_slots_to_the_same_bytes(name):
    changes = {"name": name, "momentum": 0.9 if name == "sgd" else 0.0}
    settings = OptimizerSettings(**PLAIN | changes)
    whole = make_weights()
    expected = train(make_optimizer(settings, 0.01, whole), whole, 10)
    begun = make_weights()
    first = make_optimizer(settings, 0.01, begun)
    train(first, begun, 5)
    again = make_weights()
    second = make_optimizer(settings, 0.01, again)
    for ours, theirs in zip([*again, *second.variables], [*begun, *first.variables], strict=True):
        ours.assign(theirs)
    for found, wanted in zip(train(second, again, 5, first=5), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_fused_descent_refuses_a_gradient_of_slices_and_changes_nothing(momentum):
    table = keras.Variable(np.ones((4, 2), np.float32), name="table")
    optimizer = FusedDescent(0.01, momentum=momentum)
    optimizer.build([table])
    slices = tf.IndexedSlices(tf.ones((2, 2)), tf.constant([1, 1]), tf.constant([4, 2]))
    with pytest.raises(TypeError, match=r"gradient of table.*: got IndexedSlices; expected a dense tensor"):
        optimizer.apply([slices], [table])
    np.testing.assert_array_equal(table, np.ones((4, 2)))


def test_fused_descent_refuses_the_variant_that_it_does_not_compute():
    with pytest.raises(ValueError, match="nesterov"):
        FusedDescent(0.01, nesterov=True)
