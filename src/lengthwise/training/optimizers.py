"""The optimizers by name: Adam, AdamW, and gradient descent with momentum, each in one pass over every weight.

    adam    Kingma and Ba (2015)
    adamw   the same, and before each step embeddings and kernels are made smaller by the share `weight_decay` times the
            learning rate (decoupled; Loshchilov and Hutter, 2019)
    sgd     momentum as Keras has it, m := momentum m - rate g, weight := weight + m; with decay as in `adamw`

Biases, the gains of a layer normalization, peepholes and initial states keep their size.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf
from keras.optimizers.schedules import LearningRateSchedule

from lengthwise.training.adam import FusedAdam
from lengthwise.training.training_settings import OptimizerSettings

# The last part of the paths of what decays.
DECAYING = ("embeddings", "kernel", "recurrent_kernel")


@dataclass(frozen=True)
class UpdateRule:
    """What makes steps of gradients.

    Attributes:
        optimizer: built for the weights, see `make_optimizer`.
        class_weights: float32 (C,), how much each class counts, see `balanced_weights`; None: each the same.
        still: by a weight's path, bool (rows,), the rows that no step moves. The optimizer must not let them decay.
    """

    optimizer: keras.optimizers.Optimizer
    class_weights: np.ndarray | None = None
    still: Mapping[str, np.ndarray] = field(default_factory=dict)


class FusedDescent(keras.optimizers.SGD):
    """Gradient descent as `keras.optimizers.SGD` computes it, in one operation for each weight and its momentum.

    Gradients have to be dense.

    Raises:
        ValueError: Nesterov's momentum is asked for, which it does not compute.
    """

    def __init__(self, learning_rate: float | LearningRateSchedule = 0.01, **kwargs: object) -> None:
        super().__init__(learning_rate, **kwargs)
        if self.nesterov:
            raise ValueError("nesterov: got True; expected False; use keras.optimizers.SGD")

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Update one weight."""
        if not isinstance(gradient, tf.Tensor):
            raise TypeError(f"gradient of {variable.name}: got {type(gradient).__name__}; expected a dense tensor")
        if not self.momentum:
            tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=learning_rate, delta=gradient)
            return
        momentum = self.momentums[self._get_variable_index(variable)]
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle, accum=momentum.value.handle, lr=learning_rate, grad=gradient, momentum=self.momentum
        )


def make_optimizer(
    settings: OptimizerSettings,
    rate: float | LearningRateSchedule,
    weights: Sequence[keras.Variable],
    kept: Collection[str] = (),
    *,
    native: bool = False,
) -> keras.optimizers.Optimizer:
    """The optimizer that settings name, built for weights.

    Args:
        settings: its name, momentum and decay. The gradients' norm is the caller's.
        rate: its learning rate, see `lengthwise.training.schedule`.
        weights: of a network; each has a path of its own.
        kept: paths of embeddings and kernels that keep their size too.
        native: whether the native kernel takes the steps of Adam.
    """
    made: keras.optimizers.Optimizer
    decay = settings.weight_decay or None
    if settings.name == "sgd":
        made = FusedDescent(rate, momentum=float(settings.momentum), weight_decay=decay)
    else:
        made = FusedAdam(rate, native=native, weight_decay=decay)
    decaying = {weight.path for weight in weights if weight.path.rpartition("/")[2] in DECAYING} - {*kept}
    made.exclude_from_weight_decay([weight for weight in weights if weight.path not in decaying])
    made.build(weights)
    return made
