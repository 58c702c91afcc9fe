import shutil

import pytest
import yaml

from lengthwise.errors import FormatError
from lengthwise.runs import not_run as module
from lengthwise.runs.not_run import changed_params, not_run
from lengthwise.runs.run import Run

FILES = ["eval/metrics.json", "eval/predictions.csv"]


def stages(repository, revision=None, files=None):
    lock = {name: (repository.folder / name).read_bytes() for name in ("params.yaml", "dvc.lock")}
    return {stage.stage: stage.changes for stage in not_run(Run("here", lock), repository.folder, revision, files)}


def edit(repository, path, old, new):
    text = (repository.folder / path).read_text("utf-8")
    assert old in text
    (repository.folder / path).write_text(text.replace(old, new), "utf-8")


def without_data(repository):
    # As a clone is before `dvc pull`.
    for path in (".dvc/cache", "data/prepared", "data/features"):
        shutil.rmtree(repository.folder / path)
    for path in ("data/data.xml", "model.pkl", "eval/predictions.csv"):
        (repository.folder / path).unlink()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("files", [None, FILES])
def test_nothing_changed_after_a_run(get_started, files):
    assert stages(get_started, files=files) == {}
    assert stages(get_started, "HEAD", files) == {}
    without_data(get_started)
    assert stages(get_started, files=files) == {}


CHANGES = [
    ("params.yaml", "quality: 0.9", "quality: 0.8", {"train": ("params.yaml: train.quality is 0.8, the run had 0.9",)}),
    ("params.yaml", "  seed: 1\n", "", {"train": ("params.yaml: train.seed is absent, the run had 1",)}),
    ("params.yaml", "quality: 0.9", "quality: 0.90", {}),
    ("params.yaml", "# As the", "# Not as the", {}),
    ("src/train.py", "import", "import os, ", {"train": ("src/train.py",)}),
    ("data/data.xml", "<row/>", "<row />", {"prepare": ("data/data.xml",)}),
    ("dvc.yaml", "python src/train.py", "python -S src/train.py", {"train": ("its command",)}),
    ("dvc.yaml", "deps: [data/features, model.pkl", "deps: [params.yaml, model.pkl", {"evaluate": ("params.yaml",)}),
    ("dvc.yaml", "  evaluate:\n", "  more:\n    cmd: x\n    outs: [y]\n  evaluate:\n", {"more": ("it was never run",)}),
]


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("path", "old", "new", "expected"), CHANGES)
def test_stages_that_something_changed_for_were_not_run(get_started, path, old, new, expected):
    edit(get_started, path, old, new)
    assert stages(get_started) == expected
    assert stages(get_started, "HEAD") == {}
    if path == "data/data.xml":
        # In Git is only the hash, and that has not changed.
        return
    get_started.commit()
    assert stages(get_started, "HEAD") == expected
    # Nor were they where another folder than the repository's is the working one, and without the data.
    without_data(get_started)
    assert stages(get_started) == expected


def test_stages_that_do_not_lead_to_the_files_do_not_matter(get_started):
    edit(get_started, "dvc.yaml", "  evaluate:\n", "  more:\n    cmd: x\n    outs: [y]\n  evaluate:\n")
    assert stages(get_started, files=FILES) == {}
    assert set(stages(get_started, files=["data/features/test.tsv"])) == set()
    edit(get_started, "params.yaml", "quality: 0.9", "quality: 0.8")
    assert set(stages(get_started, files=["data/features/test.tsv"])) == set()
    assert set(stages(get_started, files=FILES)) == {"train"}
    # A file that DVC knows nothing of may be of any stage.
    assert set(stages(get_started, files=["other.json"])) == {"more", "train"}


def test_stages_whose_data_another_run_replaced_were_not_run(get_started):
    lock = yaml.safe_load((get_started.folder / "dvc.lock").read_text("utf-8"))
    (out,) = lock["stages"]["featurize"]["outs"]
    out["md5"] = f"{'0' * 32}.dir"
    (get_started.folder / "dvc.lock").write_text(yaml.safe_dump(lock), "utf-8")
    expected = {"train": ("data/features",), "evaluate": ("data/features",)}
    assert stages(get_started) == expected
    without_data(get_started)
    assert stages(get_started) == expected


def test_parts_of_what_is_made_are_not_missed_before_they_are_pulled(get_started):
    edit(get_started, "dvc.yaml", "deps: [data/features, src/train.py]", "deps: [data/features/test.tsv, src/train.py]")
    get_started.repro()
    assert stages(get_started) == {}
    without_data(get_started)
    assert stages(get_started) == {}
    # What nothing makes is.
    (get_started.folder / "src" / "train.py").unlink()
    assert stages(get_started) == {"train": ("src/train.py",)}


def test_frozen_stages_are_left_alone(get_started):
    edit(get_started, "dvc.yaml", "  train:\n", "  train:\n    frozen: true\n")
    edit(get_started, "params.yaml", "quality: 0.9", "quality: 0.8")
    assert stages(get_started) == {}


def test_a_pipeline_in_a_folder_of_a_larger_repository_is_found(in_monorepo):
    assert stages(in_monorepo) == stages(in_monorepo, "HEAD") == stages(in_monorepo, "HEAD", FILES) == {}
    edit(in_monorepo, "params.yaml", "quality: 0.9", "quality: 0.8")
    in_monorepo.commit()
    for revision in (None, "HEAD"):
        for files in (None, FILES):
            assert set(stages(in_monorepo, revision, files)) == {"train"}


def test_a_pipeline_that_dvc_cannot_read_is_refused(get_started):
    edit(get_started, "dvc.yaml", "stages:", "stages: [")
    with pytest.raises(FormatError, match=r"^dvc.yaml: DVC cannot read the pipeline \(.+\); mend it$"):
        stages(get_started)
    get_started.commit()
    # Of the base it is no matter of ours.
    assert stages(get_started, "HEAD") == {}


def snapshot(params, recorded):
    lock = {"stages": {"train": {"params": {"params.yaml": recorded}}}}
    return Run("here", {"params.yaml": params.encode(), "dvc.lock": yaml.safe_dump(lock).encode()})


@pytest.mark.parametrize(
    ("params", "recorded", "changed"),
    [
        ("a: 1e-3", {"a": 0.001}, False),
        ("a: 1.0", {"a": 1}, False),
        ("a: true", {"a": 1}, True),
        ("a: x", {"a": 0.001}, True),
        ("a: {b: 1, c: 2}", {"a": {"b": 1, "c": 2}}, False),
        ("a: {b: 1, c: 2}", {"a.b": 1}, False),
        ("a: {b: 1}", {"a": {"b": 1, "c": 2}}, True),
        ("a: {b: 1, c: 2}", {"a": {"b": 1}}, True),
        ("a: [1, 2]", {"a": [1, 3]}, True),
        ("", {"a": 1}, True),
    ],
)
def test_params_without_dvc_are_compared_with_the_lock(tmp_path, params, recorded, changed):
    here = snapshot(params, recorded)
    assert bool(list(changed_params(here))) is changed
    assert not_run(here, tmp_path) == list(changed_params(here))


def test_params_of_tuples_are_those_that_the_lock_has_as_lists():
    assert module._same((1, 2), [1, 2])
    assert not module._same((1, 2), [1, 3])


@pytest.mark.parametrize("stages", [None, [1], {"a": None}, {"a": {"outs": 3, "params": []}}, {1: {"outs": [None]}}])
def test_locks_of_any_form_have_nothing_that_was_not_run(stages):
    assert list(changed_params(Run("odd", {"dvc.lock": yaml.safe_dump({"stages": stages}).encode()}))) == []
