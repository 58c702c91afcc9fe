import json
import shutil

import yaml
from records import record_as_folder

from lengthwise.corpora.blogs.texts.unknown_authors import best_block, search_block, splits_block

BESTS = ("best_sentence", "best_document", "best_author")


def rows_of(block):
    """The rows of a block's table without its header."""
    lines = [line for line in block.splitlines() if line.startswith("| ")][2:]
    return [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in lines]


def test_best_shows_every_level_beside_what_was_published_of_authors_alone(keep_runs, set_level):
    kept = keep_runs(*BESTS)
    # A run of the classifier alone has no other.
    for name in BESTS:
        with record_as_folder(kept.folder / f"{name}.json") as folder:
            (folder / "metrics" / "evaluate" / "seq2seq" / "levels.csv").unlink()
    set_level("best_author", "classifier", "author", "gender_accuracy", 0.7654321, 0.7, 0.8)
    lines = [line for line in best_block(kept).splitlines() if line.startswith("| ")]
    assert len(lines) == 2 + 3 * 12
    (gender,) = [line for line in lines if line.startswith("| `best_author` | author | gender |")]
    assert gender.split(" | ")[3] == "0.765 (0.700 to 0.800)"
    assert gender.endswith("| 0.801 |")
    assert [line.endswith("|  |") for line in lines[2:]] == 3 * ([True] * 9 + [False] * 2 + [True])


def test_best_of_the_readme_shows_each_run_at_the_level_of_its_unit(keep_runs):
    block = best_block(keep_runs(*BESTS), every_level=False)
    lines = [line for line in block.splitlines() if line.startswith("| ")][2:]
    levels = [line.strip("|").split(" | ")[1].strip() for line in lines]
    # The figures that all these runs have here are of sentences on.
    assert levels == ["sentence"] * 4 + ["document"] * 4 + ["author"] * 4
    assert [line.split(" | ")[2] for line in lines] == ["both", "gender", "age bracket", "both, nats"] * 3


def test_best_says_what_each_run_changed_and_which_is_not_there(keep_runs):
    block = best_block(keep_runs("best_author"))
    (said,) = [line for line in block.splitlines() if line.startswith("- ")]
    assert said.startswith('- `best_author`: `shards.unit: "group"`, ')
    assert "minutes of training" in said
    assert block.endswith('RUNS="best_sentence best_document"`.')


def test_search_shows_validation_of_what_was_tried_and_of_what_was_chosen(keep_runs):
    kept = keep_runs("best_author", "search_author_1024", "search_author_linear_1")
    # A training alone and the linear models alone, as they are kept.
    with record_as_folder(kept.folder / "search_author_linear_1.json") as folder:
        shutil.rmtree(folder / "metrics" / "train")
    with record_as_folder(kept.folder / "search_author_1024.json") as folder:
        shutil.rmtree(folder / "metrics" / "baselines")
        path = folder / "metrics" / "train" / "classifier.json"
        figures = {name: value for name, value in json.loads(path.read_text("utf-8")).items() if "sentence" not in name}
        path.write_text(json.dumps(figures | {"validation_author_accuracy": 0.7654321}), encoding="utf-8")
    with record_as_folder(kept.folder / "best_author.json") as folder:
        on_test = folder / "metrics" / "evaluate" / "classifier.json"
        figures = json.loads(on_test.read_text("utf-8"))
        on_test.write_text(json.dumps(dict.fromkeys(figures, 0.1234567)), encoding="utf-8")
    block = search_block(kept)
    rows = rows_of(block)
    assert sorted(row[:2] for row in rows) == [
        ("`best_author`", "classifier"),
        ("`best_author`", "linear"),
        ("`search_author_1024`", "classifier"),
        ("`search_author_linear_1`", "linear"),
    ]
    assert all(len(row) == 12 for row in rows)
    (of_training,) = [row for row in rows if row[0] == "`search_author_1024`"]
    assert (of_training[4], of_training[9]) == ("", "0.765")
    assert "0.123" not in {cell for row in rows for cell in row}
    assert "have not been run" in block


def test_splits_show_both_models_in_each_split_their_means_and_how_far_the_network_is_ahead(keep_runs, set_level):
    kept = keep_runs("best_author", "author_split_2", "author_split_3")
    figures = {"best_author": (0.61, 0.60), "author_split_2": (0.65, 0.61), "author_split_3": (0.60, 0.62)}
    for run, (network, linear) in figures.items():
        set_level(run, "classifier", "author", "accuracy", network, 0.0, 1.0)
        set_level(run, "linear", "author", "accuracy", linear, 0.0, 1.0)
    rows = rows_of(splits_block(kept))
    assert [row[:3] for row in rows] == [
        ("author", "1", "0.610 / 0.600"),
        ("author", "2", "0.650 / 0.610"),
        ("author", "3", "0.600 / 0.620"),
        ("author", "mean", "0.620 / 0.610"),
        ("author", "difference", "+0.010 (-0.020 to +0.040)"),
    ]
    # The others are as they were, the same in every split.
    assert all(row[3:] == rows[0][3:] for row in rows[1:4])


def test_splits_show_each_unit_at_its_own_level(keep_runs):
    kept = keep_runs(*BESTS, "sentence_split_2", "document_split_2", "author_split_2")
    rows = rows_of(splits_block(kept))
    assert [row[:2] for row in rows] == [
        (unit, row) for unit in ("sentence", "document", "author") for row in ("1", "2", "mean", "difference")
    ]
    for row in rows[::4]:
        figures = kept.runs[f"best_{row[0]}"]
        network, linear = (
            figures.figures(name)[f"{row[0]}_accuracy"]
            for name in ("evaluate/classifier.json", "baselines/linear.json")
        )
        assert row[2] == f"{network:.3f} / {linear:.3f}"


def test_splits_of_one_run_are_no_table(keep_runs):
    block = splits_block(keep_runs("best_author"))
    assert "|" not in block
    assert "`author_split_2`" in block


def test_runs_of_other_splits_change_nothing_else_of_the_best(root):
    named = yaml.safe_load((root / "results" / "runs.yaml").read_text(encoding="utf-8"))
    for best in BESTS:
        unit = best.removeprefix("best_")
        again = {name: run for name, run in named.items() if name.startswith(f"{unit}_split_")}
        assert len(again) >= 2
        for name, run in again.items():
            assert run["changes"] == named[best]["changes"] | {"split.seed": int(name.removeprefix(f"{unit}_split_"))}
            assert run["runs"] == named[best]["runs"]
