import subprocess
from copy import deepcopy
from functools import reduce
from itertools import product
from operator import getitem
from pathlib import Path

import pytest
import yaml
from dvc.utils.hydra import apply_overrides, to_hydra_overrides
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from lengthwise.errors import ParamsError, SweepError
from lengthwise.pipeline.settings.conflicts import first_conflict
from lengthwise.pipeline.settings.params import Params, load_params
from lengthwise.pipeline.settings.refusals import expectation
from lengthwise.pipeline.sweeps.grid_file import override, read_grid
from lengthwise.pipeline.sweeps.search_file import is_search, read_search
from lengthwise.system.strict_yaml import read_yaml

ROOT = Path(__file__).parents[3]


@pytest.fixture
def params_file(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes((ROOT / "params.yaml").read_bytes())
    return path


@pytest.fixture
def read(tmp_path, params_file):
    def read(text):
        path = tmp_path / "grid.yaml"
        path.write_text(text if isinstance(text, str) else yaml.safe_dump(text, sort_keys=False), encoding="utf-8")
        return read_grid(path, params_file)

    return read


def leaves(content, above=()):
    for key, value in content.items():
        if isinstance(value, dict):
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value


def others(place, value):
    """Legal values that are not the one that is there."""
    expected = expectation(Params, place)
    if expected.startswith("one of "):
        return [name for name in expected.removeprefix("one of ").split(", ") if name != value]
    if isinstance(value, bool):
        return [not value]
    if place[:3] == BRACKETS:
        youngest, oldest = map(int, value.split("-"))
        return [f"{youngest}-{oldest + 1}", [youngest, oldest + 1]]
    if isinstance(value, list):
        known = expected.partition("each one of ")[2].split(", ")
        return [[known[-1]] if known[-1] else ["a name", "it's: another, {2}"]]
    if isinstance(value, dict):
        return [{"a name": "13-17", "another": "18-"}]
    if place[-1] in SIGNS:
        return [";", "|"]
    if isinstance(value, str) or "text" in expected:
        # Each of these with some of the keys.
        return [f"{value}.other", NASTY[sum(map(len, place)) % len(NASTY)]]
    known = [] if value is None else [value + 1] if isinstance(value, int) else [value / 2, 1e-05]
    return [*known, *([None, 7] if " or " in expected else [])]


NASTY = ("a folder/b,c=d/it's [1]: {2}.zip", "1e-3", "null", "true", "10")
BRACKETS = ("ingest", "blogs", "age_brackets")
# Between columns, around values and before quotes of a table.
SIGNS = ("separator", "quote", "escape")
SHIPPED = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
SHIPPED_PARAMS = load_params(ROOT / "params.yaml").model_dump()
SETTABLE = list(leaves(SHIPPED))
CHANGES = [(".".join(place), other) for place, value in SETTABLE for other in others(place, value)]


def test_every_key_has_another_value():
    assert {key for key, _ in CHANGES} == {".".join(place) for place, _ in SETTABLE}


@pytest.mark.sampled(18)
@pytest.mark.parametrize(("key", "value"), CHANGES, ids=str)
def test_override_sets_the_key_through_dvc_and_no_other(params_file, key, value):
    place = tuple(key.split("."))
    before = deepcopy(SHIPPED_PARAMS)
    apply_overrides(params_file, [override(key, value)])
    expected = reduce(lambda here, part: here[part], place[:-1], before)
    expected[place[-1]] = value
    try:
        before = Params.model_validate(before).model_dump()
        refused = first_conflict(before) is not None
    except ValidationError:
        refused = True
    if refused:
        # Such a pair is refused by its own tests; the value has to have arrived all the same.
        # As text: DVC writes 1e-05, which YAML 1.1 takes for text and the params for the number.
        assert str(reduce(getitem, place, read_yaml(params_file))) == str(value)
    else:
        assert load_params(params_file).model_dump() == before


# Hydra takes ${...} for a reference to another key; no key may be infinite.
texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("'\\\"$,=[]{}: ")).filter(
    lambda text: "${" not in text
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts


@given(scalars | st.lists(scalars))
@example("\\")
@example("it\\'s \\\\'quoted\\\\")
@example(["\\", "'", None, 1e-05])
def test_override_is_read_back_by_dvc_as_the_value(value):
    def plain(read):
        return [plain(item) for item in read] if isinstance(read, list) else getattr(read, "text", read)

    (parsed,) = to_hydra_overrides([override("a.b", value)])
    assert not parsed.is_sweep_override()
    assert repr(plain(parsed.value())) == repr(value)


def test_grid_has_a_run_for_every_combination_the_last_key_changing_fastest(read):
    grid = {"train.epochs": [1, 2, 3], "train.batching.strategy": ["padded", "exact"], "shards.max_length": [None, 9]}
    runs = read(grid)
    assert [tuple(run.values.values()) for run in runs] == list(product(*grid.values()))
    assert runs[1].name == "epochs=1,strategy=padded,max_length=9"
    assert runs[0].name == "epochs=1,strategy=padded,max_length=null"
    assert len({run.name for run in runs}) == 12


@pytest.mark.long
def test_grid_gives_each_run_the_params_that_dvc_makes_of_its_overrides(read, params_file):
    grid = {
        "ingest.source": "/where it/is/blogs.zip",
        "ingest.blogs.age_brackets.10s": [[13, 16], [12, 17]],
        "train.optimizer.learning_rate": ["1e-3", 1.0e-5, 0.5],
        "train.optimizer.clip_norm": [None, 1],
        "train.model.masking": [True, False],
    }
    original = params_file.read_bytes()
    runs = read(grid)
    assert len(runs) == 2 * 3 * 2 * 2
    for run in runs:
        params_file.write_bytes(original)
        apply_overrides(params_file, run.overrides)
        assert load_params(params_file) == run.params
    assert runs[0].values["train.optimizer.learning_rate"] == 0.001


def test_grid_takes_one_value_for_a_list_of_one(read):
    assert read({"train.epochs": 3, "train.seed": [1, 2]}) == read({"train.epochs": [3], "train.seed": [1, 2]})


def test_grid_with_a_value_that_no_run_may_have_is_refused(read):
    with pytest.raises(SweepError) as caught:
        read({"train.epochs": [1, "many", 0], "train.seed": [1, 2]})
    assert "grid.yaml: train.epochs: got 'many'; expected an integer from 1" in str(caught.value)
    assert "\n" not in str(caught.value)
    # Not even alone: what the other keys are does not matter.
    with pytest.raises(SweepError, match="the backward direction"):
        read({"train.batching.strategy": ["truncated", "packed"], "train.model.bidirectional": True})


def test_grid_refuses_senseless_pairs_alone(read):
    runs = read({"train.batching.strategy": ["truncated", "packed"], "train.model.bidirectional": [False, True]})
    assert [run.params is None for run in runs] == [False, True, False, False]
    assert "the backward direction" in runs[1].refusal


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "got None; expected a map"),
        ("[1, 2]", "got [1, 2]; expected a map"),
        ("train.epoch: [1]", "train.epoch: is no key, at 'epoch'; expected one of seed, epochs"),
        ("train.epochs.more: [1]", "train.epochs.more: is no key, at 'more'; expected nothing below it"),
        ("nope: [1]", "nope: is no key, at 'nope'; expected one of tasks"),
        ("3: [1]", "3: is no key, at 3"),
        ("train: [1]", "train: is a section; expected a key in it, one of seed"),
        ("ingest.blogs.age_brackets: [{10s: [13, 19]}]", "ingest.blogs.age_brackets: is a section"),
        ("train.epochs: []", "train.epochs: got an empty list"),
        ("train.epochs: {a: 1}", "train.epochs: got {'a': 1}; expected a value, or a list"),
        ("train.epochs: [[[1]]]", "train.epochs: got [[1]]; expected a value"),
        ("train.epochs: [2004-05-01]", "train.epochs: got datetime.date(2004, 5, 1); expected a value"),
        ("train.epochs: [1, 2, 1]", "train.epochs: got 1 twice"),
        ("train.epochs: [1]\ntrain.epochs: [2]", "key 'train.epochs' stands twice, again in line 2"),
        ("train.epochs: [1", "is not YAML"),
    ],
)
def test_grid_file_that_is_wrong_is_refused_in_one_line(read, text, told):
    with pytest.raises((SweepError, ParamsError)) as caught:
        read(text)
    assert "grid.yaml: " in str(caught.value)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_grid_that_is_not_there_is_refused(params_file, tmp_path):
    with pytest.raises(ParamsError, match=r"nowhere\.yaml: cannot be read"):
        read_grid(tmp_path / "nowhere.yaml", params_file)


def test_grid_over_wrong_params_is_refused(read, params_file):
    params_file.write_text("train: 3\n", encoding="utf-8")
    with pytest.raises(ParamsError, match=r"params\.yaml: "):
        read({"train.epochs": [1]})


def test_names_take_the_shortest_end_of_a_key_that_no_other_key_has(read):
    grid = {"train.model.units": 3, "train.model.kernel": 2, "train.kernel": "keras", "evaluate.kernel": "keras"}
    assert read(grid)[0].name == "units=3,model.kernel=2,train.kernel=keras,evaluate.kernel=keras"


@pytest.mark.parametrize(
    "source",
    [
        "../x/blogs.zip",
        "a..b",
        "ends.",
        "a b",
        "a@{1}",
        "a:b~1^2?*[",
        "-",
        "@",
        "x" * 400,
        "\\",
        "ü",
        "a\nb",
        "${b",
        "'",
    ],
)
def test_names_are_legal_for_git_and_differ_where_values_do(read, source):
    runs = read({"train.epochs": [1, 2], "ingest.source": [source, source.replace("x", "y") + "/"]})
    for run in runs:
        reference = f"refs/exps/ab/{run.name}"
        assert subprocess.run(["git", "check-ref-format", reference], check=False).returncode == 0, run.name
        assert len(run.name.encode()) < 240
        assert "/" not in run.name
    assert len({run.name for run in runs}) == 4


def test_shipped_grids_are_good():
    files = sorted((ROOT / "sweeps").glob("*.yaml"))
    searches = [path for path in files if is_search(path)]
    assert searches
    assert len(files) > len(searches)
    for path in files:
        if path in searches:
            assert read_search(path, ROOT / "params.yaml").options
        else:
            assert all(run.params for run in read_grid(path, ROOT / "params.yaml"))
