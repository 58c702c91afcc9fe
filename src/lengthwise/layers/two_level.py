"""Two models as one: what the first says of each inner sequence are the steps of what the second reads.

Yang et al. (2016), Hierarchical Attention Networks for Document Classification: words make sentences, sentences make a
document. Both levels are trained end to end.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from lengthwise.core.nested import OUTER, PLACE, ROWS, STEPS
from lengthwise.errors import ArgumentError


@keras.saving.register_keras_serializable("lengthwise")
class OuterSteps(keras.layers.Layer):
    """Puts what was said of inner sequences where they are steps of outer ones, 0 at padding, which it masks.

    >>> import numpy as np
    >>> from lengthwise.layers.two_level import OuterSteps
    >>> OuterSteps()([np.array([[1.0], [2.0], [3.0]]), np.array([[2, 0], [1, -1]])]).numpy()[..., 0].tolist()
    [[3.0, 1.0], [2.0, 0.0]]
    """

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - as Keras's.
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Put them in their places.

        Args:
            inputs: what was said, (P, D), of each inner sequence, or (R, T, D), of each step of their rows; and int32
                (B, M), which entry of the first axis, or of the first two as one, stands there, -1 for none.

        Returns:
            (B, M, D).
        """
        said, place = map(tf.convert_to_tensor, inputs)
        there = tf.gather(tf.reshape(said, [-1, said.shape[-1]]), tf.maximum(place, 0))
        return tf.where((place >= 0)[..., tf.newaxis], there, tf.zeros((), there.dtype))

    def compute_mask(self, inputs: Sequence[tf.Tensor], previous: object = None) -> tf.Tensor:
        """Where there is a step: bool (B, M)."""
        return tf.convert_to_tensor(inputs[1]) >= 0


@keras.saving.register_keras_serializable("lengthwise")
class TwoLevel(keras.Model):
    """A model of inner sequences, and a model over what it says of them.

    >>> import keras
    >>> import lengthwise as lw
    >>> sentences = lw.from_arrays([[4, 2], [5], [3, 3]], per_sequence={"author": [0, 1, 0], "label": [1, 0, 1]})
    >>> nested = lw.nest(sentences, by="author", shared=["label"])
    >>> reader = keras.Sequential([keras.layers.Embedding(10, 4, mask_zero=True), keras.layers.GRU(8)])
    >>> model = lw.TwoLevel(reader, keras.Sequential([keras.layers.GRU(8), keras.layers.Dense(2)]))
    >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> batches = lw.fit_nested(nested, lw.Sampled(lw.Padded(batch_size=2), sample=2), targets="label")
    >>> _ = model.fit(batches, shuffle=False, verbose=0)
    >>> lw.predict_nested(model, nested).shape
    (2, 2)

    Args:
        inner: any Keras model of the inner sequences' rows. It says something of each row, (P, D), or of each step of
            rows that may hold several, (R, T, D): see `at` of `fit_nested`.
        outer: any Keras model of steps, (B, M, D), whose mask says which there are.
        outer_inputs: names of what else the outer model reads, as `fit_nested` and `predict_nested` are asked for. With
            them it is called with a dict: of these, and of `steps`.
        **kwargs: as Keras's.

    Raises:
        ArgumentError: one of the two is no Keras layer or model; it is a `ValueError`.
    """

    def __init__(
        self,
        inner: keras.layers.Layer,
        outer: keras.layers.Layer,
        outer_inputs: Sequence[str] = (),
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        for name, model in (("inner", inner), ("outer", outer)):
            if not isinstance(model, keras.layers.Layer):
                raise ArgumentError(name, f"got {model!r:.80}; expected a Keras model")
        super().__init__(**kwargs)
        self.inner, self.outer, self.outer_inputs = inner, outer, tuple(outer_inputs)
        self.outer_steps = OuterSteps(name="outer_steps")
        # It has no weights of its own.
        self.built = inner.built and outer.built

    def call(self, inputs: Mapping[str, Any], training: bool = False) -> Any:  # noqa: ANN401 - as the outer model's.
        """Read inner sequences, then outer ones.

        Args:
            inputs: `rows`, what the inner model reads; and `outer`, by name, int32 (B, M) `place`, see `OuterSteps`,
                and what else the outer model reads.
            training: whether dropout drops.
        """
        return self.read_outer(self.inner(inputs[ROWS], training=training), inputs[OUTER], training=training)

    def read_outer(self, said: tf.Tensor, columns: Mapping[str, Any], training: bool = False) -> Any:  # noqa: ANN401
        """Read outer sequences of which the inner ones were read before; see `call`."""
        steps = self.outer_steps([said, columns[PLACE]])
        x = {STEPS: steps, **{name: columns[name] for name in self.outer_inputs}} if self.outer_inputs else steps
        with warnings.catch_warnings():
            # Keras says so of every functional model, whose layers do see the mask; only its outputs have none.
            warnings.filterwarnings("ignore", message=".*was passed an input with a mask attached to it")
            return self.outer(x, training=training)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        parts = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in ("inner", "outer")}
        return {**super().get_config(), **parts, "outer_inputs": list(self.outer_inputs)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> "TwoLevel":
        """Make it again of what `get_config` says."""
        made = dict(config)
        for name in ("inner", "outer"):
            made[name] = keras.saving.deserialize_keras_object(made[name], custom_objects=custom_objects)
        return cls(**made)
