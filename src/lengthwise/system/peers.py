"""Processes of one run, on one machine or several, that talk with the first of them, and notice when one is gone.

Messages are bytes, never objects: nothing that arrives is executed.
"""

import socket
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from types import TracebackType

from lengthwise.errors import LengthwiseError, WorkerError
from lengthwise.system.variables import number_in

SECONDS_VARIABLE = "LENGTHWISE_PEER_SECONDS"
SECONDS = 300
POLL_SECONDS = 0.2
# After an interruption others have so long to come to the end of the step.
GRACE_SECONDS = 10.0
# What a process of ours says first, and how long that may take it. It is no secret.
GREETING = b"lengthwise "
GREETING_SECONDS = 2
Address = tuple[str, int]


def peer_seconds() -> int:
    """Seconds that a process waits for another: to begin, and for each message.

    Raises:
        LengthwiseError: the variable is not a positive integer.
    """
    return number_in(SECONDS_VARIABLE, SECONDS)


class Peers:
    """A star of processes, as a context that ends the connections.

    Args:
        rank: of this process; 0 is the one in the middle.
        count: of all processes.
        links: to those that this one talks with: all others from the middle, and the middle from elsewhere.
        names: of these, for messages.

    Attributes:
        rank: of this process; 0 is the one in the middle.
        count: of all processes.
        interrupted: whether this process is to end soon, and waits no longer than it must.
    """

    def __init__(self, rank: int, count: int, links: Sequence[Connection], names: Sequence[str]) -> None:
        self.rank, self.count = rank, count
        self.interrupted: Callable[[], bool] = lambda: False
        self._links, self._names = list(links), list(names)
        self._seconds = peer_seconds() if links else 0

    def __enter__(self) -> "Peers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for link in self._links:
            link.close()

    def collect(self, own: bytes) -> list[bytes]:
        """What all processes have to say, in their order, in the middle; elsewhere nothing.

        Raises:
            WorkerError: a process is gone, or silent for too long.
        """
        if self.rank:
            self._send(0, own)
            return []
        return [own, *(self._receive(number) for number in range(len(self._links)))]

    def spread(self, own: bytes) -> bytes:
        """What the middle has to say: `own` there, which is passed over elsewhere.

        Raises:
            WorkerError: a process is gone, or silent for too long.
        """
        if self.rank:
            return self._receive(0)
        for number in range(len(self._links)):
            self._send(number, own)
        return own

    def _send(self, number: int, data: bytes) -> None:
        try:
            self._links[number].send_bytes(data)
        except OSError as error:
            raise self._gone(number) from error

    def _receive(self, number: int) -> bytes:
        link = self._links[number]
        begun, patience = time.monotonic(), float(self._seconds)
        try:
            while not link.poll(POLL_SECONDS):
                waited = time.monotonic() - begun
                if self.interrupted():
                    patience = min(patience, GRACE_SECONDS)
                if waited > patience:
                    raise WorkerError(
                        f"{self._names[number]}: no answer in {waited:.0f} seconds; expected one; look at it there, "
                        f"raise {SECONDS_VARIABLE} if it only is slow, and run again to go on"
                    )
            return link.recv_bytes()
        except (EOFError, OSError) as error:
            raise self._gone(number) from error

    def _gone(self, number: int) -> WorkerError:
        return WorkerError(
            f"{self._names[number]}: is gone; expected it to the end of the run; look there why it ended, and run "
            "again to go on"
        )


def alone() -> Peers:
    """One process, which talks to nobody."""
    return Peers(0, 1, [], [])


class Middle:
    """The first process's end, which the others connect to.

    Args:
        address: where it listens; port 0 is any that is free.

    Attributes:
        address: the same, with the port.

    Raises:
        LengthwiseError: nothing can listen there.
    """

    def __init__(self, address: Address) -> None:
        try:
            self._server = socket.create_server(address, backlog=64)
        except OSError as error:
            raise LengthwiseError(
                f"TF_CONFIG: got the address {address[0]}:{address[1]} for this process; expected one of this machine "
                f"that is free ({error.strerror or error}); change it"
            ) from error
        self._server.settimeout(POLL_SECONDS)
        self.address: Address = self._server.getsockname()[:2]

    def welcome(self, names: Sequence[str], failed: Callable[[], str | None] = lambda: None) -> Peers:
        """Wait for all others.

        Args:
            names: of the others, from number 1, for messages.
            failed: why there is no use in waiting longer, if there is none.

        Raises:
            WorkerError: one did not come in time, or never will.
        """
        links: dict[int, Connection] = {}
        begun, seconds = time.monotonic(), peer_seconds()
        while len(links) < len(names):
            missing = next(name for number, name in enumerate(names, 1) if number not in links)
            if reason := failed():
                raise WorkerError(f"{missing}: {reason}; expected it to take part; its own line says why")
            if time.monotonic() - begun > seconds:
                raise WorkerError(
                    f"{missing}: did not come in {seconds} seconds; expected it to take part; start it too, or raise "
                    f"{SECONDS_VARIABLE}"
                )
            # What is no process of ours, or comes twice, is left alone.
            with suppress(TimeoutError, OSError, EOFError):
                number, link = _first_words(self._server.accept()[0])
                if 1 <= number <= len(names) and number not in links:
                    links[number] = link
                else:
                    link.close()
        return Peers(0, len(names) + 1, [links[number] for number in sorted(links)], names)

    def close(self) -> None:
        """Listen no longer."""
        self._server.close()


def come_to(address: Address, number: int, count: int, name: str) -> Peers:
    """Connect with the middle.

    Args:
        address: where it listens, or soon will.
        number: of this process, from 1.
        count: of all processes.
        name: of the middle, for messages.

    Raises:
        WorkerError: nobody listens there in time.
    """
    begun, seconds = time.monotonic(), peer_seconds()
    while True:
        try:
            link = _linked(socket.create_connection(address, timeout=seconds))
            link.send_bytes(GREETING + number.to_bytes(8, "little"))
            return Peers(number, count, [link], [name])
        except OSError as error:
            if time.monotonic() - begun > seconds:
                raise WorkerError(
                    f"{name}: nobody listens in {seconds} seconds; expected the first process of the run; start it "
                    f"first, or raise {SECONDS_VARIABLE}"
                ) from error
            time.sleep(POLL_SECONDS)


def _linked(link: socket.socket) -> Connection:
    link.setblocking(True)
    # A step's last bytes are not to wait for more.
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Connection(link.detach())


def _first_words(link: socket.socket) -> tuple[int, Connection]:
    """The number that a process says when it comes; it may not take long over it."""
    wait = struct.pack("ll", GREETING_SECONDS, 0)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, wait)
    said = _linked(link.dup())
    with closing(said), closing(link):
        words = said.recv_bytes(len(GREETING) + 8)
        if not words.startswith(GREETING):
            raise EOFError
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 0))
        return int.from_bytes(words[len(GREETING) :], "little"), _linked(link.dup())
