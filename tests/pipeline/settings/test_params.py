import copy
import re
import subprocess
import sys
from functools import reduce

import pytest
import yaml
from dvc.utils.hydra import apply_overrides
from pydantic import ValidationError

from lengthwise.batching.registry import STRATEGIES
from lengthwise.core.names import OUTERS
from lengthwise.corpora.blogs.form import AGES_IN_WORDS
from lengthwise.errors import ParamsError
from lengthwise.pipeline.settings.params import check_params, load_params
from lengthwise.pipeline.sweeps.grid_file import override

# Per key: values of a wrong type or out of range, then values at the ends of the range.
WRONG = {
    "tasks": ([None, [], "classifier", ["classify"]], [["seq2seq"], ["classifier"]]),
    "ingest.corpus": (["blog", "Blogs", 1, None, True], ["blogs", "plain", "steps", "table"]),
    "ingest.blogs": ([None, [], "blogs"], []),
    "ingest.source": (["", 3, None, ["a"]], ["x"]),
    "ingest.blogs.age_brackets": ([None, [], {}, {"10s": [13, 17]}, "10s"], []),
    "ingest.blogs.age_brackets.10s": (
        [
            *([13], [13, 14, 15], [13, "17"], [-1, 17], [13, 151], [[13, 17]], 13, None, True, "", "13", "13-", "-17"),
            *("13-17-19", "13 to 17", "-1-17", "13-151", "1234-17", "13.0-17", "13–17", "١٣-١٧", "13-17\n"),
        ],
        [[0, 0], [3, 22], "0-0", "3-22", "3 - 22", "003-022"],
    ),
    "ingest.blogs.outside": (["drop", "Refuse", None, True, 1], ["leave_out"]),
    "ingest.blogs.quotes": (["single", None, 1, True, '"'], ["backslash", "none"]),
    "ingest.max_member_mb": ([0, 4097, 1.5, "64", True, None], [1, 4096]),
    "ingest.groups": ([0, -1, 1.5, "500", True, "all"], [None, 1, 500]),
    "ingest.plain.files": (["", 1, None, True], ["*.txt"]),
    "ingest.plain.encoding": (["", 1, None, True], ["utf-16"]),
    "ingest.steps.format": (["csv", "TS", 1, None, True], ["ts", "conll", "parquet", "long", "numpy", "auto"]),
    "ingest.steps.train": (["", 1, None, True], ["*.ts"]),
    "ingest.steps.validation": (["", 1, True], ["*dev*", None]),
    "ingest.steps.test": (["", 1, True], ["*test*", None]),
    "ingest.steps.tokens": (["", 1, True], ["form", None]),
    "ingest.steps.tags": (["upos", [1], None, True], [["upos"], []]),
    "ingest.steps.features": (["x", [""], None, True], [["x", "y"], []]),
    "ingest.steps.label": (["", 1, True], ["class", None]),
    "ingest.steps.numbers": (["x", [1], None, True], [["x", "y"], []]),
    "ingest.steps.group": (["", 1, True], ["newdoc", None]),
    "ingest.steps.sequence": (["", 1, True], ["id", None]),
    "ingest.steps.step": (["", 1, True], ["second", None]),
    "ingest.steps.missing": (["drop", 1, None, True], ["leave_out", "refuse"]),
    "ingest.table.format": (["xls", "CSV", 1, None, True], ["csv", "jsonl", "json", "parquet", "fasttext", "folder"]),
    "ingest.table.files": (["", 1, None, True], ["*.csv"]),
    "ingest.table.text": (["text", [1], None, True], [["title", "text"], []]),
    "ingest.table.tokens": (["", 1, True], ["words", None]),
    "ingest.table.labels": (["label", [1], None, True], [["tone", "topic"], []]),
    "ingest.table.several": (["yes", 1, None], [True, False]),
    "ingest.table.numbers": (["stars", [""], None, True], [["stars"], []]),
    "ingest.table.group": (["", 1, True], ["author", None]),
    "ingest.table.split": (["", 1, True], ["folder2", None]),
    "ingest.table.separator": (["", "long separator", 1, True], ["tab", ";", None]),
    "ingest.table.header": (["yes", 1, None], [False, True]),
    "ingest.table.quote": (["", "long quote", 1, True], ["'", None]),
    "ingest.table.escape": (["", "long escape", 1, True], ["|", None]),
    "ingest.table.encoding": (["", 1, None, True], ["utf-16"]),
    "ingest.table.clean": (["tags", ["html"], [1], None, True], [["tags", "entities", "newlines"], []]),
    "ingest.table.missing": (["drop", 1, None, True], ["leave_out", "refuse"]),
    "ingest.table.empty": (["drop", 1, None, True], ["refuse", "leave_out", "keep"]),
    "tokens.by": (["letters", 1, None, True], ["characters", "bytes"]),
    "tokens.language": (["e", 1, None, False], ["en", "de"]),
    "tokens.sentences": (["", 1, None], ["en_core_web_sm"]),
    "tokens.straighten_quotes": (["true", 1, 0, None, "no way"], [True, False]),
    "tokens.collapse_repeats": (["true", 1, 0, None], [True, False]),
    "tokens.link_word": ([True, 1, 0, ""], ["urlLink", None]),
    "tokens.longest_chunk": ([0, -1, 5000.0, "5000", True], [None, 1, 10_000]),
    "split.by": (["blogger", "author", 1, None, True], ["document", "sentence", "place"]),
    "split.validation": ([-0.001, 1.0, 2, "a tenth", None, True, [0.1]], [0.0, 0, "1e-1"]),
    "split.test": ([0.0, -0.1, 1.0, "a tenth", None, True], [1e-9, 0.8]),
    "split.folds": ([1, 101, 2.0, "10", True, "all"], [None, 2, 100]),
    "split.fold": ([-1, 100, 1.0, "1", None, True], [0, 99]),
    "split.seed": ([-1, 2**31, 1.0, "1", None, True], [0, 2**31 - 1]),
    "vocabulary.size": ([2, 10_000_001, 1e4, "10000", None, True], [3, 10_000_000]),
    "shards.unit": (["word", "author", 1, None], ["document", "group"]),
    "shards.min_length": ([0, 5.0, "5", None, True], [1, 30]),
    "shards.max_length": ([0, 30.0, "30", True, "none"], [None, 5]),
    "shards.too_long": (["cut", 1, None], ["truncate", "split"]),
    "shards.affixes": ([0, 9, 1.5, "3", True], [None, 1, 8]),
    "shards.rows_per_shard": ([0, 1.5, "10", None, True], [1]),
    "train.seed": ([-1, 2**31, 1.0, "1", None, True], [0, 2**31 - 1]),
    "train.epochs": ([0, 100_001, 1.0, "10", None, True], [1, 100_000]),
    "train.log_every": ([0, 1.0, "10", None, True], [1]),
    "train.batching.strategy": (["sorted", "Padded", 1, None], sorted(STRATEGIES)),
    "train.batching.batch_size": ([0, 1_000_001, 1.0, "256", None, True], [1, 1_000_000]),
    "train.batching.buckets": ([0, 100_001, 1.0, "5", None, True], [1, 100_000]),
    "train.batching.tokens": ([0, 2**31, 1.0, "5", None, True], [30, 2**31 - 1]),
    "train.batching.window": ([0, 2**31, 1.0, "64", None, True], [1, 2**31 - 1]),
    "train.batching.window_blocks": ([0, -1, 1.5, "8", True, "all"], [None, 1, 64]),
    "train.batching.padding": (["same", "left", 0, None, True], ["post", "pre"]),
    "train.batching.group_limit": ([0, -1, 1.5, "8", True, "all"], [None, 1, 64]),
    "train.batching.sample": ([0, -1, 1.5, "8", True, "all"], [None, 1, 64]),
    "train.model.outer": (["first", "Mean", 0, None, True], list(OUTERS)),
    "train.model.input": (["tokens", 0, None, True], ["embedding", "one_hot"]),
    "train.model.front_end": (["conv2d", 0, None, True], ["conv1d", "none"]),
    "train.model.filters": ([0, 65_537, 1.0, "64", None, True], [1, 65_536]),
    "train.model.kernel": ([0, 1025, 1.0, "4", None, True], [1, 1024]),
    "train.model.stride": ([0, 1025, 1.0, "2", None, True], [1, 1024]),
    "train.model.conv_padding": (["full", 0, None, True], ["causal", "same", "valid"]),
    "train.model.cell": (["rnn", "GRU", 0, None, True], ["simple", "lstm", "layer_norm_gru", "peephole_lstm"]),
    "train.model.activation": (["softmax", 0, None, True], ["relu", "sigmoid", "linear"]),
    "train.model.layers": ([0, 65, 1.0, "2", None, True], [1, 64]),
    "train.model.bidirectional": (["both", 0, 1, None], [True, False]),
    "train.model.masking": (["yes", 0, 1, None], [True, False]),
    "train.model.ensemble": ([0, 65, 1.0, "2", None, True], [1, 64]),
    "train.model.readout": (["first", "Mean", 0, None, True], ["last", "max", "mean", "mean_max"]),
    "train.model.word_dropout": ([-0.1, 1.0, "some", None, True], [0.0, 0, 0.999, "5e-1"]),
    "train.best": (["last", 1, None, False, True], ["none", "loss", "accuracy"]),
    "train.patience": ([0, -1, 1.5, "3", True, "none"], [None, 1, 3]),
    "train.class_weights": (["equal", 1, None, True], ["none", "balanced"]),
    "train.model.vectors": (["", 1, None, False], ["none", "file", "en_core_web_md"]),
    "train.model.vectors_file": (["", 1, None, True], ["glove.6B.zip"]),
    "train.model.vectors_frozen": (["yes", 0, 1, None], [False, True]),
    "train.optimizer.name": (["Adam", "rmsprop", 0, None, True], ["adam", "adamw", "sgd"]),
    "train.optimizer.momentum": ([-0.1, 1.0, "some", None, True], [0.0, 0, "9e-1"]),
    "train.optimizer.weight_decay": ([-0.1, 1.0, "some", None, True], [0.0, 0, "1e-2"]),
    "train.optimizer.warmup_steps": ([-1, 2**31, 1.5, "10", None, True], [0, 2**31 - 1]),
    "train.optimizer.schedule": (["falling", 0, None, True], ["constant", "cosine", "linear"]),
    "train.optimizer.clip_norm": ([0.0, -1, "none", True], [None, 1e-9, 5, "1e-3"]),
    "train.model.embedding": ([0, 65_537, 1.0, "64", None, True], [1, 65_536]),
    "train.model.units": ([0, 65_537, 1.0, "64", None, True], [1, 65_536]),
    "train.model.initial_state": (["random", 0, None, True], ["zeros", "learned"]),
    "train.model.dropout": ([-0.1, 1.0, "some", None, True], [0.0, 0, 0.999]),
    "train.optimizer.learning_rate": ([0.0, -1e-3, 10.1, "fast", None, True], [1e-9, 10, "1e-3"]),
    "baselines.inverse_regularization": ([0.0, -1, "much", None, True], [1e-9, 1000]),
    "baselines.tuned": (["yes", 1, None], [True, False]),
    "baselines.characters": ([1, 9, 4.0, "4", True, "none"], [None, 2, 8]),
    "baselines.max_iterations": ([0, 1.0, "100", None, True], [1]),
    "baselines.memory_mb": ([0, 63, -1, 100.0, "4096", True], [None, 64, 65_536]),
    "baselines.tag_window": ([-1, 17, 1.0, "1", None, True], [0, 16]),
    "baselines.tag_bits": ([7, 25, 18.0, "18", None, True], [8, 24]),
    "baselines.tag_epochs": ([0, 1.0, "5", None, True], [1]),
    "baselines.ngram_order": ([0, 33, 1.0, "7", None, True], [1, 32]),
    "evaluate.bootstrap_samples": ([9, 1_000_001, 1.0, "1000", None, True], [10, 1_000_000]),
    "evaluate.confidence": ([0.0, 1.0, 95, "sure", None, True], [0.001, 0.999]),
    "train.logical_shards": ([0, 1, -2, 1025, 8.5, "8", True], [None, 2, 8, 1024]),
    "train.kernel": (["cuda", "Native", 0, None, True], ["auto", "keras", "native"]),
    "evaluate.kernel": (["cuda", "Native", 0, None, True], ["auto", "keras", "native"]),
    "evaluate.seed": ([-1, 2**31, 1.0, "1", None, True], [0, 2**31 - 1]),
    "comparison.accuracy": ([0.0, 1.0, 40, "good", None, True], [0.001, "5e-1"]),
}
# Keys, the key that their values are at odds with, and a value of it that they are not.
NEEDED = (
    ("train.patience", "train.best", "loss"),
    ("train.model.vectors_frozen", "train.model.vectors", "file"),
    ("train.optimizer.momentum", "train.optimizer.name", "sgd"),
    ("train.optimizer.weight_decay", "train.optimizer.name", "adamw"),
)
NUMBERS = (
    "split.validation",
    "split.test",
    "train.model.dropout",
    "train.optimizer.learning_rate",
    "baselines.inverse_regularization",
    "evaluate.confidence",
    "comparison.accuracy",
)
SECTIONS = ("", "ingest", "tokens", "split", "shards", "train", "train.batching", "train.model", "evaluate")


def leaves(content, prefix=""):
    for key, value in content.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


@pytest.fixture(scope="module")
def shipped(root):
    return yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def content(shipped):
    return copy.deepcopy(shipped)


def section_of(content, dotted):
    *sections, key = dotted.split(".")
    for section in sections:
        content = content[section]
    return content, key


def load(tmp_path, content):
    path = tmp_path / "params.yaml"
    if not isinstance(content, str):
        return check_params(content, path)
    path.write_text(content, encoding="utf-8")
    return load_params(path)


def refusal_of(tmp_path, content):
    with pytest.raises(ParamsError) as caught:
        load(tmp_path, content)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'params.yaml'}: ")
    assert "\n" not in message
    return message.removeprefix(f"{tmp_path / 'params.yaml'}: ")


def test_the_shipped_params_are_valid(root, shipped):
    params = load_params(root / "params.yaml")
    assert {"ingest", "tokens", "split", "vocabulary", "shards", "train", "baselines", "evaluate"} <= set(shipped)
    assert params.train.model.dropout == shipped["train"]["model"]["dropout"]


def test_every_leaf_of_the_shipped_params_has_its_wrong_values_here(shipped):
    brackets = shipped["ingest"]["blogs"]["age_brackets"]
    known = set(WRONG) - {"ingest.blogs"} | {f"ingest.blogs.age_brackets.{name}" for name in brackets}
    assert set(leaves(shipped)) <= known
    assert known - {"ingest.blogs.age_brackets"} <= set(leaves(shipped))


@pytest.mark.parametrize("dotted", [key for key in WRONG if not key.startswith("ingest.blogs.age_brackets.")])
def test_a_missing_key_is_refused_with_what_is_expected(tmp_path, content, dotted):
    section, key = section_of(content, dotted)
    del section[key]
    message = refusal_of(tmp_path, content)
    assert message.startswith(f"{dotted}: is missing; expected ")
    assert "expected value" not in message


@pytest.mark.parametrize("dotted", WRONG)
def test_a_wrong_value_is_refused_with_key_value_and_what_is_expected(tmp_path, content, dotted):
    section, key = section_of(content, dotted)
    for value in WRONG[dotted][0]:
        section[key] = value
        message = refusal_of(tmp_path, content)
        assert message.startswith(dotted), value
        assert "; expected " in message, value
        assert "expected value" not in message, value
        assert not message.startswith(f"{dotted}: ") or f"got {value!r}" in message, value


@pytest.mark.parametrize("dotted", WRONG)
def test_the_ends_of_a_range_are_accepted(tmp_path, shipped, dotted):
    for value in WRONG[dotted][1]:
        content = copy.deepcopy(shipped)
        section, key = section_of(content, dotted)
        section[key] = value
        # What one value would be at odds with.
        if dotted == "split.by":
            content["shards"]["unit"] = "document" if value == "place" else value
        if dotted == "shards.unit":
            content["split"]["by"] = value
        if dotted == "train.model.outer":
            content["tasks"] = ["classifier"]
        if dotted == "ingest.steps.validation":
            content["ingest"]["steps"]["test"] = "*test*"
        if dotted == "ingest.steps.step":
            content["ingest"]["steps"]["sequence"] = "id"
        if dotted == "split.test":
            content["split"]["validation"] = 0.1
        for needing, needed, fitting in NEEDED:
            if dotted == needing and value:
                section, key = section_of(content, needed)
                section[key] = fitting
        load(tmp_path, content)


@pytest.mark.parametrize(
    ("dotted", "value", "expected"),
    [
        ("split.validation", 2, "a number from 0.0 below 1.0"),
        ("split.test", 0, "a number above 0.0 below 1.0"),
        ("train.optimizer.learning_rate", 11, "a number above 0.0 to 10.0"),
        ("split.seed", -1, "an integer from 0 to 2147483647"),
        ("vocabulary.size", 2, "an integer from 3 to 10000000"),
        ("split.by", "blogger", "one of sentence, document, group, place"),
        ("train.batching.strategy", "sorted", f"one of {', '.join(sorted(STRATEGIES))}"),
        ("tokens.link_word", False, "text or null"),
        ("ingest.blogs.age_brackets.20s", "20 to 29", AGES_IN_WORDS["words"]),
        ("ingest.blogs.age_brackets.20s", [20], AGES_IN_WORDS["words"]),
    ],
)
def test_what_is_expected_has_the_bounds_or_the_legal_values(tmp_path, content, dotted, value, expected):
    section, key = section_of(content, dotted)
    section[key] = value
    assert refusal_of(tmp_path, content) == f"{dotted}: got {value!r}; expected {expected}; change it"


@pytest.mark.parametrize("section", SECTIONS)
def test_an_unknown_key_is_refused_beside_the_known_ones(tmp_path, content, section):
    where = section_of(content, f"{section}.x".lstrip("."))[0]
    known = sorted(where)
    where["surprise"] = 1
    dotted = f"{section}.surprise".lstrip(".")
    assert refusal_of(tmp_path, content) == (
        f"{dotted}: is no key; expected one of {', '.join(known)}; remove or rename it"
    )


@pytest.mark.parametrize("section", SECTIONS[1:])
@pytest.mark.parametrize("value", [None, [], 3, "text"])
def test_a_section_that_is_none_is_refused(tmp_path, content, section, value):
    where, key = section_of(content, section)
    where[key] = value
    message = refusal_of(tmp_path, content)
    assert message.startswith(f"{section}: got {value!r}; expected a section of keys")


def test_all_errors_are_counted_and_the_first_is_told(tmp_path, content):
    content["split"]["by"] = "blogger"
    content["train"]["epochs"] = 0
    del content["evaluate"]["seed"]
    message = refusal_of(tmp_path, content)
    assert message.startswith("split.by: ")
    assert message.endswith("(and 2 more)")


def test_a_bracket_without_quotes_is_refused_with_what_is_expected(tmp_path, content):
    # YAML reads `10:` as a number.
    content["ingest"]["blogs"]["age_brackets"] = {10: [13, 17], 20: [23, 27]}
    message = refusal_of(tmp_path, content)
    assert message.startswith("ingest.blogs.age_brackets.10: got 10; expected text")


@pytest.mark.parametrize(
    ("text", "number"), [("1e-3", 0.001), ("1E-3", 0.001), ("4.e-1", 0.4), (".4", 0.4), ("+2e-1", 0.2), ("0.25", 0.25)]
)
def test_a_number_by_hand_is_the_number_that_it_means(tmp_path, content, text, number):
    for dotted in NUMBERS:
        section, key = section_of(content, dotted)
        section[key] = "HERE"
    params = load(tmp_path, yaml.safe_dump(content).replace("HERE", text))
    for dotted in NUMBERS:
        found = reduce(getattr, dotted.split("."), params)
        assert found == number
        assert type(found) is float


@pytest.mark.parametrize("text", [".nan", ".inf", "-.inf", "nan", "inf", "1e999", "1e", "1 000", "1_0e-3", "'  1'"])
def test_a_number_that_is_not_finite_or_none_is_refused(tmp_path, content, text):
    written = yaml.safe_load(text)
    for dotted in NUMBERS:
        changed = copy.deepcopy(content)
        section, key = section_of(changed, dotted)
        section[key] = written
        assert refusal_of(tmp_path, changed).startswith(f"{dotted}: got ")


@pytest.mark.parametrize("dotted", ["train.epochs", "train.seed", "shards.min_length", "vocabulary.size"])
def test_an_integer_by_hand_is_not_taken_from_text_or_a_fraction(tmp_path, content, dotted):
    for value in ("12", "1e3", 12.0):
        section, key = section_of(content, dotted)
        section[key] = value
        assert refusal_of(tmp_path, content).startswith(f"{dotted}: got {value!r}; expected an integer")


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("split: {by: group}\ntokens: {}\nsplit: {by: document}\n", "split", 3),
        ("split:\n  by: group\n  test: 0.1\n  by: group\n", "by", 4),
        ("train:\n  model:\n    units: 1\n    units: 1\n", "units", 4),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_its_line(tmp_path, text, key, line):
    message = refusal_of(tmp_path, text)
    assert f"key {key!r} stands twice" in message
    assert f"line {line}" in message


@pytest.mark.parametrize(
    "text",
    [
        "split: [",
        "a: b: c",
        "\tsplit: 1",
        "a: &x *y",
        "{[1, 2]: 3}",
        "? {a: 1}\n: 2",
        "a: !!python/name:os.system",
        "\x00",
    ],
)
def test_what_is_not_yaml_is_refused_in_one_line(tmp_path, text):
    assert "is not YAML" in refusal_of(tmp_path, text)


def test_a_date_that_does_not_exist_is_refused_in_one_line(tmp_path, content):
    content["ingest"]["source"] = "HERE"
    refusal_of(tmp_path, yaml.safe_dump(content).replace("HERE", "2004-02-30"))


@pytest.mark.parametrize("text", ["", "# nothing\n", "3", "[1]", "text"])
def test_a_file_without_sections_is_refused(tmp_path, text):
    assert "expected a section of keys" in refusal_of(tmp_path, text)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(ParamsError, match="cannot be read"):
        load_params(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ParamsError, match="cannot be read"):
        load_params(tmp_path / "params.yaml")
    with pytest.raises(ParamsError, match="cannot be read"):
        load_params(tmp_path)


def changed_lines(before, after):
    assert len(before.splitlines()) == len(after.splitlines())
    return [pair for pair in zip(before.splitlines(), after.splitlines(), strict=True) if pair[0] != pair[1]]


def as_dvc_writes_numbers(root, tmp_path):
    # A small number may be there as somebody has written it by hand; all else is as DVC writes it.
    text = (root / "params.yaml").read_text(encoding="utf-8")
    text = re.sub(r"[0-9.]+e-[0-9]+(?=\n)", lambda number: repr(float(number[0])), text)
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return path, text


def test_set_param_of_every_key_changes_its_value_and_nothing_else(root, tmp_path, shipped):
    # All in one: a key changes one line, however many do. Comments and empty lines stay.
    path, original = as_dvc_writes_numbers(root, tmp_path)
    overrides, back = {}, []
    for dotted in leaves(shipped):
        section, key = section_of(shipped, dotted)
        # DVC writes an entry of a list a line.
        if isinstance(section[key], list):
            continue
        _, legal = WRONG.get(dotted, WRONG["ingest.blogs.age_brackets.10s"])
        value = next(value for value in legal if value != section[key] and not isinstance(value, list))
        overrides[dotted], back = value, [*back, override(dotted, section[key])]
    apply_overrides(path, [override(dotted, value) for dotted, value in overrides.items()])
    changed = path.read_text(encoding="utf-8")
    lines = changed_lines(original, changed)
    assert len(lines) == len(overrides)
    for (old, new), (dotted, value) in zip(lines, overrides.items(), strict=True):
        assert new.partition(":")[0] == old.partition(":")[0]
        assert new.strip().partition(":")[0] == dotted.rpartition(".")[2]
        section, key = section_of(yaml.safe_load(changed), dotted)
        # 1e-09, as DVC writes it, is text to PyYAML; the params take it as a number.
        assert section[key] in (value, repr(value))
    # The second time there is nothing to change, and the way back leads to the bytes that were there.
    apply_overrides(path, [override(dotted, value) for dotted, value in overrides.items()])
    assert path.read_text(encoding="utf-8") == changed
    apply_overrides(path, back)
    assert path.read_text(encoding="utf-8") == original


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "change", ["train.epochs=3", "ingest.blogs.age_brackets={10s: 13-18}", "shards.max_length=null"]
)
def test_set_param_as_it_is_typed_changes_one_line(root, tmp_path, change):
    path, original = as_dvc_writes_numbers(root, tmp_path)
    for _ in range(2):
        apply_overrides(path, [change])
        assert len(changed_lines(original, path.read_text(encoding="utf-8"))) == 1
    load_params(path)


def test_set_param_to_nothing_and_back_leaves_the_bytes(root, tmp_path):
    path, original = as_dvc_writes_numbers(root, tmp_path)
    for values in (("7", "60", "null"), ("null", "30", "1.0")):
        keys = ("ingest.groups", "shards.max_length", "train.optimizer.clip_norm")
        apply_overrides(path, [f"{key}={value}" for key, value in zip(keys, values, strict=True)])
    assert path.read_text(encoding="utf-8") == original


def test_params_are_frozen(root):
    params = load_params(root / "params.yaml")
    for section in (params, params.train, params.train.model, params.split):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(section, next(iter(type(section).model_fields)), 1)


def test_params_have_no_defaults(root):
    params = load_params(root / "params.yaml")
    sections = [params, *(getattr(params, name) for name in type(params).model_fields)]
    sections += [params.train.batching, params.train.model, params.train.optimizer]
    for section in sections:
        fields = getattr(type(section), "model_fields", {})
        assert all(field.is_required() for field in fields.values())


def test_params_are_checked_without_anything_heavy(root):
    code = (
        "import sys; from pathlib import Path; from lengthwise.pipeline.settings.params import load_params; "
        f"load_params(Path({str(root / 'params.yaml')!r})); "
        "print(sorted({'tensorflow', 'keras', 'spacy', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
