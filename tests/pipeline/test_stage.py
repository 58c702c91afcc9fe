import importlib
import json
import os
import resource
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from lengthwise.errors import LengthwiseError
from lengthwise.pipeline import stage
from lengthwise.pipeline.settings.params import load_params
from lengthwise.pipeline.stage import quiet_tensorflow, worker_count

HEAVY = ("tensorflow", "keras", "spacy")
ROOT = Path(__file__).parents[2]


def first_commands(*pipelines):
    """By script, its arguments as DVC gives them."""
    for pipeline in pipelines:
        for declared in yaml.safe_load((ROOT / pipeline).read_text(encoding="utf-8"))["stages"].values():
            command = declared["cmd"] if isinstance(declared["cmd"], str) else declared["cmd"][0]
            _, name, *arguments = shlex.split(command.replace("${item.task}", "classifier"))
            yield name, arguments


SCRIPTS = dict(first_commands("dvc.yaml", "ablations/dvc.yaml"))
# They read params files that they are given; tests/test_checked.py and tests/pipeline have them.
READS_PARAMS = sorted(SCRIPTS.keys() - {"check"})
# Runs a script as `python stage.py ...` does, and says at the end which heavy modules it has imported.
RUNNER = """
import runpy, sys
script, heavy = sys.argv[1], sys.argv[2].split(",")
sys.argv = sys.argv[:1] + sys.argv[3:]
try:
    runpy.run_path(script, run_name="__main__")
finally:
    print("imported", [name for name in heavy if name in sys.modules])
"""


def run_script(root, folder, name, *arguments):
    return subprocess.run(
        [sys.executable, str(root / "stages" / f"{name}.py"), *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def folder(root, tmp_path):
    (tmp_path / "params.yaml").write_text((root / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def change_params(folder, section, key, value):
    path = folder / "params.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content[section][key] = value
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", READS_PARAMS)
def test_stage_with_wrong_params_says_so_in_one_line_before_anything_heavy_is_imported(root, folder, name):
    # Also a stage that does not read this section: all params are checked.
    change_params(folder, "train", "epochs", 0)
    arguments = [str(root / "stages" / f"{name}.py"), ",".join(HEAVY), *SCRIPTS[name]]
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 2
    assert done.stderr == ("error: params.yaml: train.epochs: got 0; expected an integer from 1 to 100000; change it\n")
    assert done.stdout == "imported []\n"
    assert [path.name for path in folder.iterdir()] == ["params.yaml"]


def test_stage_without_params_says_so_in_one_line(root, tmp_path):
    done = run_script(root, tmp_path, "split", *SCRIPTS["split"])
    assert done.returncode == 2
    assert done.stderr.startswith("error: params.yaml: cannot be read")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_stage_without_its_input_says_so_in_one_line_and_writes_no_metrics(root, folder):
    done = run_script(root, folder, "vocabulary", *SCRIPTS["vocabulary"])
    assert done.returncode == 2
    assert done.stderr.startswith("error: data/tokens/index.json: cannot be read")
    assert done.stderr.count("\n") == 1
    assert [path.name for path in folder.iterdir()] == ["params.yaml"]


def test_stage_writes_metrics_and_timing(root, folder, write_corpus, invent_posts):
    corpus = write_corpus(folder / "corpus", invent_posts(1, 60))
    arguments = [corpus.documents, corpus.tokens, corpus.split, "deep/metrics.json", "deep/timing.json"]
    done = run_script(root, folder, "split", *arguments)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    metrics, timing = (json.loads((folder / "deep" / f"{name}.json").read_text()) for name in ("metrics", "timing"))
    assert metrics["authors_in_several_splits"] == 0
    assert sum(metrics[f"{split}_sentences"] for split in ("train", "validation", "test")) == sum(
        len(post.sentences) for post in corpus.posts
    )
    assert set(timing) == {"seconds", "peak_memory_mib"}
    assert timing["peak_memory_mib"] > 10
    first = (folder / "deep" / "metrics.json").read_bytes()
    assert run_script(root, folder, "split", *arguments).returncode == 0
    assert (folder / "deep" / "metrics.json").read_bytes() == first


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("name", "argument"), [("split", "METRICS"), ("train", "HEADLINE")])
def test_stage_has_help_with_its_docstring_and_arguments(root, tmp_path, name, argument):
    done = run_script(root, tmp_path, name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{name}: " in done.stdout
    assert argument in done.stdout
    assert "TIMING" in done.stdout


def test_stage_with_too_few_arguments_says_which_are_missing(root, tmp_path):
    done = run_script(root, tmp_path, "split", "documents")
    assert done.returncode == 2
    assert "required: TOKENS, SPLIT, METRICS, TIMING" in done.stderr


def test_check_says_what_is_wrong_in_one_line_before_anything_heavy_is_imported(root, folder):
    (folder / "ablations").mkdir()
    (folder / "ablations" / "params.yaml").write_text(
        "senseless: refuse\nseeds: [1]\nablations: {full: {}}\n", encoding="utf-8"
    )
    change_params(folder, "train", "epochs", 0)
    arguments = [str(root / "stages" / "check.py"), ",".join(HEAVY), *SCRIPTS["check"]]
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout) == (2, "imported []\n")
    assert done.stderr.startswith("error: params.yaml: train.epochs: got 0; expected an integer from 1 to 100000")
    assert done.stderr.count("\n") == 1
    assert [path.name for path in (folder / "data").iterdir()] == ["checked"]


def run_here(monkeypatch, main, *arguments):
    monkeypatch.setattr(sys, "argv", ["stage.py", *arguments])
    stage.run_without_figures(main)


def test_stage_takes_one_or_more_paths_where_its_main_takes_a_list(monkeypatch, capsys):
    called = []

    def main(first: Path, number: int, paths: list[Path]) -> None:
        called.append((first, number, paths))

    # What a shell would read is a name like any other.
    run_here(monkeypatch, main, "a b", "3", "$(c)")
    run_here(monkeypatch, main, "a b", "3", "c", "d;e", "f\ng")
    assert called == [(Path("a b"), 3, [Path("$(c)")]), (Path("a b"), 3, [Path("c"), Path("d;e"), Path("f\ng")])]
    with pytest.raises(SystemExit, match="2"):
        run_here(monkeypatch, main, "a", "3")
    assert "required: PATHS" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        run_here(monkeypatch, main, "a", "three", "c")
    assert "NUMBER: invalid int value: 'three'" in capsys.readouterr().err


def test_stage_gets_all_params_or_its_sections_or_none(folder, monkeypatch):
    monkeypatch.chdir(folder)
    called = []
    params = load_params(folder / "params.yaml")

    def note_all(params) -> None:
        called.append(params)

    def note_two(split, train) -> None:
        called.append((split, train))

    def note_none() -> None:
        called.append(None)

    monkeypatch.setattr(sys, "argv", ["stage.py"])
    stage.run_without_figures(note_all, stage.WHOLE)
    stage.run_without_figures(note_two, "split", "train")
    (folder / "params.yaml").unlink()
    stage.run_without_figures(note_none)
    assert called == [params, (params.split, params.train), None]


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "two", " 2", "²", "٣", "1e1"])
def test_worker_count_refuses_what_is_no_positive_integer(monkeypatch, text):
    monkeypatch.setenv("LENGTHWISE_WORKERS", text)
    with pytest.raises(LengthwiseError, match=r"LENGTHWISE_WORKERS: got .*expected a positive integer"):
        worker_count()


def test_worker_count_is_the_variable_or_the_processors_of_this_process(monkeypatch):
    monkeypatch.setenv("LENGTHWISE_WORKERS", "7")
    assert worker_count() == 7
    processors = len(os.sched_getaffinity(0))
    monkeypatch.setenv("LENGTHWISE_WORKERS", "")
    assert worker_count() == processors
    monkeypatch.delenv("LENGTHWISE_WORKERS")
    assert worker_count() == processors


SAYS_ITS_PEAK = "from lengthwise.pipeline.stage import peak_memory_mib; print(peak_memory_mib())"


def peak_said_by(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return int(done.stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system tells no peak of a program's own")
def test_peak_memory_is_not_that_of_who_started_the_process():
    # Linux hands ru_maxrss on over fork and exec: the child's own begins with what its parent had.
    started = f"""
import os, sys
held = b"1" * (300 << 20)
os.execv(sys.executable, [sys.executable, "-c", {SAYS_ITS_PEAK!r}])
"""
    assert peak_said_by(started) < 150
    inherited = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    assert peak_said_by(started.replace(repr(SAYS_ITS_PEAK), repr(inherited))) > 300


@pytest.mark.long
def test_peak_memory_is_that_of_the_largest_process():
    small = peak_said_by(SAYS_ITS_PEAK)
    # What it holds comes on top of what it imports.
    own = peak_said_by(SAYS_ITS_PEAK.replace("; ", '; held = b"1" * (200 << 20); del held; '))
    assert small + 150 < own < small + 250
    child = (
        'import subprocess, sys; subprocess.run([sys.executable, "-c", "held = b\'1\' * (300 << 20)"], check=True); '
    )
    assert 300 < peak_said_by(child + SAYS_ITS_PEAK) < 300 + small


@pytest.mark.parametrize("status", [None, "Name:\tpython\n"])
def test_peak_memory_without_a_peak_of_the_program_is_what_the_system_counts(monkeypatch, tmp_path, status):
    path = tmp_path / "status"
    if status is not None:
        path.write_text(status, encoding="utf-8")
    monkeypatch.setattr(stage, "STATUS_FILE", path)
    assert stage.peak_memory_mib() >= stage._max_rss(resource.RUSAGE_SELF) // stage.MEBIBYTE > 10


def test_what_keras_wraps_is_not_imported_with_tensorflow_and_can_be_afterwards(monkeypatch):
    monkeypatch.delitem(sys.modules, "sklearn", raising=False)
    with quiet_tensorflow(), pytest.raises(ImportError, match="sklearn"):
        importlib.import_module("sklearn")
    assert "sklearn" not in sys.modules
    monkeypatch.setitem(sys.modules, "sklearn", ModuleType("one that is there"))
    with quiet_tensorflow():
        assert importlib.import_module("sklearn").__name__ == "one that is there"
    assert sys.modules["sklearn"].__name__ == "one that is there"


ENDS = """
import atexit
import sys

from lengthwise.errors import LengthwiseError
from lengthwise.pipeline.stage import run_without_figures


class Held:
    def __del__(self):
        print("taken apart")


held = Held()


def main(how: str) -> None:
    atexit.register(print, "at the end")
    print("said")
    if how == "refuses":
        raise LengthwiseError("key: is wrong")
    if how == "breaks":
        raise RuntimeError


if __name__ == "__main__":
    run_without_figures(main)
"""


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("how", "status"), [("ends", 0), ("refuses", 2), ("breaks", 1)])
def test_stage_that_has_ended_takes_nothing_apart_and_says_all_that_it_has_to(tmp_path, how, status):
    (tmp_path / "ends.py").write_text(ENDS, encoding="utf-8")
    done = subprocess.run([sys.executable, "ends.py", how], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    # What is held goes with the process; where something went wrong it ends as any other.
    assert done.stdout.splitlines() == ["said", "at the end", *["taken apart"][: status != 0]]


def test_stage_whose_last_words_have_no_room_does_not_end_as_if_it_had_said_them(tmp_path):
    (tmp_path / "ends.py").write_text(ENDS, encoding="utf-8")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "ends.py", "ends"], cwd=tmp_path, stdout=full, check=False)
    assert done.returncode != 0
