import json

import pandas as pd
import pytest

from lengthwise.errors import FormatError
from lengthwise.reports.run import Run


def test_run_gives_params_and_digests_of_the_lock(run):
    assert run.params("split")["by"] == "author"
    assert run.digest("data/sample/blogs.zip") == "6e85ccfd629908b5591ed4c843c31e04"
    assert run.digest("data/shards").endswith(".dir")


def test_run_has_the_levels_of_all_models(run):
    assert set(run.levels["model"]) == {"majority", "linear", "classifier", "seq2seq"}
    assert run.levels["value"].dtype == float


def test_run_names_what_is_absent_and_the_command_that_makes_it(run):
    (run.metrics / "shards.json").unlink()
    with pytest.raises(FormatError, match=r"shards\.json: cannot be read .*; run dvc repro$"):
        run.figures("shards.json")
    with pytest.raises(FormatError, match=r"no\.csv: cannot be read .*; run dvc repro$"):
        run.table("no.csv", (), ("value",))
    with pytest.raises(FormatError, match=r"dvc\.lock: cannot be read .*; run dvc repro$"):
        Run(run.metrics, run.lock.with_name("no") / "dvc.lock").params("split")


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"a": null}', b'{"a": [1]}', b'{"a": true}', b"\xff"])
def test_run_refuses_figures_that_are_none(run, content):
    (run.metrics / "bad.json").write_bytes(content)
    with pytest.raises(FormatError, match=r"bad\.json: .*; run dvc repro$"):
        run.figures("bad.json")


def test_run_refuses_a_figure_that_is_not_there(run):
    with pytest.raises(FormatError, match=r"split\.json: has no figure 'none'"):
        run.figures("split.json")["none"]


@pytest.mark.parametrize(
    "content",
    [b"", b"name,value\n", b"name\na\n", b"name,value\na,much\n", b"name,value\na,\n", b'a"b\n"', b"\xff\xfe"],
)
def test_run_refuses_a_table_that_is_none(run, content):
    (run.metrics / "bad.csv").write_bytes(content)
    with pytest.raises(FormatError, match=r"bad\.csv: .*; run dvc repro$"):
        run.table("bad.csv", ("name",), ("value",))


def test_run_reads_gaps_only_where_they_may_be_and_names_as_text(run):
    (run.metrics / "table.csv").write_text("name,value\nnan,1\n007,\n", encoding="utf-8")
    with pytest.raises(FormatError):
        run.table("table.csv", ("name",), ("value",))
    table = run.table("table.csv", ("name",), ("value",), gaps=True)
    assert table["value"].isna().tolist() == [False, True]
    assert table["name"].tolist() == ["nan", "007"]


@pytest.mark.parametrize("content", ["", "[]", "stages: 1", "a: [", "stages: {}"])
def test_run_refuses_a_lock_that_is_none(run, content):
    run.lock.write_text(content, encoding="utf-8")
    with pytest.raises(FormatError, match=r"dvc\.lock: has no|dvc\.lock: is not YAML"):
        run.params("split")
    with pytest.raises(FormatError, match=r"dvc\.lock: has no|dvc\.lock: is not YAML"):
        run.digest("data/shards")


def test_run_has_all_params_by_their_dotted_keys(run):
    assert run.all_params["train.model.units"] == run.params("train")["model"]["units"]
    assert run.all_params["ingest.blogs.age_brackets.10s"] == "13-17"
    sections = {key.split(".")[0] for key in run.all_params}
    assert sections >= {"ingest", "tokens", "split", "vocabulary", "shards", "train", "baselines", "evaluate"}


def test_run_knows_what_was_measured_if_it_is_at_hand(run):
    path = run.lock.parent / "data" / "timing" / "train_classifier.json"
    assert run.timing("train_classifier") == json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    assert run.timing("train_classifier") is None


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", b"\x00" * 100])
def test_run_takes_damaged_predictions_for_none(run, content):
    path = run.lock.parent / "data" / "predictions" / "classifier.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert run.predictions("classifier") is None
    assert run.predictions("linear") is None


def test_run_takes_predictions_of_another_shape_for_none(run, predict):
    predict(run)
    path = run.lock.parent / "data" / "predictions" / "classifier.parquet"
    whole = pd.read_parquet(path)
    assert Run(run.metrics, run.lock).predictions("classifier") is not None
    for damaged in (whole.drop(columns="author"), whole.iloc[:0], whole.assign(label="x"), whole[["sequence"]]):
        damaged.to_parquet(path)
        assert Run(run.metrics, run.lock).predictions("classifier") is None
