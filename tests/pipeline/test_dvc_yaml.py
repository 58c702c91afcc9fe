import ast
import re
import shlex
import shutil
from pathlib import Path

import networkx
import pytest
import yaml
from dvc.repo import Repo
from dvc.utils.serialize import modify_yaml

from lengthwise.corpora.registry import CORPORA
from lengthwise.pipeline.settings.params import Params, load_params

ROOT = Path(__file__).parents[2]
CODE = ("src/lengthwise/", "stages/")
# Scripts that are no stage: what ends a stage, and what the stage of the ablations starts.
NO_STAGES = {"ablation_member", "ablations", "publish"}
WITHOUT_SECTION = {"check"}
# The tasks are a list, of which the matrix of stages is made; the comparison is the ablations'.
STAGE_SECTIONS = [name for name in Params.model_fields if name not in ("comparison", "tasks")]


@pytest.fixture(scope="module")
def stages(root):
    with Repo(str(root)) as repo:
        return {stage.addressing: stage for stage in repo.index.stages if stage.path_in_repo == "dvc.yaml"}


def script_of(address):
    return ROOT / "stages" / f"{address.split('@')[0]}.py"


def commands_of(stage):
    """The words of each of a stage's commands."""
    return [shlex.split(command) for command in ([stage.cmd] if isinstance(stage.cmd, str) else stage.cmd)]


def scripts_of(stage):
    return [ROOT / "stages" / f"{words[1]}.py" for words in commands_of(stage)]


def local_paths(entries):
    return {str(entry.def_path) for entry in entries if entry.def_path}


def is_param(dependency):
    return hasattr(dependency, "params")


def test_stages_are_those_of_the_design(stages):
    once = ["check", "ingest", "tokens", "split", "vocabulary", "shards", "baselines"]
    expected = {*once, *(f"{name}@{task}" for name in ("train", "evaluate") for task in ("classifier", "seq2seq"))}
    assert set(stages) == expected


def test_the_file_has_the_form_that_dvc_writes(root, tmp_path):
    # `dvc freeze` and others write the whole file: a change of one key is then a change of one line in Git.
    path = Path(shutil.copy(root / "dvc.yaml", tmp_path))
    with modify_yaml(str(path)):
        pass
    assert path.read_text(encoding="utf-8") == (root / "dvc.yaml").read_text(encoding="utf-8")


def test_only_stages_with_a_matrix_or_the_source_have_variables(root):
    # `dvc freeze` refuses a stage that has any.
    pipeline = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert {name for name, stage in pipeline.items() if "${" in str(stage)} == {"ingest", "train", "evaluate"}


def test_every_stage_has_a_script_a_section_and_a_description(root):
    pipeline = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    scripts = {path.stem for path in (root / "stages").glob("*.py")} - NO_STAGES
    assert set(pipeline) == scripts == {*STAGE_SECTIONS, *WITHOUT_SECTION}
    assert all(stage["desc"].endswith(".") for stage in pipeline.values())


def test_every_path_of_a_command_is_a_dependency_or_an_output(stages):
    for stage in stages.values():
        paths = {word for words in commands_of(stage) for word in words[2:] if "/" in word or word.endswith(".yaml")}
        declared = local_paths(d for d in stage.deps if not is_param(d)) | local_paths(stage.outs)
        declared |= local_paths(d for d in stage.deps if is_param(d) and not d.params)
        code = {path for path in declared if f"{path}/".startswith(CODE)}
        # Published figures are read below their folder, corpus and vectors where params say; data/checked only orders.
        unnamed = {path for path in declared if path.startswith("data/figures/")} - paths
        unnamed |= {"data/sample/blogs.zip", "data/checked"} if stage.addressing == "ingest" else set()
        unnamed |= {"data/sample/vectors.txt.gz"} if stage.addressing.startswith("train@") else set()
        assert paths - {"data/figures"} == declared - code - unnamed, stage.addressing


def test_commands_are_started_by_the_script_that_finds_python(stages):
    for stage in stages.values():
        commands = commands_of(stage)
        assert [words[0] for words in commands] == ["stages/run"] * len(commands)
        assert [words[1] for words in commands][:1] == [stage.addressing.split("@")[0]]
        assert {words[1] for words in commands[1:]} <= {"publish"}


def test_no_param_gets_into_a_command(root):
    for stage in yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"].values():
        assert set(re.findall(r"\$\{(.*?)\}", str(stage["cmd"]))) <= {"item.task"}


def test_check_comes_before_every_other_stage(root):
    with Repo(str(root)) as repo:
        graph = repo.index.graph
        first = next(stage for stage in graph if stage.addressing == "check")
        assert set(networkx.ancestors(graph, first)) == set(graph) - {first}


def test_every_import_of_a_stage_is_below_one_of_its_dependencies(stages, import_closure_of):
    for address, stage in stages.items():
        scripts = scripts_of(stage)
        modules = {module for script in scripts for module in import_closure_of(script)}
        needed = [path.relative_to(ROOT) for path in (*modules, *scripts)]
        code = [Path(path) for path in local_paths(d for d in stage.deps if not is_param(d)) if path.startswith(CODE)]
        assert [path for path in needed if not any(path.is_relative_to(dep) for dep in code)] == [], address
        assert [dep for dep in code if not any(path.is_relative_to(dep) for path in needed)] == [], address


def test_params_are_the_sections_that_a_script_is_given(stages):
    for address, stage in stages.items():
        declared = {name for dependency in stage.deps if is_param(dependency) for name in dependency.params}
        tree = ast.parse(script_of(address).read_text(encoding="utf-8"))
        calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "").startswith("run_")]
        assert len(calls) == 1
        assert declared == {argument.value for argument in calls[0].args[1:] if isinstance(argument, ast.Constant)}, (
            address
        )


def test_every_key_of_a_section_is_read_by_its_stage(import_closure_of):
    for section in STAGE_SECTIONS:
        field = Params.model_fields[section]
        script = script_of(section)
        code = "".join(path.read_text(encoding="utf-8") for path in {script, *import_closure_of(script)})
        # A contained dataclass may call a key otherwise.
        fields = {key: name for keys in field.annotation.contained.values() for name, key in keys.items()}
        for key in field.annotation.model_fields:
            # The section of a corpus goes to the corpus as a whole.
            assert key in CORPORA or re.search(rf"\.{fields.get(key, key)}\b", code), f"{section}.{key}"


def test_no_output_is_written_twice_and_none_persists(stages):
    outs = [out for stage in stages.values() for out in stage.outs]
    paths = [out.def_path for out in outs]
    assert len(set(paths)) == len(paths)
    assert not any(out.persist for out in outs)


def test_metrics_in_git_are_not_cached_and_data_is(stages):
    for stage in stages.values():
        for out in stage.outs:
            assert out.use_cache == out.def_path.startswith("data/")


def test_long_stages_are_kept_in_the_run_cache(stages):
    # DVC keeps no run of a stage with an output outside its cache that is neither a metric nor a plot.
    for address in ("ingest", "tokens", "split", "vocabulary", "train@classifier", "train@seq2seq"):
        outs = [out for out in stages[address].outs if not (out.is_metric or out.is_plot)]
        assert all(out.use_cache for out in outs), address


def test_plots_are_of_outputs(root, stages):
    drawn = yaml.safe_load((root / "metrics" / "dvc.yaml").read_text(encoding="utf-8"))
    outs = {out.def_path for stage in stages.values() for out in stage.outs}
    plotted = {f"metrics/{path}" for plot in drawn["plots"] for spec in plot.values() for path in spec["y"]}
    assert all({path, str(Path(path).parent)} & outs for path in plotted)


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
        if re.match(r"\s+\w+:", line):
            comments = [back for back in lines[:number][::-1] if not re.match(r"\s+(\w+:|- ).*", back)]
            assert comments[0].strip().startswith("#"), line
