"""What Git keeps of a run: figures rounded before the last bits of a processor begin, and the headline.

Another processor gives other last bits. Rounded, its figures have the same bytes, and a difference in Git is a
difference. The stages' own figures, in `data/figures`, have all digits.
"""

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from lengthwise.errors import FormatError, OutputError
from lengthwise.system.files import replacing_file, replacing_folder, write_json

# Float32 has 7 digits, of which training on another processor keeps 6 or more.
DIGITS = 6
# Of a folder of figures: its file of numbers and texts.
MAIN_NAME = "figures.json"
# With a point or an exponent: a whole number is a count, and stays.
FLOAT = re.compile(r"-?[0-9]+(?:\.[0-9]+(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)")
# What may look like a number in these columns is a name.
TEXT_COLUMNS = {"model", "level", "metric", "strategy", "actual", "predicted", "name", "changes"}
# The columns of `dvc metrics show` and `dvc exp show` begin with these: a dozen of them fit a terminal.
SHORT_NAMES = {"classifier": "clf", "seq2seq": "s2s", "tagger": "tag", "regressor": "reg", "language_model": "lm"}
# The figures that they end with, by the ends of their names, in this order.
SHORT_FIGURES = {"bits": "bits", "accuracy": "acc", "nll": "nll"}


def rounded(value: float) -> float:
    """A number to `DIGITS` significant digits, a whole number as it is.

    >>> rounded(0.123456789)
    0.123457
    """
    # Plus zero, for which minus zero is zero.
    return value if isinstance(value, int) else float(_digits(value)) + 0.0


def rounded_csv(text: str) -> str:
    """CSV whose numbers with a point or an exponent are rounded; whole numbers, texts and the header stay as they are.

    Raises:
        ValueError: a row has more or fewer cells than the header.
    """
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = next(rows, [])
    lines = [header]
    for row in rows:
        named = zip(header, row, strict=True)
        lines.append([cell if column in TEXT_COLUMNS else _rounded_cell(cell) for column, cell in named])
    return "".join(map(_csv_line, lines)) if header else ""


def write_rounded_json(path: Path, figures: Mapping[str, object]) -> None:
    """Write a map of numbers and texts, or of such maps, rounded.

    Raises:
        ValueError: a number is not finite, or it is no map.
    """
    write_json(path, _rounded(figures))


def write_headline(path: Path, models: Mapping[str, Mapping[str, float]]) -> None:
    """Write the headline of some models, as a file for `dvc metrics`.

    Args:
        path: of the JSON file.
        models: figures by the model's name, which is shortened, and their own. One that is not finite is left out,
            since JSON has no word for it.
    """
    content = {
        short_name(model): {name: value for name, value in figures.items() if math.isfinite(value)}
        for model, figures in models.items()
    }
    write_rounded_json(path, content)


def short_name(model: str) -> str:
    """What tables of experiments call a network or a baseline.

    >>> short_name("classifier"), short_name("linear"), short_name("language_model_ngram")
    ('clf', 'linear', 'lm_ngram')
    """
    task = next((task for task in SHORT_NAMES if model.startswith(task)), "")
    return SHORT_NAMES[task] + model.removeprefix(task) if task else model


def headline_of(figures: Mapping[str, float]) -> dict[str, float]:
    """The figures of the finest level by `SHORT_FIGURES`, from the figures of an evaluation.

    Likelihoods are of the finest level alone; without any, the first figure is of it. Of several numbers to predict,
    each has its own.

    >>> headline_of({"sentence_accuracy": 0.5, "sentence_mood": 0.7, "sentence_nll": 1.2, "author_accuracy": 0.6})
    {'acc': 0.5, 'nll': 1.2}
    """
    likely = (name for name in figures if re.fullmatch("[a-z]+_(nll|bits)", name))
    level = next(likely, next(iter(figures))).partition("_")[0]
    chosen = {}
    for end, short in SHORT_FIGURES.items():
        if f"{level}_{end}" in figures:
            chosen[short] = figures[f"{level}_{end}"]
    numbers = [name for name in figures if name.startswith(f"{level}_") and name.endswith("_r2")]
    return chosen | {name.removeprefix(f"{level}_"): figures[name] for name in numbers}


def publish(figures: Path, metrics: Path, names: Sequence[str]) -> None:
    """Write the files and folders `names` of `figures` into `metrics`, rounded.

    Args:
        figures: a folder of JSON and CSV files.
        metrics: the folder that is in Git.
        names: of files and folders, relative to both.

    Raises:
        FormatError: one is absent, or neither JSON nor CSV.
    """
    for name in names:
        source = figures / name
        # A folder of figures may have its main ones within.
        within = source.with_suffix("") / MAIN_NAME
        if within.is_file() and not source.exists():
            source = within
        if source.is_dir():
            with replacing_folder(metrics / name) as beside:
                # DVC's own .gitignore is there as well.
                for path in sorted(path for path in source.rglob("*") if path.suffix in (".csv", ".json")):
                    _write_rounded(path, beside / path.relative_to(source))
        else:
            _write_rounded(source, metrics / name)


def _write_rounded(source: Path, path: Path) -> None:
    try:
        text = source.read_bytes().decode("utf-8")
        if source.suffix == ".json":
            write_rounded_json(path, json.loads(text))
            return
        content = rounded_csv(text)
    except OutputError:
        raise
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise FormatError(f"{source}: cannot be read ({reason}); expected JSON or CSV; run dvc repro") from error
    with replacing_file(path) as beside:
        beside.write_bytes(content.encode("utf-8"))


def _rounded(content: object) -> dict[str, object]:
    if not isinstance(content, Mapping):
        raise ValueError(f"got {content!r} in the place of a map of numbers and texts")
    return {
        name: rounded(value) if isinstance(value, float) else _rounded(value) if isinstance(value, Mapping) else value
        for name, value in content.items()
    }


def _rounded_cell(cell: str) -> str:
    is_float = FLOAT.fullmatch(cell) and math.isfinite(float(cell))
    return _digits(rounded(float(cell))) if is_float else cell


def _digits(value: float) -> str:
    return f"{value:.{DIGITS}g}"


def _csv_line(cells: Sequence[str]) -> str:
    # Not by Python's writer, which leaves a carriage return without quotes: its reader takes that for the end of a row.
    quoted = ('"' + cell.replace('"', '""') + '"' if re.search('[,"\r\n]', cell) else cell for cell in cells)
    # An empty line would be no row.
    return (",".join(quoted) or '""') + "\n"
