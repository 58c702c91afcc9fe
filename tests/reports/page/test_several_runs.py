import html
import re
import shutil

import pandas as pd
import pytest

from lengthwise.cli.app import main
from lengthwise.errors import FormatError
from lengthwise.reports.page.pages import page_of, report
from lengthwise.runs.run import run_in

LONG = "a-name-of-an-experiment-that-goes-on-and-on-and-is-no-word-that-a-browser-would-break-anywhere"


@pytest.fixture
def compared(project):
    project.experiment("small-step", learning_rate="0.0123")
    project.experiment(LONG, units=96, cell="lstm")
    project.set_accuracy("seq2seq", "author", 0.987654)
    return project


def words(page):
    return html.unescape(re.sub(r"<[^>]*>", " ", page))


def section(page, key):
    return re.search(rf'<section id="{key}".*?</section>', page, re.DOTALL)[0]


def test_page_of_three_runs_has_all_of_them_in_each_picture(compared):
    page = page_of(["main", "small-step", LONG, "."], compared.folder)
    for key in ("levels", "curves", "length"):
        charts = re.findall(r"<svg.*?</svg>", section(page, key), re.DOTALL)
        assert len(charts) == {"levels": 2, "curves": 4, "length": 2}[key]
        for chart in charts:
            assert all(
                f"{letter} {name[:12]}" in chart for letter, name in (("A", "main"), ("B", "small-step"), ("C", LONG))
            )
            assert all(
                f'class="{kind} {hue}' in chart for kind in ("line", "mark") for hue in ("blue", "orange", "green")
            )
    assert "0.988" in section(page, "runs")
    assert "n 2,188" in section(page, "runs")
    assert "by sentence, n = 2,188" in section(page, "levels")
    assert section(page, "levels").count(">linear<") == 6


def test_page_lists_the_params_that_differ_and_no_other(compared):
    page = section(page_of(["main", "small-step", LONG], compared.folder), "params")
    assert re.findall(r"<dt><code>(.*?)</code>", page) == [
        "train.model.cell",
        "train.model.units",
        "train.optimizer.learning_rate",
    ]
    before = compared.run.params("train")["optimizer"]["learning_rate"]
    (step,) = re.findall(r"learning_rate</code></dt>\n<dd>(.*?)</dd>", page, re.DOTALL)
    assert [" ".join(words(chip).split()) for chip in step.strip().split("\n")] == [f"A C {before}", "B 0.0123"]
    assert "All params are the same" in page_of(["main", "."], compared.folder)


def test_page_says_that_predictions_are_not_at_hand(compared):
    said = words(section(page_of(["main", "small-step"], compared.folder), "differences"))
    assert "There is no paired difference for classifier: A main: its predictions are not at hand" in said
    assert "<svg" not in said


def test_page_pairs_runs_of_the_same_sequences(compared, predict):
    folders = []
    for seed in range(3):
        folder = compared.folder / f"run{seed}"
        shutil.copytree(compared.folder / "metrics", folder / "metrics")
        shutil.copy(compared.folder / "dvc.lock", folder)
        run = run_in(folder)
        predict(run, authors=44 if seed < 2 else 43, seed=seed)
        folders.append(folder.name)
    page = section(page_of(folders, compared.folder), "differences")
    said = words(page)
    assert page.count("<svg") == 2
    assert "C run2: it was tested on other sequences than A run0" in said
    tables = [pd.read_csv(compared.folder / name / "metrics/evaluate/classifier/levels.csv") for name in folders[:2]]
    one, other = (t.loc[(t["level"] == "author") & (t["metric"] == "accuracy"), "value"].item() for t in tables)
    assert re.search(rf"by author, n = \d+, B run1: {re.escape(f'{other - one:+.3f}'.replace('-', '−'))} \(", said)


def test_page_of_one_run_is_its_report(compared):
    assert page_of([], compared.folder) == report(compared.run)
    assert "the better network is" in page_of(["small-step"], compared.folder)


def test_page_fetches_nothing_and_has_the_same_bytes_again(compared):
    page = page_of(["main", "small-step"], compared.folder)
    assert page == page_of(["main", "small-step"], compared.folder)
    assert not re.search(r"<(script|link|img|iframe|object|use)\b|url\(|@import|\son\w+=", page)
    assert set(re.findall(r"https?://[^\"' <]*", page)) == {"http://www.w3.org/2000/svg"}
    assert "/tmp" not in page
    ids = re.findall(r'\sid="(.*?)"', page)
    assert len(ids) == len(set(ids))


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "file",
    ["dvc.lock", "metrics/shards.json", "metrics/evaluate/seq2seq/levels.csv", "metrics/train/classifier/epochs.csv"],
)
def test_page_names_the_run_that_lacks_a_file_and_what_it_lacks(compared, file, capsys, monkeypatch):
    monkeypatch.chdir(compared.folder)
    base = compared.git("rev-parse", "HEAD")
    compared.git("rm", "-q", "-f", file)
    made = compared.commit("less")
    compared.git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/broken", made)
    compared.git("reset", "-q", "--hard", base)
    with pytest.raises(SystemExit) as exit_:
        main(["page", "main", "broken", "small-step", "--out", "out.html"])
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: broken: lacks dvc.lock at" if file == "dvc.lock" else f"error: {file} of broken: ")
    assert error.count("\n") == 1
    assert "scratch" not in error
    assert "/tmp" not in error
    assert not (compared.folder / "out.html").exists()


def test_page_escapes_what_runs_are_called_and_made_of(compared):
    hostile = "<b onclick='x'>&"
    compared.git("update-ref", f"refs/heads/{'<b>&amp;'}", "HEAD")
    compared.change("cell", f'"{hostile}"')
    page = page_of(["<b>&amp;", "."], compared.folder)
    assert not re.search(r"<b>|<b onclick", page)
    assert hostile in words(page)
    assert "<b>&amp;" in words(page)


def test_page_of_runs_without_validation_draws_training(compared):
    path = compared.folder / "metrics" / "shards.json"
    text = path.read_text(encoding="utf-8").replace('"validation_rows": 2789', '"validation_rows": 0')
    path.write_text(text, encoding="utf-8")
    assert "classifier: train loss" in page_of(["main", "."], compared.folder)


def test_page_of_a_damaged_folder_is_an_error_of_its_path(compared):
    (compared.folder / "metrics" / "evaluate" / "classifier" / "levels.csv").write_text("level\n", encoding="utf-8")
    with pytest.raises(
        FormatError,
        match=r"^metrics/evaluate/classifier/levels\.csv of .*: got the columns level; expected level, metric",
    ):
        page_of(["main", "."], compared.folder)


def test_page_is_written_to_report_html_unless_told_otherwise(compared, monkeypatch):
    monkeypatch.chdir(compared.folder)
    main(["page"])
    assert (compared.folder / "report.html").read_text(encoding="utf-8") == report(compared.run)
    main(["page", "main", "small-step", "--out", "new/both.html"])
    assert "runs beside each other" in (compared.folder / "new" / "both.html").read_text(encoding="utf-8")
