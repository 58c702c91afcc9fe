import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import pandas as pd
import pytest

from lengthwise.cli.app import main
from lengthwise.reports.page.pages import OF_A_RUN, report
from lengthwise.runs.run import run_in

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    # What a browser would see: elements in order, attributes, text; every element closed where it was opened.
    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    # The run of the working tree is the one that is drawn.
    monkeypatch.chdir(tmp_path)


def write(page):
    main(["page", "--out", str(page)])
    return page.read_text(encoding="utf-8")


def test_report_has_a_section_for_each_link_and_charts_of_all_numbers(ablated):
    page = Page(report(ablated))
    links = [attributes["href"].removeprefix("#") for tag, attributes in page.elements if tag == "a"]
    assert links == [attributes["id"] for tag, attributes in page.elements if tag == "section"]
    assert len(links) == len(set(links)) == len(OF_A_RUN)
    for part in re.split("<section", report(ablated))[1:]:
        # Versions are words.
        assert part.count("<svg") >= 1 or part.startswith(' id="environment"'), part[:80]


def test_report_has_unique_ids_and_headings_in_order(run):
    page = Page(report(run))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert [tag for tag, _ in page.elements if re.fullmatch(r"h\d", tag)] == ["h1"] + ["h2"] * len(OF_A_RUN)


def test_report_fetches_nothing_and_runs_nothing(ablated):
    text = report(ablated)
    page = Page(text)
    assert not {tag for tag, _ in page.elements} & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "use",
        "image",
    }
    for _, attributes in page.elements:
        assert not {"src", "srcset", "xlink:href", "action"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("href", "#").startswith("#")
    assert not re.search(r"url\(|@import", text)
    assert set(re.findall(r"https?://[^\"' <]*", text)) == {"http://www.w3.org/2000/svg"}


@pytest.mark.long
def test_report_has_the_same_bytes_in_another_process(run, tmp_path):
    # This one has a hash seed of its own, chosen by chance.
    page = tmp_path / "report.html"
    command = [sys.executable, "-m", "lengthwise.cli", "page", "--out", str(page)]
    environment = {**os.environ, "PYTHONHASHSEED": "1", "TZ": "UTC+1", "LC_ALL": "C"}
    subprocess.run(command, check=True, env=environment, capture_output=True)
    assert page.read_text(encoding="utf-8") == report(run)
    assert str(tmp_path) not in report(run)


def test_report_escapes_names_of_classes_everywhere(run):
    hostile = '<script>alert("x")</script>&amp;'
    for path in (run.files.folder / "metrics").rglob("confusion_*.csv"):
        table = pd.read_csv(path).replace("male 10s", hostile)
        table.to_csv(path, index=False)
    page = Page(report(run))
    assert "script" not in {tag for tag, _ in page.elements}
    assert hostile in "".join(page.text)


def test_report_escapes_names_of_ablations(ablated):
    path = ablated.files.folder / "metrics" / "ablations.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("zero_state", "<b>&"), encoding="utf-8")
    page = Page(report(ablated))
    assert "b" not in {tag for tag, _ in page.elements}
    assert "Worse than the full model: <b>&." in "".join(page.text)


def test_report_without_ablations_says_how_to_make_them(run):
    assert "make ablations" in report(run)


def test_report_with_ablations_tells_better_worse_and_undecided(ablated):
    text = "".join(Page(report(ablated)).text)
    assert "Worse than the full model: zero_state. Better: lstm. Of 1 ablation the interval includes zero" in text


def test_report_follows_the_metrics(run, rewrite):
    before = report(run)
    table = pd.read_csv(run.files.folder / "metrics" / "evaluate" / "seq2seq" / "levels.csv")
    sentences = table[(table["level"] == "sentence") & (table["metric"] == "accuracy")]
    after = report(rewrite("evaluate/seq2seq/levels.csv", (str(sentences["value"].item()), "0.7123456")))
    assert "accuracy of 0.712" not in before
    assert "By sentence (n = 2,188), the better network is seq2seq with an accuracy of 0.712" in after


def test_report_takes_params_from_the_lock(run, rewrite):
    assert "this run is padded." in report(run)
    assert "this run is exact." in report(rewrite("dvc.lock", ("strategy: padded\n", "strategy: exact\n")))


def test_report_of_documents_has_no_level_of_sentences(run):
    for path in (run.files.folder / "metrics").rglob("levels.csv"):
        table = pd.read_csv(path)
        table[table["level"] != "sentence"].to_csv(path, index=False)
    for path in (run.files.folder / "metrics").rglob("confusion_sentence.csv"):
        path.unlink()
    lock = (run.files.folder / "dvc.lock").read_text(encoding="utf-8").replace("unit: sentence", "unit: document")
    (run.files.folder / "dvc.lock").write_text(lock, encoding="utf-8")
    text = "".join(Page(report(run_in(run.files.folder))).text)
    assert "By sentence" not in text
    assert "Sequences, each one document" in text


def test_report_of_long_sequences_pools_lengths(run):
    for path in (run.files.folder / "metrics").glob("evaluate/*/by_*.csv"):
        axis = path.stem.removeprefix("by_")
        rows = pd.DataFrame({axis: range(1, 3001), "count": 1, "accuracy": 0.5})
        rows.to_csv(path, index=False)
    for path in (run.files.folder / "metrics").glob("train/*/lengths.csv"):
        pd.DataFrame({"length": range(1, 3001), "sequences": 1}).to_csv(path, index=False)
    chart = re.search(r"<svg[^>]*columns.*?</svg>", report(run), re.DOTALL)[0]
    counts = [int(n) for n in re.findall(r"<title>[\d]+ to [\d]+: (\d+)</title>", chart)]
    assert len(counts) == 40
    assert sum(counts) == 3000


def test_report_of_one_epoch_one_length_and_one_step_is_drawn(run):
    for path in [
        *(run.files.folder / "metrics").glob("evaluate/*/by_*.csv"),
        *(run.files.folder / "metrics").glob("train/*/epochs.csv"),
    ]:
        pd.read_csv(path).head(1).to_csv(path, index=False)
    text = report(run)
    assert "nan" not in re.sub(r"</?[a-z][^>]*>", "", text).lower().split()
    Page(text)


@pytest.mark.parametrize("name", ["shards.json", "evaluate/seq2seq/by_step.csv", "baselines/tables/linear/levels.csv"])
def test_report_of_an_unfinished_run_is_one_line_and_no_page(run, tmp_path, capsys, name):
    (run.files.folder / "metrics" / name).unlink()
    page = tmp_path / "report.html"
    page.write_text("before", encoding="utf-8")
    with pytest.raises(SystemExit) as exit_:
        write(page)
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert re.fullmatch(
        rf"error: metrics/{re.escape(name)} of the working tree: cannot be read .*; run dvc repro\n", error
    )
    assert page.read_text(encoding="utf-8") == "before"


def test_report_is_written_where_it_is_asked_for(run, tmp_path):
    assert write(tmp_path / "new" / "report.html") == report(run)
