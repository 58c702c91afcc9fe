import io
import re
import threading

import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

import lengthwise.system.progress as progress_module
from lengthwise.system.progress import LIVE_SECONDS, QUIET_SECONDS, Progress, clock, short_count


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def time(monkeypatch):
    clock_of_test = Clock()
    monkeypatch.setattr(progress_module.time, "monotonic", clock_of_test)
    return clock_of_test


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (7, "7"),
        (950, "950"),
        (999, "999"),
        (1000, "1.0k"),
        (41_200, "41.2k"),
        (1_500_000, "1.5M"),
        (2e9, "2.0G"),
    ],
)
def test_short_count_examples(number, text):
    assert short_count(number) == text


@settings(max_examples=up_to(60), deadline=None)
@given(st.floats(0, 9e11))
def test_short_count_has_four_characters_and_a_suffix_at_most(number):
    digits, suffix = re.fullmatch(r"([\d.]+)([kMG]?)", short_count(number)).groups()
    assert len(digits) <= 4
    scale = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}[suffix]
    assert float(digits) * scale == pytest.approx(number, rel=0.05, abs=0.5)


@pytest.mark.parametrize(
    ("number", "text"), [(999.7, "1.0k"), (999_960, "1.0M"), (123_456, "123k"), (99_960, "100k"), (999.96e6, "1.0G")]
)
def test_short_count_rounds_up_to_the_next_suffix(number, text):
    assert short_count(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "00:00"),
        (59.4, "00:59"),
        (59.6, "01:00"),
        (61, "01:01"),
        (3599.6, "1:00:00"),
        (3661, "1:01:01"),
        (360_000, "100:00:00"),
    ],
)
def test_clock_examples(seconds, text):
    assert clock(seconds) == text


def test_progress_elsewhere_than_on_a_terminal_writes_a_line_every_ten_seconds_at_most(time):
    stream = io.StringIO()
    with Progress("work", 1000, "rows", stream=stream) as progress:
        for _ in range(350):
            time.now += 0.1
            progress.update(1)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4  # After 10, 20 and 30 seconds, and at the end.
    assert all(line.startswith("work") for line in lines)
    assert "\r" not in stream.getvalue()
    assert "\033" not in stream.getvalue()
    assert stream.getvalue().endswith("\n")


def test_progress_does_not_write_before_its_time(time):
    stream = io.StringIO()
    progress = Progress("work", 10, "rows", stream=stream)
    time.now += QUIET_SECONDS - 0.01
    progress.update(1)
    assert stream.getvalue() == ""
    time.now += 0.01
    progress.update(1)
    assert stream.getvalue().count("\n") == 1


def test_progress_on_a_terminal_is_one_live_line(time):
    stream = Terminal()
    with Progress("work", 100, "rows", stream=stream) as progress:
        for _ in range(100):
            time.now += LIVE_SECONDS / 2
            progress.update(1)
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert 40 <= text.count("\r") <= 52
    assert text.count("\033[K") == text.count("\r")


def test_progress_ends_with_a_line_that_says_how_long_it_took(time):
    stream = io.StringIO()
    with Progress("work", 40, "rows", stream=stream) as progress:
        time.now += 4
        progress.update(40, "loss 0.5")
    assert stream.getvalue() == "work  100 %  40/40 rows  10 rows/s  took 00:04  loss 0.5\n"


def test_progress_is_written_again_during_work_that_counts_nothing(monkeypatch):
    monkeypatch.setattr(progress_module, "LIVE_SECONDS", 0.001)
    stream, waiting = Terminal(), threading.Event()
    stream.write = lambda text: waiting.set() or len(text)
    with Progress("fit", 1, "fits", stream=stream) as progress, progress.beating():
        assert waiting.wait(30)
    threads = threading.active_count()
    with pytest.raises(KeyError), progress.beating():
        raise KeyError
    assert threading.active_count() == threads


def test_progress_estimates_what_is_left():
    progress = Progress("work", 2000, "rows", stream=io.StringIO())
    progress.update(500)
    assert progress.line(10.0) == "work   25 %  500/2.0k rows  50 rows/s  left 00:30"


def test_progress_of_a_resumed_run_rates_only_what_is_new():
    progress = Progress("work", 2000, "rows", done=1000, stream=io.StringIO())
    assert "left" not in progress.line(10.0)
    progress.update(500)
    assert progress.line(10.0) == "work   75 %  1.5k/2.0k rows  50 rows/s  left 00:10"


def test_progress_of_nothing_is_complete(time):
    stream = io.StringIO()
    with Progress("work", 0, "rows", stream=stream):
        pass
    assert stream.getvalue() == "work  100 %  0/0 rows  0 rows/s  took 00:00\n"


def test_progress_can_say_a_line_when_no_time_has_gone_by(time):
    stream = io.StringIO()
    with Progress("work", 10, "rows", stream=stream) as progress:
        progress.update(5)
    assert stream.getvalue().startswith("work   50 %  5/10 rows")


@pytest.mark.parametrize(("stream", "ending"), [(io.StringIO(), ""), (Terminal(), "\n")])
def test_progress_that_an_error_ends_leaves_the_line_whole(time, stream, ending):
    with pytest.raises(KeyError), Progress("work", 10, "rows", stream=stream):
        raise KeyError
    assert stream.getvalue()[-1:] == ending


def test_progress_writes_to_standard_error(capsys):
    with Progress("work", 1, "rows") as progress:
        progress.update(1)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("work  100 %")


@pytest.mark.parametrize(("terminal", "left"), [(True, "\r\033[K"), (False, "")])
def test_progress_of_a_part_leaves_no_line_behind(terminal, left):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    with Progress("part", 10, "steps", summary=False, stream=stream) as progress:
        progress.update(10)
    assert stream.getvalue().endswith(left)
    assert "\n" not in stream.getvalue()
