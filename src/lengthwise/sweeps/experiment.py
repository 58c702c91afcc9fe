"""One run as a DVC experiment, in a temporary workspace: whether it is there already, how it is started and stopped."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import yaml

from lengthwise.errors import ParamsError, SweepError
from lengthwise.params import Params, check_params

# What the stages read and Git tracks; DVC writes the .gitignore files itself.
INPUTS = ("dvc.yaml", "src", "stages", "data", ":(exclude,glob)**/.gitignore")
TICK_SECONDS = 1.0


def baseline() -> str:
    """The commit that experiments are derived from.

    Raises:
        SweepError: there is none.
    """
    done = _git("rev-parse", "--verify", "--quiet", "HEAD")
    if done.returncode:
        raise SweepError(f"{Path.cwd()}: has no Git commit; expected the project's folder; commit, or change to it")
    return done.stdout.strip()


def reference_of(name: str, commit: str) -> str:
    """The Git reference of an experiment, given the commit that it is derived from."""
    return f"refs/exps/{commit[:2]}/{commit[2:]}/{name}"


def find_or_name(name: str, params: Params, commit: str, targets: Sequence[str] = ()) -> tuple[str, bool]:
    """Look for a run among the experiments of a commit.

    The workspace may have changed since without a commit: an experiment of the same name then is another run, and
    stays. What the stages would read from outside the repository, such as the real corpus, is not looked at.

    Args:
        name: what the experiment is called, if nothing else is called so.
        params: of the run.
        commit: the baseline.
        targets: DVC files or stages that it runs, if not the whole pipeline.

    Returns:
        The name of the finished experiment and True, or a name that is free and False.
    """
    for candidate in _candidates(name):
        reference = reference_of(candidate, commit)
        if _git("show-ref", "--verify", "--quiet", reference).returncode:
            return candidate, False
        if _is_same(reference, params, targets):
            return candidate, True
    raise AssertionError("there is always another number")


def run_experiment(
    name: str, overrides: Sequence[str], log: Path, tick: Callable[[], None], targets: Sequence[str] = ()
) -> bool:
    """Run the pipeline with some params changed, and keep the result as an experiment.

    Args:
        name: of the experiment.
        overrides: `KEY=VALUE` each, as for `dvc exp run -S`.
        log: file for all that DVC and the stages print.
        tick: called about every second while it runs.
        targets: DVC files or stages to run instead of the whole pipeline.

    Returns:
        Whether it succeeded. A run that failed leaves its log and nothing else.

    Raises:
        KeyboardInterrupt: once the run that was interrupted has ended and cleaned up.
    """
    command = [sys.executable, "-m", "dvc", "exp", "run", "--temp", "--name", name]
    command += [word for override in overrides for word in ("-S", override)] + [*targets]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as output, _interruptible_children():
        # A session of its own: Ctrl-C reaches it through `_stop`, once, and not from the terminal as well.
        child = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"},
        )
        try:
            while True:
                try:
                    return child.wait(TICK_SECONDS) == 0
                except subprocess.TimeoutExpired:
                    tick()
        except BaseException:
            _stop(child)
            raise


@contextmanager
def _interruptible_children() -> Iterator[None]:
    """Have what is started take interrupts: a script that starts this in the background has them ignored, by all below.

    DVC and its stage could then be stopped by nothing that lets them clean up.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        # A handler does not outlive the start of another program: there it is the default again.
        signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _stop(child: "subprocess.Popen[bytes]") -> None:
    """Interrupt DVC and its stage, and wait: it takes its temporary workspace away. A second Ctrl-C does not wait."""
    os.killpg(child.pid, signal.SIGINT)
    try:
        child.wait()
    except KeyboardInterrupt:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _candidates(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in count(2))


def _is_same(reference: str, params: Params, targets: Sequence[str]) -> bool:
    files = [target for target in targets if target.endswith(".yaml")]
    if _git("diff", "--quiet", reference, "--", *INPUTS, *files).returncode:
        return False
    shown = _git("show", f"{reference}:params.yaml")
    try:
        return check_params(yaml.safe_load(shown.stdout), Path(reference)) == params
    except (ParamsError, yaml.YAMLError):
        return False


def _git(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
