"""The workers of one training: who computes which logical shards, and how their sums come together.

Every worker has the same weights and takes the same steps. A step's gradients are summed over the logical shards in one
fixed tree, so that they have the same bytes for any number of workers and of threads.
"""

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from lengthwise.errors import WorkerError
from lengthwise.system.peers import Peers, alone
from lengthwise.training.trees import Node, nodes_within, tree_sum
from lengthwise.training.zero_blocks import with_zeros, without_zeros

# What comes before the sums of a message: the number of a signal that was received, and whether to save.
DECISION = struct.Struct("<ii")
# Characters of a value that tell it from others.
SHOWN = 24


class Team:
    """One worker's view of all workers.

    Args:
        shards: logical shards of every batch.
        peers: the processes; by default there is this one alone.
        threads: in which this worker computes its shards, one each at a time.

    Attributes:
        own: the shards that this worker computes, from the first to before the last.
        signal: the number of a signal by which any worker was asked to end, after the last step; 0 for none.
        save: whether the state is to be saved after it.

    Raises:
        WorkerError: there are more workers than shards.
    """

    def __init__(self, shards: int, peers: Peers | None = None, threads: int = 1) -> None:
        self._peers, self.threads = alone() if peers is None else peers, threads
        self.shards, self.rank, self.count = shards, self._peers.rank, self._peers.count
        if self.count > shards:
            raise WorkerError(
                f"workers: got {self.count}; expected at most {shards}, as many as logical shards; take fewer"
            )
        self._tree = (0, shards)
        self.own = self._own(self.rank)
        self.signal, self.save = 0, False
        self._received: Sequence[int] = ()
        self._due: Callable[[], bool] = lambda: False

    @property
    def writes(self) -> bool:
        """Whether this is the worker that writes files and shows how far the run is."""
        return self.rank == 0

    def listen(self, received: Sequence[int], due: Callable[[], bool]) -> None:
        """Let steps end with a decision.

        Args:
            received: signals that this worker was sent.
            due: whether the state is to be saved; the first worker decides.
        """
        self._received, self._due = received, due
        self._peers.interrupted = lambda: bool(received)

    def sum(self, by_shard: Sequence[np.ndarray]) -> np.ndarray:
        """The sum over all logical shards, of the same bytes in every worker; and what all of them do after the step.

        Args:
            by_shard: float32 (P,) of each own shard.

        Raises:
            WorkerError: a worker is gone, or silent for too long.
        """
        first, last = self.own
        leaves: dict[Node, np.ndarray] = dict(zip(((n, n + 1) for n in range(first, last)), by_shard, strict=True))
        nodes = {node: tree_sum(node, leaves) for node in nodes_within(self.own, self._tree)}
        signal, save = self._received[0] if self._received else 0, self._due()
        if self.count == 1:
            self.signal, self.save = signal, save
            return nodes[self._tree]
        size = len(by_shard[0])
        said = self._peers.collect(DECISION.pack(signal, 0) + b"".join(map(without_zeros, nodes.values())))
        if self.rank == 0:
            for rank, message in enumerate(said[1:], 1):
                theirs = nodes_within(self._own(rank), self._tree)
                (asked, _), sums = self._read(message, len(theirs), size)
                signal = signal or asked
                nodes |= zip(theirs, sums, strict=True)
            total = tree_sum(self._tree, nodes)
            self.signal, self.save = signal, save
            self._peers.spread(DECISION.pack(signal, save) + without_zeros(total))
            return total
        (self.signal, saves), (total,) = self._read(self._peers.spread(b""), 1, size)
        self.save = bool(saves)
        return total

    def gathered(self, own: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
        """Arrays of all workers, in their order, at the first one; elsewhere nothing."""
        return [_unpacked(message) for message in self._peers.collect(_packed(own))]

    def from_first(
        self, progress: Mapping[str, Any], arrays: Sequence[np.ndarray]
    ) -> tuple[dict[str, Any], list[np.ndarray]]:
        """What the first worker has, in every worker: something that goes through JSON, and arrays."""
        said = self._peers.spread(json.dumps(dict(progress)).encode())
        return json.loads(said), _unpacked(self._peers.spread(_packed(arrays)))

    def agree(self, made_of: Mapping[str, str]) -> None:
        """Make sure that all workers train the same.

        Args:
            made_of: what this worker's run is made of, by name; what tells most comes first.

        Raises:
            WorkerError: some of it is another in another worker.
        """
        said = self._peers.collect(json.dumps(dict(made_of)).encode())
        problem = ""
        for rank, message in enumerate(said[1:], 1):
            theirs = json.loads(message)
            if other := [name for name in made_of if theirs.get(name) != made_of[name]]:
                got, expected = f"{theirs.get(other[0])}"[:SHOWN], made_of[other[0]][:SHOWN]
                problem = (
                    f"worker {rank}: got {other[0]} {got}; expected {expected}, as in worker 0; make them the same"
                )
                break
        if problem := self._peers.spread(problem.encode()).decode():
            raise WorkerError(problem)

    def _own(self, rank: int) -> Node:
        return rank * self.shards // self.count, (rank + 1) * self.shards // self.count

    @staticmethod
    def _read(message: bytes, count: int, size: int) -> tuple[tuple[int, int], list[np.ndarray]]:
        signal, save = DECISION.unpack_from(message)
        rest, sums = memoryview(message)[DECISION.size :], []
        for _ in range(count):
            vector, rest = with_zeros(rest, size)
            sums.append(vector)
        return (signal, save), sums


def _packed(arrays: Sequence[np.ndarray]) -> bytes:
    # A variable without axes is a NumPy number.
    return save({str(number): np.asarray(array) for number, array in enumerate(arrays)})


def _unpacked(message: bytes) -> list[np.ndarray]:
    found = load(message)
    return [found[str(number)] for number in range(len(found))]
