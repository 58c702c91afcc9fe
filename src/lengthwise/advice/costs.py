"""What a plan costs: a linear model of the time of an epoch, and a formula of its peak memory.

    seconds = per_epoch + batches * per_batch + sequential * per_sequential_step + computed * per_computed_step
              + steps * per_step
    bytes   = weights * 16 + plans and tokens + the most of any batch: computed * bytes_computed + steps * bytes_step

Of a batch of B rows that is T wide, with n steps of sequences: sequential steps are T, computed ones B * T, padding
among them. The Keras kernel computes all of them and goes step by step; the native one computes the n steps, and what
it has to do for padding is to skip it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated

import numpy as np

from lengthwise.batching.plan import Plan
from lengthwise.bounds import OneOf, Within, check_fields
from lengthwise.errors import ArgumentError

# Gates of the cells.
GATES: Mapping[str, int] = {
    "gru": 3,
    "layer_norm_gru": 3,
    "layer_norm_lstm": 4,
    "layer_norm_simple": 1,
    "lstm": 4,
    "peephole_lstm": 4,
    "simple": 1,
}
# The kernels, and whether one computes padding.
COMPUTES_PADDING: Mapping[str, bool] = {"keras": True, "native": False}
FLOAT_BYTES = 4
# A weight, its gradient, and the two moments of Adam.
COPIES_OF_WEIGHTS = 4
# A span is six columns of int32. `fit_data` keeps two plans.
PLAN_BYTES = 2 * 6 * 4
TOKEN_BYTES = 4
LayerWidth = Annotated[int, Within(1, 1_000_000)]


@dataclass(frozen=True)
class TrainedNetwork:
    """What is trained: one recurrent layer over embeddings (B, T, D), read at every step, (B, T, U).

    >>> from lengthwise import TrainedNetwork
    >>> TrainedNetwork("lstm", units=64, features=32, kernel="native").multiplications
    24576

    Attributes:
        cell: one that the native kernel computes, `NATIVE_CELLS`.
        units: U, of the layer.
        features: D, of the embeddings, or of the steps.
        kernel: `native`, or `keras`: step by step.

    Raises:
        ArgumentError: there is no such cell or kernel, or a number is no whole number from 1; it is a `ValueError`.
    """

    cell: Annotated[str, OneOf(GATES)] = "lstm"
    units: LayerWidth = 64
    features: LayerWidth = 64
    kernel: Annotated[str, OneOf(COMPUTES_PADDING)] = "native"

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def multiplications(self) -> int:
        """Of one step, forwards."""
        return GATES[self.cell] * self.units * (self.units + self.features)

    @property
    def weights(self) -> int:
        """Of the layer: its kernel, its recurrent kernel and its bias."""
        return self.multiplications + GATES[self.cell] * self.units


@dataclass(frozen=True)
class Costs:
    """Seconds that training takes, of one network on one machine.

    Attributes:
        network: that they are of.
        per_batch: of a batch, whatever its shape.
        per_sequential_step: of a step of the widest row, since the next one has to wait for it.
        per_computed_step: of a step of the rectangle, padding among them.
        per_step: of a step of a sequence, beside that.
        per_epoch: of an epoch, whatever its batches: `fit` begins to read it.
        measured: whether they were measured on this machine.

    Raises:
        ArgumentError: a number is below 0 or not finite; it is a `ValueError`.
    """

    network: TrainedNetwork
    per_batch: float
    per_sequential_step: float
    per_computed_step: float
    per_step: float
    per_epoch: float = 0.0
    measured: bool = False

    def __post_init__(self) -> None:
        for name in PARTS:
            if not 0 <= getattr(self, name) < np.inf:
                raise ArgumentError(name, f"got {getattr(self, name)!r}; expected a finite number of seconds from 0")

    def seconds(self, plan: Plan) -> float:
        """Of an epoch of this plan."""
        counts = (len(plan), int(plan.widths.sum()), int((plan.rows * plan.widths).sum()), int(plan.steps.sum()), 1)
        return float(sum(count * getattr(self, name) for count, name in zip(counts, PARTS, strict=True)))


PARTS = tuple(field.name for field in fields(Costs) if field.name.startswith("per_"))


def costs_of(network: TrainedNetwork) -> Costs:
    """The costs that were measured on the machine of `SHIPPED`, for a network of any size.

    Of the time of a step, what the multiplications take grows with them, and what handles its numbers with those.

    Args:
        network: what is trained.
    """
    known = SHIPPED[network.kernel]
    if network == known.network:
        return known
    work = network.multiplications / known.network.multiplications
    size = (network.units + network.features) / (known.network.units + known.network.features)
    # The native kernel only moves what it does not compute.
    padded = work if COMPUTES_PADDING[network.kernel] else size
    return replace(
        known,
        network=network,
        per_computed_step=known.per_computed_step * padded,
        per_step=known.per_step * (size if COMPUTES_PADDING[network.kernel] else work),
    )


def peak_bytes(plan: Plan, network: TrainedNetwork) -> int:
    """The most memory that an epoch takes beside Python, TensorFlow and the sequences that are not tokens.

    Args:
        plan: of the epoch.
        network: what is trained.
    """
    kept = PLAN_BYTES * len(plan.sequence) + TOKEN_BYTES * int(plan.steps.sum())
    kept += COPIES_OF_WEIGHTS * FLOAT_BYTES * network.weights
    floats = FLOATS[network.kernel, network.cell]
    of_computed, of_step = (units * network.units + features * network.features for units, features in floats)
    of_batches = plan.rows * plan.widths * of_computed + plan.steps * of_step
    return kept + FLOAT_BYTES * round(float(of_batches.max(initial=0)))


# Floats that a batch holds at most, of each computed step, by unit and by feature, and of each step of a sequence
# beside that: outputs and their gradients, what the backward pass needs of the forward one. Fitted to what 24 processes
# took (64, 128 and 32 units; rows of one length and of all); `benchmarks/advise.py` checks them.
FLOATS = {
    ("native", "gru"): ((2.0, 2.0), (9.5, 1.5)),
    ("native", "layer_norm_gru"): ((2.0, 2.0), (18.5, 1.5)),
    ("native", "layer_norm_lstm"): ((2.0, 2.0), (23.5, 1.5)),
    ("native", "layer_norm_simple"): ((2.0, 2.0), (6.5, 1.0)),
    ("native", "lstm"): ((2.0, 2.0), (11.5, 1.5)),
    ("native", "peephole_lstm"): ((2.0, 2.0), (11.5, 1.5)),
    ("native", "simple"): ((2.0, 2.0), (3.3, 1.0)),
    ("keras", "gru"): ((23.5, 4.0), (0.0, 0.0)),
    ("keras", "layer_norm_gru"): ((45.0, 4.0), (0.0, 0.0)),
    ("keras", "layer_norm_lstm"): ((55.0, 4.0), (0.0, 0.0)),
    ("keras", "layer_norm_simple"): ((11.0, 4.0), (0.0, 0.0)),
    ("keras", "lstm"): ((24.0, 4.0), (0.0, 0.0)),
    ("keras", "peephole_lstm"): ((27.0, 4.0), (0.0, 0.0)),
    ("keras", "simple"): ((9.3, 4.0), (0.0, 0.0)),
}
# By `benchmarks/advise.py --constants`, the mean of two runs on two cores of a server with AVX2.
SHIPPED = {
    "native": Costs(TrainedNetwork(kernel="native"), 1.7e-3, 2e-6, 3e-7, 3.8e-6, 0.04),
    "keras": Costs(TrainedNetwork(kernel="keras"), 2e-3, 1.9e-4, 3.4e-6, 1.6e-6, 0.12),
}
