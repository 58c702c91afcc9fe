"""Adam, one operation a weight."""

import keras
import tensorflow as tf
from keras import ops


class FusedAdam(keras.optimizers.Adam):
    """Adam (Kingma and Ba, 2015) as `keras.optimizers.Adam` computes it, in one pass over each weight and its moments.

    Keras takes about ten operations, each of which reads and writes all of an embedding table. Gradients have to be
    dense: of slices with duplicate ids Keras would square each instead of their sum.

    Raises:
        ValueError: the variant `amsgrad` is asked for, which the operation does not compute.
    """

    def __init__(self, learning_rate: float = 0.001, **kwargs: object) -> None:
        super().__init__(learning_rate, **kwargs)
        if self.amsgrad:
            raise ValueError("amsgrad: got True; expected False; use keras.optimizers.Adam")

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Update one weight.

        Raises:
            TypeError: the gradient is not dense.
        """
        if not isinstance(gradient, tf.Tensor):
            raise TypeError(f"gradient of {variable.name}: got {type(gradient).__name__}; expected a dense tensor")
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
