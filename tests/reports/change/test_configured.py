import contextlib
import json
import shutil

import pandas as pd
import pytest
import yaml
from dvc.repo import Repo

from lengthwise.cli.app import main
from lengthwise.reports.change.report import report_on
from lengthwise.reports.change.report_frame import MARKER

METRICS, PREDICTIONS = "eval/metrics.json", "eval/predictions.csv"


@pytest.fixture
def run_report(monkeypatch, capsys):
    # The command's exit status and what it printed.
    def run(repository, base="main"):
        monkeypatch.chdir(repository.folder)
        status = 0
        try:
            main(["report", "--base", base])
        except SystemExit as left:
            status = left.code
        said = capsys.readouterr()
        return status, said.out + said.err

    return run


def on_a_branch(repository, **params):
    repository.run("git", "checkout", "--quiet", "-b", "change")
    if params:
        repository.repro(**params)
        repository.commit()
    return repository


def configure(repository, **changes):
    path = repository.folder / ".lengthwise.yaml"
    config = {**yaml.safe_load(path.read_text("utf-8")), **changes}
    kept = {key: value for key, value in config.items() if value is not None}
    path.write_text(yaml.safe_dump(kept), "utf-8")


def change_metrics(repository, **changes):
    path = repository.folder / METRICS
    content = {**json.loads(path.read_text("utf-8")), **changes}
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}), "utf-8")


def verdict_of(text, name="accuracy"):
    (row,) = [line for line in text.splitlines() if line.startswith(f"| `{METRICS}` `{name}` |")]
    return row.split("|")[-2].replace("**", "").strip()


def headline(text):
    assert text.startswith(f"{MARKER}\n# Lengthwise report: ")
    return text.splitlines()[1].removeprefix("# Lengthwise report: ")


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("params", "verdict", "status"),
    [
        ({"train__seed": 2}, "within noise", 0),
        ({"train__quality": 0.93}, "better", 0),
        ({"train__quality": 0.87, "train__seed": 3}, "worse", 1),
        ({"prepare__split": 0.25}, "not comparable", 0),
    ],
)
def test_report_on_a_branch_that_was_run(get_started, run_report, params, verdict, status):
    on_a_branch(get_started, **params)
    left, text = run_report(get_started)
    assert (headline(text), left) == (verdict, status), text
    assert verdict_of(text).split(":")[0] == verdict
    key = next(iter(params)).replace("__", ".")
    assert f"| `{key}` |" in text
    if verdict == "not comparable":
        assert "the test set changed: 0 items are new, 1000 are gone" in text
    else:
        assert f"Paired: the same 5,000 items of `{PREDICTIONS}` in both runs, each item by itself" in text
        assert "Intervals of confidence 0.975" in text


def test_report_on_equal_runs_is_within_noise(get_started, run_report):
    on_a_branch(get_started)
    for seed in range(10, 15):
        (get_started.folder / "model.pkl").write_text(f"{seed} 0.9", "utf-8")
        get_started.run("python", "src/evaluate.py", "model.pkl", "data/features")
        status, text = run_report(get_started)
        assert (headline(text), status) == ("within noise", 0)


def test_report_on_params_that_were_not_run_fails(get_started, run_report):
    on_a_branch(get_started).set_params(train__quality=0.95)
    get_started.commit()
    status, text = run_report(get_started)
    assert (headline(text), status) == ("not run", 1)
    assert "- `train`: `params.yaml: train.quality is 0.95, the run had 0.9`" in text


@pytest.mark.sampled(1)
@pytest.mark.parametrize("gone", [METRICS, "accuracy"])
def test_report_on_a_metric_that_is_gone_fails(get_started, run_report, gone):
    on_a_branch(get_started)
    if gone == METRICS:
        (get_started.folder / METRICS).unlink()
    else:
        change_metrics(get_started, accuracy=None)
    status, text = run_report(get_started)
    assert (headline(text), status) == ("missing", 1)


def test_report_in_a_folder_of_a_larger_repository(in_monorepo, run_report):
    on_a_branch(in_monorepo, train__quality=0.93)
    assert (in_monorepo.folder / ".." / ".git").is_dir()
    status, text = run_report(in_monorepo)
    assert (headline(text), status) == ("better", 0)
    assert "Paired: the same 5,000 items" in text


@pytest.mark.long
def test_report_without_the_predictions_of_the_base_goes_by_the_metrics(get_started, run_report, tmp_path):
    # As in a clone that pulled what is checked out, and no more.
    remote = f"[core]\n    remote = here\n['remote \"here\"']\n    url = {tmp_path / 'remote'}\n"
    (get_started.folder / ".dvc" / "config").write_text(remote, "utf-8")
    # In this process: DVC's command takes a second to start.
    with contextlib.chdir(get_started.folder), Repo() as repo:
        repo.push()
    # DVC takes each commit's own remotes.
    get_started.commit()
    on_a_branch(get_started, train__quality=0.95)
    base = yaml.safe_load(get_started.run("git", "show", "main:dvc.lock"))["stages"]["evaluate"]["outs"]
    digest = next(out["md5"] for out in base if out["path"] == PREDICTIONS)
    (get_started.folder / ".dvc/cache/files/md5" / digest[:2] / digest[2:]).unlink()
    status, text = run_report(get_started)
    assert (headline(text), status) == ("better", 0)
    assert "**Unpaired**, from the metrics alone, as if the runs were independent on 5,000 items" in text
    # Only a share has a noise that follows from its number of items.
    configure(get_started, columns={"id": "item", "target": "label", "prediction": "predicted", "group": "author"})
    status, text = run_report(get_started)
    assert (verdict_of(text).split(":")[0], status) == ("not comparable", 0)
    command = f"dvc fetch --all-commits {PREDICTIONS}"
    assert command in text
    # And the command does what it says.
    get_started.run(*command.split(), "--quiet")
    assert "Paired" in run_report(get_started)[1]


def test_report_without_own_predictions_says_how_to_get_them(get_started, run_report):
    on_a_branch(get_started, train__quality=0.95)
    shutil.rmtree(get_started.folder / ".dvc" / "cache")
    (get_started.folder / PREDICTIONS).unlink()
    status, text = run_report(get_started)
    assert status == 0
    assert verdict_of(text) == "not comparable: `the predictions of the working tree are not here`"
    assert f"`dvc pull {PREDICTIONS}`" in text


def test_report_reads_predictions_and_metrics_within_an_output_folder(get_started, run_report):
    path = get_started.folder / "dvc.yaml"
    pipeline = yaml.safe_load(path.read_text("utf-8"))
    pipeline["stages"]["evaluate"] |= {"outs": ["eval"]}
    del pipeline["stages"]["evaluate"]["metrics"]
    path.write_text(yaml.safe_dump(pipeline), "utf-8")
    shutil.rmtree(get_started.folder / "eval")
    get_started.commit()
    get_started.repro()
    get_started.commit()
    on_a_branch(get_started, train__quality=0.93)
    shutil.rmtree(get_started.folder / "eval")
    status, text = run_report(get_started)
    assert (headline(text), status) == ("better", 0)
    assert "Paired" in text


def test_report_by_groups_of_items(get_started, run_report):
    configure(get_started, columns={"id": "item", "target": "label", "prediction": "predicted", "group": "author"})
    get_started.commit()
    on_a_branch(get_started, train__quality=0.93)
    status, text = run_report(get_started)
    assert (headline(text), status) == ("better", 0)
    assert "groups of `author` as a whole" in text


def test_report_on_several_metrics_shares_the_chance_of_an_alarm_among_them(get_started, run_report):
    table = pd.read_csv(get_started.folder / PREDICTIONS)
    brier = float(((table["probability"] - table["label"]) ** 2).mean())
    change_metrics(get_started, brier=brier)
    configure(get_started, metrics={METRICS: {"accuracy": "accuracy", "brier": "brier"}}, tolerance=None)
    get_started.commit()
    status, text = run_report(get_started)
    assert (headline(text), status) == ("within noise", 0)
    assert "Intervals of confidence 0.9875, 0.975 together" in text
    assert verdict_of(text, "brier") == "within noise"


def test_report_does_not_believe_predictions_that_are_not_those_of_the_metrics(get_started, run_report):
    on_a_branch(get_started)
    change_metrics(get_started, accuracy=0.95)
    _, text = run_report(get_started)
    assert verdict_of(text).startswith("not comparable: `the predictions of the working tree give 0.8")


def test_report_judges_by_tolerance_what_has_no_items(get_started, run_report):
    on_a_branch(get_started)
    for value, verdict in ((0.5, "worse"), (0.99, "better"), (0.9, "within noise")):
        change_metrics(get_started, avg_prec={"test": value, "train": 0.97})
        assert verdict_of(run_report(get_started)[1], "avg_prec.test") == verdict
    configure(get_started, tolerance=None)
    assert verdict_of(run_report(get_started)[1], "avg_prec.test").startswith("reported: `no tolerance is given")


def test_report_hides_no_difference_below_the_tolerance_only_if_told_so(get_started, run_report):
    on_a_branch(get_started, train__quality=0.93)
    configure(get_started, tolerance={"accuracy": 0.2})
    status, text = run_report(get_started)
    assert (verdict_of(text), status) == ("within noise", 0)


def test_report_of_a_new_metric_and_of_what_else_the_file_has(get_started, run_report):
    on_a_branch(get_started)
    change_metrics(get_started, f1=0.5, n=6)
    metrics = {METRICS: {"f1": "higher", "avg_prec.test": "higher"}}
    configure(get_started, metrics=metrics, training_noise=None)
    status, text = run_report(get_started)
    assert (verdict_of(text, "f1"), status) == ("new", 0)
    assert f"| `{METRICS}` | `n` | 5,000 | 6 | -4,994 |" in text


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrics": {METRICS: {"accuracy": "up"}}}, f".lengthwise.yaml: metrics.{METRICS}.accuracy: got 'up'"),
        ({"metrics": {METRICS: {"acc": "higher"}}, "tolerance": None, "training_noise": None},
         f".lengthwise.yaml: metrics.{METRICS}.acc: is in neither run; expected a number of {METRICS}, which has accu"),
        ({"metrics": {"m.json": {"f1": "higher"}}, "tolerance": None, "training_noise": None},
         ".lengthwise.yaml: metrics.m.json.f1: is in neither run; expected a number of m.json, which has none"),
        ({"columns": {"id": "item", "target": "label", "prediction": "guess"}},
         ".lengthwise.yaml: columns.prediction: got 'guess'; expected a column of eval/predictions.csv of the"),
    ],
)  # fmt: skip
def test_a_configuration_that_is_wrong_is_refused_in_one_line(get_started, run_report, changes, message):
    configure(get_started, **changes)
    status, text = run_report(get_started)
    assert status == 2
    assert text.startswith(f"error: {message}")
    assert text.count("\n") == 1


def test_the_configuration_of_this_repository_is_that_of_the_documentation(get_started, root):
    assert (get_started.folder / ".lengthwise.yaml").read_text("utf-8") in (root / "docs/reports.md").read_text("utf-8")


def test_a_repository_that_says_nothing_of_itself_is_told_how(get_started, run_report):
    (get_started.folder / ".lengthwise.yaml").unlink()
    status, text = run_report(get_started)
    assert status == 2
    assert "or name what this repository has in .lengthwise.yaml (docs/reports.md)" in text


def test_report_where_there_is_git_and_no_dvc(project):
    (project.folder / ".lengthwise.yaml").write_text("metrics: {metrics/tokens.json: {tokens: higher}}\n", "utf-8")
    (project.folder / "dvc.lock").unlink()
    assert report_on("HEAD", project.folder).verdict == "not comparable"


def test_report_shows_names_from_files_as_code(get_started):
    name = "a|b`<!-- x\n@you"
    change_metrics(get_started, **{name: 1.0})
    configure(get_started, metrics={METRICS: {name: "higher"}}, tolerance=None, training_noise=None)
    text = report_on("main", get_started.folder).text
    assert "<!-- x" not in text
    assert "@you" not in text
    (row,) = [line for line in text.splitlines() if line.startswith(f"| `{METRICS}` ")]
    assert row.count("|") == 9
