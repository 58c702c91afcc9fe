"""The program `lengthwise`, and `python -m lengthwise.cli`: says what to install where only the library is."""

from lengthwise.errors import LengthwiseError, exit_on_user_error


def main() -> None:
    """Run the command line of this process."""
    with exit_on_user_error():
        try:
            from lengthwise.cli.app import main as run
        except ModuleNotFoundError as error:
            raise LengthwiseError(
                f"{error.name}: is not installed; the command lengthwise needs it; pip install 'lengthwise[pipeline]'"
            ) from error
    run()


if __name__ == "__main__":
    main()
