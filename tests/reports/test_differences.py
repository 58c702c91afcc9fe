import numpy as np
import pandas as pd
import pytest
from blog_words import LEVELS
from scipy import stats

from lengthwise.reports.differences import agree, paired_differences, same_sequences


def make(seed, skill, rows=300, authors=12):
    rng = np.random.default_rng(0)
    author = np.sort(rng.integers(0, authors, rows))
    document = author * 4 + rng.integers(0, 4, rows)
    label = author % 3
    scores = np.random.default_rng(seed).normal(0, 1, (rows, 3))
    scores[np.arange(rows), label] += skill
    ids = {"sequence": np.arange(rows), "document": document, "group": author, "label": label}
    logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return pd.DataFrame({**ids, **{f"log_probability_{n}": column for n, column in enumerate(logs.T)}})


def test_paired_differences_are_those_of_the_authors_sums():
    one, other = make(1, 1.0), make(2, 0.5)
    found = {d.level: d for d in paired_differences(one, other, LEVELS, 0.9)}
    assert list(found) == ["sentence", "document", "author"]
    right = [frame.iloc[:, 4:].to_numpy().argmax(axis=1) == frame["label"] for frame in (one, other)]
    assert (found["sentence"].one, found["sentence"].other) == pytest.approx([side.mean() for side in right])
    gain = (right[0].astype(float) - right[1].astype(float)).to_numpy()
    # Student's t of a ratio of sums over authors.
    sums = np.array([(gain[one["group"] == a] - gain.mean()).sum() for a in range(12)])
    margin = stats.t.ppf(0.95, 11) * np.sqrt(12 / 11 * (sums**2).sum()) / len(gain)
    assert (found["sentence"].low, found["sentence"].high) == pytest.approx(
        (gain.mean() - margin, gain.mean() + margin)
    )
    assert (found["sentence"].items, found["author"].items) == (300, 12)


def test_paired_differences_of_too_few_authors_have_no_ends():
    one, other = make(1, 1.0, authors=3), make(2, 0.2, authors=3)
    for level in paired_differences(one, other, LEVELS, 0.9):
        assert (level.low, level.high, level.clear) == (-np.inf, np.inf, False)


def test_paired_differences_of_a_model_and_itself_are_nothing_and_change_sign_with_the_order():
    one, other = make(1, 1.0), make(2, 0.2)
    for level in paired_differences(one, one, LEVELS, 0.9):
        assert (level.value, level.low, level.high, level.clear) == (0, 0, 0, False)
    for there, back in zip(
        paired_differences(one, other, LEVELS, 0.9),
        paired_differences(other, one, LEVELS, 0.9),
        strict=True,
    ):
        assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))


@pytest.mark.parametrize("change", ["label", "group", "rows", "column", "empty"])
def test_same_sequences_tells_other_ones(change):
    one, other = make(1, 1.0), make(2, 1.0)
    assert same_sequences(one, other)
    if change in ("label", "group"):
        other.loc[7, change] += 1
    other = {"rows": other.iloc[:-1], "column": other.drop(columns="group"), "empty": other.iloc[:0]}.get(change, other)
    assert not same_sequences(one, other)
    assert not same_sequences(other, one)


def test_agree_knows_figures_of_another_run():
    one = make(1, 1.0)
    right = one.iloc[:, 4:].to_numpy().argmax(axis=1) == one["label"]
    levels = {}
    for name, key in (("sentence", "sequence"), ("document", "document"), ("author", "group")):
        pooled = one.groupby(key).mean()
        levels[name] = float((pooled.iloc[:, -3:].to_numpy().argmax(axis=1) == pooled["label"]).mean())
    assert levels["sentence"] == pytest.approx(right.mean())
    assert agree(one, LEVELS, levels)
    # Git has six digits.
    assert agree(one, LEVELS, {name: float(f"{value:.6g}") for name, value in levels.items()})
    assert not agree(one, LEVELS, {**levels, "author": levels["author"] + 1 / 300})
    assert not agree(one, LEVELS, {"sentence": levels["sentence"]})
