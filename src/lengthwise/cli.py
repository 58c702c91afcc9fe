"""The command `lengthwise`."""

import argparse
import os
import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from lengthwise.errors import FormatError, exit_on_user_error
from lengthwise.files import replacing_file
from lengthwise.params import load_params
from lengthwise.stage import PARAMS_FILE, quiet_tensorflow

if TYPE_CHECKING:
    from lengthwise.predict import Predictor

PREDICT = """Print the class probabilities of texts, tab-separated with a header.

A text is an argument, or all of a file, or all of standard input; with --lines each line of those is one. It may have
any length, whatever the lengths in training were. Texts are tokenized as the section tokens of params.yaml says.

  lengthwise predict "I missed the bus again." "The board meets at nine."
  lengthwise predict --lines --file letters.txt
  tail -f chat.log | lengthwise predict --stream
"""

REPORT = """Write a Markdown report on what a change did: a verdict, then metrics, params, data, cost and charts.

It compares params.yaml and metrics/ of the working tree with those at a Git revision, as docs/reports.md explains.
The exit status is 1 if a metric is worse or missing, 2 if there is nothing to compare.

  lengthwise report --base main
  lengthwise report --base "$(git merge-base origin/main HEAD)" --out report.md
"""
FAILURE = 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; exits with status 2 and one line where the user can mend what is wrong."""
    options = _parser().parse_args(arguments)
    try:
        with exit_on_user_error():
            if status := options.run(options):
                sys.exit(status)
    except BrokenPipeError:
        # Whoever read the output has enough; closing it, Python would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lengthwise", description="Recurrent networks on text of any length.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_predict(commands)
    _add_report(commands)
    return parser


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
    add("--vocabulary", type=Path, default="data/vocabulary.tsv", help="what it was trained with (%(default)s)")
    add("--params", type=Path, default=PARAMS_FILE, help="how to tokenize (%(default)s)")


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
        print(report.text, end="")
    else:
        with replacing_file(options.out) as beside:
            beside.write_text(report.text, encoding="utf-8")
    return FAILURE if report.failed else 0


def _predict(options: argparse.Namespace) -> int:
    predictor = _load(options)
    with closing(_texts(options)) as texts:
        rows = _stream_rows(predictor, texts) if options.stream else _whole_rows(predictor, texts)
        for row in rows:
            cells = (f"{cell:.6f}" if isinstance(cell, float) else cell for cell in row)
            print(*cells, sep="\t", flush=options.stream)
    return 0


def _load(options: argparse.Namespace) -> "Predictor":
    params = load_params(options.params).tokens
    # TensorFlow and spaCy take seconds to import: only once the params are known to be good.
    with quiet_tensorflow():
        from lengthwise.predict import Predictor
        from lengthwise.text.tokens import TokenizerOptions, make_tokenizer

        return Predictor.load(options.model, options.vocabulary, make_tokenizer(TokenizerOptions.from_params(params)))


def _texts(options: argparse.Namespace) -> Generator[Iterable[str]]:
    """The texts, each in the pieces in which it comes: a stream does not wait for a text's end."""
    if options.texts:
        yield from ([text] for text in options.texts)
        return
    name = options.file or "standard input"
    try:
        with options.file.open(encoding="utf-8") if options.file else sys.stdin as file:
            yield from ([line] for line in file) if options.lines else [file]
    except OSError as error:
        raise FormatError(f"{name}: cannot be read ({error.strerror}); give a text file") from error


def _pieces(text: Iterable[str] | TextIO) -> Iterator[str]:
    try:
        yield from text
    except UnicodeDecodeError as error:
        raise FormatError(f"the text: is not UTF-8 ({error.reason} at byte {error.start}); convert it") from error


def _whole_rows(predictor: "Predictor", texts: Iterable[Iterable[str]]) -> Iterator[Sequence[object]]:
    tokens = [predictor.tokenize("".join(_pieces(text))) for text in texts]
    yield ("text", "tokens", *predictor.classes)
    said = iter(predictor.whole([text for text in tokens if text]).tolist())
    for number, text in enumerate(tokens, 1):
        if text:
            yield (number, len(text), *next(said))
        else:
            print(f"text {number}: has no tokens, so nothing can be said of it", file=sys.stderr)


def _stream_rows(predictor: "Predictor", texts: Iterable[Iterable[str]]) -> Iterator[Sequence[object]]:
    stream = predictor.stream()
    yield ("text", "token", "word", *predictor.classes)
    for number, text in enumerate(texts, 1):
        stream.restart()
        tokens = (token for piece in _pieces(text) for token in predictor.tokenize(piece))
        for place, token in enumerate(tokens, 1):
            yield (number, place, token, *stream.push(token).tolist())
