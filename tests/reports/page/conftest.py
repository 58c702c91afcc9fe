import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from dvc.repo import Repo

from lengthwise.runs.run import run_in

NAMED = ("user.name=tester", "user.email=tester@localhost", "commit.gpgsign=false")


@dataclass
class Project:
    # Under Git and DVC, with the committed run: commits and experiments without any pipeline.
    folder: Path

    def git(self, *arguments):
        settings = [part for setting in NAMED for part in ("-c", setting)]
        command = ["git", *settings, *arguments]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout.strip()

    @property
    def run(self):
        return run_in(self.folder)

    def change(self, key, value):
        # From whatever it is now.
        path = self.folder / "dvc.lock"
        text, changed = re.subn(
            rf"^( +{key}: ).*$", lambda line: f"{line[1]}{value}", path.read_text("utf-8"), flags=re.MULTILINE
        )
        assert changed
        path.write_text(text, encoding="utf-8")

    def set_accuracy(self, task, level, value):
        path = self.folder / "metrics" / "evaluate" / task / "levels.csv"
        table = pd.read_csv(path)
        table.loc[(table["level"] == level) & (table["metric"] == "accuracy"), "value"] = value
        table.to_csv(path, index=False)

    def commit(self, message):
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def experiment(self, name, **changes):
        # As DVC keeps them: a commit beside the branch, under refs/exps.
        base = self.git("rev-parse", "HEAD")
        for key, value in changes.items():
            self.change(key, value)
        made = self.commit(name)
        self.git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", made)
        self.git("reset", "-q", "--hard", base)
        return made


@pytest.fixture
def project(root, tmp_path):
    if shutil.which("git") is None:
        pytest.skip("git is not there")
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copytree(root / "metrics", folder / "metrics", ignore=shutil.ignore_patterns("*ablations*"))
    for name in ("dvc.lock", "params.yaml"):
        shutil.copy(root / name, folder / name)
    (folder / ".gitignore").write_text("data/\n*.html\n", encoding="utf-8")
    made = Project(folder)
    made.git("init", "-q", "-b", "main")
    Repo.init(str(folder)).close()
    made.commit("run")
    return made
