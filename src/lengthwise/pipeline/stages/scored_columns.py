"""What a network predicts of a split, as its scoring reads it."""

import numpy as np

from lengthwise.core.sequences import Sequences
from lengthwise.evaluation.scoring.class_scoring import ClassScoring
from lengthwise.evaluation.scoring.label_scoring import LabelScoring
from lengthwise.evaluation.scoring.number_scoring import NumberScoring
from lengthwise.evaluation.scoring.tag_scoring import TagScoring, of_tags
from lengthwise.evaluation.scoring.task_scoring import PredictedColumns, TaskScoring
from lengthwise.models.ensemble import Ensemble
from lengthwise.models.network import Network
from lengthwise.models.prediction import predict_next, predict_sequences, predict_split, predict_steps


def predicted_columns(
    network: Network | Ensemble, scoring: TaskScoring, sequences: Sequences, what: str
) -> PredictedColumns:
    """Predict a split.

    Args:
        network: trained.
        scoring: of its task.
        sequences: of the split.
        what: is done, for the progress.
    """
    if isinstance(scoring, ClassScoring):
        return vars(predict_split(network, sequences, what))
    if isinstance(scoring, LabelScoring):
        return {"logits": predict_sequences(network, sequences, what)}
    if isinstance(scoring, NumberScoring):
        return {"predicted": predict_sequences(network, sequences, what)}
    if isinstance(scoring, TagScoring):
        return of_tags(predict_steps(network, sequences, what), sequences[scoring.column])
    # A network says at a step what follows; a scoring asks at a step what was said of it.
    following = predict_next(network, sequences, what)
    return {
        "predicted": np.roll(following.predicted, 1),
        "log_probability": np.roll(following.log_probability, 1),
    }
