"""Passes over an epoch's batches as a dataset: each pass to the end is an epoch with a plan of its own."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import tensorflow as tf

from lengthwise.batching.epochs import Epochs
from lengthwise.batching.fit_epoch import FitEpoch


class Planned(Protocol):
    """A plan of an epoch: so many batches."""

    def __len__(self) -> int: ...


SomePlan = TypeVar("SomePlan", bound=Planned)


class Passes(Epochs, Generic[SomePlan]):
    """Again and again the plan of the next epoch.

    Args:
        plan_of: the plan of an epoch by its number.
        epoch: see `Epochs`.

    Attributes:
        batches: of every pass.
    """

    def __init__(self, plan_of: Callable[[int], SomePlan], epoch: int | FitEpoch) -> None:
        super().__init__(epoch)
        # Two, since a pass may begin before another one's end.
        self._plan = lru_cache(maxsize=2)(plan_of)
        self.batches = len(self._plan(self.number))

    def begin(self) -> np.int64:
        """The epoch of a pass that begins."""
        return np.int64(self.number)

    def plan(self, number: int, place: int) -> SomePlan:
        """The plan of an epoch, for a batch of it; after the last one the next epoch comes."""
        if place == self.batches - 1:
            self.end()
        return self._plan(number)


def dataset_of(
    passes: Passes[SomePlan], specs: tuple[Any, ...], arrays: Callable[[SomePlan, int], list[np.ndarray]]
) -> tf.data.Dataset:
    """A dataset of the batches of passes.

    Args:
        passes: whose.
        specs: what the arrays of every batch are, nested as the model takes them.
        arrays: those of a batch of a plan, one after another.
    """
    flat = tf.nest.flatten(specs)

    def arrays_of(number: np.ndarray, place: np.ndarray) -> list[np.ndarray]:
        return arrays(passes.plan(int(number), int(place)), int(place))

    def batch_of(number: tf.Tensor, place: tf.Tensor) -> Any:  # noqa: ANN401 - of the structure declared.
        tensors = tf.numpy_function(arrays_of, [number, place], [spec.dtype for spec in flat])
        for tensor, spec in zip(tensors, flat, strict=True):
            tensor.set_shape(spec.shape)
        found = tf.nest.pack_sequence_as(specs, tensors)
        return found if len(found) > 1 else found[0]

    def one_pass(_: tf.Tensor) -> tf.data.Dataset:
        number = tf.numpy_function(passes.begin, [], tf.int64)
        return tf.data.Dataset.range(passes.batches).map(lambda place: batch_of(number, place))

    # Not `from_generator`, which takes twice as long. Nothing is fetched ahead: a pass that Keras gives up after the
    # first batch must not reach its end behind its back.
    dataset = tf.data.Dataset.from_tensors(0).flat_map(one_pass)
    return dataset.apply(tf.data.experimental.assert_cardinality(passes.batches))
