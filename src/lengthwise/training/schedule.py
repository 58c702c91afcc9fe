"""How the learning rate goes over a run."""

import keras
import tensorflow as tf
from keras.optimizers.schedules import CosineDecay, LearningRateSchedule, PolynomialDecay

from lengthwise.core.names import SCHEDULES
from lengthwise.errors import ArgumentError


class WarmUp(LearningRateSchedule):
    """A learning rate that rises in equal steps, from one part in `steps` to all of it, and then goes as another does.

    >>> from lengthwise.training.schedule import WarmUp
    >>> rate = WarmUp(0.1, 4)
    >>> [round(float(rate(step)), 3) for step in range(6)]
    [0.025, 0.05, 0.075, 0.1, 0.1, 0.1]

    Args:
        after: what follows: a number, or a schedule whose first step is the one after the rise.
        steps: of the rise, at least 1; the last of them has the largest learning rate.
    """

    def __init__(self, after: float | LearningRateSchedule, steps: int) -> None:
        super().__init__()
        self.after, self.steps = after, steps

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        """The learning rate of a step, float32, from the step's number, from 0."""
        step = tf.cast(tf.convert_to_tensor(step), tf.float32)
        after = self.after(tf.maximum(step - self.steps, 0.0)) if callable(self.after) else self.after
        highest = self.after(0) if callable(self.after) else self.after
        return tf.where(step < self.steps, highest * (step + 1.0) / self.steps, after)

    def get_config(self) -> dict[str, object]:
        """Its arguments, as Keras saves them."""
        after = keras.saving.serialize_keras_object(self.after) if callable(self.after) else self.after
        return {"after": after, "steps": self.steps}


def learning_rate(schedule: str, highest: float, steps: int, warmup_steps: int = 0) -> float | LearningRateSchedule:
    """What an optimizer takes as its learning rate.

    It is a function of the step's number alone, which a resumed run has too.

    Args:
        schedule: `constant`; `cosine`: from the highest along half a cosine to 0 after the last step (Loshchilov and
            Hutter, 2017, without restarts); or `linear`: along a straight line to 0 after the last step.
        highest: the largest learning rate.
        steps: of the whole run.
        warmup_steps: the first of them, in which the learning rate rises to the highest; the schedule has the others.

    Raises:
        ValueError: there is no such schedule.
        ArgumentError: no step is left after those of the rise.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule: got {schedule!r}; expected one of {', '.join(SCHEDULES)}")
    if warmup_steps >= steps:
        problem = f"got {warmup_steps}; expected fewer than the {steps} steps of the run"
        raise ArgumentError("warmup_steps", problem, "lower it, or train for more epochs")
    rate: float | LearningRateSchedule = highest
    if schedule == "cosine":
        rate = CosineDecay(highest, steps - warmup_steps)
    elif schedule == "linear":
        rate = PolynomialDecay(highest, steps - warmup_steps, end_learning_rate=0.0)
    return WarmUp(rate, warmup_steps) if warmup_steps else rate
