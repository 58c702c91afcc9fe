import ast
import fcntl
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml
from dvc_at_hand import run_command
from stages_at_hand import stage_python

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "src" / "lengthwise"
# They refuse, report, or frame a stage, and change no output.
FRAME = {
    *("bounds", "stage", "check", "params", "refusals", "contained", "strict_yaml", "conflicts", "errors", "progress"),
    "definitions",
}


@cache
def imported_names(path: Path) -> frozenset[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def imported_modules(path: Path) -> set[Path]:
    candidates = (ROOT / "src" / f"{name.replace('.', '/')}.py" for name in imported_names(path))
    return {file for file in candidates if file.is_file()}


def import_closure(path: Path) -> set[Path]:
    seen: set[Path] = set()
    waiting = [path]
    while waiting:
        new = {module for module in imported_modules(waiting.pop()) if module.stem not in FRAME} - seen
        seen |= new
        waiting += new
    return seen


# Below DVC's own folder, which Git ignores: the template is complete.
DONE = Path(".dvc") / "tmp" / "done"
COPIED = (
    *("dvc.yaml", "params.yaml", "ablations/params.yaml", ".dvcignore", ".gitignore", "stages", "src"),
    *(".dvc/config", ".dvc/plots"),
)


@dataclass(frozen=True)
class Project:
    """A copy of the pipeline in a folder of its own, with a small corpus, under Git."""

    folder: Path

    def run(self, *command: str, expect: int = 0) -> str:
        binaries = str(Path(sys.executable).parent)
        identity = {f"GIT_{who}_{what}": "tester" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        environment = {**os.environ, **identity, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
        if command[0] == "dvc":
            environment["LENGTHWISE_PYTHON"] = stage_python()
        result = run_command(command, self.folder, environment)
        assert result.returncode == expect, result.stdout + result.stderr
        return result.stdout + result.stderr

    def commit(self, message: str) -> None:
        self.run("git", "add", ".")
        self.run("git", "commit", "--quiet", "--message", message)

    def change_params(self, section: str, **changes: object) -> None:
        path = self.folder / "params.yaml"
        params = yaml.safe_load(path.read_text(encoding="utf-8"))
        params[section].update(changes)
        path.write_text(yaml.safe_dump(params), encoding="utf-8")

    def leave_out(self, names: Collection[str]) -> None:
        """Take stages out of the pipeline."""
        path = self.folder / "dvc.yaml"
        pipeline = yaml.safe_load(path.read_text(encoding="utf-8"))
        if names:
            kept = {name: stage for name, stage in pipeline["stages"].items() if name not in names}
            path.write_text(yaml.safe_dump({**pipeline, "stages": kept}), encoding="utf-8")


def write_corpus(path: Path, authors: int) -> None:
    rng = np.random.default_rng(0)
    ages = [14, 25, 40]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for author in range(authors):
            gender, age = ("male", "female")[author % 2], ages[author // 2 % 3]
            posts = []
            for _ in range(3):
                sentences = [
                    " ".join(f"{gender[0]}{age}w{rng.zipf(1.6) % 50}" for _ in range(rng.integers(3, 35))) + "."
                    for _ in range(6)
                ]
                posts.append(f"<date>01,May,2004</date>\r\n<post>\r\n {' '.join(sentences)} &nbsp;\r\n</post>\r\n")
            name = f"blogs/{1000 + author}.{gender}.{age}.indUnk.Leo.xml"
            archive.writestr(name, f"<Blog>\r\n{''.join(posts)}</Blog>")


def copy_project(folder: Path, authors: int = 72, without: Collection[str] = ()) -> Project:
    """Copy the pipeline, but for some stages, and commit nothing."""
    for name in COPIED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(source, target)
    project = Project(folder)
    project.leave_out(without)
    (folder / "data" / "sample").mkdir(parents=True)
    write_corpus(folder / "data" / "sample" / "blogs.zip", authors)
    shutil.copy(ROOT / "data" / "sample" / "vectors.txt.gz", folder / "data" / "sample")
    project.run("git", "init", "--quiet")
    return project


@pytest.fixture(scope="session")
def make_project() -> Callable[..., Project]:
    return copy_project


@pytest.fixture(scope="session")
def project_that_ran(tmp_path_factory) -> Callable[[Path], Project]:
    """Copy a project whose whole pipeline has run once, for all workers of the test run."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    template = shared / "ran"
    with (shared / "ran.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (template / DONE).exists():
            # What a worker that was stopped has left.
            shutil.rmtree(template, ignore_errors=True)
            project = copy_project(template)
            project.change_params("train", epochs=1, log_every=5)
            project.change_params("evaluate", bootstrap_samples=20)
            project.commit("start")
            project.run("dvc", "repro", "--quiet")
            project.commit("results")
            (template / DONE).touch()

    def copy(folder: Path) -> Project:
        shutil.copytree(template, folder, symlinks=True)
        return Project(folder)

    return copy


@pytest.fixture(scope="session")
def project_at() -> Callable[[Path], Project]:
    """A folder in which commands are run, whatever is in it."""
    return Project


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def import_closure_of():
    return import_closure


@pytest.fixture(scope="session")
def imported_names_of():
    return imported_names
