"""Adam, one operation for all weights, or one for each."""

import keras
import tensorflow as tf
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from lengthwise.native.ops import apply_adam


class FusedAdam(keras.optimizers.Adam):
    """Adam (Kingma and Ba, 2015) as `keras.optimizers.Adam` computes it, in one pass over each weight and its moments.

    Keras takes about ten operations, each of which reads and writes all of an embedding table. Gradients have to be
    dense: of slices with duplicate ids Keras would square each instead of their sum.

    Args:
        learning_rate: as Keras's.
        native: whether the native kernel updates all weights in one operation; else TensorFlow's updates each.
        **kwargs: as Keras's.

    Raises:
        ValueError: the variant `amsgrad` is asked for, which neither computes.
    """

    def __init__(
        self, learning_rate: float | LearningRateSchedule = 0.001, *, native: bool = False, **kwargs: object
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.native = native
        if self.amsgrad:
            raise ValueError("amsgrad: got True; expected False; use keras.optimizers.Adam")

    def _backend_update_step(
        self, grads: list[tf.Tensor], trainable_variables: list[keras.Variable], learning_rate: tf.Tensor
    ) -> None:
        """Update all weights."""
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            if not isinstance(gradient, tf.Tensor):
                raise TypeError(f"gradient of {variable.name}: got {type(gradient).__name__}; expected a dense tensor")
        if not self.native:
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        numbers = [self._get_variable_index(variable) for variable in trainable_variables]
        apply_adam(
            [variable.value for variable in trainable_variables],
            [self._momentums[number].value for number in numbers],
            [self._velocities[number].value for number in numbers],
            grads,
            step=ops.cast(self.iterations + 1, "int64"),
            learning_rate=learning_rate,
            settings=(self.beta_1, self.beta_2, self.epsilon),
        )

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Update one weight by TensorFlow's operation."""
        step = ops.cast(self.iterations + 1, "float32")
        number = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[number].value.handle,
            v=self._velocities[number].value.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=learning_rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )
