import keras
import numpy as np
import pytest
import tensorflow as tf

from lengthwise.core.sequences import UNK_ID
from lengthwise.layers import WordDropout

TOKENS = tf.constant(np.random.default_rng(1).integers(2, 20, (200, 50)), tf.int32)


def test_word_dropout_makes_its_share_of_tokens_unknown_and_leaves_the_others():
    made = WordDropout(0.3, seed=1)(TOKENS, training=True).numpy()
    dropped = made == UNK_ID
    # 10,000 tokens: the deviation is 0.0046.
    assert dropped.mean() == pytest.approx(0.3, abs=0.02)
    assert np.array_equal(made[~dropped], TOKENS.numpy()[~dropped])
    # No row and no column has more than chance gives it.
    assert np.abs(dropped.mean(axis=0) - 0.3).max() < 0.15


@pytest.mark.parametrize("options", [{"training": False}, {}])
def test_word_dropout_drops_nothing_outside_training(options):
    assert WordDropout(0.9)(TOKENS, **options) is TOKENS


def test_word_dropout_of_nothing_draws_no_chance():
    layer = WordDropout(0.0)
    assert layer(TOKENS, training=True) is TOKENS
    assert layer.variables == []


def test_word_dropout_draws_anew_at_each_call_and_the_same_from_the_same_seed():
    layers = [WordDropout(0.5, seed=7) for _ in range(2)]
    first, second = ([layer(TOKENS, training=True).numpy() for _ in range(2)] for layer in layers)
    assert np.array_equal(first, second)
    assert not np.array_equal(*first)


def test_word_dropout_goes_on_from_its_saved_state():
    layer, other = WordDropout(0.5, seed=7), WordDropout(0.5, seed=8)
    layer(TOKENS, training=True)
    for variable, like in zip(other.variables, layer.variables, strict=True):
        variable.assign(like)
    assert np.array_equal(layer(TOKENS, training=True), other(TOKENS, training=True))


def test_word_dropout_works_in_a_compiled_function():
    layer = WordDropout(0.5, seed=7)
    step = tf.function(lambda tokens: layer(tokens, training=True))
    assert not np.array_equal(step(TOKENS), step(TOKENS))


def test_word_dropout_has_a_config():
    layer = WordDropout(0.25, seed=3, name="words")
    config = layer.get_config()
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == config
    assert (config["rate"], config["seed"], config["name"]) == (0.25, 3, "words")


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2, float("nan")])
def test_word_dropout_refuses_a_rate_that_is_no_share(rate):
    with pytest.raises(ValueError, match="rate"):
        WordDropout(rate)
