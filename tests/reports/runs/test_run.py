import json

import pytest

from lengthwise.errors import FormatError
from lengthwise.runs.run import Run, run_in
from lengthwise.system.dotted import finite


def test_run_gives_params_and_digests_of_the_lock(run):
    assert run.params("split")["by"] == "group"
    assert run.digest("data/sample/blogs.zip") == "6e85ccfd629908b5591ed4c843c31e04"
    assert run.digest("data/shards").endswith(".dir")


def test_run_has_the_levels_of_all_models(run):
    models = {path.parent.name for path in (run.files.folder / "metrics").rglob("levels.csv")}
    assert set(run.levels["model"]) == models >= {"majority", "linear", "classifier", "seq2seq"}
    assert run.levels["value"].dtype == float


def test_run_names_what_is_absent_and_the_command_that_makes_it(run):
    (run.files.folder / "metrics" / "shards.json").unlink()
    with pytest.raises(FormatError, match=r"shards\.json of .*: cannot be read .*; run dvc repro$"):
        run.figures("shards.json")
    with pytest.raises(FormatError, match=r"no\.csv of .*: cannot be read .*; run dvc repro$"):
        run.table("no.csv", (), ("value",))
    with pytest.raises(FormatError, match=r"dvc\.lock of .*: cannot be read .*; run dvc repro$"):
        run_in(run.files.folder / "no").params("split")


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"a": null}', b'{"a": [1]}', b'{"a": true}', b"\xff"])
def test_run_refuses_figures_that_are_none(run, content):
    (run.files.folder / "metrics" / "bad.json").write_bytes(content)
    with pytest.raises(FormatError, match=r"bad\.json of .*: .*; run dvc repro$"):
        run.figures("bad.json")


def test_run_refuses_a_figure_that_is_not_there(run):
    with pytest.raises(FormatError, match=r"split\.json of .*: has no figure 'none'"):
        run.figures("split.json")["none"]


@pytest.mark.parametrize(
    "content",
    [b"", b"name,value\n", b"name\na\n", b"name,value\na,much\n", b"name,value\na,\n", b'a"b\n"', b"\xff\xfe"],
)
def test_run_refuses_a_table_that_is_none(run, content):
    (run.files.folder / "metrics" / "bad.csv").write_bytes(content)
    with pytest.raises(FormatError, match=r"bad\.csv of .*: .*; run dvc repro$"):
        run.table("bad.csv", ("name",), ("value",))


def test_run_reads_gaps_only_where_they_may_be_and_names_as_text(run):
    (run.files.folder / "metrics" / "table.csv").write_text("name,value\nnan,1\n007,\n", encoding="utf-8")
    with pytest.raises(FormatError):
        run.table("table.csv", ("name",), ("value",))
    table = run.table("table.csv", ("name",), ("value",), gaps=True)
    assert table["value"].isna().tolist() == [False, True]
    assert table["name"].tolist() == ["nan", "007"]


@pytest.mark.parametrize("content", ["", "[]", "stages: 1", "a: [", "stages: {}"])
def test_run_refuses_a_lock_that_is_none(run, content):
    (run.files.folder / "dvc.lock").write_text(content, encoding="utf-8")
    with pytest.raises(FormatError, match=r"dvc\.lock of .*: (has no|is not YAML|got)"):
        run.params("split")
    with pytest.raises(FormatError, match=r"dvc\.lock of .*: (has no|is not YAML|got)"):
        run.digest("data/shards")


def test_run_has_all_params_by_their_dotted_keys(run):
    assert run.all_params["train.model.units"] == run.params("train")["model"]["units"]
    assert run.all_params["ingest.blogs.age_brackets.10s"] == "13-17"
    sections = {key.split(".")[0] for key in run.all_params}
    assert sections >= {"ingest", "tokens", "split", "vocabulary", "shards", "train", "baselines", "evaluate"}


def test_run_knows_what_was_measured_if_it_is_at_hand(run):
    path = run.files.folder / "data" / "timing" / "train_classifier.json"
    assert run.timing("train_classifier") == json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    assert run.timing("train_classifier") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"3", b"\xff", b"[" * 100_000, b'{"a": 1' + b"0" * 5000 + b"}"])
def test_run_refuses_metrics_that_are_no_json_object(content):
    with pytest.raises(FormatError, match=r"^metrics/a\.json of here: .*; run dvc repro") as caught:
        Run("here", {"metrics/a.json": content}).json("metrics/a.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"a: [", b"- 1", b"text", b"\xff", b"\0", b"{? [1] : 2}"])
@pytest.mark.parametrize(("path", "read"), [("params.yaml", "params_file"), ("dvc.lock", "stages")])
def test_run_refuses_params_that_are_no_map(content, path, read):
    with pytest.raises(FormatError, match=rf"^{path} of here: .*; run dvc repro$") as caught:
        getattr(Run("here", {path: content}), read)
    assert "\n" not in str(caught.value)


def test_run_without_params_and_lock_has_none():
    assert Run("here", {}).params_file == Run("here", {}).stages == {}


def test_finite_takes_numbers_alone():
    assert all(map(finite, [0, -1.5, 10**300]))
    assert not any(map(finite, [None, "1", True, float("nan"), float("-inf"), 10**400, [1]]))
