import operator
import os
import os.path
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lengthwise.errors import WorkerError
from lengthwise.system.parallel import AHEAD, Workers, tracked

# What runs in a spawned process has to be found there by its name: the standard library's functions are.


@pytest.fixture(params=[1, 2])
def count(request):
    return request.param


def test_workers_map_keeps_the_items_order(count):
    items = list(range(40, 0, -1))
    with Workers(count, os.nice, 0) as workers:
        assert list(workers.map(operator.neg, items)) == [-item for item in items]
        assert list(workers.map(operator.neg, [])) == []
        # A second map goes to the same workers.
        assert list(workers.map(operator.index, range(3))) == [0, 1, 2]


def test_results_in_turn_keep_the_order_and_few_are_begun_before_they_are_taken(count):
    asked = []
    with Workers(count, os.nice, 0) as workers:
        results = workers.in_turn(operator.neg, (asked.append(item) or item for item in range(40)))
        for item in range(40):
            assert next(results) == -item
            assert len(asked) <= item + 1 + AHEAD * count
        assert list(results) == []
        with pytest.raises(ValueError, match="no number"):
            list(workers.in_turn(int, ["1", "no number", "3"]))


def test_workers_map_raises_what_a_worker_raised(count):
    with Workers(count, os.nice, 0) as workers:
        results = workers.map(int, ["1", "2", "no number", "4"])
        with pytest.raises(ValueError, match="no number"):
            list(results)
        # The others have survived.
        assert list(workers.map(int, ["5"])) == [5]


def test_workers_that_cannot_start_say_why(tmp_path, count):
    # Without care an initializer's error would reach the caller as a broken pool, and its text only standard error.
    nowhere = str(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="nowhere"), Workers(count, os.chdir, nowhere) as workers:
        list(workers.map(int, ["1"]))


def test_workers_do_not_swallow_an_error_of_the_caller(count):
    workers = Workers(count, os.nice, 0)
    workers.__enter__()
    results = workers.map(int, ["1"])
    assert not workers.__exit__(KeyError, KeyError("no key"), None)
    assert list(results) == [1]


def test_workers_start_each_process_with_the_arguments_before_its_first_item(tmp_path, monkeypatch, count):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    with Workers(count, os.chdir, str(tmp_path / "sub")) as workers:
        assert list(workers.map(os.path.abspath, ["a", "b"])) == [f"{tmp_path}/sub/a", f"{tmp_path}/sub/b"]


def test_workers_run_in_this_process_if_there_is_one_and_elsewhere_if_there_are_two(count):
    with Workers(count, os.nice, 0) as workers:
        pids = set(workers.map(eval, ["__import__('os').getpid()"] * 8))
    assert (os.getpid() in pids) == (count == 1)
    assert len(pids) <= count


def test_workers_start_only_within_the_block():
    started = []
    workers = Workers(1, started.append, "yes")
    assert started == []
    with workers:
        assert started == ["yes"]


def test_workers_do_not_map_before_a_result_is_asked_for_with_one_worker():
    done = []
    with Workers(1, os.nice, 0) as workers:
        results = workers.map(done.append, range(3))
        next(results)
        assert done == [0]


def test_tracked_collects_results_in_order_and_reports_the_end(capsys):
    assert tracked("work", "items", 3, (item for item in "abc")) == ["a", "b", "c"]
    assert capsys.readouterr().err.startswith("work  100 %  3/3 items")


def test_tracked_lets_an_error_through():
    with pytest.raises(ValueError, match="invalid literal"):
        tracked("work", "items", 2, map(int, ["1", "x"]))


def test_workers_say_so_in_one_line_where_one_was_killed():
    # As the system does with the largest process where memory ends.
    expected = "one of 2 was killed; .* set LENGTHWISE_WORKERS"
    with pytest.raises(WorkerError, match=expected), Workers(2, os.nice, 0) as pool:
        list(pool.map(eval, [f"__import__('os').kill(__import__('os').getpid(), {signal.SIGKILL:d})"]))


ORPHANED = """
import os, signal, sys
from lengthwise.system.parallel import Workers
if __name__ == "__main__":
    with Workers(2, os.nice, 0) as pool:
        print(*set(pool.map(eval, ["__import__('time').sleep(0.2) or __import__('os').getpid()"] * 4)), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_end_where_their_parent_was_killed_alone(tmp_path):
    script = tmp_path / "orphaned.py"
    script.write_text(ORPHANED)
    killed = subprocess.run([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    pids = [int(pid) for pid in killed.stdout.split()]
    assert pids
    until = time.monotonic() + 30
    while not all(has_ended(pid) for pid in pids):
        assert time.monotonic() < until
        time.sleep(0.05)


def has_ended(pid):
    # Where nobody collects orphans, as in some containers, they stay as names.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True
