"""The state of a recurrent layer before its first step."""

from collections.abc import Sequence

import keras


@keras.saving.register_keras_serializable("lengthwise")
class LearnedInitialState(keras.layers.Layer):
    """One trained state, the same for every row: the article's `init_state`, which begins at zeros: float32 (B, U).

    >>> import numpy as np
    >>> import lengthwise as lw
    >>> tuple(lw.LearnedInitialState(4)(np.zeros((2, 5, 3), np.float32)).shape)
    (2, 4)

    Args:
        units: U, features of the state.

    Raises:
        ValueError: `units` is below 1.
    """

    def __init__(self, units: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        if units < 1:
            raise ValueError(f"units: got {units}; expected at least 1")
        self.units = units

    def build(self, _input_shape: object = None) -> None:
        """Make the weight `state`: float32 (1, units)."""
        self.state = self.add_weight(shape=(1, self.units), initializer="zeros", name="state")
        self.built = True

    def call(self, rows: keras.KerasTensor) -> keras.KerasTensor:
        """Repeat the state.

        Args:
            rows: any array (B, ...); only B is read.

        Returns:
            float32 (B, units).
        """
        return keras.ops.repeat(self.state, keras.ops.shape(rows)[0], axis=0)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, int]:
        """The shape (B, U) for an array of the shape (B, ...)."""
        return (input_shape[0], self.units)

    def get_config(self) -> dict[str, object]:
        """What `from_config` needs."""
        return {**super().get_config(), "units": self.units}
