import numpy as np
import pytest

from lengthwise.evaluation.paired import Interval
from lengthwise.verdict.comparison import (
    Comparison,
    Evidence,
    Rule,
    Verdict,
    compare,
    compare_all,
    judge,
    overall,
    unpaired,
)
from lengthwise.verdict.figures import Figure

ACCURACY = ("evaluate/classifier.json", "sentence_accuracy")
NLL = ("evaluate/seq2seq.json", "sentence_nll")
BASELINE = ("baselines/linear.json", "author_gender")
LOSS = ("train/classifier.json", "validation_loss")
STEPS = ("train/classifier/cost.json", "steps")


def figure(value, margin=0.01):
    return Figure(value, Interval(value - margin, value + margin))


def verdict(key, old, new, paired=None, same_data=True):
    return compared(key, old, new, paired, same_data).verdict


def compared(key, old, new, paired, same_data):
    sides = ({key: side} if side else {} for side in (old, new))
    (found,) = compare_all(*sides, {key: paired} if paired else {}, same_data)
    return found


@pytest.mark.parametrize(
    ("key", "old", "new", "expected"),
    [
        (ACCURACY, 0.5, 0.6, Verdict.BETTER),
        (ACCURACY, 0.6, 0.5, Verdict.WORSE),
        (NLL, 1.5, 1.4, Verdict.BETTER),
        (NLL, 1.4, 1.5, Verdict.WORSE),
        (BASELINE, 0.9, 0.8, Verdict.WORSE),
        (ACCURACY, 0.5, 0.5, Verdict.WITHIN_NOISE),
        (ACCURACY, 0.5, 0.512, Verdict.WITHIN_NOISE),
        (LOSS, 1.4, 9.9, Verdict.REPORTED),
        (STEPS, 100, 200, Verdict.REPORTED),
    ],
)
def test_compare_takes_the_direction_of_each_metric(key, old, new, expected):
    assert verdict(key, figure(old), figure(new)) is expected


def test_compare_takes_a_wide_interval_for_noise():
    assert verdict(ACCURACY, figure(0.5, 0.2), figure(0.6, 0.2)) is Verdict.WITHIN_NOISE


def test_compare_takes_a_certain_but_small_difference_for_noise():
    certain = Interval(0.008, 0.0095)
    assert verdict(ACCURACY, figure(0.5), figure(0.509), certain) is Verdict.WITHIN_NOISE
    assert verdict(ACCURACY, figure(0.5), figure(0.51), Interval(0.008, 0.012)) is Verdict.BETTER
    assert verdict(NLL, figure(1.5), figure(1.519), Interval(0.018, 0.0195)) is Verdict.WITHIN_NOISE


def test_compare_prefers_the_paired_interval():
    old, new = figure(0.5, 0.1), figure(0.45, 0.1)
    assert verdict(ACCURACY, old, new) is Verdict.WITHIN_NOISE
    paired = Interval(-0.07, -0.02)
    assert verdict(ACCURACY, old, new, paired) is Verdict.WORSE
    assert compared(ACCURACY, old, new, paired, True).interval == paired


@pytest.mark.parametrize("key", [ACCURACY, NLL, BASELINE, LOSS, ("ablations.csv", "full accuracy")])
def test_compare_calls_nothing_better_or_worse_that_is_of_other_data(key):
    for new in (0.1, 0.5, 0.9):
        assert verdict(key, figure(0.5), figure(new), same_data=False) is Verdict.NOT_COMPARABLE


def test_compare_reports_counts_and_costs_of_other_data():
    for key in (STEPS, ("split.json", "test_authors")):
        assert verdict(key, Figure(5), Figure(6), same_data=False) is Verdict.REPORTED


@pytest.mark.parametrize("same_data", [True, False])
@pytest.mark.parametrize("key", [ACCURACY, LOSS, STEPS])
def test_compare_finds_missing_whatever_else_changed(key, same_data):
    assert verdict(key, figure(0.5), None, same_data=same_data) is Verdict.MISSING
    for old in (figure(0.5), Figure(0.5), Figure(5)):
        assert verdict(key, old, Figure("gone"), same_data=same_data) is Verdict.MISSING
    assert verdict(key, None, figure(0.5), same_data=same_data) is Verdict.NEW


def test_compare_finds_a_lost_interval_missing():
    assert verdict(ACCURACY, figure(0.5), Figure(0.9)) is Verdict.MISSING


def test_compare_judges_nothing_without_intervals():
    assert verdict(ACCURACY, Figure(0.5), Figure(0.1)) is Verdict.REPORTED
    assert verdict(ACCURACY, Figure(0.5), figure(0.1)) is Verdict.NOT_COMPARABLE


def test_compare_all_has_every_figure_of_both_once():
    old = {ACCURACY: figure(0.5), NLL: figure(1.5)}
    new = {ACCURACY: figure(0.5), BASELINE: figure(0.5)}
    found = compare_all(old, new, {}, True)
    assert {one.key: one.verdict for one in found} == {
        ACCURACY: Verdict.WITHIN_NOISE,
        NLL: Verdict.MISSING,
        BASELINE: Verdict.NEW,
    }
    assert len(found) == 3


def test_unpaired_covers_a_true_difference_as_often_as_it_says():
    # Independent normal estimates with known errors: 95 % intervals of each, 95 % of the difference.
    rng = np.random.default_rng(0)
    errors = rng.normal(0, [0.02, 0.05], (4000, 2))
    covered = 0
    for old, new in 0.5 + errors:
        interval = unpaired(figure(old, 1.96 * 0.02), figure(new, 1.96 * 0.05))
        covered += interval.low <= 0 <= interval.high
    assert covered / len(errors) == pytest.approx(0.95, abs=0.012)


def test_unpaired_mirrors_when_the_runs_change_places():
    old, new = Figure(0.5, Interval(0.45, 0.52)), Figure(0.6, Interval(0.4, 0.61))
    there, back = unpaired(old, new), unpaired(new, old)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.low < 0.1 < there.high


def test_judge_is_never_both_ways_at_once():
    rng = np.random.default_rng(1)
    opposite = {
        Verdict.BETTER: Verdict.WORSE,
        Verdict.WORSE: Verdict.BETTER,
        Verdict.WITHIN_NOISE: Verdict.WITHIN_NOISE,
    }
    for _ in range(500):
        low, difference, high = np.sort(rng.normal(0, 0.05, 3))
        verdict = judge(difference, Interval(low, high), Rule(1, 0.01))
        assert judge(-difference, Interval(-high, -low), Rule(1, 0.01)) is opposite[verdict]
        assert judge(difference, Interval(low, high), Rule(-1, 0.01)) is opposite[verdict]
        if low <= 0 <= high or abs(difference) < 0.01:
            assert verdict is Verdict.WITHIN_NOISE


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ("better worse missing", "missing"),
        ("better worse not_comparable", "worse"),
        ("better not_comparable", "not comparable"),
        ("better within_noise", "better"),
        ("within_noise reported new", "within noise"),
        ("reported new", "not comparable"),
        ("", "not comparable"),
    ],
)
def test_overall_is_what_matters_most(verdicts, expected):
    found = [Comparison(ACCURACY, 0.5, 0.5, None, Verdict[name.upper()]) for name in verdicts.split()]
    assert overall(found) == expected


@pytest.mark.parametrize(
    ("new", "expected"), [(0.52, "better"), (0.519, "within noise"), (0.48, "worse"), (0.5, "within noise")]
)
def test_a_certain_difference_counts_from_the_smallest_on_that_does(new, expected):
    certain = Evidence(Rule(1, 0.02), Interval(new - 0.5, new - 0.5))
    assert compare(ACCURACY, Figure(0.5), Figure(new), certain).verdict == expected


def test_a_refusal_is_said_of_what_is_there_and_hides_nothing_that_is_missing():
    refused = Evidence(Rule(1, 0.02), Interval(0.1, 0.2), "other items")
    found = compare(ACCURACY, Figure(0.5), Figure(0.6), refused)
    assert (found.verdict, found.reason, found.interval) == (Verdict.NOT_COMPARABLE, "other items", None)
    assert compare(ACCURACY, Figure(0.5), None, refused).verdict is Verdict.MISSING
