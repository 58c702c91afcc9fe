import copy
import difflib

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from lengthwise.errors import ParamsError
from lengthwise.pipeline.ablations.definitions import ABLATION_SECTIONS, Ablations, ablated, load_ablations, sensible
from lengthwise.pipeline.settings.params import Params, load_params


@pytest.fixture(scope="module")
def params(root):
    return load_params(root / "params.yaml")


@pytest.fixture(scope="module")
def shipped(root, params):
    return load_ablations(root / "ablations" / "params.yaml", params)


REFUSE = {"senseless": "refuse"}


def load(tmp_path, params, content):
    path = tmp_path / "params.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return load_ablations(path, params)


def refusal_of(tmp_path, params, content):
    with pytest.raises(ParamsError) as caught:
        load(tmp_path, params, content)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'params.yaml'}: ")
    assert "\n" not in message
    return message.removeprefix(f"{tmp_path / 'params.yaml'}: ")


def test_shipped_ablations_each_make_sense_and_change_something(params, shipped):
    for name in shipped.ablations:
        task, changed = ablated(params, shipped, name)
        assert (task == "classifier" and changed == params) == (name == "full"), name


def test_ablated_params_are_those_with_the_changes_and_nothing_else(params):
    changes = {"train.model.units": 7, "shards.max_length": None, "task": "seq2seq"}
    ablations = Ablations(senseless="refuse", seeds=[1], ablations={"full": {}, "both": changes})
    before = copy.deepcopy(params)
    expected = params.model_dump()
    expected["train"]["model"]["units"], expected["shards"]["max_length"] = 7, None
    assert ablated(params, ablations, "both") == ("seq2seq", Params.model_validate(expected))
    assert ablated(params, ablations, "full") == ("classifier", params)
    assert params == before
    assert ablations.ablations == {"full": {}, "both": changes}


@pytest.mark.parametrize(
    ("ablations", "message"),
    [
        (None, "ablations: got None; expected a map of names; change it"),
        ({}, "ablations.full: got None; expected {}"),
        ({"full": {"train.epochs": 1}}, "ablations.full: got {'train.epochs': 1}; expected {}"),
        ({"full": {}, "x": None}, "ablations.x: got None; expected a map of names"),
        ({"full": {}, "No": {}}, "ablations: got the name 'No'; expected a small letter"),
        ({"full": {}, "a-b": {}}, "ablations: got the name 'a-b'; expected a small letter"),
        ({"full": {}, "../up": {}}, "ablations: got the name '../up'; expected a small letter"),
        ({"full": {}, "a\nb": {}}, "ablations: got the name 'a\\nb'; expected a small letter"),
        ({"full": {}, "a\n": {}}, "ablations: got the name 'a\\n'; expected a small letter"),
        ({"full": {}, "a\nb": 3}, "ablations.a\\nb: got 3; expected a map of names"),
        ({"full": {}, "x": {"task": "both"}}, "ablations.x.task: got 'both'; expected one of classifier, seq2seq"),
        ({"full": {}, "x": {"task": ["a"]}}, "ablations.x.task: got ['a']; expected one of classifier, seq2seq"),
        ({"full": {}, "x": {"train.epoch": 1}}, "ablations.x: got the key 'train.epoch'; expected one of task, tokens"),
        ({"full": {}, "x": {"train": {}}}, "ablations.x: got the key 'train'; expected"),
        ({"full": {}, "x": {"": 1}}, "ablations.x: got the key ''; expected"),
        ({"full": {}, "x": {"epochs": 1}}, "ablations.x: got the key 'epochs'; expected"),
        ({"full": {}, "x": {"train.epochs.x": 1}}, "ablations.x: got the key 'train.epochs.x'; expected"),
        ({"full": {}, "x": {"evaluate.seed": 1}}, "ablations.x: got the key 'evaluate.seed'; expected"),
        ({"full": {}, "x": {"ingest.source": "a"}}, "ablations.x: got the key 'ingest.source'; expected"),
        ({"full": {}, "x": {"train.seed": 1}}, "ablations.x: got the key 'train.seed'; every seed"),
        ({"full": {}, "x": {"train.epochs": 0}}, "ablations.x: train.epochs: got 0; expected an integer from 1"),
        ({"full": {}, "x": {"train.model": {}}}, "ablations.x: train.model."),
        ({"full": {}, 3: {}}, "ablations.3: got 3; expected text"),
    ],
)
def test_a_wrong_ablation_is_refused_by_its_name(tmp_path, params, ablations, message):
    assert refusal_of(tmp_path, params, {**REFUSE, "seeds": [1], "ablations": ablations}).startswith(message)


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ([], "seeds: got []; expected a list of at least 1, each an integer from 0 to 2147483647; change it"),
        (None, "seeds: got None; expected a list"),
        (3, "seeds: got 3; expected a list"),
        ({"a": 1}, "seeds: got {'a': 1}; expected a list"),
        ([-1], "seeds.0: got -1; expected an integer from 0 to 2147483647; change it"),
        ([1, 2**31], "seeds.1: got 2147483648; expected an integer"),
        (["1"], "seeds.0: got '1'; expected an integer"),
        ([1.0], "seeds.0: got 1.0; expected an integer"),
        ([True], "seeds.0: got True; expected an integer"),
        ([1, 2, 1], "seeds: got [1, 2, 1]; expected each seed once; remove the others"),
    ],
)
def test_wrong_seeds_are_refused(tmp_path, params, seeds, message):
    assert refusal_of(tmp_path, params, {**REFUSE, "seeds": seeds, "ablations": {"full": {}}}).startswith(message)


@pytest.mark.parametrize("seeds", [[0], [2**31 - 1, 3]])
def test_seeds_at_the_ends_of_their_range_are_accepted(tmp_path, params, seeds):
    assert load(tmp_path, params, {**REFUSE, "seeds": seeds, "ablations": {"full": {}}}).seeds == seeds


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file: got None; expected a section of keys"),
        ("[1]", "the file: got [1]; expected a section of keys"),
        ("senseless: refuse\nseeds: [1]", "ablations: is missing; expected a map of names; add it"),
        (
            "senseless: refuse\nablations: {full: {}}",
            "seeds: is missing; expected a list of at least 1, each an integer",
        ),
        ({**REFUSE, "seeds": [1], "ablations": {"full": {}}, "split": {}}, "split: is no key; expected one of"),
        ("seeds: [1", "is not YAML"),
        ("seeds: [1]\nseeds: [2]\n", "key 'seeds' stands twice, again in line 2"),
        ("ablations: {full: {}, x: {}, x: {}}\n", "key 'x' stands twice, again in line 1"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, params, content, message):
    assert refusal_of(tmp_path, params, content).startswith(message)


def test_a_file_that_is_not_there_is_refused(tmp_path, params):
    with pytest.raises(ParamsError, match=r"params\.yaml: cannot be read"):
        load_ablations(tmp_path / "params.yaml", params)


def test_an_ablation_at_odds_with_another_key_stops_itself_and_not_the_pipeline(root, params):
    batching = params.train.batching.model_copy(update={"strategy": "truncated"})
    params = params.model_copy(update={"train": params.train.model_copy(update={"batching": batching})})
    ablations = load_ablations(root / "ablations" / "params.yaml", params)
    with pytest.raises(ParamsError, match=r"^ablations\.bidirectional: train\.batching\.strategy and"):
        ablated(params, ablations, "bidirectional")


def test_ablated_refuses_a_name_that_is_none(params, shipped):
    with pytest.raises(ParamsError, match=r"^ablations\.other: is missing; expected one of full, "):
        ablated(params, shipped, "other")


def test_every_section_that_an_ablation_may_change_is_one_of_the_params():
    assert set(ABLATION_SECTIONS) <= set(Params.model_fields)


# An ablation's own keys have dots in them, which no -S reaches; all other values are set as a whole.
@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("override", "lines"),
    [
        ("seeds=[4,5]", ["-- 1", "-- 2", "-- 3", "+- 4", "+- 5"]),
        ("seeds.1=7", ["-- 2", "+- 7"]),
        ("ablations.seq2seq.task=classifier", ["-  seq2seq: {task: seq2seq}", "+  seq2seq: {task: classifier}"]),
    ],
)
def test_set_param_changes_the_value_and_nothing_else(root, tmp_path, params, override, lines):
    path = tmp_path / "params.yaml"
    before = (root / "ablations" / "params.yaml").read_text(encoding="utf-8")
    path.write_text(before, encoding="utf-8")
    for _ in range(2):
        apply_overrides(path, [override])
    after = path.read_text(encoding="utf-8")
    changed = [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]
    assert sorted(line[0] + line[2:] for line in changed) == sorted(lines)
    load_ablations(path, params)


def test_set_param_to_what_is_there_leaves_the_bytes(root, tmp_path, shipped):
    path = tmp_path / "params.yaml"
    before = (root / "ablations" / "params.yaml").read_bytes()
    path.write_bytes(before)
    apply_overrides(path, [f"seeds={shipped.seeds}", "ablations.full={}"])
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("corpus", "tasks", "task", "left_out"),
    [
        ({}, ["classifier"], "seq2seq", ["windows"]),
        ({"tags": ["2"], "tokens": "1"}, ["tagger"], "classifier", ["convolution", "other", "windows"]),
        ({"numbers": ["size"], "label": "kind"}, ["regressor"], "classifier", ["windows"]),
        ({"tokens": "1"}, ["language_model"], "tagger", ["convolution", "backwards", "other", "windows"]),
    ],
)
def test_ablations_that_make_no_sense_with_a_task_are_refused_or_left_out_and_told(
    params, capsys, corpus, tasks, task, left_out
):
    content = params.model_dump()
    content["tasks"] = tasks
    if corpus:
        content["ingest"]["corpus"] = "steps"
        content["ingest"]["steps"] |= corpus
    asked = Params.model_validate(content)
    changes = {
        "full": {},
        "lstm": {"train.model.cell": "lstm"},
        "convolution": {"train.model.front_end": "conv1d"},
        "backwards": {"train.model.bidirectional": True},
        "other": {"task": task},
        "windows": {"train.batching.strategy": "truncated", "train.batching.padding": "pre"},
    }
    ablations = Ablations(senseless="leave_out", seeds=[1], ablations=changes)
    form = asked.ingest.chosen.outline
    kept = sensible(asked, ablations, form)
    assert [name for name in changes if name not in kept.ablations] == left_out
    said = capsys.readouterr().err.splitlines()
    assert [line.split(".")[1].partition(":")[0] for line in said] == left_out
    assert all(ablated(asked, kept, name)[0] in (*tasks, task) for name in kept.ablations)
    with pytest.raises(ParamsError, match=rf"^ablations\.{left_out[0]}.*; or set senseless to leave_out$"):
        sensible(asked, ablations.model_copy(update={"senseless": "refuse"}), form)
