import json
import os
import signal

import keras
import numpy as np
import pytest

from lengthwise.training import resume
from lengthwise.training.resume import STATE_NAME, ResumeState, interruptions, run_digest


def variables_of(*values):
    return [keras.Variable(np.asarray(value)) for value in values]


def test_resume_state_keeps_arrays_that_are_no_variables(tmp_path, variables):
    # More than ten: their names do not sort as their numbers do.
    carried = [np.full((number % 3, 3), number, np.float32) for number in range(23)]
    ResumeState(tmp_path, "digest", variables).save({"epoch": 1}, carried)
    _, again = ResumeState(tmp_path, "digest", variables).restore()
    assert [array.tolist() for array in again] == [array.tolist() for array in carried]


@pytest.fixture
def variables():
    return variables_of(np.array([1.5, -2.0], np.float32), np.array(7, np.int64), np.array([1, 2**32 - 1], np.uint32))


def test_resume_state_survives_bit_by_bit(tmp_path, variables):
    progress = {"epoch": 1, "sums": {"loss": 0.1 + 0.2}, "rows": [{"loss": 1 / 3}]}
    ResumeState(tmp_path, "digest", variables).save(progress)
    others = variables_of(np.zeros(2, np.float32), np.array(0, np.int64), np.zeros(2, np.uint32))
    assert ResumeState(tmp_path, "digest", others).restore() == (progress, [])
    for before, after in zip(variables, others, strict=True):
        assert np.array_equal(before, after)


def test_resume_state_is_none_where_there_is_none(tmp_path, variables):
    assert ResumeState(tmp_path, "digest", variables).restore() is None


def test_resume_state_of_another_digest_is_not_picked_up(tmp_path, variables):
    ResumeState(tmp_path, "one", variables).save({"epoch": 1})
    assert ResumeState(tmp_path, "two", variables).restore() is None


@pytest.mark.parametrize("kept", [0, 7, 40, -1])
def test_resume_state_that_is_cut_counts_as_none_and_changes_nothing(tmp_path, variables, kept):
    ResumeState(tmp_path, "digest", variables).save({"epoch": 1})
    path = tmp_path / "digest" / STATE_NAME
    path.write_bytes(path.read_bytes()[:kept])
    others = variables_of(np.zeros(2, np.float32), np.array(0, np.int64), np.zeros(2, np.uint32))
    assert ResumeState(tmp_path, "digest", others).restore() is None
    assert all(not np.any(variable.numpy()) for variable in others)


def test_resume_state_keeps_the_old_one_where_saving_fails(tmp_path, variables, monkeypatch):
    state = ResumeState(tmp_path, "digest", variables)
    state.save({"epoch": 1})

    def fail(path, content):
        with path.open("wb") as stream:
            stream.write(content[:99])
        raise OSError("no space")

    monkeypatch.setattr(resume.Path, "write_bytes", fail)
    with pytest.raises(OSError, match="no space"):
        state.save({"epoch": 2})
    assert state.restore() == ({"epoch": 1}, [])


def test_resume_state_is_gone_once_cleared(tmp_path, variables):
    state = ResumeState(tmp_path, "digest", variables)
    state.save({"epoch": 1})
    other = ResumeState(tmp_path, "other", variables)
    other.save({"epoch": 1})
    state.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
    state.clear()


def test_resume_state_is_cleared_of_what_a_kill_within_a_save_left(tmp_path, variables):
    state = ResumeState(tmp_path, "digest", variables)
    state.save({"epoch": 1})
    # SIGKILL in the middle of writing leaves the file beside; the run that goes on may end before its first save.
    (tmp_path / "digest" / f".{STATE_NAME}.partial").write_bytes(b"half")
    again = ResumeState(tmp_path, "digest", variables)
    assert again.restore() == ({"epoch": 1}, [])
    again.clear()
    assert list(tmp_path.iterdir()) == []


def test_resume_state_is_due_after_save_seconds(tmp_path, variables, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(resume.time, "monotonic", lambda: now[0])
    state = ResumeState(tmp_path, "digest", variables)
    assert not state.due
    now[0] += resume.SAVE_SECONDS - 0.01
    assert not state.due
    now[0] += 0.01
    assert state.due
    state.save({})
    assert not state.due


def test_run_digest_changes_with_every_setting_the_data_and_the_code(tmp_path, monkeypatch):
    package = tmp_path / "lengthwise"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text("a = 1\n")
    (package / "deep" / "b.py").write_text("b = 1\n")
    monkeypatch.setattr(resume.lengthwise, "__file__", str(package / "__init__.py"))
    settings = {"task": "classifier", "seed": 1, "model": {"units": 4}}
    digests = [run_digest(settings, "data")]
    assert run_digest(json.loads(json.dumps(settings)), "data") == digests[0]
    assert run_digest(dict(reversed(settings.items())), "data") == digests[0]
    digests += [
        run_digest({**settings, "task": "seq2seq"}, "data"),
        run_digest({**settings, "model": {"units": 5}}, "data"),
        run_digest(settings, "other data"),
    ]
    (package / "deep" / "b.py").write_text("b = 2\n")
    digests.append(run_digest(settings, "data"))
    (package / "deep" / "b.py").rename(package / "deep" / "c.py")
    digests.append(run_digest(settings, "data"))
    assert len(set(digests)) == len(digests)


def test_interruptions_collects_signals_and_gives_the_handlers_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with interruptions() as received:
        assert received == []
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert sorted(received) == [signal.SIGINT, signal.SIGTERM]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_interruptions_gives_the_handlers_back_after_an_error():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyError), interruptions():
        raise KeyError
    assert signal.getsignal(signal.SIGTERM) == before
