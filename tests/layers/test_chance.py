import keras
import numpy as np
import pytest
import tensorflow as tf

from lengthwise.layers.chance import chance_at, drawn_by_place
from lengthwise.layers.dropout import Dropout
from lengthwise.layers.word_dropout import WordDropout

LAYERS = {
    "native": (lambda: Dropout(0.4, native=True, seed=5), np.ones((40, 50), np.float32)),
    "keras": (lambda: Dropout(0.4, seed=5), np.ones((40, 50), np.float32)),
    "words": (lambda: WordDropout(0.4, seed=5), np.full((40, 50), 7, np.int32)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_chance_at_a_place_is_the_same_in_any_order_and_another_elsewhere(name):
    make, values = LAYERS[name]
    layer = make()
    draw = tf.function(lambda place: _drawn(layer, values, place))
    places = [0, 1, 7, 2**31 - 1, 2**31, 2**40 + 3]
    first = [draw(tf.constant(place, tf.int64)).numpy() for place in places]
    again = [draw(tf.constant(place, tf.int64)).numpy() for place in reversed(places)][::-1]
    assert all((here == there).all() for here, there in zip(first, again, strict=True))
    assert len({here.tobytes() for here in first}) == len(places)
    for here in first:
        # 2,000 draws: five standard deviations.
        assert abs((here != values).mean() - (1 if name != "words" else 0.4)) < 0.055
        assert abs((here == (0 if name != "words" else 1)).mean() - 0.4) < 0.055
    # Nor does a generator's own chance move on meanwhile.
    undisturbed = make()
    assert (layer(values, training=True).numpy() == undisturbed(values, training=True).numpy()).all()


def test_layers_of_other_seeds_draw_others_at_one_place():
    values = np.ones((40, 50), np.float32)
    drawn = {
        np.asarray(_drawn(Dropout(0.4, native=native, seed=seed), values, tf.constant(3, tf.int64))).tobytes()
        for native in (True, False)
        for seed in (1, 2)
    }
    assert len(drawn) == 4


def test_place_is_that_of_the_innermost_and_over_afterwards():
    assert not drawn_by_place()
    with chance_at(tf.constant(1, tf.int64)):
        with pytest.raises(ZeroDivisionError), chance_at(tf.constant(2, tf.int64)):
            _ = 1 / 0
        assert drawn_by_place()
        layer = keras.layers.Dropout(0.5)
        # A layer that knows nothing of places draws as ever, and without training nothing is dropped.
        assert layer(np.ones(3), training=False).numpy().tolist() == [1, 1, 1]
        assert Dropout(0.5)(np.ones(3), training=False).numpy().tolist() == [1, 1, 1]
    assert not drawn_by_place()


def _drawn(layer, values, place):
    with chance_at(place):
        return layer(values, training=True)
