import ast
import re
import shlex
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from lengthwise.native.build import SOURCES
from lengthwise.params import Params, load_params

ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "src" / "lengthwise" / "native"
CODE = (".cc", ".h", ".py")
# The others are of the ablations, see test_ablations.py.
WITHOUT_SECTION = {"environment"}
STAGE_SECTIONS = [name for name in Params.model_fields if name not in ("comparison", "seeds", "ablations")]


@pytest.fixture(scope="module")
def stages(root):
    with Repo(str(root)) as repo:
        return {stage.addressing: stage for stage in repo.index.stages if stage.path_in_repo == "dvc.yaml"}


def script_of(address):
    return ROOT / "stages" / f"{address.split('@')[0]}.py"


def local_paths(entries):
    return {str(entry.def_path) for entry in entries if entry.def_path}


def is_param(dependency):
    return hasattr(dependency, "params")


def test_stages_are_those_of_the_design(stages):
    once = ["ingest", "tokens", "split", "vocabulary", "shards", "baselines", "environment"]
    expected = {*once, *(f"{name}@{task}" for name in ("train", "evaluate") for task in ("classifier", "seq2seq"))}
    assert set(stages) == expected


def test_every_stage_has_a_script_a_section_and_a_description(root):
    pipeline = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    scripts = {path.stem for path in (root / "stages").glob("*.py") if not path.stem.startswith("ablation")}
    assert set(pipeline) == scripts == {*STAGE_SECTIONS, *WITHOUT_SECTION}
    assert all(stage["desc"].endswith(".") for stage in pipeline.values())


def test_every_path_of_a_command_is_a_dependency_or_an_output(stages):
    for stage in stages.values():
        words = shlex.split(stage.cmd)
        assert words[0] == "python"
        paths = {word for word in words[1:] if "/" in word}
        declared = local_paths(d for d in stage.deps if not is_param(d)) | local_paths(stage.outs)
        code = {path for path in declared if path.endswith(CODE) and path != words[1]}
        assert paths == declared - code, stage.addressing


def test_code_dependencies_are_the_modules_that_a_script_imports(stages, import_closure_of):
    for address, stage in stages.items():
        script = script_of(address)
        modules = import_closure_of(script)
        expected = {str(path.relative_to(ROOT)) for path in modules} | {f"stages/{script.name}"}
        if NATIVE / "build.py" in modules:
            expected |= {str((NATIVE / name).relative_to(ROOT)) for name in SOURCES}
        code = {path for path in local_paths(d for d in stage.deps if not is_param(d)) if path.endswith(CODE)}
        assert code == expected, address


def test_params_are_the_sections_that_a_script_is_given(stages):
    for address, stage in stages.items():
        declared = {name for dependency in stage.deps if is_param(dependency) for name in dependency.params}
        tree = ast.parse(script_of(address).read_text(encoding="utf-8"))
        calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "run_stage"]
        assert len(calls) == 1
        assert declared == {argument.value for argument in calls[0].args[1:]}, address


def test_every_key_of_a_section_is_read_by_its_stage(import_closure_of):
    for section in STAGE_SECTIONS:
        field = Params.model_fields[section]
        script = script_of(section)
        code = "".join(path.read_text(encoding="utf-8") for path in {script, *import_closure_of(script)})
        for key in field.annotation.model_fields:
            assert re.search(rf"\.{key}\b", code), f"{section}.{key}"


def test_no_output_is_written_twice_and_none_persists(stages):
    outs = [out for stage in stages.values() for out in stage.outs]
    paths = [out.def_path for out in outs]
    assert len(set(paths)) == len(paths)
    assert not any(out.persist for out in outs)


def test_metrics_in_git_are_not_cached_and_data_is(stages):
    for stage in stages.values():
        for out in stage.outs:
            assert out.use_cache == out.def_path.startswith("data/")


def test_declared_metrics_and_plots_are_outputs(root, stages):
    pipeline = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))
    outs = {out.def_path for stage in stages.values() for out in stage.outs}
    plotted = {path for plot in pipeline["plots"] for spec in plot.values() for path in spec["y"]}
    assert set(pipeline["metrics"]) <= outs
    assert all(str(Path(path).parent) in outs for path in plotted)


def test_params_before_train_say_nothing_of_batches_or_models():
    early = {key for name in ("ingest", "tokens", "split", "vocabulary", "shards") for key in section_keys(name)}
    assert not early & (section_keys("batching", "train") | section_keys("model", "train"))


def section_keys(name, parent=None):
    model = Params if parent is None else Params.model_fields[parent].annotation
    return set(model.model_fields[name].annotation.model_fields)


def test_shipped_params_are_valid_and_every_key_is_commented(root):
    path = root / "params.yaml"
    load_params(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        is_leaf = re.match(r"\s+\w+: \S", line) and "[" not in line and "{" not in line
        if is_leaf:
            comments = [back for back in lines[:number][::-1] if not re.match(r"\s+\w+: .*", back)]
            assert comments[0].strip().startswith("#"), line
