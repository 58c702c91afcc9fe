# `dvc plots show` and `dvc plots diff` as a user calls them, in a browser that finds no server.
import os
import re
import shutil
import subprocess

import pytest
from dvc_at_hand import run_dvc

WIDTHS = (400, 800, 1280)
# Those of metrics/dvc.yaml, and two of each training, which grow while it trains.
PLOTS = 6 + 2 * 2
CUT = "…"


@pytest.fixture(scope="module")
def plotted(root, tmp_path_factory):
    # The committed run, twice in Git and once beside it, with other figures each time.
    folder = tmp_path_factory.mktemp("plotted")
    for name in ("metrics", ".dvc"):
        ignored = shutil.ignore_patterns("*ablations*", "cache", "tmp", "config.local")
        shutil.copytree(root / name, folder / name, ignore=ignored)
    for name in ("dvc.yaml", "dvc.lock", "params.yaml"):
        shutil.copy(root / name, folder / name)
    (folder / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n", encoding="utf-8")

    def run(*command):
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)

    run("git", "init", "-q", "-b", "main")
    for tag in ("first", "a-second-run-with-a-long-name"):
        run("git", "add", "-A")
        identity = ("-c", "user.name=tester", "-c", "user.email=tester@localhost", "-c", "commit.gpgsign=false")
        run("git", *identity, "commit", "-q", "-m", tag)
        run("git", "tag", tag)
        for path in folder.glob("metrics/*/*/*.csv"):
            text = path.read_text(encoding="utf-8")
            path.write_text(re.sub(r"\b0\.([3-8])", lambda digit: f"0.{int(digit[1]) + 1}", text), encoding="utf-8")
    for words in (
        ["show", "-o", "shown"],
        ["diff", "-o", "compared", "first", "a-second-run-with-a-long-name", "workspace"],
    ):
        done = run_dvc(["plots", *words], folder, os.environ)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def measurements(browser, plotted, tmp_path_factory):
    found = {}
    for name in ("shown", "compared"):
        text = (plotted / name / "index.html").read_text(encoding="utf-8")
        found[name] = browser.measure(text, tmp_path_factory.mktemp(name))
    return found


def test_plots_page_asks_for_nothing_from_elsewhere(plotted):
    for name in ("shown", "compared"):
        text = (plotted / name / "index.html").read_text(encoding="utf-8")
        assert text.count("vegaEmbed('#") == PLOTS
        assert not re.search(r"<(script|iframe|link)\b[^>]+(src|href)\s*=", text)
        assert "default-src 'none'" in text
        for library in ("vega 5.33.1", "vega-lite 5.23.0", "vega-embed 6.29.0"):
            assert library in text[: text.index("<script>")]
        assert "Redistributions in binary form must reproduce" in text


def test_plots_page_is_made_of_its_source(root):
    source = (root / ".dvc" / "plots" / "page_source.html").read_text(encoding="utf-8")
    page = (root / ".dvc" / "plots" / "page.html").read_text(encoding="utf-8")
    before, after = source.split("<!-- LIBRARIES -->")
    assert page.startswith(before)
    assert page.endswith(after)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["shown", "compared"])
@pytest.mark.browser
def test_plots_have_nothing_that_is_cut_off(browser, measurements, name, width):
    found = measurements[name][width]
    assert found["scroll"] <= width
    assert len(found["plots"]) == PLOTS
    assert not found["asked"]
    for plot in found["plots"]:
        assert plot["box"][2] <= width
        assert plot["box"][2] - plot["box"][0] > 0.6 * min(width, 480)
        browser.check_texts(plot)
        assert not any(CUT in text for text, *_ in plot["texts"])


@pytest.mark.browser
def test_plots_tell_their_lines_apart_by_short_names(measurements):
    def said(name, number):
        return {text for text, *_ in measurements[name][400]["plots"][number]["texts"]}

    assert {"classifier", "seq2seq", "training", "validation"} <= said("shown", 0)
    runs = {"first", "a-second-run-with-a-long-name", "workspace"}
    assert runs | {"classifier", "seq2seq", "training", "validation"} <= said("compared", 0)
    for number in (1, 2):
        assert {"classifier", "seq2seq"} <= said("shown", number)
        assert runs | {"classifier", "seq2seq"} <= said("compared", number)
    assert runs <= said("compared", 3)


@pytest.mark.browser
def test_plots_say_nothing_on_the_console(browser, plotted):
    page = plotted / "compared" / "index.html"
    dom, console = browser.browse(page, "--dump-dom", "--virtual-time-budget=20000", browser.dark)
    assert not console
    assert dom.count("<svg") >= PLOTS
