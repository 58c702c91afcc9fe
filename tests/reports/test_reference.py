import re

import pytest
import yaml

from lengthwise.batching.registry import STRATEGIES
from lengthwise.errors import FormatError
from lengthwise.pipeline.ablations.definitions import Ablations
from lengthwise.pipeline.settings.params import Params
from lengthwise.pipeline.settings.refusals import expectation
from lengthwise.reports.reference import ablations_table, params_tables, stages_table, strategies_table
from lengthwise.system.commented_yaml import read_keys


def leaves(model, prefix=""):
    for name, field in model.model_fields.items():
        if hasattr(field.annotation, "model_fields"):
            yield from leaves(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name


def value_at(content, key):
    for part in key.split("."):
        content = content[part]
    return content


def test_params_table_has_every_key_of_the_models_with_its_default_and_a_comment(root):
    path = root / "params.yaml"
    keys = {key.name: key for key in read_keys(path)}
    assert set(leaves(Params)) <= set(keys)
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name in leaves(Params):
        assert keys[name].comment, name
        if "entries" not in keys[name].default:
            assert yaml.safe_load(keys[name].default) == value_at(content, name), name


# How a comment says a bound, and how a rejection says it.
BOUNDS = (
    (re.compile(r"\(at least (\d+)\)|\(each at least (\d+)\)"), "from {}"),
    (re.compile(r"\((\d+ to \d+)\)"), "from {}"),
    (re.compile(r"\(above (\d+)\)|that of test above (0)"), "above {}.0"),
    (re.compile(r"in (?:\[0, (1)\)|\(0, (1)\))"), "below {}.0"),
)


def test_comments_say_the_names_and_bounds_that_params_may_have(root):
    told = 0
    for key in read_keys(root / "params.yaml"):
        expected = expectation(Params, tuple(key.name.split(".")))
        if expected.startswith("one of "):
            names = set(expected.removeprefix("one of ").split(", "))
            assert names <= set(re.findall(r"\w+", key.comment)), key.name
        for pattern, words in BOUNDS:
            # What is said of test alone is not said of what stands beside it.
            for found in pattern.finditer(key.comment):
                if "of test" not in found[0] or key.name == "split.test":
                    said = words.format(next(filter(None, found.groups())))
                    assert re.search(rf"\b{re.escape(said)}\b", expected), key.name
                    told += 1
    assert told > 30


def test_ablations_table_has_every_key_of_their_model_with_its_default_and_a_comment(root):
    path = root / "ablations" / "params.yaml"
    keys = {key.name: key for key in read_keys(path)}
    assert set(keys) == set(Ablations.model_fields)
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert keys["ablations"].default == f"{len(content['ablations'])} entries"
    assert yaml.safe_load(keys["seeds"].default) == content["seeds"]
    lines = ablations_table(path).splitlines()
    assert [re.match(r"\| `(\w+)` \| `.+` \| \w.+ \|", line)[1] for line in lines[2:]] == list(content)


def test_params_table_shows_null_where_nothing_is_written(root):
    rows = [line for line in params_tables(root / "params.yaml").splitlines() if line.startswith("| `")]
    assert all(re.match(r"\| `[\w.]+` \| `[^`]+` \| \S", row) for row in rows)
    assert any(row.startswith("| `ingest.groups` | `null` |") for row in rows)


def test_read_keys_takes_the_comment_above_or_that_of_the_key_before(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(
        "# Of the file.\n\nsection:\n  # Of both,\n  # in two lines.\n  first: 1.0e-4\n  second: [1,\n    2]\n"
        "  # A map.\n  names:\n    a: {b: 1}\n    c: x\n"
        "  # Of the third.\n  third: 'a # b'\n# Of the seeds.\nseeds: []\n"
        "# A block.\nblock:\n- 1\n- {a: [2,\n  3]}\n-\n# Empty.\nempty:\n# Empty too.\nnothing: ~\n"
        "# A map.\nmap: {a: , b: null}\n"
    )
    found = [(key.name, key.default, key.comment) for key in read_keys(path)]
    assert found == [
        ("section.first", "1.0e-4", "Of both, in two lines."),
        ("section.second", "[1, 2]", "Of both, in two lines."),
        ("section.names", "{a: {b: 1}, c: x}", "A map."),
        ("section.third", "'a # b'", "Of the third."),
        ("seeds", "[]", "Of the seeds."),
        ("block", "[1, {a: [2, 3]}, null]", "A block."),
        ("empty", "null", "Empty."),
        ("nothing", "~", "Empty too."),
        ("map", "{a: null, b: null}", "A map."),
    ]


def test_read_keys_counts_what_is_too_long_to_show(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("# All.\nablations:\n" + "".join(f"  name_{n}:\n    train.model.units: {n}\n" for n in range(9)))
    assert [key.default for key in read_keys(path)] == ["9 entries"]


@pytest.mark.parametrize("content", ["", "a: [", "- a\n"])
def test_read_keys_refuses_what_is_no_map(tmp_path, content):
    path = tmp_path / "params.yaml"
    path.write_text(content)
    with pytest.raises(FormatError, match=r"params\.yaml: is "):
        params_tables(path)


def test_stages_table_has_every_stage_in_order_with_its_description(root):
    stages = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    lines = stages_table(root / "dvc.yaml").splitlines()[2:]
    assert [re.match(r"\| `(\w+)", line)[1] for line in lines] == list(stages)
    for line, stage in zip(lines, stages.values(), strict=True):
        assert stage["desc"] in line
        assert "timing" not in line


def test_strategies_table_has_every_strategy_with_the_padding_of_the_run(run, rewrite):
    lines = strategies_table(run).splitlines()[2:]
    assert [re.match(r"\| `(\w+)`", line)[1] for line in lines] == list(STRATEGIES)
    assert next(line for line in lines if "`bucketed`" in line).endswith("| 17.6\N{NO-BREAK SPACE}% |")
    changed = rewrite("train/classifier/batching.csv", (",0.175557,", ",0.25,"), ("\npacked,", "\nother,"))
    lines = {line.split("`")[1]: line for line in strategies_table(changed).splitlines()[2:]}
    assert "25.0" in lines["bucketed"]
    assert lines["packed"].endswith("|  |")
