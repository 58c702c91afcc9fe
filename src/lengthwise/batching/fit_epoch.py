"""The number of the epoch, from the one who counts them: Keras."""

from typing import Any

import keras

from lengthwise.batching.checking import check
from lengthwise.batching.plan import Strategy


class FitEpoch(keras.callbacks.Callback):
    """The epoch that `fit` is in, for `fit_data(..., epoch=...)`: a resumed training goes on in the order of its epoch.

    `fit(initial_epoch=...)` and `keras.callbacks.BackupAndRestore` reach it, so that they see the batches (B, T) that a
    training which was never stopped would have seen. When `fit` begins, the model is checked against the strategies of
    the data, see `check`.

    >>> import lengthwise as lw
    >>> epoch = lw.FitEpoch()
    >>> sequences = lw.from_arrays([[number] for number in range(9)])
    >>> data = lw.fit_data(sequences, lw.Padded(batch_size=9), targets=None, epoch=epoch)
    >>> orders = []
    >>> for number in (0, 1, 1):  # as `fit(data, callbacks=[epoch])` does by itself
    ...     epoch.on_epoch_begin(number)
    ...     orders += [next(iter(data)).numpy().tolist()]
    >>> orders[0] == orders[1], orders[1] == orders[2]
    (False, True)

    Raises:
        ValueError: `fit_data` does, of any other thing that is no whole number; `fit` does, if the model contradicts a
            strategy.

    Attributes:
        number: of the epoch, from 0; None before the first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.number: int | None = None
        self._rows: list[tuple[Strategy, str]] = []

    def add_rows(self, strategy: Strategy, padding: str) -> None:
        """Remember how `fit_data` makes rows, for the model to be checked against."""
        self._rows.append((strategy, padding))

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Check the model."""
        for strategy, padding in self._rows:
            check(self.model, strategy, padding=padding)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Remember the epoch's number."""
        self.number = epoch
