import ast
import json
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from lengthwise.pipeline.ablations.definitions import ABLATION_SECTIONS
from lengthwise.pipeline.ablations.kept_members import MEMBER_CODE, PREPARE_CODE
from lengthwise.pipeline.settings.params import Params

LATER = ("train", "baselines", "evaluate")
PIPELINE = Path("ablations") / "dvc.yaml"
DEFINITIONS = Path("ablations") / "params.yaml"
STORE = Path(".lengthwise") / "ablations"
ABLATIONS = {"full": {}}
OUTS = ("ablations.csv", "ablations/few_words.json", "ablations/full.json", "timing_ablations.csv")


@pytest.fixture(scope="module")
def stage(root):
    (only,) = yaml.safe_load((root / PIPELINE).read_text(encoding="utf-8"))["stages"].values()
    return only


def covered(path, dependencies):
    return any(path == dependency or path.startswith(f"{dependency}/") for dependency in dependencies)


def names_of(outs):
    return [next(iter(out)) for out in outs]


def test_stage_has_a_description_and_writes_only_what_git_keeps(stage):
    assert stage["desc"].endswith(".")
    assert stage["wdir"] == ".."
    # Nothing is cleared before the stage has refused what makes no sense.
    assert all(flags == {"cache": False, "persist": True} for out in stage["outs"] for flags in out.values())


def test_dependencies_are_the_modules_that_the_scripts_import(root, stage, import_closure_of):
    scripts = {f"stages/{name}.py" for name in ("ablations", "ablation_member")}
    modules = {str(path.relative_to(root)) for script in scripts for path in import_closure_of(root / script)}
    code = {path for path in stage["deps"] if path.startswith(("src/", "stages/"))}
    assert {path for path in modules | scripts if not covered(path, code)} == set()
    assert {path for path in code if not any(covered(module, [path]) for module in modules | scripts)} == set()


@pytest.mark.parametrize(("name", "code"), [("member", MEMBER_CODE), ("prepared", PREPARE_CODE)])
def test_digested_code_is_what_the_module_imports(root, import_closure_of, name, code):
    module = f"src/lengthwise/pipeline/ablations/{name}.py"
    modules = {module} | {str(path.relative_to(root)) for path in import_closure_of(root / module)}
    digested = {f"src/lengthwise/{part}" for part in code}
    assert {path for path in modules if not covered(path, digested)} == set()
    assert {path for path in digested if not any(covered(module, [path]) for module in modules)} == set()


def test_paths_of_the_command_are_dependencies_or_outputs(stage):
    started, name, definitions, data, tables, headline = shlex.split(stage["cmd"])
    assert (started, name) == ("stages/run", "ablations")
    assert definitions in stage["deps"]
    # The others of the pipeline's data come before the shards.
    assert {path for path in stage["deps"] if path.startswith(f"{data}/")} == {f"{data}/shards"}
    files = {f"{tables}/{file}" for file in ("ablations.csv", "timing_ablations.csv", "timing_ablations.md")}
    assert set(names_of(stage["outs"])) == files | {headline}


def test_params_that_the_stage_declares_are_those_that_it_reads(root, stage):
    # What an ablation may change, and what the code names.
    code = [root / "stages" / "ablations.py", *(root / "src" / "lengthwise" / "pipeline" / "ablations").glob("*.py")]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in code]
    names = {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert set(stage["params"]) == (set(Params.model_fields) & names) | set(ABLATION_SECTIONS)


@pytest.fixture(scope="module")
def project(root, project_that_ran, tmp_path_factory):
    # Its shards are those of the pipeline that ran, so that nothing but ablations is trained.
    made = project_that_ran(tmp_path_factory.mktemp("ablations") / "project")
    made.leave_out(LATER)
    for name in (PIPELINE, ".dvc/.gitignore"):
        shutil.copy(root / name, made.folder / name)
    made.change_params("evaluate", bootstrap_samples=50)
    made.change_params("comparison", accuracy=0.01)
    write_ablations(made, ABLATIONS)
    made.commit("start")
    return made


def write_ablations(project, ablations, seeds=(1,)):
    content = {"senseless": "refuse", "ablations": ablations, "seeds": list(seeds)}
    (project.folder / DEFINITIONS).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def members(project):
    store = project.folder / STORE
    return {path.name: path.stat().st_mtime_ns for path in store.iterdir()} if store.exists() else {}


def bytes_of(project):
    return {name: (project.folder / "metrics" / name).read_bytes() for name in OUTS}


def repro(project, expect=0):
    said = project.run("dvc", "repro", str(PIPELINE), expect=expect)
    return said, "Running stage 'ablations/dvc.yaml:ablations'" in said


def says_up_to_date(project):
    return "Data and pipelines are up to date." in project.run("dvc", "status")


@pytest.mark.slow
def test_ablations_are_trained_once_shared_through_git_and_refused_before_anything_is_cleared(project, tmp_path):
    _, ran = repro(project)
    assert ran
    first = members(project)
    assert len(first) == 1
    assert says_up_to_date(project)
    assert not repro(project)[1]

    # A name more trains its member alone; one that changes nothing is the reference itself.
    more = {"few_words": {"vocabulary.size": 20}, "same": {"train.model.cell": "gru"}}
    write_ablations(project, {**ABLATIONS, **more})
    _, ran = repro(project)
    assert ran
    assert len(members(project)) == 2
    assert first.items() <= members(project).items()
    metrics = project.folder / "metrics"
    table = pd.read_csv(metrics / "ablations.csv").set_index("name")
    assert table.index.tolist() == ["full", "few_words", "same"]
    assert table.loc["few_words", "parameters"] < table.loc["full", "parameters"]
    assert table["difference"].isna().tolist() == [True, False, False]
    assert (table.loc["same", ["difference", "low", "high", "nll_difference"]] == 0).all()
    for name in table.index:
        figures = json.loads((metrics / "ablations" / f"{name}.json").read_text(encoding="utf-8"))
        assert figures == {key: table.loc[name, key] for key in figures}
        assert set(figures) == {"accuracy"} if name == "full" else {"accuracy", "difference", "low", "high"}
        assert f"| {name} |" in (metrics / "timing_ablations.md").read_text(encoding="utf-8")
    assert len(list((metrics / "ablations").iterdir())) == len(table)
    assert says_up_to_date(project)
    project.commit("ablations")

    # A clone with the data and what Git has, without the store, has nothing to do.
    project.run("git", "clone", "--quiet", str(project.folder), str(tmp_path / "clone"))
    clone = type(project)(tmp_path / "clone")
    clone.run("dvc", "cache", "dir", "--local", str(project.folder / ".dvc" / "cache"))
    clone.run("dvc", "checkout", "--quiet")
    assert says_up_to_date(clone)
    assert not repro(clone)[1]
    assert members(clone) == {}
    assert clone.run("git", "status", "--porcelain") == ""

    # What makes no sense with the other params stops before anyone is trained, and nothing of the last run goes.
    before, trained = bytes_of(project), members(project)
    both = {"train.model.bidirectional": True, "train.batching.strategy": "truncated"}
    write_ablations(project, {"new": {"train.model.units": 5}, **ABLATIONS, "odd": both})
    said, _ = repro(project, expect=255)
    assert "error: ablations.odd: train.batching.strategy and train.model.bidirectional: got " in said
    assert (bytes_of(project), members(project)) == (before, trained)

    # The stage check refuses a typo for both pipelines.
    write_ablations(project, {**ABLATIONS, "odd": {"train.epoch": 3}})
    said, ran = repro(project, expect=255)
    assert "error: ablations/params.yaml: ablations.odd: got the key 'train.epoch'; expected one of task" in said
    assert not ran
    assert (bytes_of(project), members(project)) == (before, trained)

    # What was there comes back without a training, and an ablation that is gone leaves no headline.
    write_ablations(project, ABLATIONS)
    _, ran = repro(project)
    assert ran
    assert members(project) == trained
    assert {path.name for path in (metrics / "ablations").iterdir()} == {"full.json"}
