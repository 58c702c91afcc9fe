import signal

import pytest
import yaml

import lengthwise.pipeline.sweeps.start as command
import lengthwise.pipeline.sweeps.sweep as runner
from lengthwise.cli.app import main
from lengthwise.errors import SweepError


@pytest.fixture
def sweep(root, tmp_path, monkeypatch, capsys):
    # Runs the command on a grid. `outcome` stands for the runs: from the sweep to what it has done.
    def sweep(grid, outcome=lambda sweep: None, jobs=()):
        made = []

        class FakeSweep(runner.Sweep):
            def run(self):
                made.append(self)
                outcome(self)

        monkeypatch.chdir(tmp_path)
        (tmp_path / "params.yaml").write_bytes((root / "params.yaml").read_bytes())
        (tmp_path / "grid.yaml").write_text(yaml.safe_dump(grid, sort_keys=False), encoding="utf-8")
        monkeypatch.setattr(command, "Sweep", FakeSweep)
        handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
        status = 0
        try:
            main(["sweep", "grid.yaml", *jobs])
        except SystemExit as caught:
            status = caught.code
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return status, made, capsys.readouterr()

    return sweep


def test_command_runs_every_combination_one_at_a_time(sweep):
    status, (made,), printed = sweep({"train.epochs": [1, 2], "train.model.units": 3})
    assert status == 0
    assert [(run.name, run.overrides) for run in made._source.runs] == [
        ("epochs=1,units=3", ["train.epochs=1", "train.model.units=3"]),
        ("epochs=2,units=3", ["train.epochs=2", "train.model.units=3"]),
    ]
    assert made._jobs == 1
    assert printed.err.endswith("0 of 2 runs are kept as experiments (`make exps` shows them); 0 failed\n")


def test_command_with_failures_names_them_after_the_table(sweep):
    def outcome(sweep):
        sweep._fail(1, sweep._source.runs[0], "epochs=1, whose log 1.log ends with", "error: why\nlast")

    status, _, printed = sweep({"train.epochs": [1, 2]}, outcome)
    assert status == 1
    assert "\nfailed: epochs=1, whose log 1.log ends with\n    error: why\n    last\n" in printed.err
    assert printed.out.splitlines()[1].split() == ["experiment", "state"]
    assert printed.out.splitlines()[2].split() == ["epochs=1", "failed"]


def test_command_that_is_interrupted_says_what_is_kept(sweep):
    def outcome(sweep):
        raise KeyboardInterrupt

    status, _, printed = sweep({"train.epochs": [1, 2, 3]}, outcome)
    assert status == 130
    assert "interrupted: 0 of 3 runs are kept as experiments" in printed.err


def test_command_without_a_commit_is_refused_in_one_line(sweep):
    def outcome(sweep):
        raise SweepError("here: has no Git commit")

    status, _, printed = sweep({"train.epochs": [1]}, outcome)
    assert (status, printed.err) == (2, "error: here: has no Git commit\n")


@pytest.mark.parametrize(
    ("grid", "jobs", "told"),
    [
        ({"train.epochs": [1], "train.epoch": [1]}, (), "grid.yaml: train.epoch: is no key"),
        ({"train.epochs": [1, "many"]}, (), "grid.yaml: train.epochs: got 'many'; expected an integer from 1 to"),
        *(
            ({"train.epochs": [1]}, ("--jobs", jobs), f"JOBS: got '{jobs}'; expected an integer from 1 to 256")
            for jobs in ("0", "two", "-1", "1.5", "²", "257", "")
        ),
    ],
)
def test_command_refuses_what_is_wrong_before_anything_runs(sweep, grid, jobs, told):
    if jobs == ("--jobs", "-1"):
        jobs = ("--jobs=-1",)
    status, made, printed = sweep(grid, jobs=jobs)
    assert (status, made) == (2, [])
    assert printed.err.startswith(f"error: {told}")
    assert printed.err.count("\n") == 1


def test_command_takes_the_number_of_runs_at_once(sweep):
    assert sweep({"train.epochs": [1, 2, 3]}, jobs=("--jobs", "2"))[1][0]._jobs == 2
