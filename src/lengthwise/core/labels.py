"""Label factors and their joint class: nothing after ingest knows what a factor means.

The source article tags a sentence with two factors, of 2 and of 3 classes, and trains on the class
`first * 3 + second`: the mixed-radix index of the two.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from lengthwise.errors import ArgumentError

MOST_CLASSES = 2**31 - 1


@dataclass(frozen=True)
class LabelFactor:
    """One property that is predicted: its name and its classes, in the order of their codes."""

    name: str
    classes: tuple[str, ...]


def joint_class(factors: Sequence[LabelFactor], codes: Sequence[np.ndarray]) -> np.ndarray:
    """The mixed-radix index of one code per factor, the last factor running fastest.

    >>> tone = LabelFactor("tone", ("calm", "loud"))
    >>> topic = LabelFactor("topic", ("food", "work", "home"))
    >>> joint_class([tone, topic], [np.array([0, 0, 1]), np.array([0, 2, 1])]).tolist()
    [0, 2, 4]

    Raises:
        ArgumentError: there are more joint classes than 32 bits count; it is a `ValueError`.
    """
    shape = tuple(len(factor.classes) for factor in factors)
    if (classes := math.prod(shape)) > MOST_CLASSES:
        raise ArgumentError(
            "labels", f"{' x '.join(map(str, shape))} make {classes} joint classes; expected at most {MOST_CLASSES}"
        )
    return np.ravel_multi_index([np.asarray(column, np.int64) for column in codes], shape).astype(np.int32)


def joint_class_names(factors: Sequence[LabelFactor]) -> list[str]:
    """The names of the joint classes in the order of their indices, such as `calm food`."""
    names = [""]
    for factor in factors:
        names = [f"{name} {value}".strip() for name in names for value in factor.classes]
    return names


def factor_probabilities(joint: np.ndarray, factors: Sequence[LabelFactor]) -> list[np.ndarray]:
    """Sum joint probabilities to each factor's own.

    Args:
        joint: float (N, C), C the product of the factors' class counts.
        factors: in the order of their radices.

    Returns:
        One float (N, classes) per factor, in the factors' order.
    """
    cube = joint.reshape(len(joint), *(len(factor.classes) for factor in factors))
    axes = range(1, cube.ndim)
    return [cube.sum(axis=tuple(axis for axis in axes if axis != kept)) for kept in axes]


def factor_codes(joint: np.ndarray, factors: Sequence[LabelFactor]) -> list[np.ndarray]:
    """The code of each factor in joint classes (N,): the inverse of `joint_class`."""
    shape = tuple(len(factor.classes) for factor in factors)
    return list(np.unravel_index(np.asarray(joint, np.int64), shape))


def factors_to_json(factors: Sequence[LabelFactor]) -> str:
    """The text that travels in file metadata."""
    return json.dumps([asdict(factor) for factor in factors], ensure_ascii=False)


def factors_from_json(text: str) -> list[LabelFactor]:
    """The inverse of `factors_to_json`."""
    return [LabelFactor(entry["name"], tuple(entry["classes"])) for entry in json.loads(text)]
