import signal
import sys

import pytest
import yaml

import lengthwise.sweeps.__main__ as command
import lengthwise.sweeps.sweep as runner
from lengthwise.errors import SweepError


@pytest.fixture
def sweep(root, tmp_path, monkeypatch, capsys):
    # Runs the command on a grid. `outcome` stands for DVC: from an experiment's name and log to whether it is good.
    def sweep(grid, outcome=lambda name, log: True, there=(), base=lambda: "c0ffee"):
        started = []

        def run(name, overrides, log, tick, targets):
            assert targets == ()
            started.append((name, overrides))
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text("", encoding="utf-8")
            tick()
            return outcome(name, log)

        monkeypatch.chdir(tmp_path)
        (tmp_path / "params.yaml").write_bytes((root / "params.yaml").read_bytes())
        (tmp_path / "grid.yaml").write_text(yaml.safe_dump(grid, sort_keys=False), encoding="utf-8")
        monkeypatch.setattr(sys, "argv", ["sweeps", "grid.yaml"])
        monkeypatch.setattr(runner, "baseline", base)
        monkeypatch.setattr(runner, "find_or_name", lambda name, params, commit, targets: (name, name in there))
        monkeypatch.setattr(runner, "run_experiment", run)
        handler = signal.getsignal(signal.SIGTERM)
        status = 0
        try:
            command.main()
        except SystemExit as caught:
            status = caught.code
        finally:
            signal.signal(signal.SIGTERM, handler)
        printed = capsys.readouterr()
        assert printed.out == ""
        return status, started, printed.err

    return sweep


def test_sweep_runs_every_combination_and_says_how_far_it_is(sweep):
    status, started, said = sweep({"train.epochs": [1, 2], "train.model.units": 3})
    assert status == 0
    assert started == [
        ("epochs=1,units=3", ["train.epochs=1", "train.model.units=3"]),
        ("epochs=2,units=3", ["train.epochs=2", "train.model.units=3"]),
    ]
    assert "run 1 of 2: epochs=1,units=3: done after 00:00" in said
    assert said.rstrip().endswith("2 of 2 runs are kept as experiments (`make exps` shows them); 0 failed")


def test_sweep_with_a_refused_value_names_it_runs_the_rest_and_fails(sweep):
    status, started, said = sweep({"train.epochs": ["many", 2]})
    assert status == 1
    assert [name for name, _ in started] == ["epochs=2"]
    assert said.index("run 1 of 2: epochs=many: refused") < said.index("run 2 of 2")
    end = said[said.index("failed: epochs=many") :]
    assert "grid.yaml: train.epochs: got 'many'; expected an integer from 1 to 100000; change it" in end
    assert "1 of 2 runs are kept" in end


def test_sweep_with_a_run_that_dies_names_it_with_the_end_of_its_log_and_goes_on(sweep):
    def outcome(name, log):
        log.write_text("".join(f"line {number} of {name}\n" for number in range(1000)), encoding="utf-8")
        return name != "epochs=2"

    status, started, said = sweep({"train.epochs": [1, 2, 3]}, outcome)
    assert status == 1
    assert len(started) == 3
    end = said[said.index("\nfailed: ") :]
    assert end.startswith(
        "\nfailed: epochs=2, whose log .lengthwise/sweeps/grid/2.log ends with\n    line 990 of epochs=2\n"
    )
    assert "    line 999 of epochs=2\n" in end
    assert "epochs=3" not in end
    assert "2 of 3 runs are kept as experiments (`make exps` shows them); 1 failed" in end


def test_sweep_reads_a_log_of_any_bytes(sweep):
    def outcome(name, log):
        log.write_bytes(b"\xff\xfe broken\n")
        return False

    status, _, said = sweep({"train.epochs": [1]}, outcome)
    assert status == 1
    assert "broken" in said


def test_sweep_does_not_run_what_is_there(sweep):
    status, started, said = sweep({"train.epochs": [1, 2]}, there={"epochs=1"})
    assert status == 0
    assert [name for name, _ in started] == ["epochs=2"]
    assert "run 1 of 2: epochs=1: is there already" in said
    assert "2 of 2 runs are kept" in said


def test_sweep_that_is_interrupted_says_what_is_kept(sweep):
    def outcome(name, log):
        if name == "epochs=2":
            raise KeyboardInterrupt
        return True

    status, started, said = sweep({"train.epochs": [1, 2, 3]}, outcome)
    assert status == 130
    assert len(started) == 2
    assert "interrupted: 1 of 3 runs are kept as experiments" in said


def test_sweep_without_a_commit_is_refused_in_one_line(sweep):
    def base():
        raise SweepError("here: has no Git commit")

    status, started, said = sweep({"train.epochs": [1]}, base=base)
    assert (status, started, said) == (2, [], "error: here: has no Git commit\n")


def test_sweep_of_a_wrong_grid_runs_nothing(sweep):
    status, started, said = sweep({"train.epochs": [1], "train.epoch": [1]})
    assert (status, started) == (2, [])
    assert said.startswith("error: grid.yaml: train.epoch: is no key")
    assert said.count("\n") == 1
