import pytest
import yaml

from lengthwise.errors import ParamsError, SweepError
from lengthwise.pipeline.sweeps.search_file import Choices, NumberRange, is_search, read_search

GOOD = {
    "search": "tpe",
    "trials": 20,
    "maximize": "classifier.validation_accuracy",
    "train.optimizer.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "train.model.units": {"low": 16, "high": 128},
    "train.batching.strategy": ["padded", "bucketed"],
    "train.model.cell": {"choices": ["gru", "lstm"]},
    "train.epochs": 5,
}


@pytest.fixture
def read(root, tmp_path):
    def read(changes=(), without=(), base=()):
        content = {key: value for key, value in {**GOOD, **dict(changes)}.items() if key not in without}
        path = tmp_path / "search.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        params = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
        for key, value in dict(base).items():
            *sections, name = key.split(".")
            (params[sections[0]] if sections else params)[name] = value
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        return read_search(path, tmp_path / "params.yaml")

    return read


def test_search_file_is_read_as_it_says(read):
    plan = read()
    assert (plan.settings.search, plan.settings.stop, plan.settings.seed, plan.trials) == ("tpe", "never", 1, 20)
    assert (plan.task, plan.column, plan.is_more_better) == ("classifier", "validation_accuracy", True)
    assert list(plan.options) == [key for key in GOOD if "." in key]
    assert plan.options["train.optimizer.learning_rate"] == NumberRange(1e-4, 1e-2, log=True)
    assert plan.options["train.model.units"] == NumberRange(16, 128, whole=True)
    assert plan.options["train.batching.strategy"] == Choices(("padded", "bucketed"))
    assert plan.options["train.model.cell"] == Choices(("gru", "lstm"))
    assert plan.options["train.epochs"] == Choices((5,))


def test_a_run_of_a_search_trains_one_task_and_leaves_the_test_split_unseen(read):
    run = read().run({"train.model.units": 20, "train.optimizer.learning_rate": 0.001234})
    assert run.name == "units=20,learning_rate=0.001234"
    assert list(run.targets) == ["train@classifier"]
    assert run.overrides == ["train.model.units=20", "train.optimizer.learning_rate=0.001234"]
    lowest = read({"minimize": "seq2seq.validation_loss"}, without=["maximize"])
    assert (lowest.goal, lowest.is_more_better) == ("seq2seq.validation_loss", False)
    assert list(lowest.run({"train.epochs": 1}).targets) == ["train@seq2seq"]


def test_a_grid_has_as_many_trials_as_combinations(read):
    plan = read({"search": "grid", "train.model.units": [1, 2, 3]}, ["trials", "train.optimizer.learning_rate"])
    assert plan.trials == 3 * 2 * 2


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("train.optimizer.learning_rate", {"low": "1e-4", "high": "1e-2", "log": True}, NumberRange(1e-4, 1e-2, True)),
        # Whole ends of a key of broken numbers, of one of whole numbers, and of one that is null.
        ("train.model.dropout", {"low": 0, "high": 0.5}, NumberRange(0.0, 0.5)),
        ("train.optimizer.learning_rate", {"low": 1, "high": 2}, NumberRange(1.0, 2.0)),
        ("train.model.layers", {"low": 1, "high": 4, "log": True}, NumberRange(1, 4, True, whole=True)),
        ("ingest.groups", {"low": 10, "high": 20}, NumberRange(10, 20, whole=True)),
    ],
)
def test_ranges_are_of_the_numbers_that_the_key_has(read, key, value, found):
    plan = read({key: value})
    assert plan.options[key] == found
    assert isinstance(plan.options[key].low, int) == found.whole


@pytest.mark.parametrize(
    ("value", "rounded"), [(0.00123456, 0.001235), (1e-4, 1e-4), (0.00999999, 0.01), (0.000100004, 0.0001)]
)
def test_drawn_numbers_have_few_digits_and_stay_within_the_range(value, rounded):
    assert NumberRange(1e-4, 1e-2).rounded(value) == rounded


def test_drawn_numbers_that_would_be_rounded_out_of_the_range_are_its_ends():
    assert NumberRange(0.12344, 0.2).rounded(0.123441) == 0.12344
    assert NumberRange(0.1, 0.12346).rounded(0.123459) == 0.12346
    assert NumberRange(1, 123456, whole=True).rounded(12345) == 12345


@pytest.mark.sampled(10)
@pytest.mark.parametrize(
    ("changes", "without", "told"),
    [
        ({"search": "bayes"}, [], "search: got 'bayes'; expected one of grid, random, tpe"),
        ({"trials": 0}, [], "trials: got 0; expected an integer from 1 to 100000 or null"),
        ({"trials": "many"}, [], "trials: got 'many'"),
        ({}, ["trials"], "trials: is missing; expected a whole number from 1"),
        (
            {"search": "grid"},
            ["train.optimizer.learning_rate", "train.model.units"],
            "trials: got 20; a grid has as many",
        ),
        ({"search": "grid"}, ["trials"], "train.optimizer.learning_rate: got a range; expected a list of values"),
        ({"seed": -1}, [], "seed: got -1; expected an integer from 0"),
        ({"stop": "soon"}, [], "stop: got 'soon'; expected one of never, median, hyperband"),
        ({"pruner": "median"}, [], "pruner: is no key; expected one of maximize, minimize, search, seed, stop, trials"),
        ({}, ["maximize"], "minimize or maximize: got neither; expected one of them, TASK.COLUMN"),
        ({"minimize": "classifier.validation_loss"}, [], "minimize or maximize: got both"),
        ({"maximize": "classifier.acc"}, [], "maximize: got 'classifier.acc'; expected TASK.COLUMN, of classifier"),
        ({"maximize": "clf.validation_accuracy"}, [], "maximize: got 'clf.validation_accuracy'; expected TASK.COLUMN"),
        ({"maximize": "classifier.train_accuracy"}, [], "maximize: got 'classifier.train_accuracy'; expected"),
        ({"maximize": "test.accuracy"}, [], "change it: the test split is for what has been chosen"),
        ({"train.epoch": 3}, [], "train.epoch: is no key, at 'epoch'"),
        ({"train.model": {"low": 1, "high": 2}}, [], "train.model: is a section"),
        ({"train.epochs": []}, [], "train.epochs: got an empty list"),
        ({"train.epochs": {"choices": [1, 1]}}, [], "train.epochs: got 1 twice"),
        (
            {"train.epochs": {"choices": [1], "low": 1}},
            [],
            "train.epochs: got {'choices': [1], 'low': 1}; expected {low:",
        ),
        ({"train.epochs": {"low": 1}}, [], "train.epochs: got {'low': 1}; expected {low: NUMBER"),
        ({"train.epochs": {"low": 1, "high": 3, "step": 1}}, [], "expected {low: NUMBER, high: NUMBER}"),
        ({"train.epochs": {"low": 3, "high": 3}}, [], "expected a low below a high"),
        ({"train.model.dropout": {"low": 0, "high": 0.5, "log": True}}, [], "expected a low above 0 below a high"),
        ({"train.model.dropout": {"low": 0, "high": float("nan")}}, [], "expected a low below a high"),
        ({"train.epochs": {"low": True, "high": 3}}, [], "expected {low: NUMBER"),
        ({"train.epochs": {"low": 1, "high": 3, "log": 1}}, [], "expected {low: NUMBER"),
        ({"train.epochs": {"low": 0, "high": 3}}, [], "train.epochs: got 0; expected an integer from 1"),
        ({"train.epochs": {"low": 1.5, "high": 3.5}}, [], "train.epochs: got 1.5; expected an integer from 1"),
        ({"train.model.cell": ["gru", "rnn"]}, [], "train.model.cell: got 'rnn'; expected one of"),
    ],
)
def test_a_wrong_search_file_is_refused_in_one_line(read, changes, without, told):
    with pytest.raises(SweepError) as caught:
        read(changes, without)
    assert told in str(caught.value)
    assert "search.yaml: " in str(caught.value)


def test_a_search_without_a_key_or_without_validation_is_refused(read):
    with pytest.raises(SweepError, match=r"has no key of params\.yaml"):
        read({}, [key for key in GOOD if "." in key])
    with pytest.raises(SweepError, match=r"chooses by validation, and split\.validation is 0"):
        read(base={"split.validation": 0.0})


def test_a_task_that_is_not_trained_is_refused(read):
    with pytest.raises(SweepError, match=r"no classifier is trained: tasks of .*params\.yaml is \['seq2seq'\]; add it"):
        read(base={"tasks": ["seq2seq"]})


def test_a_value_that_only_some_combinations_may_have_is_left_to_them(read):
    # By itself it contradicts the base, which has no strategy that cuts.
    plan = read({"train.batching.strategy": ["padded", "truncated"], "train.model.bidirectional": [False, True]})
    assert plan.run({"train.batching.strategy": "truncated", "train.model.bidirectional": True}).params is None


@pytest.mark.parametrize(
    ("content", "found"), [(GOOD, True), ({"train.epochs": [1]}, False), ([1], False), ("x", False)]
)
def test_a_file_with_the_key_search_is_a_search_file(tmp_path, content, found):
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    assert is_search(tmp_path / "x.yaml") == found


def test_a_broken_file_is_refused(tmp_path):
    (tmp_path / "x.yaml").write_text("search: [", encoding="utf-8")
    with pytest.raises(ParamsError, match=r"x\.yaml"):
        is_search(tmp_path / "x.yaml")
