import csv
import io
import json
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.cli.answers import FORMATS, Answers
from lengthwise.core.labels import LabelFactor, joint_class_names
from lengthwise.errors import FormatError

# Names that would break a line, a cell or a terminal.
NAMES = st.text(st.sampled_from([*'ab",;=', "\t", "\n", "\r", "\x1b", "\x85", "\u2028", "é"]), min_size=1, max_size=4)
FACTORS = st.lists(st.lists(NAMES, min_size=1, max_size=3, unique=True), min_size=1, max_size=3).map(
    lambda classes: [LabelFactor(f"f{number}", tuple(names)) for number, names in enumerate(classes)]
)


@st.composite
def answers(draw):
    factors = draw(FACTORS)
    count = int(np.prod([len(factor.classes) for factor in factors]))
    weights = np.array(draw(st.lists(st.integers(0, 9), min_size=count, max_size=count)), np.float32) + 0.001
    return factors, weights / weights.sum()


def row_of(form, leading, probabilities):
    (row,) = form.rows([leading], probabilities[np.newaxis])
    return row


@settings(deadline=None)
@given(answers())
def test_answers_are_the_most_probable_classes(case):
    factors, probabilities = case
    ((said, by_factor),) = Answers(factors).of(probabilities[np.newaxis])
    combinations = list(product(*(factor.classes for factor in factors)))
    assert said == joint_class_names(factors)[int(probabilities.argmax())]
    for place, factor in enumerate(factors):
        # Summed one by one, in double precision.
        sums = {
            name: sum(float(p) for p, names in zip(probabilities, combinations, strict=True) if names[place] == name)
            for name in factor.classes
        }
        assert sums[by_factor[factor.name]] == pytest.approx(max(sums.values()), abs=1e-6)


@settings(deadline=None)
@given(answers(), NAMES)
def test_rows_of_csv_are_read_back_as_they_were(case, word):
    factors, probabilities = case
    form = FORMATS["csv"](Answers(factors))
    text = form.header(("text", "word")) + row_of(form, {"text": 1, "word": word}, probabilities)
    assert text.endswith("\r\n")
    header, row = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert len(header) == len(row)
    assert row[:2] == ["1", word]
    assert header[-len(probabilities) :] == Answers(factors).classes
    assert np.allclose(np.array(row[-len(probabilities) :], float), probabilities, atol=5.1e-7)


@settings(deadline=None)
@given(answers(), NAMES)
def test_rows_between_tabs_are_one_line_each_and_move_no_cursor(case, word):
    factors, probabilities = case
    form = FORMATS["tsv"](Answers(factors))
    lines = form.header(("text", "word")), row_of(form, {"text": 1, "word": word}, probabilities)
    header, row = (line.removesuffix("\n").split("\t") for line in lines)
    assert len(header) == len(row)
    assert all(cell.isprintable() for cell in [*header, *row])


@settings(deadline=None)
@given(answers(), NAMES)
def test_rows_of_json_are_read_back_as_they_were(case, word):
    factors, probabilities = case
    names = joint_class_names(factors)
    if len(set(names)) < len(names):
        with pytest.raises(FormatError, match="twice; expected other names"):
            FORMATS["json"](Answers(factors))
        return
    form = FORMATS["json"](Answers(factors))
    assert form.header(("text", "word")) == ""
    line = row_of(form, {"text": 1, "word": word}, probabilities)
    assert line.count("\n") == 1
    content = json.loads(line)
    ((said, by_factor),) = Answers(factors).of(probabilities[np.newaxis])
    assert list(content) == ["text", "word", "prediction", "factors", "probabilities"]
    assert (content["word"], content["prediction"], content["factors"]) == (word, said, by_factor)
    assert list(content["probabilities"]) == names
    assert np.allclose(list(content["probabilities"].values()), probabilities, atol=5.1e-7)


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_rows_refuse_what_is_no_number(name, wrong):
    form = FORMATS[name](Answers([LabelFactor("f", ("a", "b"))]))
    with pytest.raises(FormatError, match="no numbers"):
        row_of(form, {"text": 1}, np.array([0.5, wrong], np.float32))
