"""DVC knows the file of vectors: by its place in params.yaml, and by its content."""

import os
import shutil
from pathlib import Path

import pytest
import yaml
from dvc_at_hand import run_dvc

from lengthwise.pipeline.settings.params import load_params

VECTORS = "vectors.txt"
FILES = ("dvc.yaml", "ablations/dvc.yaml")


class SmallProject:
    """Stages with those dependencies that are variables, as the repository's own files name them, and nothing else."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder = folder
        (folder / "ablations").mkdir(parents=True)
        for name in ("params.yaml", "ablations/params.yaml"):
            shutil.copy(root / name, folder / name)
        for name in FILES:
            content = yaml.safe_load((root / name).read_text(encoding="utf-8"))
            stages = {stage: made for stage, made in content["stages"].items() if stage in ("train", "ablations")}
            (stage,) = stages.values()
            stage["deps"] = [dep for dep in stage["deps"] if "${" in dep]
            assert stage["deps"] == ["${train.model.vectors_file}"]
            # What a stage does is no matter: that it runs is.
            task = "${item.task}" if "matrix" in stage else "ablations"
            stage["cmd"], stage["outs"] = f"echo {task} >> ran && echo {task} > out_{task}", [f"out_{task}"]
            stage["params"] = ["train"]
            kept = {key: stage[key] for key in ("matrix", "wdir", "cmd", "deps", "outs", "params") if key in stage}
            described = {**content, "stages": dict.fromkeys(stages, kept)}
            (folder / name).write_text(yaml.safe_dump(described), encoding="utf-8")
        self.dvc("init", "--no-scm", "--quiet")

    def dvc(self, *arguments: str) -> None:
        environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
        run_dvc([*arguments], self.folder, environment).check_returncode()

    def ran(self) -> set[str]:
        """What runs now."""
        (self.folder / "ran").write_text("", encoding="utf-8")
        self.dvc("repro", "--all-pipelines")
        return set((self.folder / "ran").read_text(encoding="utf-8").split())

    def set(self, key: str, value: str) -> None:
        path = self.folder / "params.yaml"
        lines = path.read_text(encoding="utf-8").splitlines()
        (number,) = [n for n, line in enumerate(lines) if line.strip().startswith(f"{key}:")]
        lines[number] = lines[number].partition(":")[0] + f": {value}"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def small(root, tmp_path_factory):
    project = SmallProject(root, tmp_path_factory.mktemp("small"))
    (project.folder / VECTORS).write_text("the 0.1 0.2\n", encoding="utf-8")
    project.set("vectors_file", VECTORS)
    return project


@pytest.mark.long
def test_another_content_or_another_place_of_vectors_trains_again_and_nothing_else_does(small):
    everything = {"classifier", "seq2seq", "ablations"}
    assert small.ran() == everything
    assert small.ran() == set()
    # As long as it was, and under the same name.
    (small.folder / VECTORS).write_text("the 0.1 0.3\n", encoding="utf-8")
    assert small.ran() == everything
    assert small.ran() == set()
    shutil.copy(small.folder / VECTORS, small.folder / "others.txt")
    small.set("vectors_file", "others.txt")
    assert small.ran() == everything
    # Where nothing names it any more, it is nobody's business.
    (small.folder / VECTORS).unlink()
    assert small.ran() == set()


def test_the_file_that_params_name_at_first_is_there_and_has_vectors_of_the_embeddings_size(root):
    from lengthwise.models.vectors import check_vectors, read_vectors

    model = load_params(root / "params.yaml").train.model
    path = root / model.pretrained.file
    assert check_vectors(path, model.architecture.embedding) is None
    found = read_vectors(path, ["the", "and", "zzzz"], model.architecture.embedding)
    assert found.keys() == {"the", "and"}
