# Training by several processes, as the stage starts them: the bytes of one, whoever is killed, and no process left.
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

# Saves after every step, and waits after it, so that there is time to kill someone within it. Says when it validates,
# and waits then as long for the others as it is told.
RUN = """
import os, sys, time
from pathlib import Path
import lengthwise.pipeline.stages.train.machines as machines
import lengthwise.training.resume as resume
from lengthwise.training.loop import Training
from lengthwise.training.team import Team
resume.SAVE_SECONDS = 0.0
machines.END_SECONDS = 2
validate = Training._validate
def marked(self):
    self._team._peers._seconds = float(os.environ.get("PATIENCE", "120"))
    Path("validating").touch()
    return validate(self)
Training._validate = marked
original = Team.sum
def slowly(self, by_shard):
    time.sleep(float(sys.argv[2]))
    return original(self, by_shard)
Team.sum = slowly
from lengthwise.errors import exit_on_user_error
from lengthwise.pipeline.settings.params import load_params
from lengthwise.pipeline.stages.train.live import LiveFiles
from lengthwise.pipeline.stages.train.training_run import TrainFiles, train
files = TrainFiles(Path("model"), Path("figures"), LiveFiles(Path("epochs.csv"), Path("steps.csv"), Path("live.json")))
with exit_on_user_error():
    train(Path(sys.argv[1]), files, sys.argv[3], load_params(Path("params.yaml")).train)
"""
# In every process, also those that join: a validation of many batches.
EVERYWHERE = "import lengthwise.batching.for_evaluation as it\nit.EVALUATION_STEPS = 64\n"
SHARED = {"logical_shards": 8, "epochs": 2, "log_every": 1}
BATCHING = {"batch_size": 16, "window": 4}
MODEL = {"embedding": 4, "units": 4, "ensemble": 2, "dropout": 0.4, "word_dropout": 0.2}


class Run:
    """A folder in which a training runs again and again."""

    def __init__(self, folder: Path, root: Path, shards: Path, task: str, strategy: str, model: dict) -> None:
        self.folder, self.shards, self.task = folder, shards, task
        folder.mkdir()
        params = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
        params["train"] |= SHARED
        params["train"]["batching"] |= BATCHING | {"strategy": strategy}
        params["train"]["model"] |= MODEL | model
        params["train"]["optimizer"]["clip_norm"] = 0.5
        (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        (folder / "everywhere").mkdir()
        (folder / "everywhere" / "sitecustomize.py").write_text(EVERYWHERE, encoding="utf-8")

    @property
    def digest(self) -> str:
        names = ("model/weights.safetensors", "epochs.csv", "steps.csv", "figures/figures.json")
        return sha256(b"".join((self.folder / name).read_bytes() for name in names)).hexdigest()

    @property
    def state(self) -> Path | None:
        return next(self.folder.glob(".lengthwise/resume/*/state.safetensors"), None)

    @property
    def validating(self) -> Path | None:
        return next(self.folder.glob("validating"), None)

    def start(self, workers: int = 1, slow: float = 0.0, **environment: str) -> "subprocess.Popen[str]":
        variables = os.environ | {"TF_NUM_INTRAOP_THREADS": "1", "LENGTHWISE_TRAIN_WORKERS": str(workers)} | environment
        paths = (str(self.folder / "everywhere"), os.environ.get("PYTHONPATH", ""))
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        command = [sys.executable, "-c", RUN, str(self.shards), str(slow), self.task]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.folder, env=variables, stdout=pipe, stderr=pipe, text=True)

    def complete(self, workers: int = 1, **environment: str) -> str:
        with self.start(workers, **environment) as process:
            _, said = process.communicate()
        assert process.returncode == 0, said
        return self.digest


def descendants(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text(encoding="utf-8").rpartition(")")[2].split()[1])
        except (OSError, ProcessLookupError):
            continue
        if parent == pid:
            found += [int(stat.parent.name), *descendants(int(stat.parent.name))]
    return found


def wait_until(condition, seconds=120.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def are_gone(pids):
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.fixture
def make_run(root, corpus, tmp_path):
    def make(task, strategy, **model):
        return Run(tmp_path / f"{task}-{strategy}", root, corpus.shards, task, strategy, model)

    return make


def killed(run, workers, who, number, more=0.0, sign=lambda run: run.state, **environment):
    """Send a signal to a worker of a run once a step has been saved, or at another sign; its status and its lines."""
    with run.start(workers, slow=0.05, **environment) as process:
        before = sign(run) and sign(run).stat().st_mtime_ns
        wait_until(lambda: (sign(run) and sign(run).stat().st_mtime_ns != before) or process.poll() is not None)
        time.sleep(more)
        others = descendants(process.pid)
        everyone = [process.pid, *others]
        with suppress(ProcessLookupError):  # It may have come to its end.
            os.kill(everyone[who % len(everyone)], number)
        _, said = process.communicate(timeout=120)
        wait_until(lambda: are_gone(others))
    return process.returncode, said.strip().splitlines()


@pytest.mark.long
def test_a_run_whose_worker_is_killed_goes_on_with_another_number_to_the_same_bytes(make_run):
    run = make_run("seq2seq", "truncated", ensemble=1)
    status, lines = killed(run, 2, 1, signal.SIGKILL)
    assert status == 2
    (line,) = [line for line in lines if line.startswith("error: ")]
    assert line.startswith("error: worker 1 (127.0.0.1:")
    assert line.endswith("is gone; expected it to the end of the run; look there why it ended, and run again to go on")
    assert not (run.folder / "model").exists()
    stopped = run.complete(1)
    assert run.state is None
    assert run.complete(1) == stopped


@pytest.mark.long
@pytest.mark.parametrize(
    ("task", "strategy"), [("classifier", "padded"), ("seq2seq", "truncated"), ("classifier", "bucketed")]
)
def test_runs_killed_anywhere_go_on_with_any_number_of_workers_and_threads_to_the_same_bytes(make_run, task, strategy):
    run = make_run(task, strategy)
    expected = run.complete(1)
    for workers, threads in ((1, "2"), (1, "3"), (2, "1"), (4, "1"), (8, "1")):
        assert run.complete(workers, TF_NUM_INTRAOP_THREADS=threads) == expected
    chance = random.Random(task + strategy)
    for _ in range(6):
        for _ in range(3):
            workers = chance.choice([1, 2, 3, 4])
            number = chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
            status, lines = killed(run, workers, chance.randrange(workers), number, chance.uniform(0, 1.5))
            # It may have been complete before, or have trained to the end.
            assert status in (0, 2, -signal.SIGKILL, 128 + signal.SIGTERM, -signal.SIGTERM), lines
            assert "Traceback" not in "".join(lines), lines
        assert run.complete(chance.choice([1, 2, 3])) == expected


@pytest.mark.long
@pytest.mark.parametrize(
    ("number", "line"),
    [
        (signal.SIGKILL, "is gone; expected it to the end of the run; look there why it ended, and run again to go on"),
        (
            signal.SIGSTOP,
            "no answer in 3 seconds; expected one; look at it there, raise LENGTHWISE_PEER_SECONDS if it "
            "only is slow, and run again to go on",
        ),
    ],
)
def test_who_is_killed_or_hangs_in_validation_is_told_in_one_line(make_run, number, line):
    run = make_run("classifier", "bucketed", ensemble=1)
    status, lines = killed(run, 2, 1, number, sign=lambda run: run.validating, PATIENCE="3")
    assert status == 2
    (said,) = [line for line in lines if line.startswith("error: ")]
    assert said.startswith("error: worker 1 (127.0.0.1:")
    assert said.endswith(line)
    assert not (run.folder / "model").exists()
    stopped = run.complete(1)
    assert run.complete(2) == stopped


@pytest.mark.long
@pytest.mark.parametrize(("task", "strategy"), [("classifier", "padded"), ("seq2seq", "truncated")])
def test_runs_killed_in_validation_go_on_with_any_number_of_workers_to_the_same_bytes(make_run, task, strategy):
    run = make_run(task, strategy)
    expected = run.complete(1)
    chance = random.Random("validation" + task)
    statuses = []
    for _ in range(4):
        for _ in range(2):
            workers = chance.choice([1, 2, 3, 4])
            number = chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
            who, more = chance.randrange(workers), chance.uniform(0, 0.6)
            status, lines = killed(run, workers, who, number, more, lambda run: run.validating)
            assert status in (0, 2, -signal.SIGKILL, 128 + signal.SIGTERM, -signal.SIGTERM), lines
            assert "Traceback" not in "".join(lines), lines
            statuses.append(status)
        assert run.complete(chance.choice([1, 2, 3])) == expected
    # Not all came to their end before.
    assert any(statuses)


@pytest.mark.long
def test_who_never_comes_and_who_has_nothing_to_join_are_told_in_one_line(make_run):
    run = make_run("classifier", "padded")
    cluster = {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}

    def joined(index, seconds="1", **more):
        config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        variables = os.environ | {"TF_CONFIG": config, "LENGTHWISE_PEER_SECONDS": seconds} | more
        command = [sys.executable, "-m", "lengthwise.cli", "join", "classifier", "--shards", str(run.shards)]
        done = subprocess.run(command, cwd=run.folder, env=variables, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    line = "error: worker 0 (127.0.0.1:1): nobody listens in 1 seconds; expected the first process of the run; "
    assert joined(1) == (2, line + "start it first, or raise LENGTHWISE_PEER_SECONDS\n")
    status, said = joined(0)
    assert status == 2
    assert said.startswith("error: TF_CONFIG: got worker 0; expected another worker than the first, as in {")
    assert said.count("\n") == 1
