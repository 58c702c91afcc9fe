import signal
import subprocess
import sys
import time

import pytest
import yaml

import lengthwise.sweeps.experiment as module
from lengthwise.errors import SweepError
from lengthwise.params import load_params
from lengthwise.sweeps.experiment import baseline, find_or_name, run_experiment


def git(*arguments):
    identity = ["-c", "user.name=tester", "-c", "user.email=tester"]
    done = subprocess.run(["git", *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "code.py").write_text("one = 1\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("words\n", encoding="utf-8")
    (tmp_path / "params.yaml").write_bytes((root / "params.yaml").read_bytes())
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "start")
    return tmp_path


@pytest.fixture
def keep_experiment(repository):
    # As DVC keeps one: a commit that no branch has, with other params and its results, under the baseline's name.
    def keep(name, **train):
        commit = git("rev-parse", "HEAD")
        original = (repository / "params.yaml").read_text(encoding="utf-8")
        params = yaml.safe_load(original)
        params["train"].update(train)
        (repository / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        changed = load_params(repository / "params.yaml")
        (repository / "dvc.lock").write_text("results\n", encoding="utf-8")
        git("add", ".")
        tree = git("write-tree")
        kept = git("commit-tree", tree, "-p", commit, "-m", "an experiment")
        git("update-ref", f"refs/exps/{commit[:2]}/{commit[2:]}/{name}", kept)
        git("reset", "--quiet", "--hard")
        return changed

    return keep


def test_baseline_is_the_commit_that_is_checked_out(repository):
    assert baseline() == git("rev-parse", "HEAD")


def test_baseline_without_a_commit_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    with pytest.raises(SweepError, match="has no Git commit"):
        baseline()


def test_experiment_that_is_there_is_found(keep_experiment, repository):
    params = keep_experiment("epochs=3", epochs=3)
    (repository / "README.md").write_text("other words\n", encoding="utf-8")
    assert find_or_name("epochs=3", params, baseline()) == ("epochs=3", True)


def test_experiment_of_another_name_is_not_there(keep_experiment):
    params = keep_experiment("epochs=3", epochs=3)
    assert find_or_name("epochs=4", params, baseline()) == ("epochs=4", False)


def test_experiment_with_other_params_stays_and_the_next_name_is_free(keep_experiment):
    keep_experiment("epochs=3", epochs=3, seed=5)
    params = keep_experiment("epochs=3-3", epochs=3, seed=6)
    assert find_or_name("epochs=3", params, baseline()) == ("epochs=3-2", False)
    keep_experiment("epochs=3-2", epochs=3, seed=7)
    assert find_or_name("epochs=3", params, baseline()) == ("epochs=3-3", True)


def test_experiment_with_other_code_is_not_the_same(keep_experiment, repository):
    params = keep_experiment("epochs=3", epochs=3)
    (repository / "src" / "code.py").write_text("one = 2\n", encoding="utf-8")
    assert find_or_name("epochs=3", params, baseline()) == ("epochs=3-2", False)


def test_experiment_with_another_target_is_the_same_only_while_its_target_is(keep_experiment, repository):
    (repository / "ablations").mkdir()
    (repository / "ablations" / "dvc.yaml").write_text("one: 1\n", encoding="utf-8")
    git("add", ".")
    git("commit", "--quiet", "--message", "ablations")
    params = keep_experiment("ablations", epochs=3)
    targets = ("ablations/dvc.yaml",)
    assert find_or_name("ablations", params, baseline(), targets) == ("ablations", True)
    (repository / "ablations" / "dvc.yaml").write_text("one: 2\n", encoding="utf-8")
    assert find_or_name("ablations", params, baseline(), targets) == ("ablations-2", False)
    assert find_or_name("ablations", params, baseline()) == ("ablations", True)


def test_experiment_of_another_commit_is_not_there(keep_experiment):
    params = keep_experiment("epochs=3", epochs=3)
    git("commit", "--quiet", "--allow-empty", "--message", "next")
    assert find_or_name("epochs=3", params, baseline()) == ("epochs=3", False)


@pytest.fixture
def fake_dvc(tmp_path, monkeypatch):
    # Stands for `python -m dvc`; what it is called with is the first line of the log.
    def make(body):
        script = tmp_path / "bin" / "python"
        script.parent.mkdir()
        script.write_text(f"#!{sys.executable}\nimport signal, sys, time\nprint(sys.argv[1:], flush=True)\n{body}\n")
        script.chmod(0o755)
        monkeypatch.setattr(module.sys, "executable", str(script))
        monkeypatch.setattr(module, "TICK_SECONDS", 0.01)

    return make


def test_run_calls_dvc_in_a_temporary_workspace_and_keeps_what_it_prints(fake_dvc, tmp_path):
    fake_dvc("import subprocess; print('out'); sys.stdout.flush(); print('error', file=sys.stderr)")
    log = tmp_path / "logs" / "1.log"
    assert run_experiment("a=1", ["train.epochs=1", "train.seed=2"], log, lambda: None)
    command, *rest = log.read_text(encoding="utf-8").splitlines()
    assert command == str(
        [*["-m", "dvc", "exp", "run", "--temp", "--name", "a=1"], "-S", "train.epochs=1", "-S", "train.seed=2"],
    )
    assert rest == ["out", "error"]


def test_run_of_other_targets_names_them_behind_all_options(fake_dvc, tmp_path):
    fake_dvc("")
    assert run_experiment("a", ["train.epochs=1"], tmp_path / "log", lambda: None, ("ablations/dvc.yaml",))
    command = (tmp_path / "log").read_text(encoding="utf-8").splitlines()[0]
    assert command.endswith("'--name', 'a', '-S', 'train.epochs=1', 'ablations/dvc.yaml']")


def test_run_finds_the_interpreter_of_this_environment_first(fake_dvc, tmp_path):
    fake_dvc("import os; print(os.environ['PATH'])")
    run_experiment("a", [], tmp_path / "log", lambda: None)
    assert (tmp_path / "log").read_text(encoding="utf-8").splitlines()[1].startswith(f"{tmp_path / 'bin'}:")


@pytest.mark.parametrize("body", ["sys.exit(255)", "sys.exit(1)", "import os; os.abort()"])
def test_run_that_fails_says_so(fake_dvc, tmp_path, body):
    fake_dvc(body)
    assert not run_experiment("a", [], tmp_path / "log", lambda: None)


def test_run_ticks_while_it_waits(fake_dvc, tmp_path):
    fake_dvc("time.sleep(0.3)")
    ticks = []
    assert run_experiment("a", [], tmp_path / "log", lambda: ticks.append(1))
    assert ticks


# A shell has interrupts ignored in what a script starts in the background.
@pytest.mark.parametrize("inherited", [signal.default_int_handler, signal.SIG_IGN])
def test_run_that_is_interrupted_interrupts_dvc_and_waits_for_its_end(fake_dvc, tmp_path, inherited):
    fake_dvc(
        "try:\n    print('ready', flush=True); time.sleep(60)\n"
        "except KeyboardInterrupt:\n    time.sleep(0.3); print('clean', flush=True)"
    )
    log = tmp_path / "log"

    def interrupt():
        if "ready" in log.read_text(encoding="utf-8"):
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, inherited)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_experiment("a", [], log, interrupt)
        assert signal.getsignal(signal.SIGINT) is inherited
    finally:
        signal.signal(signal.SIGINT, before)
    assert log.read_text(encoding="utf-8").splitlines()[1:] == ["ready", "clean"]


def test_run_that_is_interrupted_twice_is_killed(fake_dvc, tmp_path):
    fake_dvc(
        "signal.signal(signal.SIGINT, lambda *_: print('no', flush=True))\n"
        "print('ready', flush=True)\nwhile True: time.sleep(1)"
    )
    log = tmp_path / "log"

    def interrupt():
        if "ready" in log.read_text(encoding="utf-8"):
            signal.setitimer(signal.ITIMER_REAL, 0.5)
            raise KeyboardInterrupt

    kept = signal.signal(signal.SIGALRM, signal.default_int_handler)
    started = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            run_experiment("a", [], log, interrupt)
    finally:
        signal.signal(signal.SIGALRM, kept)
    assert "no" in log.read_text(encoding="utf-8")
    assert time.monotonic() - started < 30
