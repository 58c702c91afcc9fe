import io
import os
import sys

import pytest

import lengthwise.pipeline.sweeps.screen as module
from lengthwise.pipeline.sweeps.screen import Tally, say, say_live


def test_tally_says_how_far_it_is():
    assert Tally(12).line({}) == "0 of 12 done, 12 to come"
    line = Tally(12, done=5, failed=1).line({"units=3": 61.2, "units=4": 4000})
    assert line == "5 of 12 done, 1 failed, 2 running, 4 to come: units=3 01:01, units=4 1:06:40"
    assert Tally(2, done=2).line({}) == "2 of 2 done"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_live_line_is_cut_to_the_terminal_and_absent_elsewhere(monkeypatch, is_terminal):
    stream = io.StringIO()
    stream.isatty = lambda: is_terminal
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(module.shutil, "get_terminal_size", lambda: os.terminal_size((20, 9)))
    say_live("x" * 50)
    say("done")
    clear = "\r\033[K"
    assert stream.getvalue() == (f"{clear}{'x' * 18}…{clear}done\n" if is_terminal else "done\n")
