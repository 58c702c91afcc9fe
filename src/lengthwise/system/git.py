"""Git's answers, as text or as bytes. All that asks Git anything asks it here."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# As a shell has it for a command that it does not find, and Git for arguments that it cannot use.
CANNOT_BE_RUN, REFUSED = 127, 128


@dataclass(frozen=True)
class GitAnswer:
    """What Git said.

    Attributes:
        command: `git` and its first argument.
        status: 0 if it did what it was asked to; `CANNOT_BE_RUN` if there is no Git.
        data: what it printed.
        error: what it said went wrong, in its own lines.
    """

    command: str
    status: int
    data: bytes = b""
    error: str = ""

    @property
    def text(self) -> str:
        """What it printed; bytes that are no UTF-8 come back as they were when the text is given to Git again."""
        return self.data.decode("utf-8", "surrogateescape")

    @property
    def reason(self) -> str:
        """Why it did not do what it was asked to, on one line."""
        said = self.error or self.data.decode("utf-8", "replace")
        return " ".join(said.split()) or f"status {self.status}"

    @property
    def is_absent(self) -> bool:
        """Whether there is no Git that can be run."""
        return self.status == CANNOT_BE_RUN


def git(
    *arguments: str, folder: Path | None = None, env: Mapping[str, str] | None = None, given: bytes = b""
) -> GitAnswer:
    """Run Git; a status other than 0 raises nothing, nor does a Git that is not there.

    Args:
        arguments: the command and its arguments.
        folder: where it runs, if not in the current folder.
        env: all of its environment, if not this process's.
        given: its standard input.

    >>> git("--version").text.startswith("git version")
    True
    """
    command = ["git", *arguments]
    called = " ".join(command[:2])
    try:
        done = subprocess.run(command, cwd=folder, env=env, input=given, capture_output=True, check=False)  # noqa: S603
    except OSError as error:
        return GitAnswer(called, CANNOT_BE_RUN, error=str(error))
    except ValueError as error:
        # A zero byte in an argument, which no process can be given.
        return GitAnswer(called, REFUSED, error=str(error))
    return GitAnswer(called, done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))
