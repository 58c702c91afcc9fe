"""The command `lengthwise predict`: its options, and what they have to do with each other."""

# Help needs \b: it keeps the line breaks of the paragraph below it.
# ruff: noqa: D301

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from lengthwise.cli.pipes import flush, write
from lengthwise.cli.text_input import opened_texts
from lengthwise.errors import LengthwiseError
from lengthwise.system.no_pandas import without_pandas

if TYPE_CHECKING:
    from lengthwise.predictor import Predictor


def _gone(option: str) -> Callable[[str | None], None]:
    """Reject an option of versions before 5 of the format of models."""

    def reject(value: str | None) -> None:
        if value is not None:
            raise LengthwiseError(
                f"{option}: is not an option any more; expected the folder of a model to hold its vocabulary and how "
                "to tokenize; leave it out"
            )

    return reject


def predict(
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT", help="Texts; without any, see --file.", show_default=False)
    ] = None,
    file: Annotated[Path | None, typer.Option(help="Read this file.  [default: standard input]")] = None,
    lines: Annotated[bool, typer.Option("--lines", help="Each line of the file is a text of its own.")] = False,
    stream: Annotated[
        bool, typer.Option("--stream", help="Print a row after every token, as the text comes; the state is kept.")
    ] = False,
    sequences: Annotated[
        Path | None,
        typer.Option(help="Predict the sequences of this file: .ts, Parquet, .npz, CoNLL, or long tables."),
    ] = None,
    tokens: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of tokens of --sequences.")] = None,
    sequence: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Of --sequences with a step a row: whose step it is.")
    ] = None,
    step: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Of --sequences with a step a row: what orders them.")
    ] = None,
    model: Annotated[Path, typer.Option(help="Folder of a trained model.")] = Path("data/models/classifier"),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per row.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Separate cells by commas (RFC 4180), not by tabs.")] = False,
    _vocabulary: Annotated[
        str | None, typer.Option("--vocabulary", hidden=True, callback=_gone("--vocabulary"))
    ] = None,
    _params: Annotated[str | None, typer.Option("--params", hidden=True, callback=_gone("--params"))] = None,
) -> None:
    """Predict texts or sequences with a trained network.

    Prints one row per text: the predicted class and the probabilities of all classes. A text is an argument, a whole
    file, or all of standard input; with --lines each line is a text. Texts are UTF-8 and may be longer or shorter than
    those in training. The folder of a model is all that the command needs: copy it wherever you like.

    \b
    Examples:
      lengthwise predict "I missed the bus again." "The board meets at nine."
      lengthwise predict --lines --file letters.txt --csv > answers.csv
      lengthwise predict --model data/models/seq2seq --json < letter.txt
      tail -f chat.log | lengthwise predict --stream
      lengthwise predict --sequences recordings.ts --json
    """
    given = list(texts or [])
    if given and file is not None:
        _not_allowed("TEXT", "--file")
    if as_json and as_csv:
        _not_allowed("--csv", "--json")
    row_format = "json" if as_json else "csv" if as_csv else "tsv"
    if sequences is not None:
        for option, value in (("TEXT", given), ("--file", file), ("--lines", lines), ("--stream", stream)):
            if value:
                _not_allowed(option, "--sequences")
        _predict_sequences(model, sequences, row_format, (tokens, sequence, step))
        return
    for option, column in (("--tokens", tokens), ("--sequence", sequence), ("--step", step)):
        if column is not None:
            raise LengthwiseError(f"{option}: got {column!r} without --sequences; expected a file there; name it")
    if lines and given:
        raise LengthwiseError("--lines: got texts as arguments; expected --file or standard input; leave one out")
    with opened_texts(given, file, lines) as opened:
        predictor = _load(model)
        # NumPy takes a moment to import.
        from lengthwise.cli.predicted import predicted_rows

        # What a model's pipeline imports has been imported.
        with without_pandas():
            for row in predicted_rows(predictor, opened, row_format, stream):
                write(row)
                if stream:
                    flush()


def _predict_sequences(
    model: Path, source: Path, row_format: str, columns: tuple[str | None, str | None, str | None]
) -> None:
    # NumPy and Arrow take a moment to import.
    from lengthwise.cli.predicted_sequences import sequence_rows
    from lengthwise.corpora.steps.asked import AskedColumns
    from lengthwise.corpora.steps.raw import Called

    options = Called({name: f"--{name}" for name in ("tokens", "sequence", "step")})
    for row in sequence_rows(model, source, row_format, AskedColumns(False, (), *columns, called=options)):
        write(row)


def _not_allowed(one: str, other: str) -> NoReturn:
    raise LengthwiseError(f"{one}: not allowed with {other}; expected one of them; leave the other out")


def _load(model: Path) -> "Predictor":
    # NumPy and spaCy take a second to import.
    from lengthwise.predictor import Predictor

    return Predictor.load(model)
