import io
import json

import numpy as np
import pandas as pd
import pytest

from lengthwise.errors import FormatError
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.pipeline.ablations.table import (
    ablation_table,
    difference_interval,
    headlines,
    read_members,
    timing_table,
)
from lengthwise.pipeline.published import rounded, rounded_csv

LEVELS = ("sentence", "document", "author")
METRICS = {"parameters": 10, "steps": 20, "padding_share": 0.25, "steps_to_accuracy": 5}


CHANGES = {"other": {"train.epochs": 3, "train.model.cell": "lstm"}, "full": {}}
SEEDS = (4, 7, 5)
BOOTSTRAP = Bootstrap(200, 0.95, 1)


def read(folder, seeds=SEEDS):
    return read_members({name: [folder / f"{name}-{seed}" for seed in seeds] for name in CHANGES})


def table_of(folder, seeds=SEEDS):
    return ablation_table(read(folder, seeds), CHANGES, BOOTSTRAP)


def draw_authors(seed, authors=20, chance=0.5, levels=LEVELS, first=0):
    rng = np.random.default_rng(seed)
    rows = []
    for level in levels:
        for author in range(first, first + authors):
            items = {"sentence": int(rng.integers(1, 40)), "document": int(rng.integers(1, 5)), "author": 1}[level]
            rows.append((level, author, items, int(rng.binomial(items, chance)), float(items * rng.exponential())))
    return pd.DataFrame(rows, columns=["level", "author", "items", "right", "nll"])


def write_member(folder, name, seed, authors=None, seconds=2.0, **metrics):
    path = folder / f"{name}-{seed}"
    path.mkdir(parents=True)
    (draw_authors(hash((name, seed)) % 1000) if authors is None else authors).to_csv(path / "authors.csv", index=False)
    (path / "metrics.json").write_text(json.dumps({**METRICS, **metrics}), encoding="utf-8")
    (path / "timing.json").write_text(json.dumps({"seconds_per_epoch": seconds}), encoding="utf-8")


@pytest.fixture
def members(tmp_path):
    for number, name in enumerate(("full", "other")):
        for place, seed in enumerate(SEEDS):
            authors = draw_authors([number, seed], chance=0.4 + 0.2 * number)
            write_member(tmp_path, name, seed, authors, seconds=[1.0, 9.0, 3.0][place] * (1 + number))
    return tmp_path


def accuracy(folder, name, seed, level="sentence", column="right"):
    authors = pd.read_csv(folder / f"{name}-{seed}" / "authors.csv")
    authors = authors[authors["level"] == level]
    return authors[column].sum() / authors["items"].sum()


def test_ablation_table_has_means_spreads_and_differences_over_seeds(members):
    table = table_of(members).set_index("name")
    assert table.index.tolist() == ["full", "other"]  # The reference first, wherever it stands in the params.
    for level, prefix in (("sentence", ""), ("document", "document_"), ("author", "author_")):
        full, other = ([accuracy(members, name, seed, level) for seed in SEEDS] for name in ("full", "other"))
        assert np.isclose(table.loc["full", f"{prefix}accuracy"], np.mean(full))
        assert np.isclose(table.loc["other", f"{prefix}accuracy"], np.mean(other))
        assert np.isclose(table.loc["other", f"{prefix}difference"], np.mean(other) - np.mean(full))
        low, high = table.loc["other", [f"{prefix}low", f"{prefix}high"]]
        assert low < table.loc["other", f"{prefix}difference"] < high
        assert pd.isna(table.loc["full", f"{prefix}difference"])
    other = [accuracy(members, "other", seed) for seed in SEEDS]
    assert np.isclose(table.loc["other", "accuracy_spread"], np.std(other, ddof=1))
    losses = {name: np.mean([accuracy(members, name, seed, column="nll") for seed in SEEDS]) for name in table.index}
    assert np.isclose(table.loc["other", "nll"], losses["other"])
    assert np.isclose(table.loc["other", "nll_difference"], losses["other"] - losses["full"])
    assert table.loc["other", "changes"] == 'train.epochs=3, train.model.cell="lstm"'
    assert (table["seeds"] == 3).all()
    for metric, value in METRICS.items():
        assert (table[metric] == value).all()


def test_difference_interval_equals_the_bootstrap_written_out(members):
    found = read(members)
    bootstrap = Bootstrap(300, 0.9, 3)
    low, high = difference_interval(found["other"], found["full"], "sentence", bootstrap)
    authors = sorted(found["full"][0].authors.loc["sentence"].index)
    weights = bootstrap.weights(len(authors))
    draws = np.random.default_rng([3, 1]).integers(0, 3, (300, 3))
    sums = {
        name: [member.authors.loc["sentence"].to_dict("index") for member in found[name]] for name in ("other", "full")
    }
    differences = []
    for weight, seeds in zip(weights, draws, strict=True):
        means = []
        for name in ("other", "full"):
            shares = []
            for seed in seeds:
                of_author = sums[name][seed]
                right = sum(w * of_author[a]["right"] for a, w in zip(authors, weight, strict=True))
                items = sum(w * of_author[a]["items"] for a, w in zip(authors, weight, strict=True))
                shares.append(right / items)
            means.append(np.mean(shares))
        differences.append(means[0] - means[1])
    np.testing.assert_allclose([low, high], np.quantile(differences, [0.05, 0.95]))


def test_difference_to_itself_is_nothing_whoever_is_drawn(members):
    full = read(members)["full"]
    assert difference_interval(full, full, "sentence", Bootstrap(50, 0.95, 1)) == (0.0, 0.0)


def test_difference_of_other_test_authors_counts_each_where_it_is(tmp_path):
    for seed in SEEDS:
        write_member(tmp_path, "full", seed, draw_authors([1, seed], authors=12))
        write_member(tmp_path, "other", seed, draw_authors([2, seed], authors=12, first=6))
    found = read(tmp_path)
    low, high = difference_interval(found["other"], found["full"], "sentence", Bootstrap(500, 0.95, 1))
    assert low < 0 < high
    assert np.isfinite([low, high]).all()


def test_ablation_table_leaves_empty_what_a_member_has_not(members):
    for seed in SEEDS:
        path = members / f"other-{seed}"
        authors = pd.read_csv(path / "authors.csv")
        authors[authors["level"] != "sentence"].to_csv(path / "authors.csv", index=False)
    metrics = {name: value for name, value in METRICS.items() if name != "steps_to_accuracy"}
    (members / "other-7" / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    table = table_of(members).set_index("name")
    assert table.loc["other", ["accuracy", "difference", "low", "high", "nll", "steps_to_accuracy"]].isna().all()
    assert table.loc["other", ["document_difference", "author_accuracy", "steps"]].notna().all()
    figures = headlines(table.reset_index())
    assert {name: set(of_name) for name, of_name in figures.items()} == {
        "full": {"accuracy"},
        "other": {"accuracy", "difference", "low", "high"},
    }
    for name, prefix in (("full", ""), ("other", "document_")):
        for figure, value in figures[name].items():
            assert value == table.loc[name, f"{prefix}{figure}"]


def test_ablation_table_is_published_with_all_digits_of_its_counts(members):
    for seed in SEEDS:
        path = members / f"full-{seed}" / "metrics.json"
        path.write_text(json.dumps({**METRICS, "parameters": 123_456_789, "steps": 7_654_321}), encoding="utf-8")
    published = pd.read_csv(io.StringIO(rounded_csv(table_of(members).to_csv(index=False)))).set_index("name")
    assert published.loc["full", ["parameters", "steps"]].tolist() == [123_456_789, 7_654_321]
    accuracies = [accuracy(members, "other", seed) for seed in SEEDS]
    assert published.loc["other", "accuracy"] == rounded(np.mean(accuracies))


def test_ablation_table_of_one_seed_has_no_spread(members):
    table = table_of(members, seeds=[4])
    assert table["accuracy_spread"].isna().all()
    assert (table["seeds"] == 1).all()


def test_timing_table_has_medians_over_seeds_and_their_ratio(members):
    table = timing_table(read(members)).set_index("name")
    assert table.loc["full"].tolist() == [3.0, 1.0]
    assert table.loc["other"].tolist() == [6.0, 2.0]


def test_read_members_ignores_leftovers(members):
    before = table_of(members)
    write_member(members, "removed", 4)
    write_member(members, "full", 99)
    (members / "full-4" / "note.txt").write_text("x", encoding="utf-8")
    (members / "junk").write_text("x", encoding="utf-8")
    pd.testing.assert_frame_equal(table_of(members), before)


@pytest.mark.parametrize("part", ["", "authors.csv", "metrics.json", "timing.json"])
def test_read_members_refuses_a_member_that_is_missing_or_damaged(members, part):
    member = members / "other-7"
    (member / part).rename(members / "elsewhere")
    said = r"other-7: is missing or cannot be read .*; remove it and run make ablations"
    with pytest.raises(FormatError, match=said) as caught:
        read(members)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "level,author\nsentence,1\n", "\x00\x01", "{}"])
def test_read_members_refuses_a_file_of_another_form(members, content):
    (members / "full-5" / "authors.csv").write_text(content, encoding="utf-8")
    with pytest.raises(FormatError, match="full-5"):
        read(members)
