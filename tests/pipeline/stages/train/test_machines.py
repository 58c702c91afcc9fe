import json

import pytest

from lengthwise.errors import LengthwiseError
from lengthwise.pipeline.stages.train.machines import Machines, check_machines, machines_of, own_workers, threads_here


def config(index=0, kind="worker", **jobs):
    jobs = jobs or {"worker": ["one:2222", "two:2222", "two:2223"]}
    return {"TF_CONFIG": json.dumps({"cluster": jobs, "task": {"type": kind, "index": index}})}


def test_machines_are_those_of_the_variable():
    assert machines_of({}) is None
    assert machines_of({"TF_CONFIG": " "}) is None
    found = machines_of(config(2))
    assert found == Machines((("one", 2222), ("two", 2222), ("two", 2223)), 2)
    assert found.beside == 2
    assert found.names[2] == "worker 2 (two:2223)"
    # TensorFlow's other form: the first worker has a name of its own.
    assert machines_of(config(0, chief=["one:1"], worker=["two:2"])) == Machines((("one", 1), ("two", 2)), 1)
    assert machines_of(config(0, "chief", chief=["one:1"], worker=["two:2"])).rank == 0


@pytest.mark.parametrize(
    "variables",
    [
        {"TF_CONFIG": "{"},
        {"TF_CONFIG": "[]"},
        {"TF_CONFIG": "{}"},
        {"TF_CONFIG": '"x"'},
        config(3),
        config(-1),
        config("x"),
        config(0, "ps", ps=["one:1"]),
        config(0, chief=["one:1", "two:1"], worker=["three:1"]),
        *(config(0, worker=[address]) for address in ("one", "one:", ":1", "one:0", "one:65536", "one:x", 5, None)),
        config(0, worker=7),
    ],
)
def test_a_variable_that_names_no_machines_is_refused(variables):
    with pytest.raises(LengthwiseError, match=r"^TF_CONFIG: got .*; expected the like of .*; change or unset it$"):
        machines_of(variables)


@pytest.mark.parametrize("text", ["0", "-2", "two", "1.0", "2000"])
def test_a_number_of_workers_that_is_none_is_refused(text):
    with pytest.raises(LengthwiseError, match=f"^LENGTHWISE_TRAIN_WORKERS: got '{text}'; expected a whole number from"):
        own_workers({"LENGTHWISE_TRAIN_WORKERS": text})


def test_more_workers_than_shards_are_refused_before_anything_runs():
    check_machines(None, {})
    check_machines(3, config())
    check_machines(2, {"LENGTHWISE_TRAIN_WORKERS": "2"})
    with pytest.raises(LengthwiseError, match=r"^TF_CONFIG: got 3 workers, with train.logical_shards 2; expected at"):
        check_machines(2, config())
    with pytest.raises(LengthwiseError, match=r"^LENGTHWISE_TRAIN_WORKERS: got 2 workers, with .* empty; expected"):
        check_machines(None, {"LENGTHWISE_TRAIN_WORKERS": "2"})


def test_workers_of_a_machine_share_its_processors():
    assert threads_here(1000, {}) == 1
    assert threads_here(1, {}) >= threads_here(2, {}) >= 1
    assert threads_here(2, {"TF_NUM_INTRAOP_THREADS": "5"}) == 5
