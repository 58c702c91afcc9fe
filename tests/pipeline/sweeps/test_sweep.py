import os
from contextlib import contextmanager

import pytest

import lengthwise.pipeline.sweeps.sweep as module
from lengthwise.errors import SweepError
from lengthwise.pipeline.settings.params import load_params
from lengthwise.pipeline.sweeps.grid_file import SweepRun
from lengthwise.pipeline.sweeps.sweep import Sweep, processors
from lengthwise.pipeline.sweeps.workspace import Snapshot


class FakeDvc:
    """Stands for DVC, its workspaces and Git: which runs are good, how long they take, and what was done.

    Attributes:
        logs: what a run prints, by its name.
        statuses: exit statuses, 0 if not given.
        there: names of experiments.
        polls: how often a run is asked for its status before it has ended.
        events: (what, name) in order.
    """

    def __init__(self):
        self.logs, self.statuses, self.there, self.polls, self.events = {}, {}, set(), {}, []
        self.at_once = self.running = 0
        self.interrupt_at = None

    def process(self, arguments, folder, log, processors, held):
        return FakeProcess(self, arguments, folder, log, processors)

    def find_or_name(self, run, snapshot):
        return (f"{run.name}-2", False) if run.name == "taken" else (run.name, run.name in self.there)

    def take_over(self, run, snapshot, project):
        if run.name == "lost":
            raise SweepError("git fetch: nothing")
        return self.find_or_name(run, snapshot)[0]

    @contextmanager
    def workspace(self, folder, snapshot, resume):
        resume.mkdir(parents=True)
        try:
            yield folder
        finally:
            self.events.append(("cleaned", folder.name))


class FakeProcess:
    def __init__(self, fake, arguments, folder, log, processors):
        self.fake, self.name, self.processors = fake, arguments[arguments.index("--name") + 1], processors
        self.arguments, self.left = arguments, fake.polls.get(self.name, 1)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(fake.logs.get(self.name, b""))
        fake.events.append(("started", self.name))
        fake.running += 1
        fake.at_once = max(fake.at_once, fake.running)

    def status(self):
        if self.fake.interrupt_at == self.name:
            self.fake.interrupt_at = None
            raise KeyboardInterrupt
        self.left -= 1
        if self.left > 0:
            return None
        if self.left == 0:
            self.fake.running -= 1
            self.fake.events.append(("ended", self.name))
        return self.fake.statuses.get(self.name, 0)

    def interrupt(self):
        self.fake.events.append(("interrupted", self.name))
        self.left = min(self.left, 1)

    def kill(self):
        pass


@pytest.fixture
def fake(monkeypatch, tmp_path):
    fake = FakeDvc()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "TICK_SECONDS", 0)
    monkeypatch.setattr(module, "take_snapshot", lambda: Snapshot("c0", "t0", tmp_path, tmp_path, {}))
    monkeypatch.setattr(module, "DvcProcess", fake.process)
    monkeypatch.setattr(module, "find_or_name", fake.find_or_name)
    monkeypatch.setattr(module, "take_over", fake.take_over)
    monkeypatch.setattr(module, "workspace", fake.workspace)
    monkeypatch.setattr(module, "reference_of", lambda name, commit: f"{commit}/{name}")
    monkeypatch.setattr(module, "figures_of", lambda reference, tasks: {"clf.val_acc": len(reference) / 10})
    return fake


@pytest.fixture
def runs(root):
    params = load_params(root / "params.yaml")

    def runs(*names):
        # Each has params of its own.
        of_training = (params.train.model_copy(update={"seed": number}) for number in range(len(names)))
        return [
            SweepRun(name, {"train.seed": number}, params.model_copy(update={"train": train}), targets=("x",))
            for number, (name, train) in enumerate(zip(names, of_training, strict=True))
        ]

    return runs


def test_sweep_keeps_what_is_there_and_what_it_has_run(fake, runs, tmp_path, capsys):
    fake.there, fake.statuses, fake.logs = {"there"}, {"bad": 2}, {"bad": b"one\n\nerror: why\nERROR: failed\n"}
    kept = []
    wanted = [*runs("good", "bad", "there", "taken", "lost"), SweepRun("no", {}, None, "never")]
    sweep = Sweep(wanted, tmp_path / "logs", keep=lambda run, reference: kept.append((run.name, reference)))
    sweep.run()
    assert kept == [("good", "c0/good"), ("there", "c0/there"), ("taken", "c0/taken-2")]
    log = tmp_path / "logs"
    assert sweep.failures == [
        ("no", "never"),
        (f"bad, whose log {log / '2.log'} ends with", "error: why\none\nERROR: failed"),
        (f"lost, whose log {log / '5.log'} ends with", "error: git fetch: nothing"),
    ]
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "run 6 of 6: no: refused: never"
    assert "run 2 of 6: bad: failed after 00:00: error: why" in said
    assert "run 3 of 6: there: is there already" in said
    assert "run 4 of 6: taken-2: done after 00:00" in said
    assert sweep.kept().startswith("3 of 6 runs are kept")
    assert [line.split()[0] for line in sweep.table().splitlines()[1:]] == [
        "taken-2",
        "there",
        "good",
        "bad",
        "lost",
        "no",
    ]
    # What a run that has failed may go on from stays.
    assert len(list((log / "states").iterdir())) == 2


@pytest.mark.parametrize("jobs", [1, 2, 3, 99])
def test_sweep_runs_as_many_at_once_as_asked(fake, runs, tmp_path, jobs):
    names = [f"run{number}" for number in range(7)]
    fake.polls = {name: 1 + 3 * number % 4 for number, name in enumerate(names)}
    Sweep(runs(*names), tmp_path / "logs", jobs).run()
    assert fake.at_once == min(jobs, 7)
    assert [name for what, name in fake.events if what == "started"] == names
    assert sorted(name for what, name in fake.events if what == "ended") == names
    folders = [name for what, name in fake.events if what == "cleaned"]
    assert len(folders) == 7
    assert set(folders) == {str(slot + 1) for slot in range(min(jobs, 7))}


def test_sweep_that_is_interrupted_stops_what_runs_and_starts_nothing_more(fake, runs, tmp_path, capsys):
    fake.polls = dict.fromkeys("bcd", 5)
    fake.interrupt_at = "c"
    sweep = Sweep(runs("a", "b", "c", "d"), tmp_path / "logs", 2)
    with pytest.raises(KeyboardInterrupt):
        sweep.run()
    assert sorted(name for what, name in fake.events if what == "interrupted") == ["b", "c"]
    assert ("started", "d") not in fake.events
    assert fake.running == 0
    assert sum(what == "cleaned" for what, _ in fake.events) == 3
    assert "stopping b, c; Ctrl-C again kills" in capsys.readouterr().err
    assert sweep.kept().startswith("1 of 4 runs are kept")


@pytest.mark.parametrize(
    ("status", "log", "reason"),
    [
        (2, b"error: first\nthen\nerror: last\n", "error: last\nerror: first\nthen"),
        (255, b"x\nERROR: dvc\n", "ERROR: dvc\nx"),
        (1, b"\xff\xfe broken\n", "�� broken"),
        (1, b"", "error: it ended with status 1 and said nothing"),
        (-9, b"x\n", "error: it was killed by SIGKILL\nx"),
    ],
)
def test_sweep_says_first_why_a_run_failed(fake, runs, tmp_path, status, log, reason):
    fake.statuses, fake.logs = {"a": status}, {"a": log}
    sweep = Sweep(runs("a"), tmp_path / "logs")
    sweep.run()
    assert sweep.failures[0][1] == reason


def test_sweep_shows_the_last_lines_of_a_long_log(fake, runs, tmp_path):
    fake.statuses = {"a": 1}
    fake.logs = {"a": b"error: why\n" + b"".join(b"line %d\n" % number for number in range(1000))}
    sweep = Sweep(runs("a"), tmp_path / "logs")
    sweep.run()
    assert sweep.failures[0][1].splitlines() == ["error: why", *(f"line {number}" for number in range(990, 1000))]


def test_second_sweep_is_refused_while_the_first_one_runs(fake, runs, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.0)
    other = Sweep(runs("b"), tmp_path / "others")
    refused = []

    def keep(run, reference):
        with pytest.raises(SweepError, match="another sweep runs here; expected no other sweep") as caught:
            other.run()
        refused.append(str(caught.value))

    Sweep(runs("a"), tmp_path / "logs", keep=keep).run()
    assert len(refused) == 1
    assert "\n" not in refused[0]
    # And not afterwards.
    other.run()


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("jobs", [2, 3, 5])
def test_processors_are_shared_out(monkeypatch, count, jobs):
    ours = set(range(3, 3 + count))
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: ours)
    shares = [processors(slot, jobs) for slot in range(jobs)]
    assert set().union(*shares) == ours
    assert all(shares)
    if jobs <= count:
        assert sum(map(len, shares)) == count
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_processors_of_one_run_are_all(monkeypatch):
    # None named: nothing is set.
    assert processors(0, 1) == set()
