import json
import math
from dataclasses import replace

import pytest
import yaml

from lengthwise.pipeline.sweeps.search_file import read_search
from lengthwise.pipeline.sweeps.trial_values import (
    FEWEST_TO_JUDGE,
    FIRST_JUDGED,
    STARTUP_TRIALS,
    Trial,
    as_content,
    next_values,
    stop_epoch,
    stop_reason,
)

RATE, UNITS, STRATEGY = "train.optimizer.learning_rate", "train.model.units", "train.batching.strategy"
EPOCHS = 6


@pytest.fixture
def plan(root, tmp_path):
    def plan(**changes):
        content = {
            "search": "tpe",
            "trials": 40,
            "maximize": "classifier.validation_accuracy",
            RATE: {"low": 1e-4, "high": 1e-1, "log": True},
            UNITS: {"low": 16, "high": 128},
            STRATEGY: ["padded", "bucketed"],
            **{key.replace("__", "."): value for key, value in changes.items()},
        }
        content = {key: value for key, value in content.items() if value is not None}
        (tmp_path / "x.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return read_search(tmp_path / "x.yaml", root / "params.yaml")

    return plan


def quality(values):
    """The best is a learning rate of 0.001."""
    return 1 - abs(math.log10(values[RATE]) + 3) / 3 - abs(values[UNITS] - 64) / 500


def searched(plan, jobs=1, sign=1.0):
    """All trials of a search whose curves rise to the quality of their values."""
    trials = []
    for number in range(plan.trials):
        known = trials[: max(0, number - jobs + 1)]
        values = next_values(plan, known, trials)
        if values is None:
            break
        trial, hopeless = Trial(values), 0
        for epoch in range(1, EPOCHS + 1):
            trial.curve.append(sign * quality(values) * epoch / EPOCHS)
            if hopeless := stop_epoch(plan, known, trials, trial, EPOCHS):
                trial.reason = stop_reason(plan, known, trial, hopeless, EPOCHS)
                break
        trial.state = "stopped" if hopeless else "complete"
        trials.append(trial)
    return trials


@pytest.mark.sampled(1)
@pytest.mark.parametrize("search", ["random", "tpe"])
@pytest.mark.parametrize("jobs", [1, 3])
def test_a_search_is_a_function_of_its_file_and_of_how_many_run_at_once(plan, search, jobs):
    first, again = (searched(plan(search=search, trials=16, stop="hyperband"), jobs) for _ in range(2))
    assert as_content(first) == as_content(again)
    other = searched(plan(search=search, trials=16, stop="hyperband", seed=2), jobs)
    assert [trial.values for trial in other] != [trial.values for trial in first]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("search", ["random", "tpe"])
def test_a_search_that_went_through_json_goes_on_with_the_same_trial(plan, search):
    made = plan(search=search, stop="hyperband", trials=20)
    trials = searched(made)
    for number in (0, 5, 14, 19):
        read = [Trial(**trial) for trial in json.loads(json.dumps(as_content(trials[:number])))]
        assert next_values(made, read, read) == trials[number].values
        trial = replace(trials[number], marks={}, curve=[*trials[number].curve])
        found = stop_epoch(made, read, read, trial, EPOCHS)
        assert found == (len(trial.curve) if trials[number].state == "stopped" else 0)
        assert trial.marks == trials[number].marks


@pytest.mark.sampled(1)
@pytest.mark.parametrize("search", ["random", "tpe"])
def test_drawn_values_are_legal_and_never_there_twice(plan, search):
    trials = searched(plan(search=search, trials=20))
    assert len({repr(trial.values) for trial in trials}) == 20
    for trial in trials:
        assert 1e-4 <= trial.values[RATE] <= 1e-1
        assert trial.values[UNITS] in range(16, 129)
        assert plan().run(trial.values).params is not None


def test_tpe_draws_better_values_than_chance(plan):
    made = {search: searched(plan(search=search, trials=40)) for search in ("random", "tpe")}
    # The first trials of both are at random.
    means = {
        search: sum(map(quality, (of.values for of in trials[STARTUP_TRIALS:]))) for search, trials in made.items()
    }
    assert means["tpe"] > means["random"] + 3


def test_what_fails_or_still_runs_teaches_nothing(plan):
    made = plan()
    trials = searched(replace(made, settings=made.settings.model_copy(update={"trials": 14})))
    unknown = [*trials[:12], *(Trial(trial.values) for trial in trials[12:])]
    other = [*trials[:12], *(replace(trial, curve=[9.0] * EPOCHS) for trial in trials[12:])]
    assert next_values(made, unknown[:12], unknown) == next_values(made, other[:12], other)
    failed = [*trials[:12], *(Trial(trial.values, "failed") for trial in trials[12:])]
    assert next_values(made, failed, failed) is not None


def test_a_search_ends_when_no_combination_is_left(plan):
    few = {"train__model__units": [8, 16], "train__optimizer__learning_rate": [0.1, 0.2]}
    made = plan(search="random", trials=30, train__batching__strategy=["padded"])
    made = replace(made, options=plan(**few, train__batching__strategy=["padded"]).options)
    there = []
    while (values := next_values(made, there, there)) is not None:
        there.append(Trial(values, "complete", [0.5]))
    assert {(trial.values[UNITS], trial.values[RATE]) for trial in there} == {(8, 0.1), (8, 0.2), (16, 0.1), (16, 0.2)}
    assert len(there) == 4


def test_a_grid_goes_through_its_combinations_with_the_last_key_fastest(plan):
    made = plan(search="grid", trials=None, train__model__units=[8, 16], train__optimizer__learning_rate=[0.1, 0.2])
    trials = []
    while (values := next_values(made, [], trials)) is not None:
        trials.append(Trial(values))
    assert [tuple(trial.values.values()) for trial in trials] == [
        (rate, units, strategy) for rate in (0.1, 0.2) for units in (8, 16) for strategy in ("padded", "bucketed")
    ]


def test_the_median_rule_stops_what_is_behind_the_median_of_complete_runs(plan):
    made = plan(stop="median", search="random")
    complete = [Trial({RATE: 0.1, UNITS: 16, STRATEGY: "padded"}, "complete", [0.1 * n] * EPOCHS) for n in range(1, 6)]
    # The median is 0.3.
    for value, hopeless in ((0.29, FIRST_JUDGED), (0.31, 0)):
        trial = Trial({RATE: 0.01, UNITS: 17, STRATEGY: "padded"}, curve=[value] * (EPOCHS - 1))
        assert stop_epoch(made, complete, complete, trial, EPOCHS) == hopeless
    trial = Trial({RATE: 0.01, UNITS: 17, STRATEGY: "padded"}, curve=[0.29] * EPOCHS)
    assert stop_reason(made, complete, trial, 2, EPOCHS) == (
        "after epoch 2 of 6 its best classifier.validation_accuracy, 0.29, is behind the median of 5 runs then, 0.3"
    )
    # Too few are complete.
    assert stop_epoch(made, complete[1:], complete[1:], trial, EPOCHS) == 0
    assert len(complete) == FEWEST_TO_JUDGE
    # A run that has reached its last epoch is not stopped any more.
    late = Trial(trial.values, curve=[0.9] * (EPOCHS - 1) + [0.0])
    assert stop_epoch(made, complete, complete, late, EPOCHS) == 0


def test_rules_stop_what_is_high_where_less_is_better(plan):
    made = plan(stop="median", maximize=None, minimize="classifier.validation_loss")
    complete = [Trial({RATE: 0.1, UNITS: 16, STRATEGY: "padded"}, "complete", [0.1 * n] * EPOCHS) for n in range(1, 6)]
    found = [
        stop_epoch(
            made, complete, complete, Trial({RATE: 0.01, UNITS: 17, STRATEGY: "padded"}, curve=[value] * 3), EPOCHS
        )
        for value in (0.29, 0.31)
    ]
    assert found == [0, FIRST_JUDGED]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("stop", ["median", "hyperband"])
def test_rules_stop_bad_runs_early_and_let_the_best_end(plan, stop):
    trials = searched(plan(stop=stop, search="random"))
    stopped = [trial for trial in trials if trial.state == "stopped"]
    assert 5 < len(stopped) < 40
    best = max(trials, key=lambda trial: quality(trial.values))
    assert best.state == "complete"
    mean = {
        state: sum(quality(trial.values) for trial in trials if trial.state == state)
        / sum(trial.state == state for trial in trials)
        for state in ("complete", "stopped")
    }
    assert mean["complete"] > mean["stopped"] + 0.1
    assert all(trial.reason.startswith(f"after epoch {len(trial.curve)} of {EPOCHS} its best") for trial in stopped)


def test_without_a_rule_nothing_is_stopped(plan):
    assert {trial.state for trial in searched(plan(trials=20))} == {"complete"}
