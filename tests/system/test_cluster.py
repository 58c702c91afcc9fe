"""Tasks on a Dask cluster of this machine: a scheduler and workers, each a process."""

import contextlib
import hashlib
import json
import operator
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lengthwise.errors import LengthwiseError, WorkerError
from lengthwise.pipeline.stages.check import check_files
from lengthwise.prepare import document_writer as documents_module
from lengthwise.prepare.document_writer import DocumentWriter
from lengthwise.prepare.documents import open_documents
from lengthwise.prepare.forms.document_form import Document, DocumentForm
from lengthwise.prepare.forms.tokenizer_options import SENTENCIZER, TokenizerOptions
from lengthwise.prepare.text.tokens import tokenize
from lengthwise.system import cluster
from lengthwise.system.parallel import Workers

# What runs in a worker has to be found there by its name: the standard library's functions are.
PID = "__import__('os').getpid()"
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
# A task that kills one worker after the other is given up at the second.
GIVEN_UP = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}


PIECES = ["Anna", " ", "\n", "isn't", ". ", "e.g. ", "ü", "42", "http://a.b/c"]


class OwnCluster:
    """A scheduler with its file, and workers that come and go."""

    def __init__(self, folder):
        self.folder, self.file, self.processes = folder, folder / "scheduler.json", []
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", self.file)
        until = time.monotonic() + 60
        while not self.file.is_file() or not self.file.read_text():
            assert time.monotonic() < until
            time.sleep(0.1)
        self.address = json.loads(self.file.read_text())["address"]

    def _start(self, kind, *arguments):
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--no-dashboard", *map(str, arguments)]
        environment = {**os.environ, **GIVEN_UP}
        self.processes.append(subprocess.Popen(command, cwd=self.folder, env=environment, **QUIET))
        return self.processes[-1]

    def worker(self):
        return self._start("worker", self.address, "--nthreads", "1", "--no-nanny", "--local-directory", self.folder)

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()


@contextlib.contextmanager
def own_cluster(folder, workers):
    started = OwnCluster(folder)
    try:
        for _ in range(workers):
            started.worker()
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def shared_cluster(tmp_path_factory):
    with own_cluster(tmp_path_factory.mktemp("cluster"), 2) as started:
        yield started


@pytest.fixture
def named(shared_cluster, monkeypatch):
    monkeypatch.setenv(cluster.VARIABLE, shared_cluster.address)
    return shared_cluster


def digest_of(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_map_keeps_the_order_and_runs_elsewhere_with_one_worker_too(named):
    with Workers(1, os.nice, 0) as workers:
        assert list(workers.map(operator.neg, range(50))) == [-item for item in range(50)]
        assert list(workers.map(operator.neg, [])) == []
        assert os.getpid() not in set(workers.map(eval, [PID] * 8))


def test_results_in_turn_keep_the_order(named):
    with Workers(1, os.nice, 0) as workers:
        assert list(workers.in_turn(operator.neg, range(30))) == [-item for item in range(30)]


def test_map_raises_what_a_task_raised_and_goes_on(named):
    with Workers(2, os.nice, 0) as workers:
        with pytest.raises(ValueError, match="no number"):
            list(workers.map(int, ["1", "2", "no number", "4"]))
        assert list(workers.map(int, ["5"])) == [5]


class DoneLate:
    """A future whose task is done just after its waiter gave up."""

    def __init__(self, error=None):
        self.is_done, self.error = False, error

    def done(self):
        return self.is_done

    def exception(self, timeout):
        self.is_done = True
        raise TimeoutError

    def result(self):
        if self.error:
            raise self.error
        return 7


def test_task_that_ends_as_its_waiter_gives_up_is_no_error(named):
    with Workers(1, os.nice, 0) as workers:
        assert workers._cluster._result(DoneLate()) == 7
        with pytest.raises(TimeoutError, match="its own"):
            workers._cluster._result(DoneLate(TimeoutError("its own")))


def test_each_map_has_its_own_start_in_the_folder_of_its_parent(named, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        with Workers(2, os.chdir, name) as workers:
            assert set(workers.map(os.path.abspath, ["a"] * 4)) == {f"{tmp_path}/{name}/a"}
    with pytest.raises(FileNotFoundError, match="nowhere"), Workers(2, os.chdir, "nowhere") as workers:
        list(workers.map(int, ["1"]))


@pytest.mark.long
@pytest.mark.parametrize("by", ["blanks", *(pytest.param(by, marks=pytest.mark.long) for by in ("bytes", "words"))])
def test_tokens_have_the_bytes_of_own_workers(shared_cluster, tmp_path, monkeypatch, by):
    monkeypatch.setattr(documents_module, "BYTES_PER_SLICE", 20_000)
    documents, rng = tmp_path / "documents.parquet", random.Random(7)
    with DocumentWriter(documents, DocumentForm()) as writer:
        for _ in range(400):
            writer.write(Document("7", (), "".join(rng.choice(PIECES) for _ in range(90))))
    assert open_documents(documents).num_row_groups > 3
    options = TokenizerOptions(by, "en", SENTENCIZER, True, True, "urlLink")
    tokenize(documents, tmp_path / "own", options, 2)
    # By its file, as users of a shared folder name it.
    monkeypatch.setenv(cluster.VARIABLE, str(shared_cluster.file))
    tokenize(documents, tmp_path / "cluster", options, 2)
    assert digest_of(tmp_path / "cluster") == digest_of(tmp_path / "own")


def test_worker_that_is_killed_costs_no_result(tmp_path, monkeypatch):
    with own_cluster(tmp_path, 2) as own:
        monkeypatch.setenv(cluster.VARIABLE, own.address)
        with Workers(2, os.nice, 0) as workers:
            results = workers.map(eval, [f"(__import__('time').sleep(0.2), {PID}, {item})[1:]" for item in range(12)])
            pid, first = next(results)
            os.kill(pid, signal.SIGKILL)
            assert [first, *(item for _, item in results)] == list(range(12))


@pytest.mark.long
def test_task_that_kills_its_workers_is_given_up(tmp_path, monkeypatch):
    with own_cluster(tmp_path, 3) as own:
        monkeypatch.setenv(cluster.VARIABLE, own.address)
        with pytest.raises(WorkerError, match="killed again and again"), Workers(2, os.nice, 0) as workers:
            list(workers.map(eval, [f"__import__('os').kill({PID}, {signal.SIGKILL:d})"]))


def go_on_after(kill):
    with Workers(2, os.nice, 0) as workers:
        results = workers.map(eval, ["1", "__import__('time').sleep(600)"])
        assert next(results) == 1
        kill()
        next(results)


@pytest.mark.long
def test_cluster_without_workers_or_scheduler_is_told_within_the_time(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 1)
    monkeypatch.setattr(cluster, "WORKER_SECONDS", 1)
    with own_cluster(tmp_path, 0) as own:
        monkeypatch.setenv(cluster.VARIABLE, own.address)
        with pytest.raises(LengthwiseError, match="has no worker; expected one at least"):
            Workers(2, os.nice, 0).__enter__()
        worker = own.worker()
        monkeypatch.setattr(cluster, "ANSWER_SECONDS", 60)
        with pytest.raises(WorkerError, match="has no worker any more"):
            go_on_after(worker.kill)
        own.worker()
        with pytest.raises(WorkerError, match="does not answer any more"):
            go_on_after(own.scheduler.kill)
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 1)
    with pytest.raises(LengthwiseError, match="expected a scheduler that answers"):
        Workers(2, os.nice, 0).__enter__()


@pytest.mark.parametrize("named_so", ["nowhere.json", "tcp://", "gopher://127.0.0.1:1", "tcp://127.0.0.1:x"])
def test_check_refuses_what_is_no_scheduler_before_an_output_is_touched(root, tmp_path, monkeypatch, named_so):
    monkeypatch.setenv(cluster.VARIABLE, named_so)
    monkeypatch.chdir(root)
    with pytest.raises(LengthwiseError, match=f"^{cluster.VARIABLE}: got '.*; expected") as refused:
        check_files(Path("params.yaml"), Path("ablations/params.yaml"), tmp_path / "checked")
    assert len(str(refused.value).splitlines()) == 1


def test_worker_of_another_version_is_refused(named, monkeypatch):
    monkeypatch.setattr(cluster.lengthwise, "__version__", "9.9")
    with pytest.raises(LengthwiseError, match=r"has lengthwise .* for lengthwise 9\.9"), Workers(2, os.nice, 0) as of:
        list(of.map(int, ["1"]))


def test_extra_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(LengthwiseError, match=r"needs the extra cluster; .* pip install"):
        cluster.connect("tcp://127.0.0.1:1")
