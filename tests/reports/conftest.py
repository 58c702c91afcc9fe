import shutil

import pandas as pd
import pytest
import yaml

from lengthwise.reports.kept import Kept
from lengthwise.reports.run import Run


@pytest.fixture
def run(root, tmp_path):
    # The committed run without ablations, in a place where it may be changed.
    shutil.copytree(root / "metrics", tmp_path / "metrics", ignore=shutil.ignore_patterns("*ablations*"))
    shutil.copy(root / "dvc.lock", tmp_path / "dvc.lock")
    return Run(tmp_path / "metrics", tmp_path / "dvc.lock")


@pytest.fixture
def rewrite(run):
    # Changes a file of the run and gives the run anew, since it remembers what it has read.
    def change(name, *replacements):
        path = run.lock if name == "dvc.lock" else run.metrics / name
        text = path.read_text(encoding="utf-8")
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
        return Run(run.metrics, run.lock)

    return change


@pytest.fixture
def ablated(run):
    header = (
        "name,changes,seeds,accuracy,accuracy_spread,difference,low,high,nll,nll_difference,author_accuracy,"
        "padding_share,parameters,steps,steps_to_accuracy\n"
    )
    rows = [
        "full,,1 2 3,0.52,0.01,,,,1.34,,0.75,0.17,273222,550,400\n",
        "padded,train.batching.strategy=padded,1 2 3,0.51,0.01,-0.009,-0.02,0.003,1.35,0.01,0.74,0.57,273222,540,410\n",
        "zero_state,train.model.initial_state=zeros,1 2 3,0.48,0.01,-0.03,-0.05,-0.01,1.4,0.06,0.7,0.17,273000,550,\n",
        "lstm,train.model.cell=lstm,1 2 3,0.55,0.01,0.032,0.01,0.05,1.3,-0.04,0.77,0.17,293222,550,300\n",
    ]
    (run.metrics / "ablations.csv").write_text(header + "".join(rows), encoding="utf-8")
    times = "name,seconds_per_epoch,relative\nfull,0.7,1.0\npadded,1.2,1.71\nzero_state,0.7,0.99\nlstm,0.9,1.3\n"
    (run.metrics / "timing_ablations.csv").write_text(times, encoding="utf-8")
    return run


@pytest.fixture
def kept_folder(root, tmp_path):
    # The files by hand, and no run.
    folder = tmp_path / "results"
    folder.mkdir()
    for name in ("runs.yaml", "published.yaml"):
        shutil.copy(root / "results" / name, folder / name)
    return folder


@pytest.fixture
def keep_runs(root, kept_folder):
    # Named runs with the figures of the committed run, and their own changes of its params.
    def keep(*names):
        named = yaml.safe_load((kept_folder / "runs.yaml").read_text(encoding="utf-8"))
        for name in names:
            shutil.copytree(root / "metrics", kept_folder / name / "metrics")
            params = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
            params["ingest"]["source"] = "blogs.zip"
            for key, value in named[name]["changes"].items():
                *sections, last = key.split(".")
                place = params
                for section in sections:
                    place = place[section]
                place[last] = value
            (kept_folder / name / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        return Kept(kept_folder)

    return keep


@pytest.fixture
def set_level(kept_folder):
    # Changes a figure of a run that is kept.
    def change(run, model, level, metric, value, low, high):
        (path,) = [path for path in (kept_folder / run).rglob("levels.csv") if path.parent.name == model]
        table = pd.read_csv(path)
        row = (table["level"] == level) & (table["metric"] == metric)
        assert row.sum() == 1
        table.loc[row, ["value", "low", "high"]] = [value, low, high]
        table.to_csv(path, index=False)

    return change
