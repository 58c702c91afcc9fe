import pytest

from lengthwise.cli.app import main


@pytest.fixture
def report(project, capsys, monkeypatch):
    monkeypatch.chdir(project.folder)

    def report(*arguments):
        status = 0
        try:
            main(["report", *arguments])
        except SystemExit as error:
            status = error.code
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return report


def test_report_prints_markdown_and_succeeds_when_nothing_changed(report):
    status, out, err = report("--base", "main")
    assert (status, err) == (0, "")
    assert out.startswith("<!-- lengthwise-report -->\n# Lengthwise report: within noise\n")


@pytest.mark.sampled(1)
@pytest.mark.parametrize("accuracy", [0.01, None])
def test_report_fails_with_status_1_when_a_metric_is_worse_or_missing(project, report, accuracy):
    project.change("metrics/evaluate/seq2seq.json", sentence_accuracy=accuracy)
    status, out, err = report("--base", "main")
    assert (status, err) == (1, "")
    assert f"# Lengthwise report: {'worse' if accuracy else 'missing'}\n" in out


def test_report_writes_to_a_file_also_when_it_fails(project, report):
    project.change("metrics/evaluate/seq2seq.json", sentence_accuracy=0.01)
    status, out, _ = report("--base", "main", "--out", "somewhere/report.md")
    assert (status, out) == (1, "")
    assert (project.folder / "somewhere" / "report.md").read_text("utf-8") == report("--base", "main")[1]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--base", "nowhere"), "--base: got 'nowhere'; expected a commit, branch or tag"),
        (("--base=--help",), "--base: got '--help'; expected a commit"),
        (("--base", "main", "--out", "params.yaml/report.md"), "params.yaml/report.md: cannot be written"),
        (("--base", "main", "--out", "metrics"), "metrics: cannot be written"),
    ],
)
def test_report_refuses_in_one_line_with_status_2(project, report, arguments, told):
    status, out, err = report(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: {told}")
    assert err.count("\n") == 1
    assert project.git("status", "--short") == ""


def test_report_needs_a_base(report):
    status, _, err = report()
    assert status == 2
    assert "--base" in err


def test_report_refuses_a_folder_without_a_repository(report, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    status, _, err = report("--base", "main")
    assert status == 2
    assert err.startswith("error: git rev-parse: not a git repository")
