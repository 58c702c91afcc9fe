import csv
import json
import re
from itertools import product

import pytest
import yaml

from lengthwise.corpora.blogs.texts.card import WORDS
from lengthwise.errors import FormatError
from lengthwise.reports.model_card import locked_versions, model_card
from lengthwise.runs.run import run_in

CELL = re.compile(r"(\d\.\d{4}) \((\d\.\d{4})-(\d\.\d{4})\)")


@pytest.fixture
def make(root, run):
    return lambda changed=run: model_card(changed, WORDS, root / "requirements.lock", root / "pyproject.toml")


@pytest.fixture
def card(root):
    return (root / "MODEL_CARD.md").read_text(encoding="utf-8")


def section(card, title):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", card, re.DOTALL | re.MULTILINE)[1]


def rows(text):
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [line for line in lines if not set(line[0]) <= {"-"}]


def levels_of(root):
    for path in sorted((root / "metrics").rglob("levels.csv")):
        with path.open(encoding="utf-8") as stream:
            yield from csv.DictReader(stream)


def test_model_card_has_every_figure_of_the_metrics_at_its_place_and_no_other(root, card):
    expected = {
        (row["level"], row["metric"].replace("_", " "), row["model"].replace("_", " ")): tuple(
            f"{float(row[key]):.4f}" for key in ("value", "low", "high")
        )
        for row in levels_of(root)
    }
    shown = {}
    for level, text in re.findall(r"### By (\w+)\n(.*?)(?=### |\Z)", section(card, "Results"), re.DOTALL):
        (_, *models), *lines = rows(text)
        for metric, *cells in lines:
            shown |= {(level, metric, m): CELL.fullmatch(c).groups() for m, c in zip(models, cells, strict=True)}
    assert len(shown) > 100
    assert shown == expected


@pytest.mark.parametrize(
    ("title", "name"),
    [("Split", "split.json"), ("Cost", "train/classifier/cost.json"), ("Cost", "train/seq2seq/cost.json")],
)
def test_model_card_counts_are_those_of_the_metrics(root, card, title, name):
    figures = json.loads((root / "metrics" / name).read_text(encoding="utf-8"))
    numbers = [
        int(word.replace(",", ""))
        for row in rows(section(card, title))
        for word in row
        if re.fullmatch(r"[\d,]+", word)
    ]
    for key in figures:
        if key.startswith(("test_", "train_", "validation_")) or key in ("parameters", "steps", "batches"):
            assert figures[key] in numbers, key


def test_model_card_numbers_in_tables_all_come_from_the_run(root, card):
    # Read independently of the code that writes the card.
    # A list: in a set 1 and 1.0 would be one.
    known = []

    def walk(value):
        if isinstance(value, dict | list):
            for part in value.values() if isinstance(value, dict) else value:
                walk(part)
        elif isinstance(value, int | float):
            known.append(value)

    for path in (root / "metrics").rglob("*.json"):
        walk(json.loads(path.read_text(encoding="utf-8")))
    lock = yaml.safe_load((root / "dvc.lock").read_text(encoding="utf-8"))
    walk([stage.get("params") for stage in lock["stages"].values()])
    shown = {f"{value:,}" for value in known if isinstance(value, int)} | {f"{value}" for value in known}
    shown |= {f"{100 * value:.1f}\N{NO-BREAK SPACE}%" for value in known}
    for title in ("Model", "Data and its terms", "Split", "Cost"):
        for cell in (cell for row in rows(section(card, title))[1:] for cell in row[1:]):
            if re.search(r"\d", cell) and cell != "`blogs.zip`" and "conv1d" not in cell:
                assert cell.strip("`") in shown, cell


CHANGES = [
    *product(["ingest.json"], ["files", "authors", "documents"]),
    *product(["tokens.json"], ["sentences", "tokens"]),
    *product(["vocabulary.json"], ["entries"]),
    *product(
        ["split.json"], ["test_authors", "train_sentences", "authors_in_several_splits", "validation_authors_male_20s"]
    ),
    *product(["shards.json"], ["sequences_kept", "sequences_too_long", "test_rows", "train_tokens"]),
    *product(["train/seq2seq/cost.json"], ["parameters", "steps", "batches", "padding_share"]),
]


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("name", "key"), CHANGES)
def test_model_card_changes_with_a_metric(run, make, name, key):
    before = make()
    path = run.files.folder / "metrics" / name
    figures = json.loads(path.read_text(encoding="utf-8"))
    figures[key] = figures[key] * 2 + 1
    path.write_text(json.dumps(figures), encoding="utf-8")
    assert make(run_in(run.files.folder)) != before


@pytest.mark.parametrize("out", ["data/models/classifier", "data/shards", None])
def test_model_card_changes_with_the_lock(run, make, rewrite, out):
    before = make()
    change = ("dropout: 0.4", "dropout: 0.5")
    if out:
        stages = yaml.safe_load((run.files.folder / "dvc.lock").read_text(encoding="utf-8"))["stages"].values()
        change = (next(made["md5"] for stage in stages for made in stage["outs"] if made["path"] == out), "0" * 32)
    after = make(rewrite("dvc.lock", change))
    assert after != before
    assert section(after, "Digests") != section(before, "Digests")


def test_model_card_has_nothing_that_a_machine_measured(make, write_times, run):
    before = make()
    write_times(run.files.folder, environment_classifier={"threads": 7}, train_classifier={"seconds": 0.5})
    assert make(run_in(run.files.folder)) == before


def test_model_card_of_the_sample_says_so_and_of_another_corpus_names_it_without_its_place(make, rewrite):
    assert "invented" in make()
    other = make(rewrite("dvc.lock", ("data/sample/blogs.zip", "/home/somebody/corpora/real.zip")))
    assert "invented" not in other
    assert "`real.zip`" in other
    assert "somebody" not in other


def test_model_card_says_that_nobody_is_to_be_profiled(card):
    assert "Do not profile anybody" in section(card, "Use and misuse")
    assert "wrong" in section(card, "Use and misuse")


def test_locked_versions_have_their_conditions_if_there_are_several():
    lines = [
        "numpy==2.4 ; python_version < '3.12' \\",
        "    --hash=x",
        "numpy==2.5 ; python_version >= '3.12' \\",
        "keras==3.1",
    ]
    assert locked_versions("\n".join(lines)) == {
        "numpy": "`2.4` (python_version < '3.12'), `2.5` (python_version >= '3.12')",
        "keras": "`3.1`",
    }


def test_model_card_refuses_a_lock_file_without_a_package(root, run, tmp_path):
    (tmp_path / "requirements.lock").write_text("keras==3.1\n", encoding="utf-8")
    with pytest.raises(FormatError, match=r"requirements\.lock: does not pin tensorflow"):
        model_card(run, WORDS, tmp_path / "requirements.lock", root / "pyproject.toml")


def test_model_card_says_how_the_networks_were_trained_and_not_where_vectors_lie(make, run):
    path = run.files.folder / "dvc.lock"
    lock = yaml.safe_load(path.read_text(encoding="utf-8"))
    for stage in lock["stages"].values():
        if train := stage.get("params", {}).get("params.yaml", {}).get("train"):
            train.update(best="loss", patience=3, class_weights="balanced")
            train["model"]["vectors_file"] = "/home/me/glove.txt"
    path.write_text(yaml.safe_dump(lock), encoding="utf-8")
    settings = dict(rows(section(make(run_in(run.files.folder)), "Model")))
    assert settings["`train.best`"] == '`"loss"`'
    assert (settings["`train.patience`"], settings["`train.class_weights`"]) == ("`3`", '`"balanced"`')
    assert settings["`train.model.vectors_file`"] == '`"glove.txt"`'
