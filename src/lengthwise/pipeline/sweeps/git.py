"""Git's answers, as text or as bytes."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

Done = subprocess.CompletedProcess[str]


def git(*arguments: str, folder: Path | None = None, env: Mapping[str, str] | None = None) -> Done:
    """Run Git and return its status, standard output and standard error; a status other than 0 raises nothing.

    Args:
        arguments: the command and its arguments.
        folder: where it runs, if not in the current folder.
        env: all of its environment, if not this process's.
    """
    done = git_bytes(*arguments, folder=folder, env=env)
    out, error = (data.decode("utf-8", "replace") for data in (done.stdout, done.stderr))
    return Done(done.args, done.returncode, out, error)


def git_bytes(
    *arguments: str, folder: Path | None = None, env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[bytes]":
    """As `git`, without decoding what it prints."""
    return subprocess.run(  # noqa: S603
        ["git", *arguments],  # noqa: S607
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
