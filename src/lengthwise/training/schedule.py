"""How the learning rate goes over a run."""

import keras

from lengthwise.names import SCHEDULES


def learning_rate(schedule: str, highest: float, steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """What Adam takes as its learning rate.

    It is a function of the step's number alone, which a resumed run has too.

    Args:
        schedule: `constant`, or `cosine`: from the highest at the first step along half a cosine to 0 after the last
            (Loshchilov and Hutter, 2017, without restarts).
        highest: the learning rate at the first step.
        steps: of the whole run.

    Raises:
        ValueError: there is no such schedule.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule: got {schedule!r}; expected one of {', '.join(SCHEDULES)}")
    return keras.optimizers.schedules.CosineDecay(highest, steps) if schedule == "cosine" else highest
