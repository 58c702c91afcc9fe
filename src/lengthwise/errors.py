"""What can be wrong from outside. Everything else that is raised is a bug of ours.

Each message is one line: the dotted key or the file, the value, what was expected, what to do.
A stage prints it and exits with status 2.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

USER_ERROR = 2
# Characters of a message's beginning and of its end, where the remedy stands; what is between may be all of a file.
BEGINNING, END = 1500, 500


class LengthwiseError(Exception):
    """Base of all errors that the user can mend: one line of printable characters, whatever it quotes.

    Args:
        message: what else stands in it is escaped, and its middle left out if it is very long.
    """

    def __init__(self, message: str) -> None:
        if len(message) > BEGINNING + END:
            message = f"{message[:BEGINNING]} … {message[-END:]}"
        super().__init__("".join(map(_printable, message)))


class ArgumentError(LengthwiseError, ValueError):
    """An argument of the library is wrong. A pipeline shows it under the key that the argument comes from.

    >>> print(ArgumentError("tokens", "got 4; expected at least 9", "raise it"))
    tokens: got 4; expected at least 9; raise it

    Attributes:
        argument: its name.
        problem: the value, and what was expected.
        remedy: what to do, if that is not plain from what was expected.
    """

    def __init__(self, argument: str, problem: str, remedy: str = "") -> None:
        super().__init__("; ".join(filter(None, (f"{argument}: {problem}", remedy))))
        self.argument, self.problem, self.remedy = argument, problem, remedy

    def __reduce__(self) -> tuple[type["ArgumentError"], tuple[str, str, str]]:
        return type(self), (self.argument, self.problem, self.remedy)


class ParamsError(LengthwiseError):
    """A key of `params.yaml` is unknown, missing, of the wrong type, out of range, or at odds with another."""


class SweepError(LengthwiseError):
    """A grid file is no grid, or names a key that `params.yaml` does not have."""


class CorpusError(LengthwiseError):
    """The corpus cannot be read as one: a broken archive, a foreign member, an author without a class."""


class FormatError(LengthwiseError):
    """A file that an earlier stage wrote is absent, of another version, or damaged."""


class VectorsError(LengthwiseError):
    """A file or a package of pretrained vectors cannot be read as one."""


class OutputError(LengthwiseError, OSError):
    """An output cannot be written: no room, no permission. An `OSError` to those who can do without that output."""


class WorkerError(LengthwiseError):
    """A worker process was killed."""


class KernelError(LengthwiseError):
    """The native kernel cannot be built or loaded here, or does not compute what is asked for."""


class InstructionSetError(KernelError):
    """`LENGTHWISE_KERNEL_ARCH` names an instruction set that does not exist, or that machine or compiler lack."""


class RevisionError(LengthwiseError):
    """There is no such Git revision, no repository, or nothing to compare in one."""


def _printable(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Print what the user can mend as one line and exit with status 2."""
    try:
        yield
    except LengthwiseError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USER_ERROR)
