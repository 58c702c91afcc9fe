import ast
import re
from pathlib import Path

import networkx as nx

from lengthwise.training.resume import CODE

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "src" / "lengthwise"
# What each wing may import beside itself. The library comes first: nothing in it knows of a pipeline.
GROUND = {"bounds", "columns", "core", "errors", "sources", "tables"}
LIBRARY_WINGS = {
    "system": {"errors"},
    "batching": GROUND,
    "native": {*GROUND, "system"},
    "layers": {*GROUND, "native"},
    # Measures what training takes.
    "advice": {*GROUND, "batching", "layers", "system"},
    "models": {*GROUND, "batching", "layers", "native", "system"},
    "training": {*GROUND, "batching", "layers", "models", "native", "system"},
    "evaluation": {*GROUND, "system"},
    # What predicts without TensorFlow.
    "inference": {*GROUND, "batching", "models", "native", "system"},
    # For the tests of a user's model.
    "testing": {*GROUND, "batching"},
}
IN_LIBRARY = GROUND | LIBRARY_WINGS.keys()
WINGS = LIBRARY_WINGS | {
    "prepare": {*GROUND, "system"},
    "corpora": {*GROUND, "system", "prepare"},
    # What documents say of a corpus. Reports find it by the folder, they import none of it.
    "texts": {*GROUND, "system", "charts", "corpora", "reports", "runs"},
    "predictor": {*IN_LIBRARY, "prepare"},
    "generation": {*IN_LIBRARY, "prepare", "predictor"},
    # What the pipeline has written, wherever it lies.
    "runs": {*GROUND, "evaluation", "system"},
    # Whether a change made one better, and pictures of any numbers.
    "verdict": {*GROUND, "evaluation", "runs", "system"},
    "charts": set(),
    "reports": {*IN_LIBRARY, "prepare", "charts", "corpora", "runs", "verdict"},
    "pipeline": {*IN_LIBRARY, "prepare", "corpora"},
    "cli": {*IN_LIBRARY, "prepare", "corpora", "pipeline", "predictor", "generation", "reports"},
}
WITH_TENSORFLOW = {"layers", "models", "native", "training", "testing"}
MODULES_WITH_TENSORFLOW = {
    *(
        LIBRARY / "batching" / f"{name}.py"
        for name in (
            *("checking", "examples", "fit", "fit_epoch", "in_order", "layer_readings", "nested_data", "parts"),
            *("passes", "streams"),
        )
    ),
    LIBRARY / "advice" / "measuring.py",
    LIBRARY / "pipeline" / "stages" / "train" / "events.py",
}


def package_of(path):
    first, *rest = path.relative_to(LIBRARY).parts
    return "texts" if first == "corpora" and "texts" in rest else first.removesuffix(".py")


def modules():
    return [path for path in sorted(LIBRARY.rglob("*.py")) if path.name != "__init__.py"]


def test_module_imports_only_what_its_wing_may(imported_names_of):
    for path in modules():
        package = package_of(path)
        for name in imported_names_of(path):
            parts = name.split(".")
            if parts[0] == "lengthwise" and len(parts) > 1 and package not in GROUND:
                assert parts[1] in {package, *WINGS[package]}, (path, name)
            ours = parts[1:2] if parts[0] == "lengthwise" else []
            assert package not in GROUND or {*ours} <= GROUND, (path, name)


def test_tensorflow_is_imported_only_where_networks_are(imported_names_of):
    for path in modules():
        heavy = {name.split(".")[0] for name in imported_names_of(path)} & {"tensorflow", "keras"}
        assert package_of(path) in WITH_TENSORFLOW or path in MODULES_WITH_TENSORFLOW or not heavy, path


def test_stages_before_train_need_no_tensorflow(imported_names_of, import_closure_of):
    for stage in ("check", "ingest", "tokens", "split", "vocabulary", "shards", "publish", "baselines"):
        for path in import_closure_of(ROOT / "stages" / f"{stage}.py"):
            assert not {name.split(".")[0] for name in imported_names_of(path)} & {"tensorflow", "keras"}, path


def test_stages_that_keep_pandas_away_need_none(imported_names_of, import_closure_of):
    # `without_pandas` refuses it.
    found = [path for path in sorted((ROOT / "stages").glob("*.py")) if "with without_pandas()" in path.read_text()]
    assert [path.stem for path in found] == ["shards", "split", "vocabulary"]
    for stage in found:
        for path in import_closure_of(stage):
            assert "pandas" not in {name.split(".")[0] for name in imported_names_of(path)}, (stage, path)


def test_stages_of_networks_need_no_scikit_learn(imported_names_of, import_closure_of):
    # `quiet_tensorflow` keeps it away.
    for stage in ("train", "evaluate", "ablation_member"):
        for path in import_closure_of(ROOT / "stages" / f"{stage}.py"):
            assert "sklearn" not in {name.split(".")[0] for name in imported_names_of(path)}, path


def test_reports_need_no_tensorflow(imported_names_of, import_closure_of):
    for module in (LIBRARY / "reports").glob("*.py"):
        for path in {module, *import_closure_of(module)}:
            assert not {name.split(".")[0] for name in imported_names_of(path)} & {"tensorflow", "keras"}, path


def test_predictions_need_no_tensorflow(imported_names_of, import_closure_of):
    for module in ("predictor.py", "generation.py", "inference/loading.py", "cli/predicted.py", "cli/generate.py"):
        for path in {LIBRARY / module, *import_closure_of(LIBRARY / module)}:
            heavy = {name.split(".")[0] for name in imported_names_of(path)} & {"tensorflow", "keras"}
            assert not heavy, (module, path)


def test_packages_have_a_docstring_and_no_code():
    # The public names and the layers are offered under one name, as Keras does it.
    for path in set(LIBRARY.rglob("__init__.py")) - {LIBRARY / "__init__.py", LIBRARY / "layers" / "__init__.py"}:
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert len(body) == 1, path
        assert ast.get_docstring(ast.Module(body, [])), path


# spaCy and TensorFlow take long to import, which the parent of several workers and a refused command can do without.
LATE_IMPORTS = {
    *(LIBRARY / "cli" / f"{name}.py" for name in ("__main__", "advise", "generate", "predict", "reading", "running")),
    *(LIBRARY / "cli" / f"{name}.py" for name in ("audit", "joining", "look")),
    LIBRARY / "pipeline" / "ablations" / "prepared.py",
    LIBRARY / "pipeline" / "stages" / "check.py",
    LIBRARY / "pipeline" / "stages" / "train" / "pretrained.py",
    LIBRARY / "pipeline" / "sweeps" / "start.py",
    LIBRARY / "prepare" / "text" / "by_rule.py",
    LIBRARY / "system" / "cluster.py",
    LIBRARY / "prepare" / "text" / "text_tokenizer.py",
    LIBRARY / "prepare" / "text" / "tokens.py",
    LIBRARY / "prepare" / "vocabulary.py",
}


def test_imports_stand_at_the_top_of_library_modules():
    for path in set(modules()) - LATE_IMPORTS:
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                assert not any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(function)), path


def test_digested_code_is_what_training_imports(import_closure_of):
    modules = import_closure_of(LIBRARY / "training" / "loop.py") | {LIBRARY / "training" / "loop.py"}
    digested = [LIBRARY / name for name in CODE]
    assert [path for path in modules if not any(path.is_relative_to(name) for name in digested)] == []
    assert [name for name in digested if not any(path.is_relative_to(name) for path in modules)] == []


def test_no_modules_import_each_other_in_a_circle(imported_names_of):
    # Packages' own modules, which import the layers under one name, are left out: they hold no code.
    graph = {}
    for path in modules():
        name = ".".join(("lengthwise", *path.relative_to(LIBRARY).with_suffix("").parts))
        graph[name] = imported_names_of(path) - {name}
    imports = nx.DiGraph((name, other) for name, others in graph.items() for other in others if other in graph)
    assert list(nx.simple_cycles(imports)) == []


# Words that only who knows the corpus of blogs would use; the registry has its name.
OF_BLOGS = re.compile(r"\b(blog\w*|gender\w*|age|ages|age_bracket\w*|zodiac|url_?link|schler)\b", re.IGNORECASE)


def test_only_its_own_package_knows_the_corpus_of_blogs():
    files = [path for kind in ("py", "j2", "css") for path in LIBRARY.rglob(f"*.{kind}")]
    outside = [path for path in files if "blogs" not in path.relative_to(LIBRARY).parts]
    found = {
        f"{path.relative_to(LIBRARY)}: {match[0]}"
        for path in outside
        for match in OF_BLOGS.finditer(path.read_text(encoding="utf-8"))
    }
    # What looks at a file has to know which corpora there are.
    found = {match for match in found if not match.startswith("corpora/look_at.py: ")}
    assert found == {"corpora/registry.py: blogs", "corpora/registry.py: Blogs"}
