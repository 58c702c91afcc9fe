import hashlib
import json

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory, project_that_ran):
    return project_that_ran(tmp_path_factory.mktemp("repro") / "project")


def digests(folder):
    files = [path for top in ("data", "metrics") for path in (folder / top).rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if "timing" not in path.parts
    }


def stages_run(output):
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


def test_repro_makes_finite_metrics_that_beat_nothing_by_accident(project):
    for task in ("classifier", "seq2seq"):
        metrics = json.loads((project.folder / "metrics" / "evaluate" / f"{task}.json").read_text(encoding="utf-8"))
        assert len(metrics) <= 12
        assert all(0 <= value <= 1 for name, value in metrics.items() if not name.endswith("nll"))
    linear = json.loads((project.folder / "metrics" / "baselines" / "linear.json").read_text(encoding="utf-8"))
    assert linear["author_accuracy"] == 1.0


def test_repro_with_nothing_changed_runs_nothing(project):
    assert stages_run(project.run("dvc", "repro")) == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("section", "change", "first"),
    [
        ("vocabulary", {"size": 90}, "vocabulary"),
        ("shards", {"max_length": 28}, "shards"),
        ("split", {"seed": 2}, "split"),
    ],
)
def test_repro_after_a_change_begins_at_its_stage(project, section, change, first):
    original = (project.folder / "params.yaml").read_text(encoding="utf-8")
    try:
        project.change_params(section, **change)
        would_run = stages_run(project.run("dvc", "repro", "--dry"))
    finally:
        (project.folder / "params.yaml").write_text(original, encoding="utf-8")
    order = ["ingest", "tokens", "split", "vocabulary", "shards"]
    assert would_run[:2] == ["check", first]
    assert not set(would_run) & set(order[: order.index(first)])


# Ways to be wrong: what stands in `params.yaml`, or what `-S` says, and how the line goes on after the file's name.
WRONG = {
    "value": ("train.epochs=many", "train.epochs: got 'many'; expected an integer from 1 to 100000"),
    "name": ("train.batching.strategy=paded", "train.batching.strategy: got 'paded'; expected one of bucketed, exact"),
    "pair": ("train.batching.strategy=truncated", "train.batching.strategy and train.model.bidirectional: got "),
    "key": ("+train.epoch=3", "train.epoch: is no key; expected one of batching, best"),
    "source": ("ingest.source=nowhere.zip", "ingest.source: got 'nowhere.zip'; expected a zip, a folder or a CSV"),
    "language": ("tokens.language=xx-yy", "tokens.language: got 'xx-yy'; expected a language code of spaCy"),
}


@pytest.fixture
def undisturbed(project):
    """All outputs are there afterwards, of the same bytes, and once the file is back no stage but check runs again."""
    before = digests(project.folder)
    assert len(before) > 30
    yield
    assert digests(project.folder) == before
    project.run("git", "checkout", "--quiet", "params.yaml")
    assert set(stages_run(project.run("dvc", "repro"))) <= {"check"}
    assert digests(project.folder) == before


def refusals(output):
    return [line for line in output.splitlines() if line.startswith("error: ")]


def assert_refused_in_one_line(output, message):
    (line,) = refusals(output)
    assert line.startswith(f"error: params.yaml: {message}"), line
    assert line.endswith("(no output was touched, and git checkout brings the file back as it was committed)")
    assert "Traceback" not in output


def changes(name):
    # The pair is wrong only together.
    override, message = WRONG[name]
    more = ("-S", "train.model.bidirectional=true") if name == "pair" else ()
    return ("-S", override, *more), message


# The others are refused by the same stage: its own tests have them all.
SHORT = ("pair",)


@pytest.mark.parametrize("names", [SHORT, pytest.param([n for n in WRONG if n not in SHORT], marks=pytest.mark.long)])
def test_a_refused_param_costs_no_output_of_an_experiment(project, undisturbed, names):
    before = digests(project.folder)
    for name in names:
        options, message = changes(name)
        assert_refused_in_one_line(project.run("dvc", "exp", "run", *options, expect=255), message)
        assert digests(project.folder) == before, name
        project.run("git", "checkout", "--quiet", "params.yaml")


def test_a_refused_param_by_hand_costs_no_output(project, undisturbed):
    project.change_params("train", epochs="many")
    assert_refused_in_one_line(project.run("dvc", "repro", expect=255), WRONG["value"][1])
    # Nor does a target that is far from the first stage.
    assert_refused_in_one_line(project.run("dvc", "repro", "evaluate@seq2seq", expect=255), WRONG["value"][1])


@pytest.mark.long
def test_a_file_that_is_no_yaml_costs_no_output(project, undisturbed):
    before = digests(project.folder)
    for text in ("train: {epochs: [", "a: 1\na: 2"):
        (project.folder / "params.yaml").write_text(text, encoding="utf-8")
        output = project.run("dvc", "repro", expect=255)
        assert "params.yaml" in output
        assert "Traceback" not in output
        assert digests(project.folder) == before, text


@pytest.mark.long
def test_a_refused_param_costs_no_output_where_it_is_queued_or_temporary(project, undisturbed):
    options, message = changes("name")
    output = project.run("dvc", "exp", "run", "--temp", *options, expect=255)
    assert_refused_in_one_line(output, message)
    project.run("dvc", "exp", "run", "--queue", *options, "--name", "refused")
    project.run("dvc", "exp", "run", "--run-all")
    assert_refused_in_one_line(project.run("dvc", "queue", "logs", "refused"), message)
    project.run("dvc", "queue", "remove", "--all")
