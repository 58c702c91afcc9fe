"""The command `lengthwise`."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from lengthwise.cli.page import add_page
from lengthwise.cli.rows import FORMATS, Cell, RowFormat
from lengthwise.cli.streams import flush, standard_streams, write
from lengthwise.cli.texts import opened_texts, whole_text
from lengthwise.errors import LengthwiseError, exit_on_user_error
from lengthwise.pipeline.stage import quiet_tensorflow
from lengthwise.system.files import replacing_file

if TYPE_CHECKING:
    from lengthwise.predictor import Predictor

PREDICT = """Print what a trained network says of texts: an answer and the probabilities of all classes, a row a text.

A text is an argument, or all of a file, or all of standard input; with --lines each line of those is one. Texts are
UTF-8 and may have any length, whatever the lengths in training were. The folder of a model holds all that is needed:
copy it wherever you like.

  lengthwise predict "I missed the bus again." "The board meets at nine."
  lengthwise predict --lines --file letters.txt --csv > answers.csv
  lengthwise predict --model data/models/seq2seq --json < letter.txt
  tail -f chat.log | lengthwise predict --stream
"""

REPORT = """Write a Markdown report on what a change did: a verdict, then metrics, params, data, cost and charts.

It compares the working tree with a Git revision: params.yaml and metrics/ of this pipeline, or in any other DVC
repository what .lengthwise.yaml names. Run it in the folder that has params.yaml; docs/reports.md explains it.

exit status:
  0  no metric is worse or missing
  1  a metric is worse or missing, or a stage was not run since its params, code or data changed
  2  nothing could be compared; one line says why

  lengthwise report --base main
  lengthwise report --base "$(git merge-base origin/main HEAD)" --out report.md
"""
FAILURE = 1
# Tokens that are predicted together: more take memory and gain nothing.
BATCH_TOKENS = 65_536
NO_TOKENS = "has no tokens, so nothing can be said of it"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; exits with status 2 and one line where the user can mend what is wrong."""
    with exit_on_user_error(), standard_streams():
        options = _parser().parse_args(arguments)
        if status := options.run(options):
            sys.exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lengthwise", description="Recurrent networks on text of any length.")
    parser.add_argument("--version", action="version", version=f"lengthwise {_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_predict(commands)
    _add_report(commands)
    add_page(commands)
    return parser


def _version() -> str:
    try:
        return version("lengthwise")
    except PackageNotFoundError:
        return "(not installed)"


def _add_predict(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    predict = commands.add_parser(
        "predict",
        help="print the class probabilities of texts",
        description=PREDICT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    predict.set_defaults(run=_predict)
    add = predict.add_argument
    source = predict.add_mutually_exclusive_group()
    source.add_argument("texts", nargs="*", default=[], metavar="TEXT", help="a text; without any, see --file")
    source.add_argument("--file", type=Path, help="read this file (default: standard input)")
    add("--lines", action="store_true", help="each line of the file is a text of its own")
    add("--stream", action="store_true", help="a row after every token, as the text comes, the state carried on")
    add("--model", type=Path, default="data/models/classifier", help="folder of a trained model (%(default)s)")
    formats = predict.add_mutually_exclusive_group()
    for name, text in (("json", "a JSON object a row"), ("csv", "commas, as RFC 4180 has it")):
        formats.add_argument(
            f"--{name}", dest="format", action="store_const", const=name, default="tsv", help=f"{text} (default: tabs)"
        )
    for name in ("--vocabulary", "--params"):
        add(name, action=_Gone, help=argparse.SUPPRESS)


class _Gone(argparse.Action):
    """An option of versions before 5 of the format of models."""

    def __call__(self, _parser: object, _namespace: object, _values: object, option: str | None = None) -> NoReturn:
        raise LengthwiseError(
            f"{option}: is not an option any more; expected the folder of a model to hold its vocabulary and how to "
            "tokenize; leave it out"
        )


def _add_report(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    report = commands.add_parser(
        "report",
        help="report what a change did to the metrics",
        description=REPORT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    report.set_defaults(run=_report)
    report.add_argument("--base", required=True, metavar="REV", help="commit, branch or tag to compare with")
    report.add_argument("--out", type=Path, metavar="FILE", help="write to this file (default: standard output)")


def _report(options: argparse.Namespace) -> int:
    # DVC and pandas take a second to import, which the other commands can do without.
    from lengthwise.reports.pull_request.report import report_on

    report = report_on(options.base, Path())
    if options.out is None:
        write(report.text)
    else:
        with replacing_file(options.out) as beside:
            beside.write_text(report.text, encoding="utf-8")
    return FAILURE if report.failed else 0


def _predict(options: argparse.Namespace) -> int:
    if options.lines and options.texts:
        raise LengthwiseError("--lines: got texts as arguments; expected --file or standard input; leave one out")
    with opened_texts(options.texts, options.file, options.lines) as texts:
        predictor = _load(options.model)
        form = FORMATS[options.format](predictor.network.config.factors)
        rows = _stream_rows(predictor, texts, form) if options.stream else _whole_rows(predictor, texts, form)
        for row in rows:
            write(row)
            if options.stream:
                flush()
    return 0


def _load(model: Path) -> "Predictor":
    # TensorFlow and spaCy take seconds to import.
    with quiet_tensorflow():
        from lengthwise.predictor import Predictor

        return Predictor.load(model)


def _whole_rows(predictor: "Predictor", texts: Iterable[Iterable[str]], form: RowFormat) -> Iterator[str]:
    # Not before the first texts: a refusal has nothing before it.
    header = form.header(("text", "tokens", "unknown"))
    for batch in _batches(predictor, texts):
        said = predictor.whole([tokens for _, tokens in batch])
        yield header
        header = ""
        for (number, tokens), probabilities in zip(batch, said, strict=True):
            unknown = predictor.unknown(tokens)
            if unknown == len(tokens):
                _note(number, _none_known(unknown))
            yield form.row({"text": number, "tokens": len(tokens), "unknown": unknown}, probabilities)
    yield header


def _batches(predictor: "Predictor", texts: Iterable[Iterable[str]]) -> Iterator[list[tuple[int, list[str]]]]:
    """The texts that have tokens, each with its number, as many at a time as are worth it."""
    batch: list[tuple[int, list[str]]] = []
    size = 0
    for number, text in enumerate(texts, 1):
        tokens = predictor.tokenize(whole_text(text))
        if not tokens:
            _note(number, NO_TOKENS)
            continue
        predictor.check_length(len(tokens), f"text {number}")
        batch.append((number, tokens))
        size += len(tokens)
        if size >= BATCH_TOKENS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _stream_rows(predictor: "Predictor", texts: Iterable[Iterable[str]], form: RowFormat) -> Iterator[str]:
    stream = predictor.stream()
    yield form.header(("text", "token", "word", "unknown"))
    for number, text in enumerate(texts, 1):
        stream.restart()
        place = unknown = 0
        for token in (token for piece in text for token in predictor.tokenize(piece)):
            place += 1
            is_unknown = predictor.unknown([token])
            unknown += is_unknown
            leading: dict[str, Cell] = {"text": number, "token": place, "word": token, "unknown": is_unknown}
            yield form.row(leading, stream.push(token))
        if not place:
            _note(number, NO_TOKENS)
        elif unknown == place:
            _note(number, _none_known(unknown))


def _none_known(tokens: int) -> str:
    return f"none of its {tokens} tokens is in the vocabulary" if tokens > 1 else "its token is not in the vocabulary"


def _note(number: int, what: str) -> None:
    print(f"text {number}: {what}", file=sys.stderr)
