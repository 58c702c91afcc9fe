"""Rows of many texts are the rows of each text by itself, however the texts are put together."""

import contextlib
import csv
import functools
import io
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
from closeness import assert_close
from examples import up_to
from forward_pass import forward_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lengthwise.cli import predicted
from lengthwise.cli.predicted import predicted_rows
from lengthwise.errors import FormatError
from lengthwise.models.saved import save_network
from lengthwise.predictor import Predictor
from lengthwise.prepare.forms.tokenizer_options import SENTENCIZER, TokenizerOptions
from lengthwise.prepare.shards.text_encoding import TextEncoding
from lengthwise.prepare.text import text_tokenizer
from lengthwise.prepare.text.text_tokenizer import make_tokenizer, make_tokenizer_of_many
from lengthwise.prepare.vocabulary import Vocabulary

WORDS = ["it", "left", ".", "i", "missed", "<#>", "我", ")"]
VOCABULARY = Vocabulary(("<PAD>", "<UNK>", *WORDS), (0,) * (len(WORDS) + 2))
OPTIONS = TokenizerOptions("words", "en", SENTENCIZER, False, False, None, 30)
# Known and unknown, empty and blank, too long for a chunk, for a batch or for a block, of another script.
LINES = st.lists(
    st.sampled_from(
        [
            *WORDS,
            "It",
            "never",
            "<PAD>",
            "你好",
            "ไม่มี",
            "x" * 40,
            "it " * 9,
            ": )",
            "5",
            "left\r\n",
            "\xa0",
            "\t",
            "",
            "a.m.",
        ]
    ),
    max_size=6,
).map(" ".join)


@functools.cache
def tokenizers():
    one = make_tokenizer(OPTIONS)
    with mock.patch.object(text_tokenizer, "MANY", 0):
        many = make_tokenizer_of_many(OPTIONS, one)
        many([""])
    return one, many


def printed(predictor, texts, tokens, characters):
    with (
        mock.patch.object(predicted, "BATCH_TOKENS", tokens),
        mock.patch.object(predicted, "BATCH_CHARACTERS", characters),
        contextlib.redirect_stderr(io.StringIO()) as notes,
    ):
        rows = "".join(predicted_rows(predictor, ([text] for text in texts), "csv", False))
    header, *cells = csv.reader(io.StringIO(rows, newline=""), strict=True)
    return header, cells, sorted(notes.getvalue().splitlines())


@settings(max_examples=up_to(160), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINES, max_size=8), st.integers(1, 40), st.integers(1, 60), st.sampled_from([None, 2]))
def test_rows_of_many_texts_are_those_of_each(kept_network, texts, tokens, characters, letters):
    one, many = tokenizers()
    network = kept_network(vocabulary_size=len(VOCABULARY), affixes=letters)
    predictor = Predictor(forward_of(network), VOCABULARY, one, many)
    header, rows, notes = printed(predictor, texts, tokens, characters)
    assert header[:3] == ["text", "tokens", "unknown"]
    expected = [(number, one(text)) for number, text in enumerate(texts, 1)]
    read = [(number, words, sum(word not in WORDS for word in words)) for number, words in expected if words]
    assert [row[:3] for row in rows] == [
        [str(number), str(len(words)), str(unknown)] for number, words, unknown in read
    ]
    for (_, words, _), row in zip(read, rows, strict=True):
        assert_close(np.array(row[-len(predictor.classes) :], float), predictor.whole([words])[0], terms=1.0)
    told = [f"text {number}: has no tokens" for number, words in expected if not words]
    told += [f"text {number}: none of its" for number, words, unknown in read if unknown == len(words) > 1]
    told += [f"text {number}: its token is not" for number, words, unknown in read if unknown == len(words) == 1]
    assert all(note.startswith(start) for note, start in zip(notes, sorted(told), strict=True))


@settings(max_examples=up_to(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINES, max_size=6), st.integers(1, 30), st.integers(1, 60))
def test_rows_of_steps_of_many_texts_are_those_of_each(kept_network, texts, tokens, characters):
    one, many = tokenizers()
    network = kept_network("language_model", vocabulary_size=len(VOCABULARY))
    predictor = Predictor(forward_of(network), VOCABULARY, one, many)
    header, rows, _ = printed(predictor, texts, tokens, characters)
    assert header[:4] == ["text", "token", "word", "unknown"]
    expected = [one(text) for text in texts]
    assert [row[:4] for row in rows] == [
        [str(number), str(place), word, str(int(word not in WORDS))]
        for number, words in enumerate(expected, 1)
        for place, word in enumerate(words, 1)
    ]
    said = iter(rows)
    for words in filter(None, expected):
        likeliest = predictor.every_step([words]).max(axis=1)
        assert_close([float(next(said)[-1]) for _ in words], likeliest, terms=1.0)


def test_what_comes_before_a_text_that_is_too_long_is_said(make_network, monkeypatch, capsys):
    monkeypatch.setattr("lengthwise.predictor.MOST_AT_ONCE", 5)
    monkeypatch.setattr(predicted, "BATCH_TOKENS", 4)
    network = make_network(vocabulary_size=len(VOCABULARY), readout="mean")
    rows = predicted_rows(
        Predictor(forward_of(network), VOCABULARY, str.split),
        ([text] for text in ("it left", "", "it left", "", "it " * 6, "")),
        "csv",
        False,
    )
    said = []
    with pytest.raises(FormatError, match="text 5: has 6 tokens; expected at most 5"):
        said.extend(rows)
    assert [row.split(",")[0] for row in said] == ["text", "1", "3"]
    noted = [line.partition(":")[0] for line in capsys.readouterr().err.splitlines()]
    assert noted == ["text 2", "text 4"]


MANY_LINES = """
import sys

from lengthwise.cli.app import main
from lengthwise.prepare.text import text_tokenizer

text_tokenizer.MANY = 0
main(["predict", "--model", "model", "--lines", "--file", "lines.txt", "--csv"])
assert "pyarrow" in sys.modules
print(*{"tensorflow", "keras", "spacy.cli", "pandas", "sklearn"} & {*sys.modules}, file=sys.stderr)
"""


def test_many_lines_need_no_tensorflow_and_no_pandas(kept_network, tmp_path):
    network = kept_network(vocabulary_size=len(VOCABULARY))
    save_network(network, tmp_path / "model", TextEncoding(OPTIONS, VOCABULARY))
    (tmp_path / "lines.txt").write_text("it left\n\nI missed it\n", encoding="utf-8")
    command = [sys.executable, "-c", MANY_LINES]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "text 2: has no tokens, so nothing can be predicted\n\n")
    assert [line.split(",")[:3] for line in done.stdout.splitlines()[1:]] == [["1", "2", "0"], ["3", "3", "0"]]
