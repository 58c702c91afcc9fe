# The same params, code and machine: the same bytes, whatever else differs from run to run.
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from lengthwise.prepare.document_writer import ROWS_PER_SLICE

ROOT = Path(__file__).parents[2]
TASKS = ("classifier", "seq2seq")
POSTS = 5 * ROWS_PER_SLICE // 2
# Runs the commands of all stages in one process, so that TensorFlow is loaded once; exit statuses are checked.
RUNNER = """
import json, runpy, sys
for command in json.loads(sys.argv[1]):
    sys.argv = command
    runpy.run_path(command[0], run_name="__main__")
"""


def digests(folder):
    """Of every output but the times."""
    files = [path for top in ("data", "metrics") for path in (folder / top).rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if not {"timing", "sample"} & {*path.relative_to(folder).parts} and "ablations" not in path.name
    }


def commands_of_the_pipeline():
    """Each stage's script and arguments, in the order of `dvc.yaml`, with its tasks spelt out."""
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for stage in pipeline.values():
        for task in stage.get("matrix", {}).get("task", [""]):
            commands = [stage["cmd"]] if isinstance(stage["cmd"], str) else stage["cmd"]
            for command in commands:
                _, script, *arguments = command.replace("${item.task}", task).split()
                yield [str(ROOT / "stages" / f"{script}.py"), *arguments]


def write_corpus(path):
    """Very short posts, so many that each of three workers has a slice."""
    rng = np.random.default_rng(1)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for author in range(36):
            gender, age = ("male", "female")[author % 2], (14, 25, 40)[author // 2 % 3]
            lengths = rng.integers(1, 12, POSTS // 36)
            posts = (" ".join(f"{gender[0]}{age // 10}w{word % 40}" for word in rng.zipf(1.6, n)) for n in lengths)
            text = "".join(f"<date>01,May,2004</date><post>{post}.</post>" for post in posts)
            archive.writestr(f"{1000 + author}.{gender}.{age}.indUnk.Leo.xml", f"<Blog>{text}</Blog>")


def write_project(folder, kernel):
    folder.mkdir(parents=True)
    write_corpus(folder / "blogs.zip")
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["ingest"]["source"] = "blogs.zip"
    params["split"] |= {"validation": 0.2, "test": 0.2}
    params["shards"] |= {"min_length": 1}
    params["train"] |= {"kernel": kernel, "epochs": 2, "log_every": 10}
    params["train"]["model"] |= {"units": 16, "embedding": 16}
    params["evaluate"] |= {"kernel": kernel, "bootstrap_samples": 20}
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    (folder / "ablations").mkdir()
    shutil.copy(ROOT / "ablations" / "params.yaml", folder / "ablations")


def run_pipeline(folder, kernel, **variables):
    write_project(folder, kernel)
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **variables}
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, json.dumps(list(commands_of_the_pipeline()))],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return digests(folder)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["native", "keras"])
def test_pipeline_gives_the_same_bytes_in_another_place_with_other_workers_hashes_and_locale(tmp_path, kernel):
    first = run_pipeline(tmp_path / "here", kernel, LENGTHWISE_WORKERS="1", PYTHONHASHSEED="1", LC_ALL="C", TZ="UTC")
    second = run_pipeline(
        tmp_path / "elsewhere" / "and deeper",
        kernel,
        LENGTHWISE_WORKERS="3",
        PYTHONHASHSEED="2",
        LC_ALL="C.UTF-8",
        TZ="Asia/Tokyo",
    )
    assert {f"data/models/{task}/weights.safetensors" for task in TASKS} <= first.keys()
    assert {"metrics/ingest.json", *(f"data/predictions/{task}.parquet" for task in TASKS)} <= first.keys()
    assert len(first) > 40
    assert first == second
    timing = json.loads((tmp_path / "elsewhere" / "and deeper" / "data" / "timing" / "tokens.json").read_text("utf-8"))
    assert timing["workers"] == 3
    records = [tmp_path / "here" / "data" / "timing" / f"environment_{task}.json" for task in TASKS]
    assert {json.loads(record.read_text(encoding="utf-8"))["kernel"] for record in records} == {kernel}


def run(folder, *command, expect=0, **variables):
    names = {f"GIT_{who}_{what}": "tester" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    places = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "src"),
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **names, **places, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def clone(folder, kernel):
    run(ROOT, "git", "clone", "--quiet", str(ROOT), str(folder))
    path = folder / "params.yaml"
    text = path.read_text(encoding="utf-8")
    text, changed = re.subn(r"^  kernel: auto$", f"  kernel: {kernel}", text, flags=re.MULTILINE)
    assert changed == 2
    text = re.sub(r"^  epochs: \d+$", "  epochs: 3", text, flags=re.MULTILINE)
    path.write_text(text, encoding="utf-8")
    run(folder, "git", "commit", "--quiet", "--allow-empty", "--all", "--message", "settings")
    return folder


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not there")
@pytest.mark.parametrize("kernel", ["native", "keras"])
def test_fresh_clones_and_an_experiment_give_the_same_bytes(tmp_path, kernel):
    made = []
    for number in (1, 3):
        folder = clone(tmp_path / f"clone-{number}", kernel)
        run(folder, "dvc", "repro", "--quiet", LENGTHWISE_WORKERS=str(number))
        made.append(digests(folder))
    folder = clone(tmp_path / "experiment", kernel)
    run(folder, "dvc", "exp", "run", "--temp", "--quiet", "--name", "checked", LENGTHWISE_WORKERS="2")
    run(folder, "dvc", "exp", "apply", "checked")
    made.append(digests(folder))
    assert len(made[0]) > 40
    assert made[0] == made[1] == made[2]
