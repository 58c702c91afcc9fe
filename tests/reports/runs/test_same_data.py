import copy

import pytest
import yaml

from lengthwise.runs.not_run import changed_params
from lengthwise.runs.run import Run, run_in
from lengthwise.runs.same_data import check_data


@pytest.fixture(scope="module")
def run(root):
    return run_in(root)


def with_lock(snapshot, change):
    lock = copy.deepcopy(snapshot.stages)
    change(lock)
    return Run("changed", {**snapshot.files, "dvc.lock": yaml.safe_dump({"stages": lock}).encode()})


def not_run(snapshot, **changes):
    # In params.yaml alone.
    params = copy.deepcopy(snapshot.params_file)
    for key, value in changes.items():
        section, name = key.split("__")
        params[section][name] = value
    return Run("changed", {**snapshot.files, "params.yaml": yaml.safe_dump(params).encode()})


def with_params(snapshot, **changes):
    # In params.yaml and, as after a run, in dvc.lock.
    changed = not_run(snapshot, **changes)

    def record(lock):
        for stage in lock.values():
            recorded = stage.get("params", {}).get("params.yaml", {})
            recorded.update({name: changed.params_file[name] for name in recorded})

    return with_lock(changed, record)


def with_hashes(snapshot, *paths):
    def change(lock):
        for stage in lock.values():
            for out in stage["outs"]:
                if out["path"] in paths:
                    out["md5"] = "0" * 32

    return with_lock(snapshot, change)


def without_lock(snapshot):
    return Run("bare", {path: content for path, content in snapshot.files.items() if path != "dvc.lock"})


def test_check_data_of_the_same_run_finds_the_same(run):
    check = check_data(run, run)
    assert check.changes == ()
    assert "hash of the shards" in check.evidence


def test_check_data_takes_another_vocabulary_for_the_same_sequences(run):
    new = with_hashes(with_params(run, vocabulary__size=99), "data/shards", "data/vocabulary.tsv")
    check = check_data(run, new)
    assert check.changes == ()
    assert "documents, tokens and split" in check.evidence


def test_check_data_takes_other_shard_files_for_the_same_sequences(run):
    new = with_hashes(with_params(run, shards__rows_per_shard=10), "data/shards")
    assert check_data(run, new).changes == ()
    assert check_data(without_lock(run), without_lock(new)).changes == ()


def test_check_data_believes_equal_shards_whatever_the_params(run):
    assert check_data(run, with_params(run, ingest__max_member_mb=128)).changes == ()


@pytest.mark.parametrize("path", ["data/documents.parquet", "data/tokens", "data/split.parquet"])
def test_check_data_finds_what_changed_before_the_shards(run, path):
    assert check_data(run, with_hashes(run, "data/shards", path)).changes == (path,)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("key", ["unit", "min_length", "max_length", "too_long"])
def test_check_data_finds_another_choice_of_sequences(run, key):
    new = with_hashes(with_params(run, **{f"shards__{key}": "other"}), "data/shards")
    for old, other in ((run, new), (without_lock(run), without_lock(new)), (run, without_lock(new))):
        assert check_data(old, other).changes == (f"shards.{key}",)


@pytest.mark.parametrize("key", ["ingest.source", "tokens.language", "split.seed"])
def test_check_data_without_hashes_goes_by_the_params(run, key):
    new = without_lock(with_params(run, **{key.replace(".", "__"): "other"}))
    check = check_data(run, new)
    assert check.changes == (key,)
    assert "without hashes" in check.evidence


def test_check_data_does_not_believe_a_lock_of_other_params(run):
    new = not_run(run, split__seed=99)
    assert check_data(run, new).changes == ("split.seed",)
    assert [stage.stage for stage in changed_params(new)] == ["split"]


@pytest.mark.parametrize("path", ["metrics/split.json", "metrics/shards.json"])
def test_check_data_finds_other_counts(run, path):
    new = Run("changed", {**run.files, path: b'{"test_rows": 3}'})
    assert check_data(run, new).changes == (path,)
