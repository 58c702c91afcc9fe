"""What a network says of a text, as a row: tab-separated, CSV or JSON, always with an answer first."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from lengthwise.core.labels import LabelFactor, factor_probabilities, joint_class_names
from lengthwise.core.names import LABEL_TASKS
from lengthwise.errors import FormatError
from lengthwise.models.config import NetworkConfig

DIGITS = 6
# A label that is likelier than this is predicted.
EVEN = 0.5
LeadingValue = str | int
# What is predicted, and the class of each of several factors by the factor's name.
Answer = tuple[str, dict[str, str]]


class RowFormat(Protocol):
    """How rows are written; each text ends its line."""

    def header(self, leading: Sequence[str]) -> str:
        """What comes before the first row: the names of the leading cells and of all others."""

    def rows(self, leading: Iterable[Mapping[str, LeadingValue]], probabilities: np.ndarray) -> Iterator[str]:
        """Rows: cells that say which text each is of, and the probabilities of its classes, float (N, C)."""


class Answers:
    """The most probable class, and of several factors also the most probable class of each.

    Args:
        factors: of a network with C joint classes.
    """

    def __init__(self, factors: Sequence[LabelFactor]) -> None:
        self.factors, self.classes = list(factors), joint_class_names(factors)

    def of(self, probabilities: np.ndarray) -> Iterator[Answer]:
        """The name of the joint class, and the class of each factor by the factor's name; of each of N rows (N, C).

        A factor's answer is the class whose probabilities add up to most: it need not be a part of the joint answer.

        Raises:
            FormatError: a probability is no number.
        """
        if not np.isfinite(probabilities).all():
            raise FormatError(
                "the model: gives probabilities that are no numbers; expected finite weights; train again"
            )
        single = factor_probabilities(probabilities, self.factors)
        likeliest = (own.argmax(axis=1).tolist() for own in (probabilities, *single))
        # Of many rows, few answers differ.
        said: dict[tuple[int, ...], Answer] = {}
        for codes in zip(*likeliest, strict=True):
            answer = said.get(codes)
            if answer is None:
                each = zip(self.factors, codes[1:], strict=True)
                answer = self.classes[codes[0]], {factor.name: factor.classes[code] for factor, code in each}
                said[codes] = answer
            yield answer


class LabelAnswers:
    """Which of several labels hold, each by itself.

    Args:
        names: of the labels.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.factors: list[LabelFactor] = []
        self.classes = list(names)

    def of(self, probabilities: np.ndarray) -> Iterator[Answer]:
        """The labels that are likelier to hold than not, between blanks; of each row (N, C)."""
        names = np.array(self.classes)
        return ((" ".join(names[row].tolist()), {}) for row in probabilities > EVEN)


class LikeliestAnswers(LabelAnswers):
    """The likeliest of some classes, such as tags or tokens."""

    def of(self, probabilities: np.ndarray) -> Iterator[Answer]:
        """Its name, of each row (N, C)."""
        return ((self.classes[number], {}) for number in probabilities.argmax(axis=1).tolist())


class NumberAnswers(LabelAnswers):
    """Numbers, which are answers themselves."""

    def of(self, probabilities: np.ndarray) -> Iterator[Answer]:
        """All of them, between blanks, of each row (N, K)."""
        return ((" ".join(f"{value:.{DIGITS}g}" for value in row), {}) for row in probabilities.tolist())


AnyAnswers = Answers | LabelAnswers


class TabSeparated:
    """A header, then rows of cells between tabs; what would break a line or a terminal is escaped.

    Args:
        answers: what is made of probabilities.
        only: whether all probabilities are left out but the answer's own, as there may be thousands.
    """

    separator, end = "\t", "\n"

    def __init__(self, answers: AnyAnswers, only: bool = False) -> None:
        self._answers, self._only = answers, only

    def header(self, leading: Sequence[str]) -> str:
        """See `RowFormat`."""
        factors = self._answers.factors
        # One factor's answer is the joint answer.
        names = [factor.name for factor in factors] if len(factors) > 1 else []
        numbers = ["probability"] if self._only else self._answers.classes
        return self._joined([*leading, "prediction", *names, *numbers]) + self.end

    def rows(self, leading: Iterable[Mapping[str, LeadingValue]], probabilities: np.ndarray) -> Iterator[str]:
        """See `RowFormat`."""
        shown = probabilities.max(axis=1, keepdims=True) if self._only else probabilities
        numbers = self.separator.join([f"%.{DIGITS}f"] * shown.shape[1])
        for cells, (answer, by_factor), values in zip(
            leading, self._answers.of(probabilities), shown.tolist(), strict=True
        ):
            factors = by_factor.values() if len(by_factor) > 1 else ()
            said = self._joined([*cells.values(), answer, *factors])
            # A number is a cell as it is.
            yield f"{said}{self.separator}{numbers % tuple(values)}{self.end}"

    def _joined(self, cells: Sequence[LeadingValue]) -> str:
        return self.separator.join(_escaped(str(cell)) for cell in cells)


class CommaSeparated(TabSeparated):
    """The same cells as RFC 4180 has them."""

    separator, end = ",", "\r\n"

    def __init__(self, answers: AnyAnswers, only: bool = False) -> None:
        super().__init__(answers, only)
        # What ends a line is also what makes it quote a cell.
        self._writer = csv.writer(_Shown(), lineterminator=self.end)

    def _joined(self, cells: Sequence[LeadingValue]) -> str:
        line: str = self._writer.writerow(cells)
        return line.removesuffix(self.end)


class _Shown:
    """What the writer of a row gives back."""

    def write(self, text: str) -> str:
        return text


class JsonLines:
    """A JSON object a line, without a header.

    Raises:
        FormatError: two joint classes have one name, which no object can hold.
    """

    def __init__(self, answers: AnyAnswers, only: bool = False) -> None:
        self._answers, self._only = answers, only
        classes = self._answers.classes
        if twice := [name for name in classes if classes.count(name) > 1]:
            raise FormatError(f"the model: has the class {twice[0]!r} twice; expected other names; do without --json")

    def header(self, leading: Sequence[str]) -> str:
        """See `RowFormat`."""
        return ""

    def rows(self, leading: Iterable[Mapping[str, LeadingValue]], probabilities: np.ndarray) -> Iterator[str]:
        """See `RowFormat`."""
        what = "numbers" if isinstance(self._answers, NumberAnswers) else "probabilities"
        answers = zip(leading, self._answers.of(probabilities), probabilities.tolist(), strict=True)
        for cells, (answer, by_factor), values in answers:
            numbers = [round(value, DIGITS) for value in values]
            by_class = dict(zip(self._answers.classes, numbers, strict=True))
            if self._only:
                by_class = {answer: by_class[answer]}
            content = {**cells, "prediction": answer, "factors": by_factor, what: by_class}
            yield json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n"


FORMATS: dict[str, type[TabSeparated] | type[JsonLines]] = {
    "csv": CommaSeparated,
    "json": JsonLines,
    "tsv": TabSeparated,
}


def answers_of(config: NetworkConfig, classes: Sequence[str]) -> AnyAnswers:
    """What is made of the outputs of a network.

    Args:
        config: of the network.
        classes: the names of its outputs.
    """
    if config.predicts == "numbers":
        return NumberAnswers(classes)
    if config.predicts == "several":
        return LabelAnswers(classes)
    return Answers(config.factors) if config.task in LABEL_TASKS else LikeliestAnswers(classes)


def _escaped(cell: str) -> str:
    if cell.isprintable():
        return cell
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cell)
