"""Which processes train together: those that `TF_CONFIG` names, own ones on this machine, or this one alone.

`TF_CONFIG` is TensorFlow's variable, which schedulers set: the addresses of all workers, and which one this is.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lengthwise.errors import LengthwiseError
from lengthwise.system.peers import Address, Middle, come_to, peer_seconds
from lengthwise.system.variables import number_of, processors, tensorflow_threads
from lengthwise.training.team import Team

CONFIG_VARIABLE = "TF_CONFIG"
COUNT_VARIABLE = "LENGTHWISE_TRAIN_WORKERS"
HERE = "127.0.0.1"
MOST_WORKERS = 1024
# Until a process of this machine, which has nothing more to do, has ended.
END_SECONDS = 20
JOB_OF_FIRST, JOB = "chief", "worker"
EXAMPLE = '{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}'


@dataclass(frozen=True)
class Machines:
    """The workers of a training.

    Attributes:
        addresses: of all; the first one is listened at.
        rank: which of them this process is.
    """

    addresses: tuple[Address, ...]
    rank: int

    @property
    def names(self) -> list[str]:
        """What they are called in messages."""
        return [f"worker {number} ({host}:{port})" for number, (host, port) in enumerate(self.addresses)]

    @property
    def beside(self) -> int:
        """How many of them share this one's machine, itself among them."""
        return sum(host == self.addresses[self.rank][0] for host, _ in self.addresses)


def machines_of(environment: Mapping[str, str]) -> Machines | None:
    """The workers that `TF_CONFIG` names; None where it is not set.

    Raises:
        LengthwiseError: it is no such thing.
    """
    text = environment.get(CONFIG_VARIABLE) or ""
    if not text.strip():
        return None
    try:
        config = json.loads(text)
        jobs, task = config["cluster"], config["task"]
        firsts, others = list(jobs.get(JOB_OF_FIRST, [])), list(jobs.get(JOB, []))
        addresses = tuple(map(_address, firsts + others))
        rank = {JOB_OF_FIRST: 0, JOB: len(firsts)}[task["type"]] + int(task["index"])
        known = 0 <= rank < len(addresses) and len(firsts) <= 1
    except (ValueError, KeyError, TypeError, AttributeError):
        known = False
    if not known:
        raise LengthwiseError(f"{CONFIG_VARIABLE}: got {text}; expected the like of {EXAMPLE}; change or unset it")
    return Machines(addresses, rank)


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not 0 < int(port) < 1 << 16:
        raise ValueError(text)
    return host, int(port)


def own_workers(environment: Mapping[str, str]) -> int:
    """Processes of this machine that train together: `LENGTHWISE_TRAIN_WORKERS`, or one.

    Raises:
        LengthwiseError: the variable is not a positive integer.
    """
    text = environment.get(COUNT_VARIABLE) or "1"
    number = number_of(text)
    if number is None or number > MOST_WORKERS:
        raise LengthwiseError(
            f"{COUNT_VARIABLE}: got {text!r}; expected a whole number from 1 to {MOST_WORKERS}; change or unset it"
        )
    return number


def check_machines(shards: int | None, environment: Mapping[str, str]) -> None:
    """Refuse workers that no logical shards are for.

    Args:
        shards: `train.logical_shards`.
        environment: variables.

    Raises:
        LengthwiseError: a variable is wrong, or there are more workers than shards.
    """
    machines, own = machines_of(environment), own_workers(environment)
    peer_seconds()
    variable = COUNT_VARIABLE if machines is None else CONFIG_VARIABLE
    count = own if machines is None else len(machines.addresses)
    if count > (shards or 1):
        shown = "empty" if shards is None else shards
        raise LengthwiseError(
            f"{variable}: got {count} workers, with train.logical_shards {shown}; expected at most as many as that; "
            "set train.logical_shards to 8, or a multiple of the workers"
        )


@contextmanager
def team_of_first(shards: int, environment: Mapping[str, str], task: str, folder: Path) -> Iterator[Team]:
    """The team as the worker sees it that writes; its own processes end with it.

    Args:
        shards: logical shards.
        environment: variables.
        task: what is trained.
        folder: of the shards.

    Raises:
        WorkerError: a worker did not come.
        LengthwiseError: a variable is wrong, or this is another worker.
    """
    machines, own = machines_of(environment), own_workers(environment)
    if machines is None and own == 1:
        yield Team(shards, threads=threads_here(1, environment))
        return
    if machines is not None and machines.rank:
        raise LengthwiseError(
            f"{CONFIG_VARIABLE}: got worker {machines.rank}; expected worker 0, which alone writes; run "
            f"lengthwise join {task} here"
        )
    middle = Middle((HERE, 0) if machines is None else machines.addresses[0])
    if machines is None:
        machines = Machines((middle.address,) * own, 0)
        children = [_start(machines, rank, task, folder) for rank in range(1, own)]
    else:
        children = []

    def failed() -> str | None:
        ended = [child.returncode for child in children if child.poll() is not None]
        return f"ended with status {ended[0]} before it came" if ended else None

    try:
        with middle.welcome(machines.names[1:], failed) as peers:
            middle.close()
            yield Team(shards, peers, threads_here(machines.beside, environment))
    finally:
        middle.close()
        for child in children:
            try:
                child.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@contextmanager
def team_of_other(shards: int, environment: Mapping[str, str]) -> Iterator[Team]:
    """The team as one of the other workers sees it.

    Raises:
        WorkerError: the first worker is not there.
        LengthwiseError: see `other_machines`.
    """
    machines = other_machines(environment)
    with come_to(machines.addresses[0], machines.rank, len(machines.addresses), machines.names[0]) as peers:
        yield Team(shards, peers, threads_here(machines.beside, environment))


def other_machines(environment: Mapping[str, str]) -> Machines:
    """The workers, of which this is another than the first.

    Raises:
        LengthwiseError: `TF_CONFIG` is not set, or wrong, or this is the first worker.
    """
    machines = machines_of(environment)
    if machines is None or machines.rank == 0:
        got = "nothing" if machines is None else "worker 0"
        raise LengthwiseError(
            f"{CONFIG_VARIABLE}: got {got}; expected another worker than the first, as in "
            f"{EXAMPLE.replace(': 0', ': 1')}; worker 0 is dvc repro"
        )
    return machines


def threads_here(beside: int, environment: Mapping[str, str]) -> int:
    """Threads of one of several workers of a machine: TensorFlow's variable, or its share of the processors."""
    return tensorflow_threads(environment) or max(1, processors() // beside)


def _start(machines: Machines, rank: int, task: str, folder: Path) -> "subprocess.Popen[bytes]":
    cluster = {JOB: [f"{host}:{port}" for host, port in machines.addresses]}
    config = {"cluster": cluster, "task": {"type": JOB, "index": rank}}
    environment = {**os.environ, CONFIG_VARIABLE: json.dumps(config)}
    environment.pop(COUNT_VARIABLE, None)
    command = [sys.executable, "-m", "lengthwise.cli", "join", task, "--shards", str(folder)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)  # noqa: S603
