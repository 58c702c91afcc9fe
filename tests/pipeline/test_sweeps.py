import json
import sys

import pytest
import yaml

from lengthwise.system.bundles import read_bundle

pytestmark = pytest.mark.slow

FUNNEL = ("ingest", "split")


@pytest.fixture(scope="module")
def project(tmp_path_factory, project_that_ran):
    return project_that_ran(tmp_path_factory.mktemp("sweeps") / "project")


def experiments(project):
    """What each experiment's params and metrics are, by its name."""
    (commit,) = json.loads(project.run("dvc", "exp", "show", "--json", "--hide-workspace"))
    rows = [experiment["revs"][0] for experiment in commit["experiments"] or []]
    return {row["name"]: row["data"]["params"]["params.yaml"]["data"] for row in rows if row["data"]}


def sweep(project, expect, **grid):
    path = project.folder / "grid.yaml"
    path.write_text(yaml.safe_dump({key.replace("__", "."): value for key, value in grid.items()}), encoding="utf-8")
    return project.run(sys.executable, "-m", "lengthwise.cli", "sweep", "grid.yaml", expect=expect)


@pytest.fixture(scope="module")
def swept(project):
    """What a sweep says of which one run fails; the other is kept."""
    before = (project.folder / "params.yaml").read_bytes()
    said = sweep(project, 1, baselines__max_iterations=11, tokens__sentences=["nobody", "sentencizer"])
    assert (project.folder / "params.yaml").read_bytes() == before
    return said


@pytest.mark.long
def test_sweep_with_a_run_that_fails_names_it_and_keeps_the_rest(project, swept):
    # No param is at fault by itself: spaCy does not have it, which the stage check finds.
    end = swept[swept.index("\nfailed: ") :]
    assert "failed: max_iterations=11,sentences=nobody, whose log" in end
    assert "    error: params.yaml: tokens.sentences: got 'nobody'; expected sentencizer" in end
    assert "1 of 2 runs are kept as experiments (`make exps` shows them); 1 failed" in end
    found = experiments(project)
    assert found["max_iterations=11,sentences=sentencizer"]["baselines"]["max_iterations"] == 11
    assert not [name for name in found if "nobody" in name]


def test_sweep_with_a_value_that_params_may_not_have_runs_nothing(project):
    before = experiments(project)
    said = sweep(project, 2, baselines__max_iterations=[13, "many"])
    assert said.startswith("error: grid.yaml: baselines.max_iterations: got 'many'; expected an integer")
    assert said.count("\n") == 1
    assert experiments(project) == before


# What is there already and what a run's name becomes is in tests/sweeps, with stages of a few milliseconds.
@pytest.mark.long
def test_sweep_again_runs_nothing_until_params_change(project):
    sweep(project, 0, baselines__max_iterations=[12])
    assert "run 1 of 1: max_iterations=12: is there already" in sweep(project, 0, baselines__max_iterations=[12])
    params = (project.folder / "params.yaml").read_bytes()
    try:
        project.change_params("baselines", inverse_regularization=0.5)
        assert "run 1 of 1: max_iterations=12-2: done" in sweep(project, 0, baselines__max_iterations=[12])
    finally:
        (project.folder / "params.yaml").write_bytes(params)
    found = experiments(project)
    assert found["max_iterations=12"]["baselines"]["inverse_regularization"] == 1.0
    assert found["max_iterations=12-2"]["baselines"] == {"inverse_regularization": 0.5, "max_iterations": 12}


@pytest.mark.long
def test_experiments_are_shown_with_the_params_that_differ(project, swept):
    lines = project.run(sys.executable, "-m", "lengthwise.cli", "exps").splitlines()
    header = next(line for line in lines if "max_iterations" in line.split())
    # A long name is shortened: its row is known by the value.
    assert any("11" in line.split() for line in lines)
    assert "epochs" not in header
    assert max(map(len, lines)) <= 160


def test_experiments_outside_a_project_are_an_error(project, tmp_path):
    elsewhere = type(project)(tmp_path)
    assert "not inside of a DVC repository" in elsewhere.run(sys.executable, "-m", "lengthwise.cli", "exps", expect=253)


@pytest.mark.long
def test_named_runs_on_a_corpus_elsewhere_leave_their_params_and_metrics_and_no_place(project, tmp_path):
    corpus = tmp_path / "blogs.zip"
    corpus.write_bytes((project.folder / "data" / "sample" / "blogs.zip").read_bytes())
    runs = {
        "part": {"ingest.groups": 12, "split.test": 0.4, "split.seed": 2},
        "leak": {"split.by": "sentence", "split.validation": 0.0, "split.test": 0.2},
    }
    entries = {name: {"description": "x", "runs": "dvc.yaml", "changes": changes} for name, changes in runs.items()}
    (project.folder / "results").mkdir()
    (project.folder / "results" / "runs.yaml").write_text(yaml.safe_dump(entries, sort_keys=False), encoding="utf-8")
    command = (sys.executable, "-m", "lengthwise.cli", "real", str(corpus))

    assert "2 of 2 runs are kept" in project.run(*command)
    results = project.folder / "results"
    assert {path.name for path in results.iterdir()} == {"runs.yaml", "part.json", "leak.json"}
    part, leak = (
        {name: json.loads(read_bundle(results / f"{run}.json", "")[f"metrics/{name}.json"]) for name in FUNNEL}
        for run in ("part", "leak")
    )
    assert (part["ingest"]["authors"], leak["ingest"]["authors"]) == (12, 72)
    assert (part["split"]["authors_in_several_splits"], part["split"]["validation_sentences"] > 0) == (0, True)
    assert leak["split"]["authors_in_several_splits"] > 0 == leak["split"]["validation_sentences"]
    for path in results.rglob("*"):
        assert path.is_dir() or str(tmp_path).encode() not in path.read_bytes(), path

    # Again, one of them: it is there already, and its results are written anew.
    (results / "leak.json").unlink()
    assert "run 1 of 1: leak: is there already" in project.run(*command, "leak")
    params = yaml.safe_load(read_bundle(results / "leak.json", "")["params.yaml"])
    assert params["ingest"]["source"] == "blogs.zip"
