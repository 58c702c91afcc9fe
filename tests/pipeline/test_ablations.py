import ast
import json
import shlex

import pandas as pd
import pytest
import yaml

LATER = ("train", "environment", "baselines", "evaluate")
ABLATIONS = {"full": {}, "few_words": {"vocabulary.size": 20}}


def read_pipeline(root):
    return yaml.safe_load((root / "ablations" / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


def covered(path, dependencies):
    return any(path == dependency or path.startswith(f"{dependency}/") for dependency in dependencies)


def test_every_stage_of_the_ablations_has_a_script_and_a_description(root):
    stages = read_pipeline(root)
    scripts = {shlex.split(stage["cmd"])[1] for stage in stages.values()}
    assert scripts == {str(path.relative_to(root)) for path in (root / "stages").glob("ablation_*.py")}
    assert all(stage["desc"].endswith(".") and stage["wdir"] == ".." for stage in stages.values())


@pytest.mark.parametrize(
    ("stage", "script"),
    [("prepare_code", "ablation_prepare"), ("member_code", "ablation_member"), ("table", "ablation_table")],
)
def test_dependencies_are_the_modules_that_a_script_imports(root, import_closure_of, stage, script):
    dependencies = read_pipeline(root)[stage]["deps"]
    modules = {str(path.relative_to(root)) for path in import_closure_of(root / "stages" / f"{script}.py")}
    missing = {path for path in modules | {f"stages/{script}.py"} if not covered(path, dependencies)}
    assert not missing
    # And nothing is there that no module needs.
    code = {path for path in dependencies if path.startswith("src/")}
    assert {path for path in code if not any(covered(module, [path]) for module in modules)} <= {
        "src/lengthwise/native",  # Also the sources in C++.
        "src/lengthwise/files.py",
    }


def test_digested_code_is_what_the_stage_depends_on(root):
    for name in ("prepare_code", "member_code"):
        stage = read_pipeline(root)[name]
        digested = set(shlex.split(stage["cmd"])[3:])
        assert set(stage["deps"]) - digested <= {"stages/ablation_code.py", "src/lengthwise/files.py"}
        assert digested <= set(stage["deps"])


def test_paths_of_a_command_are_dependencies_or_outputs(root):
    for name in ("prepare", "member", "table"):
        stage = read_pipeline(root)[name]
        outs = [*stage["outs"], *stage.get("metrics", [])]
        declared = [*stage["deps"], *(next(iter(out)) if isinstance(out, dict) else out for out in outs)]
        for word in shlex.split(stage["cmd"].replace("${item.name}", "NAME").replace("${item.seed}", "1"))[1:]:
            here = [path.replace("${item.name}", "NAME").replace("${item.seed}", "1") for path in declared]
            assert "/" not in word or covered(word, [*here, "stages"]), (name, word)


def test_params_that_prepare_reads_are_those_that_it_declares(root):
    declared = {name.split(".")[0] for name in read_pipeline(root)["prepare"]["params"]}
    code = ast.parse((root / "src" / "lengthwise" / "ablations" / "prepare.py").read_text(encoding="utf-8"))
    names = {node.attr for node in ast.walk(code) if isinstance(node, ast.Attribute)}
    sections = {"ingest", "tokens", "split", "vocabulary", "shards", "train", "baselines", "evaluate", "comparison"}
    assert declared - {"ablations"} == sections & names


@pytest.fixture(scope="module")
def project(root, make_project, tmp_path_factory):
    made = make_project(tmp_path_factory.mktemp("ablations"), authors=36, without=LATER)
    (made.folder / "ablations").mkdir()
    text = (root / "ablations" / "dvc.yaml").read_text(encoding="utf-8")
    (made.folder / "ablations" / "dvc.yaml").write_text(text, encoding="utf-8")
    made.change_params("train", epochs=1, log_every=5)
    made.change_params("evaluate", bootstrap_samples=50)
    made.change_params("comparison", accuracy=0.01)
    write_ablations(made, ABLATIONS)
    made.run("dvc", "config", "core.analytics", "false")
    made.commit("start")
    return made


def write_ablations(project, ablations, seeds=(1,)):
    path = project.folder / "params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    params |= {"ablations": ablations, "seeds": list(seeds)}
    path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def stages_run(output):
    return sorted(
        line.split("ablations/dvc.yaml:")[1].split("'")[0]
        for line in output.splitlines()
        if "Running stage 'abl" in line
    )


@pytest.mark.slow
def test_adding_an_ablation_runs_its_members_and_the_table_alone(project):
    ran = stages_run(project.run("dvc", "repro", "ablations/dvc.yaml"))
    members = [f"member@{name}-1" for name in ("few_words", "full")]
    assert ran == sorted(["prepare_code", "member_code", "prepare@few_words", "prepare@full", *members, "table"])
    assert (project.folder / "data/ablations/prepared/few_words/shards").is_dir()
    assert not (project.folder / "data/ablations/prepared/full/shards").exists()

    assert stages_run(project.run("dvc", "repro", "ablations/dvc.yaml")) == []

    # The new one changes nothing, so that it has to be the reference to the bit.
    write_ablations(project, {**ABLATIONS, "same": {"train.model.cell": "gru"}})
    ran = stages_run(project.run("dvc", "repro", "ablations/dvc.yaml"))
    assert ran == ["member@same-1", "prepare@same", "table"]

    metrics = project.folder / "metrics"
    table = pd.read_csv(metrics / "ablations.csv").set_index("name")
    assert table.index.tolist() == ["full", "few_words", "same"]
    assert table.loc["few_words", "parameters"] < table.loc["full", "parameters"]
    assert table["difference"].isna().tolist() == [True, False, False]
    assert (table.loc["same", ["difference", "low", "high", "nll_difference"]] == 0).all()
    figures = json.loads((metrics / "ablations.json").read_text(encoding="utf-8"))
    assert figures["few_words_accuracy"] == pytest.approx(table.loc["few_words", "accuracy"])
    report = (metrics / "timing_ablations.md").read_text(encoding="utf-8")
    assert all(f"| {name} |" in report for name in table.index)


@pytest.mark.slow
def test_an_ablation_that_makes_no_sense_is_refused_and_named(project):
    both = {"train.model.bidirectional": True, "train.batching.strategy": "truncated"}
    write_ablations(project, {**ABLATIONS, "odd": both})
    message = project.run("dvc", "repro", "ablations/dvc.yaml:prepare@odd", expect=255)
    assert "error: ablations.odd: train.batching.strategy and train.model.bidirectional: got " in message
