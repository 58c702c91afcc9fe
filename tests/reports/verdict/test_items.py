import io

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, mean_absolute_error, mean_squared_error

from lengthwise.errors import FormatError
from lengthwise.verdict.items import read_items, scores, what_differs

COLUMNS = {"id": "item", "target": "label", "prediction": "guess", "score": "p", "group": "author"}


def make_table(count=40, seed=0):
    rng = np.random.default_rng(seed)
    table = {"item": np.arange(count), "label": rng.integers(0, 2, count), "guess": rng.integers(0, 2, count)}
    return pd.DataFrame({**table, "p": rng.random(count), "author": np.arange(count) // 3, "more": "x"})


def written(table, suffix):
    buffer = io.BytesIO()
    if suffix == ".parquet":
        table.to_parquet(buffer)
    elif suffix == ".json":
        table.to_json(buffer, orient="records")
    else:
        table.to_csv(buffer, sep="\t" if suffix == ".tsv" else ",", index=False)
    return buffer.getvalue()


def read(table, columns=COLUMNS, suffix=".csv"):
    return read_items(written(table, suffix), f"p{suffix}", columns, "the base")


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".json", ".parquet"])
def test_items_are_the_same_from_every_format_and_in_any_order(suffix):
    table = make_table()
    found = read(table.sample(frac=1, random_state=1), suffix=suffix)
    expected = read(table)
    assert what_differs(expected, found) == ""
    for name in ("target", "prediction", "score"):
        assert found[name].to_numpy() == pytest.approx(expected[name].to_numpy())
    assert list(found) == ["target", "prediction", "score", "group"]


def test_means_of_scores_are_what_scikit_learn_says():
    items = read(make_table())
    target, guess, score = (items[name].to_numpy() for name in ("target", "prediction", "score"))
    expected = {
        "accuracy": accuracy_score(target, guess),
        "log_loss": log_loss(target, score),
        "brier": brier_score_loss(target, score),
        "absolute_error": mean_absolute_error(target, guess),
        "squared_error": mean_squared_error(target, guess),
    }
    assert {kind: scores(items, kind, "p.csv", "the base").mean() for kind in expected} == pytest.approx(expected)


def test_a_sure_error_has_a_loss_that_is_finite():
    items = read(make_table(2).assign(label=1, p=0.0))
    assert np.isfinite(scores(items, "log_loss", "p.csv", "the base")).all()


@pytest.mark.parametrize(
    ("target", "guess", "expected"),
    [([1, 2], [1.0, 3.0], [1, 0]), (["NA", "None"], ["NA", "no"], [1, 0]), ([1, 2], ["1", "x"], [1, 0])],
)
def test_labels_of_any_kind_are_compared(target, guess, expected):
    items = read(pd.DataFrame({"item": [1, 2], "label": target, "guess": guess, "p": 0.5, "author": "a"}))
    assert scores(items, "accuracy", "p.csv", "the base").tolist() == expected


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.iloc[:-2], "2 items are new, 0 are gone"),
        (lambda table: table.assign(item=table["item"] + 1), "1 items are new, 1 are gone"),
        (lambda table: table.assign(label=1 - table["label"]), "40 items have another target"),
        (lambda table: table.assign(author="a"), "40 items have another group"),
        (lambda table: table.assign(guess=0, p=0.1), ""),
    ],
)
def test_another_test_set_is_found(change, said):
    found = what_differs(read(change(make_table())), read(make_table()))
    assert said in found
    assert bool(found) == bool(said)


BROKEN = [
    (b"", r"^p.csv of the base: cannot be read \("),
    (b"\xff\xfe\x00", r"^p.csv of the base: cannot be read \("),
    (b"a,b\n1,2,3\n4\n1,2,3,4", r"^p.csv of the base: cannot be read \("),
    (b"item,label\n1,2\n", r"^.lengthwise.yaml: columns.prediction: got 'guess'; expected a column of p.csv"),
    (b"item,label,guess,p,author\n", r"^p.csv of the base: got no items; expected a row for each item"),
    (b"item,label,guess,p,author\n1,1,,1,1\n", r"^p.csv of the base: column 'guess' has no value in row 1; expected"),
    (b"item,label,guess,p,author\n1,1,1,1,1\n1,1,1,1,1\n", r"^p.csv of the base: column 'item' has '1' twice"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "message"), BROKEN)
def test_what_is_no_table_of_predictions_is_refused(content, message):
    with pytest.raises(FormatError, match=message) as raised:
        read_items(content, "p.csv", COLUMNS, "the base")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("suffix", [".json", ".parquet"])
@pytest.mark.parametrize("content", [b"", b"{", b"3", b"PAR1", b'{"a": {"b": 1}}', b"[1, [2]]", b"null"])
def test_bytes_of_no_format_are_refused(content, suffix):
    with pytest.raises(FormatError):
        read_items(content, f"p{suffix}", COLUMNS, "the base")


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("log_loss", {"label": 2}, "log_loss is of targets 0 and 1"),
        ("brier", {"p": 1.5}, "brier is of targets 0 and 1"),
        ("log_loss", {"p": "x"}, "got 'x' as score; expected numbers; change columns.score"),
        ("absolute_error", {"guess": "far"}, "got 'far' as prediction; expected numbers"),
        ("squared_error", {"label": "inf"}, "got 'inf' as target; expected numbers"),
    ],
)
def test_values_that_a_metric_cannot_be_made_from_are_refused(kind, change, message):
    items = read(make_table(3).assign(**change))
    with pytest.raises(FormatError) as raised:
        scores(items, kind, "p.csv", "the base")
    assert message in str(raised.value)
