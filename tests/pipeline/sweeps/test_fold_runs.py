import pytest
import yaml

import lengthwise.pipeline.sweeps.start as command
import lengthwise.pipeline.sweeps.sweep as runner
from lengthwise.cli.app import main
from lengthwise.errors import SweepError
from lengthwise.pipeline.sweeps.fold_runs import fold_runs


@pytest.fixture
def params(root, tmp_path):
    content = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return tmp_path / "params.yaml"


@pytest.fixture
def keys(tmp_path):
    def keys(content):
        path = tmp_path / "cheap.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return path

    return keys


def test_fold_runs_are_the_whole_pipeline_once_a_fold(params):
    runs = fold_runs("3", params, None)
    assert [run.name for run in runs] == ["fold-0-of-3", "fold-1-of-3", "fold-2-of-3"]
    assert [run.overrides for run in runs] == [[f"split.folds={3}", f"split.fold={fold}"] for fold in range(3)]
    assert all(run.targets == () for run in runs)
    assert [run.params.split.shares.fold for run in runs] == [0, 1, 2]


def test_fold_runs_share_the_keys_of_a_file(params, keys):
    runs = fold_runs("2", params, keys({"train.epochs": 1, "shards.unit": "group"}))
    assert [run.name for run in runs] == ["cheap-fold-0-of-2", "cheap-fold-1-of-2"]
    assert {(run.params.train.course.epochs, run.params.shards.unit) for run in runs} == {(1, "group")}


def test_folds_may_be_of_other_tasks_than_those_of_params(params, keys):
    (run, _) = fold_runs("2", params, keys({"tasks": ["seq2seq"]}))
    assert run.overrides[0] == "tasks=['seq2seq']"
    assert list(run.params.tasks) == ["seq2seq"]


@pytest.mark.parametrize("folds", ["1", "0", "-3", "101", "ten", "", "2.5", "²"])
def test_a_number_of_folds_that_is_none_is_refused(params, folds):
    with pytest.raises(SweepError, match=rf"^FOLDS: got '{folds}'; expected an integer from 2 to 100; change it$"):
        fold_runs(folds, params, None)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([1], "cheap.yaml: got [1]; expected a map from dotted keys to values"),
        ({"train.epoch": 1}, "cheap.yaml: train.epoch: is no key"),
        ({"train": 1}, "cheap.yaml: train: is a section"),
        ({"split.fold": 1}, "cheap.yaml: split.fold: each fold has its own"),
        ({"split.folds": 5}, "cheap.yaml: split.folds: each fold has its own"),
        ({"train.epochs": {"low": 1}}, "cheap.yaml: train.epochs: got {'low': 1}; expected one value"),
        ({"train.epochs": "many"}, "cheap.yaml: train.epochs: got 'many'; expected an integer from 1"),
        ({"split.validation": 0.5}, "split.validation and split.folds: got split.validation=0.5, split.folds=2; with"),
    ],
)
def test_a_wrong_file_of_keys_is_refused_in_one_line(params, keys, content, told):
    with pytest.raises(SweepError) as caught:
        fold_runs("2", params, keys(content))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["1"], "FOLDS: got '1'; expected an integer from 2 to 100"),
        (["3", "--jobs", "0"], "JOBS: got '0'; expected an integer from 1 to 256"),
        (["3", "--keys", "none.yaml"], "none.yaml: cannot be read"),
    ],
)
def test_command_refuses_what_is_wrong_before_anything_runs(params, monkeypatch, capsys, arguments, told):
    monkeypatch.chdir(params.parent)
    monkeypatch.setattr(command, "Sweep", None)
    with pytest.raises(SystemExit) as caught:
        main(["folds", *arguments])
    said = capsys.readouterr().err
    assert caught.value.code == 2
    assert said.startswith(f"error: {told}")
    assert said.count("\n") == 1


def test_command_with_a_failed_fold_writes_no_table(params, monkeypatch, capsys, tmp_path):
    class FakeSweep(runner.Sweep):
        def run(self):
            self._fail(2, self._source.runs[1], "fold-1-of-3", "error: why")

    monkeypatch.chdir(params.parent)
    monkeypatch.setattr(command, "Sweep", FakeSweep)
    with pytest.raises(SystemExit) as caught:
        main(["folds", "3", "--out", "there"])
    assert caught.value.code == 1
    assert "failed: fold-1-of-3\n    error: why" in capsys.readouterr().err
    assert not (tmp_path / "there").exists()
