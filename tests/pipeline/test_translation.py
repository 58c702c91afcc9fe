import ast
import pickle
import sys

import numpy as np
import pytest
from blog_words import WORDS

from lengthwise.batching.token_budget import TokenBudget
from lengthwise.errors import ArgumentError
from lengthwise.evaluation.levels import items_of
from lengthwise.pipeline import stage
from lengthwise.pipeline.settings.params import load_params
from lengthwise.pipeline.translation import KEYS, errors_under_keys

LIBRARY_WINGS = ("advice", "batching", "evaluation", "layers", "models", "native", "training")


def without_sequences():
    items_of(dict.fromkeys(("label", "sequence", "document", "group"), np.array([], np.int32)), "sentence", WORDS)


SHOWN = {
    "budget": (
        lambda: TokenBudget(4).plan([3, 9]),
        "train.batching.tokens: got 4; expected at least 9, the length of sequence 1; raise it, or lower "
        "shards.max_length",
    ),
    "size": (
        lambda: TokenBudget(0),
        "train.batching.tokens: got 0; expected a whole number from 1 to 2147483647; raise it, or lower "
        "shards.max_length",
    ),
    "empty": (
        without_sequences,
        "shards: got no sequence; expected one or more to train on and to test with; widen shards.min_length and "
        "shards.max_length, or raise split.test",
    ),
}


@pytest.mark.parametrize(("wrong", "message"), SHOWN.values(), ids=SHOWN)
def test_stage_shows_a_wrong_argument_of_the_library_under_its_key(monkeypatch, capsys, wrong, message):
    def main() -> None:
        wrong()

    monkeypatch.setattr(sys, "argv", ["stage.py"])
    with pytest.raises(SystemExit) as ended:
        stage.run_without_figures(main)
    assert (ended.value.code, capsys.readouterr().err) == (2, f"error: {message}\n")


def test_argument_that_no_key_gives_is_shown_as_the_library_names_it():
    with pytest.raises(ArgumentError, match=r"^lengths: got 0 for sequence 0"), errors_under_keys():
        TokenBudget(4).plan([0])


def test_every_key_that_is_shown_exists(root):
    for key, _ in KEYS.values():
        place = load_params(root / "params.yaml")
        for name in key.split("."):
            place = getattr(place, name)


def test_library_raises_nothing_that_names_a_key(root):
    sections = load_params(root / "params.yaml").model_dump()
    keys = {f"{section}.{key}" for section, content in sections.items() for key in content}
    library = root / "src" / "lengthwise"
    paths = [path for wing in LIBRARY_WINGS for path in (library / wing).glob("*.py")]
    assert len(paths) > len(LIBRARY_WINGS)
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = {key for key in keys if key in ast.unparse(node)} if isinstance(node, ast.Raise) else set()
            assert not named, path


def test_argument_error_survives_a_worker():
    error = pickle.loads(pickle.dumps(ArgumentError("tokens", "got 4; expected 9", "raise it")))
    assert (str(error), error.argument, error.remedy) == ("tokens: got 4; expected 9; raise it", "tokens", "raise it")
