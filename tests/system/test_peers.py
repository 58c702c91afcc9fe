import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from stars import star_of

from lengthwise.errors import LengthwiseError, WorkerError
from lengthwise.system import peers as peers_module
from lengthwise.system.peers import SECONDS_VARIABLE, Middle, Peers, alone, come_to, peer_seconds

HERE = "127.0.0.1"


@pytest.fixture
def star():
    """The middle and others, connected."""
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(star_of(*arguments))


def test_messages_of_any_size_come_in_the_order_of_the_processes(star):
    everyone = star(4)
    assert [(peer.rank, peer.count) for peer in everyone] == [(rank, 4) for rank in range(4)]
    for size in (0, 1, 100_000, 3_000_000):
        with ThreadPoolExecutor(4) as pool:
            own = [bytes([rank]) * size for rank in range(4)]
            assert list(pool.map(Peers.collect, everyone, own)) == [own, [], [], []]
            assert list(pool.map(Peers.spread, everyone, own)) == own[:1] * 4


def test_one_process_talks_to_nobody():
    with alone() as peer:
        assert (peer.rank, peer.count, peer.collect(b"x"), peer.spread(b"y")) == (0, 1, [b"x"], b"y")


def test_who_is_no_worker_is_passed_over(star, monkeypatch):
    monkeypatch.setattr(peers_module, "GREETING_SECONDS", 1)
    greeting = peers_module.GREETING
    strangers = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"",
        b"\x00\x00",
        b"\x7f\xff\xff\xff",
        len(greeting + b"12345678").to_bytes(4, "big") + greeting + (9).to_bytes(8, "little"),
    ]
    first, other = star(2, strangers)
    other.collect(b"here")
    assert first.collect(b"") == [b"", b"here"]


def test_a_process_that_is_gone_is_named(star):
    first, second, third = star(3)
    third.__exit__(None, None, None)
    second.collect(b"here")
    with pytest.raises(WorkerError, match=r"^worker 2: is gone; expected it to the end of the run"):
        first.collect(b"")
    first.__exit__(None, None, None)
    with pytest.raises(WorkerError, match=r"^first: is gone"):
        second.spread(b"")


def test_a_process_that_says_nothing_is_waited_for_so_long(star, monkeypatch):
    monkeypatch.setenv(SECONDS_VARIABLE, "1")
    first, _ = star(2)
    with pytest.raises(WorkerError, match=rf"^worker 1: no answer in 1 seconds; .*{SECONDS_VARIABLE}"):
        first.collect(b"")


def test_who_is_to_end_waits_no_longer_than_it_must(star, monkeypatch):
    monkeypatch.setattr(peers_module, "GRACE_SECONDS", 0.5)
    first, _ = star(2)
    first.interrupted = lambda: True
    begun = time.monotonic()
    with pytest.raises(WorkerError, match="no answer"):
        first.collect(b"")
    assert time.monotonic() - begun < 60


def test_who_does_not_come_is_named(monkeypatch):
    monkeypatch.setenv(SECONDS_VARIABLE, "1")
    middle = Middle((HERE, 0))
    with pytest.raises(WorkerError, match=r"^worker 1: did not come in 1 seconds; expected it to take part"):
        middle.welcome(["worker 1", "worker 2"])
    with pytest.raises(WorkerError, match=r"^worker 1: ended with status 2; expected it to take part; its own line"):
        middle.welcome(["worker 1"], lambda: "ended with status 2")
    middle.close()
    with pytest.raises(WorkerError, match=r"^first: nobody listens in 1 seconds; expected the first process"):
        come_to(middle.address, 1, 2, "first")


def test_an_address_that_is_taken_or_elsewhere_is_refused():
    middle = Middle((HERE, 0))
    for address in (middle.address, ("no.such.host.invalid", 4000)):
        with pytest.raises(LengthwiseError, match=rf"^TF_CONFIG: got the address {address[0]}:{address[1]} for this"):
            Middle(address)
    middle.close()


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "²"])
def test_seconds_that_are_none_are_refused(monkeypatch, text):
    monkeypatch.setenv(SECONDS_VARIABLE, text)
    with pytest.raises(LengthwiseError, match=rf"^{SECONDS_VARIABLE}: got '{text}'; expected a positive integer"):
        peer_seconds()
