"""The state of a recurrent layer before its first step."""

import keras


@keras.saving.register_keras_serializable("lengthwise")
class LearnedInitialState(keras.layers.Layer):
    """One trained state, the same for every row: the article's `init_state`, which begins at zeros.

    Args:
        units: features of the state.
    """

    def __init__(self, units: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
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

    def get_config(self) -> dict[str, object]:
        """What `from_config` needs."""
        return {**super().get_config(), "units": self.units}
