import json
import os
import signal
from dataclasses import replace

import keras
import numpy as np
import pytest

from lengthwise.training import resume
from lengthwise.training.resume import CODE, STATE_NAME, ResumeState, RunDigests, interruptions, run_digests

RUN = RunDigests("classifier", "code", "settings", "data")


def variables_of(*values):
    return [keras.Variable(np.asarray(value)) for value in values]


def test_resume_state_keeps_arrays_that_are_no_variables(tmp_path, variables):
    # More than ten: their names do not sort as their numbers do.
    carried = [np.full((number % 3, 3), number, np.float32) for number in range(23)]
    ResumeState(tmp_path, RUN, variables).save({"epoch": 1}, carried)
    _, again = ResumeState(tmp_path, RUN, variables).restore()
    assert [array.tolist() for array in again] == [array.tolist() for array in carried]


@pytest.fixture
def variables():
    return variables_of(np.array([1.5, -2.0], np.float32), np.array(7, np.int64), np.array([1, 2**32 - 1], np.uint32))


def test_resume_state_survives_bit_by_bit(tmp_path, variables):
    progress = {"epoch": 1, "sums": {"loss": 0.1 + 0.2}, "rows": [{"loss": 1 / 3}]}
    ResumeState(tmp_path, RUN, variables).save(progress)
    others = variables_of(np.zeros(2, np.float32), np.array(0, np.int64), np.zeros(2, np.uint32))
    assert ResumeState(tmp_path, RUN, others).restore() == (progress, [])
    for before, after in zip(variables, others, strict=True):
        assert np.array_equal(before, after)


def test_resume_state_is_none_where_there_is_none(tmp_path, variables):
    assert ResumeState(tmp_path, RUN, variables).restore() is None


def test_resume_state_of_another_run_is_not_taken_and_a_line_says_why(tmp_path, variables, capsys):
    ResumeState(tmp_path, RUN, variables).save({"epoch": 1})
    assert ResumeState(tmp_path, replace(RUN, data="other"), variables).restore() is None
    assert capsys.readouterr().err == f"train: the state in {tmp_path / RUN.name} was made by other data; begins anew\n"
    assert ResumeState(tmp_path, replace(RUN, code="new", settings="new"), variables).restore() is None
    assert "was made by other code and settings; begins anew" in capsys.readouterr().err
    # That of another task is nobody's business.
    assert ResumeState(tmp_path, replace(RUN, task="seq2seq"), variables).restore() is None
    assert capsys.readouterr().err == ""


def test_resume_states_of_other_runs_stay_until_there_are_many(tmp_path, variables, monkeypatch):
    monkeypatch.setattr(resume, "KEPT_STATES", 3)
    runs = [replace(RUN, data=str(number)) for number in range(5)]
    for number, run in enumerate(runs):
        ResumeState(tmp_path, run, variables).save({"epoch": 1})
        os.utime(tmp_path / run.name / STATE_NAME, (number, number))
    ResumeState(tmp_path, RUN, variables).save({"epoch": 1})
    kept = {RUN.name, *(run.name for run in runs[-2:])}
    assert {path.name for path in tmp_path.iterdir()} == kept


@pytest.mark.parametrize("kept", [0, 7, 40, -1])
def test_resume_state_that_is_cut_counts_as_none_and_changes_nothing(tmp_path, variables, kept):
    ResumeState(tmp_path, RUN, variables).save({"epoch": 1})
    path = tmp_path / RUN.name / STATE_NAME
    path.write_bytes(path.read_bytes()[:kept])
    others = variables_of(np.zeros(2, np.float32), np.array(0, np.int64), np.zeros(2, np.uint32))
    assert ResumeState(tmp_path, RUN, others).restore() is None
    assert all(not np.any(variable.numpy()) for variable in others)


def test_resume_state_keeps_the_old_one_where_saving_fails(tmp_path, variables, monkeypatch):
    state = ResumeState(tmp_path, RUN, variables)
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
    state = ResumeState(tmp_path, RUN, variables)
    state.save({"epoch": 1})
    another = replace(RUN, data="other")
    ResumeState(tmp_path, another, variables).save({"epoch": 1})
    state.clear()
    assert [path.name for path in tmp_path.iterdir()] == [another.name]
    state.clear()


def test_resume_state_is_cleared_of_what_a_kill_within_a_save_left(tmp_path, variables):
    state = ResumeState(tmp_path, RUN, variables)
    state.save({"epoch": 1})
    # SIGKILL in the middle of writing leaves the file beside; the run that goes on may end before its first save.
    (tmp_path / RUN.name / f".{STATE_NAME}.partial").write_bytes(b"half")
    again = ResumeState(tmp_path, RUN, variables)
    assert again.restore() == ({"epoch": 1}, [])
    again.clear()
    assert list(tmp_path.iterdir()) == []


def test_resume_state_is_due_after_save_seconds(tmp_path, variables, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(resume.time, "monotonic", lambda: now[0])
    state = ResumeState(tmp_path, RUN, variables)
    assert not state.due
    now[0] += resume.SAVE_SECONDS - 0.01
    assert not state.due
    now[0] += 0.01
    assert state.due
    state.save({})
    assert not state.due


@pytest.fixture
def package(tmp_path, monkeypatch):
    package = tmp_path / "lengthwise"
    for name in (*CODE, "reports", "corpora/blogs"):
        path = package / name if name.endswith(".py") else package / name / "module.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a = 1\n")
    (package / "cli.py").write_text("a = 1\n")
    monkeypatch.setattr(resume.lengthwise, "__file__", str(package / "__init__.py"))
    return package


def test_run_digests_change_with_every_setting_the_data_and_the_code_of_training(package):
    settings = {"task": "classifier", "seed": 1, "model": {"units": 4}}

    def digests(changes=(), data="data", task="classifier"):
        return run_digests(task, {**settings, **dict(changes)}, data)

    first = digests()
    assert run_digests("classifier", json.loads(json.dumps(settings)), "data") == first
    assert run_digests("classifier", dict(reversed(settings.items())), "data") == first
    others = [digests({"model": {"units": 5}}), digests(data="other"), digests(task="seq2seq")]
    for name in CODE:
        path = package / name if name.endswith(".py") else package / name / "module.py"
        path.write_text("a = 2\n")
        others.append(digests())
    (package / "training" / "module.py").rename(package / "training" / "other.py")
    others.append(digests())
    assert len({digest.name for digest in (first, *others)}) == len(others) + 1


@pytest.mark.parametrize("path", ["reports/module.py", "cli.py", "corpora/blogs/module.py", "training/notes.txt"])
def test_run_digests_stay_where_a_change_does_not_concern_training(package, path):
    before = run_digests("classifier", {}, "data")
    (package / path).write_text("changed")
    assert run_digests("classifier", {}, "data") == before


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
