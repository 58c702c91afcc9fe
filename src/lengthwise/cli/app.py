"""The command `lengthwise`: all commands of the project under one name.

Every command imports what it needs when it runs, so that `lengthwise --help` and completion answer at once.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

import lengthwise
from lengthwise.cli.advise import advise
from lengthwise.cli.audit import audit
from lengthwise.cli.generate import generate
from lengthwise.cli.joining import join
from lengthwise.cli.look import look
from lengthwise.cli.pipes import standard_streams, write
from lengthwise.cli.predict import predict
from lengthwise.cli.reading import documents, exps, page, report, results
from lengthwise.cli.running import folds, real, recipes, run, sweep
from lengthwise.errors import LengthwiseError, exit_on_user_error

NAME = "lengthwise"
# The shell sets it to ask for completions.
COMPLETION = "_LENGTHWISE_COMPLETE"
# Base of all errors of the command line itself: an unknown option, a missing argument, a wrong type.
USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]


class _Command(TyperCommand):
    """A command whose help is written as all other output is: a full disk is one line."""

    def get_help_option(self, ctx: Any) -> Any:  # noqa: ANN401
        return _written(super().get_help_option(ctx))


class _Group(TyperGroup):
    """The same of all commands together."""

    def get_help_option(self, ctx: Any) -> Any:  # noqa: ANN401
        return _written(super().get_help_option(ctx))


def _written(option: Any) -> Any:  # noqa: ANN401
    def show(context: Any, _option: object, given: bool) -> None:  # noqa: ANN401
        if given and not context.resilient_parsing:
            write(f"{context.get_help()}\n")
            raise typer.Exit

    if option is not None:
        option.callback = show
    return option


# Plain text: the same in every terminal, pipe and log.
app = typer.Typer(name=NAME, cls=_Group, rich_markup_mode=None, pretty_exceptions_enable=False)
of_reading = (advise, audit, look, predict, generate, report, page, results, exps)
for command in (*of_reading, sweep, folds, real, recipes, run, join, documents):
    app.command(cls=_Command)(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command.

    Exits with status 2 and one line where the user can correct what is wrong.

    Args:
        arguments: without the program's name; those of the process if there are none.
    """
    with exit_on_user_error(), standard_streams():
        if COMPLETION in os.environ:
            app(prog_name=NAME)
        # Not `app(...)`: it would end a broken pipe and Ctrl-C in its own way.
        tree = get_command(app)
        try:
            with tree.make_context(NAME, list(sys.argv[1:] if arguments is None else arguments)) as context:
                tree.invoke(context)
        except typer.Exit as exit_:
            sys.exit(exit_.exit_code)
        except USAGE_ERROR as error:
            raise LengthwiseError(_usage(error)) from error
        except ModuleNotFoundError as error:
            raise _not_installed(error) from error


def _print_version(given: bool) -> None:
    if given:
        write(f"{NAME} {lengthwise.__version__}\n")
        raise typer.Exit


VERSION = typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version and exit.")


@app.callback()
def _program(show_version: Annotated[bool, VERSION] = False) -> None:
    """Train recurrent networks on sequences of any length, read the results, and use the networks."""


def _usage(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else NAME
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return f"{message.rstrip('.')}; see `{command} --help`"


def _not_installed(error: ModuleNotFoundError) -> Exception:
    missing = (error.name or "").partition(".")[0]
    if missing in ("", NAME):
        return error
    return LengthwiseError(f"{missing}: is not installed; the command needs it; pip install 'lengthwise[pipeline]'")
