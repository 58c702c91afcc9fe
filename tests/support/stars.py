"""The processes of a training as threads: a middle and others, connected."""

import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from lengthwise.system.peers import Middle, Peers, come_to


@contextmanager
def star_of(count: int, strangers: Sequence[bytes] = ()) -> Iterator[list[Peers]]:
    """The peers by rank; `strangers` are the words of those who come before them and do not belong."""
    with ExitStack() as stack:
        middle = Middle(("127.0.0.1", 0))
        for words in strangers:
            stack.enter_context(socket.create_connection(middle.address)).sendall(words)
        pool = stack.enter_context(ThreadPoolExecutor(count))
        others = [pool.submit(come_to, middle.address, number, count, "first") for number in range(1, count)]
        first = stack.enter_context(middle.welcome([f"worker {number}" for number in range(1, count)]))
        middle.close()
        yield [first, *(stack.enter_context(other.result()) for other in others)]
