"""Where chance comes from: a generator that moves on with each draw, or the place of what is drawn for.

Parts of a batch that are computed in any order, by anyone, draw by their place: what one draws does not depend on
whether and when another has drawn.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import keras
import tensorflow as tf

_place: ContextVar[tf.Tensor | None] = ContextVar("place", default=None)


@contextmanager
def chance_at(place: tf.Tensor) -> Iterator[None]:
    """Let all layers that are called in here draw by a place.

    Args:
        place: int64 scalar, another one for each part of each step.
    """
    before = _place.set(place)
    try:
        yield
    finally:
        _place.reset(before)


def drawn_by_place() -> bool:
    """Whether this is within `chance_at`."""
    return _place.get() is not None


def next_seed(generator: keras.random.SeedGenerator) -> tf.Tensor:
    """The seed of one draw, int32 (2,): the generator's next, or, within `chance_at`, its seed and the place."""
    place = _place.get()
    if place is None:
        return tf.cast(generator.next(), tf.int32)
    seed = tf.cast(tf.convert_to_tensor(generator.state)[0], tf.int32)
    return tf.stack([seed, tf.cast(place, tf.int32)])
