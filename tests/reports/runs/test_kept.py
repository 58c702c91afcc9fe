import re
import shutil
from pathlib import Path

import pytest
from records import record_as_folder

from lengthwise.errors import FormatError
from lengthwise.runs.kept import Kept, read_map
from lengthwise.system.bundles import read_bundle

ROOT = Path(__file__).parents[3]
COMMITTED = Kept(ROOT / "results")
# A place of a machine: an absolute path in a value.
MACHINE_PLACE = re.compile(r"""(^|[\s'":=,])(/|[A-Za-z]:\\|~/|file:)[\w.-]""", re.MULTILINE)


def test_kept_runs_are_the_named_ones_that_have_a_record(keep_runs):
    kept = keep_runs("best_author", "article")
    assert list(kept.runs) == ["article", "best_author"]
    (kept.folder / "somebody.json").write_text("{}")
    assert list(Kept(kept.folder).runs) == ["article", "best_author"]


def test_kept_run_has_the_params_beside_it(keep_runs):
    run = keep_runs("article").runs["article"]
    assert run.params("split")["by"] == "sentence"
    assert run.params("ingest")["source"] == "blogs.zip"
    assert not run.on_sample
    assert run.figures("ingest.json")["authors"] > 0


@pytest.mark.sampled(3)
@pytest.mark.parametrize("text", [None, "a: [", "3", "- a", "", "split: 3\n"])
def test_kept_run_with_damaged_params_is_refused_in_one_line(keep_runs, text):
    kept = keep_runs("article")
    record = kept.folder / "article.json"
    with record_as_folder(record) as folder:
        (folder / "params.yaml").unlink()
        if text is not None:
            (folder / "params.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(FormatError) as caught:
        kept.runs["article"].params("split")
    assert str(caught.value).startswith(f"params.yaml of {record}: ")
    assert "\n" not in str(caught.value)


def test_read_map_gives_what_the_file_has(tmp_path):
    (tmp_path / "a.yaml").write_text("a: {b: 1}\n", encoding="utf-8")
    assert read_map(tmp_path / "a.yaml") == {"a": {"b": 1}}


def test_published_figures_each_have_a_source():
    for name, figures in COMMITTED.published.items():
        numbers = {key: value for key, value in figures.items() if key != "source"}
        assert figures["source"], name
        assert numbers
        assert all(isinstance(value, float) and value > 0 for value in numbers.values()), name
        assert all(0 < value < 1 for key, value in numbers.items() if key.endswith("accuracy"))


def problems_of(kept, name):
    """What is wrong with a run in Git: settings of another day, a place of a machine, or too much of it."""
    record = kept.folder / f"{name}.json"
    params = kept.runs[name].all_params
    found = []
    for key, value in kept.named[name]["changes"].items():
        had = params.get(key)
        if had != value:
            found.append(f"{name} was run with {key}: {had}")
    found += [f"{file} names a place" for file, text in read_bundle(record, "").items() if MACHINE_PLACE.search(text)]
    if record.stat().st_size >= 100_000:
        found.append(f"{name} is too large")
    return found


def test_committed_runs_are_those_of_today_small_and_name_no_machine():
    assert [problem for name in COMMITTED.runs for problem in problems_of(COMMITTED, name)] == []


def test_committed_runs_would_be_found_wrong(keep_runs):
    kept = keep_runs("article", "best_author")
    assert problems_of(kept, "article") == problems_of(kept, "best_author") == []

    def problems_after(old, new, more=0):
        with record_as_folder(kept.folder / "article.json") as folder:
            path = folder / "params.yaml"
            path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
            (folder / "metrics" / "big.csv").write_text("1" * more)
        return problems_of(Kept(kept.folder), "article")

    assert problems_after("by: sentence", "by: group") == ["article was run with split.by: group"]
    assert len(problems_after("source: blogs", "source: /home/me/blogs")) == 2
    assert len(problems_after("", "", 100_000)) == 3


def test_results_folder_holds_runs_of_the_file_alone():
    # One that was renamed would stay, and nobody would look at it.
    assert {path.stem for path in COMMITTED.folder.glob("*.json")} == set(COMMITTED.runs)
    assert [path.name for path in COMMITTED.folder.iterdir() if path.is_dir()] == ["author_folds"]
    # Of each recipe of folds its keys and its tables.
    folds = {path.name for path in (COMMITTED.folder / "author_folds").iterdir()}
    assert {name for name in folds if name.endswith(".yaml")} == {f"{name}.yaml" for name in folds if "." not in name}


def test_kept_of_no_folder_is_refused(tmp_path):
    shutil.copy(ROOT / "results" / "published.yaml", tmp_path / "published.yaml")
    with pytest.raises(FormatError, match=r"runs\.yaml: cannot be read"):
        _ = Kept(tmp_path).named
