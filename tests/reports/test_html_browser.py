# The page in a real browser: what is measured is what the browser has laid out, not what the SVG says.
import json
import re
import shutil
import subprocess
import zlib
from html import escape, unescape

import pytest

from lengthwise.reports.html import POLICY, report

CHROMIUM = shutil.which("chromium")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")]

WIDTHS = (400, 1280)
DARK = "--blink-settings=preferredColorScheme=0"
MEASURE = """
<script>
const box = e => {
  const r = e.getBoundingClientRect();
  return [r.left, r.top, r.right, r.bottom].map(n => +n.toFixed(1));
};
const found = {
  width: innerWidth, scroll: document.documentElement.scrollWidth,
  ground: getComputedStyle(document.body).backgroundColor,
  charts: [...document.querySelectorAll("svg.chart")].map(svg => ({
    title: svg.querySelector("title").textContent, kind: svg.classList[1], box: box(svg),
    font: parseFloat(getComputedStyle(svg).fontSize) * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width,
    texts: [...svg.querySelectorAll("text")].map(e => [e.firstChild.textContent, ...box(e)]),
    marks: [...svg.querySelectorAll(".mark")].map(e => [getComputedStyle(e).fill, ...box(e)]),
    lines: [...svg.querySelectorAll(".line")].map(e => [getComputedStyle(e).stroke, ...box(e)]),
  })),
};
const out = parent.document.createElement("pre");
out.id = "measured"; out.textContent = JSON.stringify(found); parent.document.body.append(out);
</script>
"""


@pytest.fixture
def browse(tmp_path):
    def run(page, *flags):
        command = [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--enable-logging=stderr",
        ]
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        result = subprocess.run(
            [*command, profile, *flags, page.as_uri()], capture_output=True, text=True, timeout=120, check=True
        )
        return result.stdout, re.findall(r"CONSOLE[:(].*", result.stderr)

    return run


@pytest.fixture
def page(ablated, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(report(ablated), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def measured():
    # A browser takes seconds to start, and the page is the same in every test.
    return {}


@pytest.fixture
def measure(browse, page, tmp_path, measured):
    # A window is never as narrow as a phone, a frame may be.
    def run(width, *flags):
        if (width, flags) in measured:
            return measured[width, flags]
        text = page.read_text(encoding="utf-8")
        # The page's own policy lets no script run, not even this one.
        assert POLICY in text
        text = re.sub(r"<meta http-equiv[^>]*>", "", text).replace("</body>", MEASURE + "</body>")
        copy = tmp_path / "measured.html"
        frame = f'<iframe style="width: {width}px; height: 2000px; border: 0" srcdoc="{escape(text)}"></iframe>'
        copy.write_text(f"<!doctype html><meta charset=utf-8><body>{frame}</body>", encoding="utf-8")
        dom, console = browse(copy, "--dump-dom", "--window-size=1600,2400", *flags)
        assert not console
        measured[width, flags] = json.loads(unescape(re.search(r'<pre id="measured">(.*?)</pre>', dom)[1]))
        return measured[width, flags]

    return run


def overlap(one, other, slack=1.0):
    return (
        min(one[2], other[2]) - max(one[0], other[0]) > slack and min(one[3], other[3]) - max(one[1], other[1]) > slack
    )


def test_browser_tells_of_errors_on_a_page_that_has_one(browse, tmp_path):
    # Or the test below could not fail.
    path = tmp_path / "bad.html"
    path.write_text("<!doctype html><script>nothing.here()</script>", encoding="utf-8")
    assert any("nothing is not defined" in line for line in browse(path, "--dump-dom")[1])


def test_page_opens_in_a_browser_without_a_word_on_its_console(browse, page):
    dom, console = browse(page, "--dump-dom")
    assert not console
    assert dom.rstrip().endswith("</html>")


@pytest.mark.parametrize("width", WIDTHS)
def test_page_has_no_chart_that_is_empty_in_a_browser(measure, width):
    found = measure(width)
    assert found["width"] == width
    assert {chart["kind"] for chart in found["charts"]} == {"intervals", "bars", "columns", "lines", "matrix"}
    assert len(found["charts"]) > 20
    for chart in found["charts"]:
        left, top, right, bottom = chart["box"]
        assert right - left > 300, chart["title"]
        assert bottom - top > 80, chart["title"]
        assert sum(mark[3] > mark[1] and mark[4] > mark[2] for mark in chart["marks"]) >= 2, chart["title"]
        assert len(chart["texts"]) >= 4
        # A colour that CSS does not know is painted black, or not at all.
        for colour, *_ in [*chart["marks"], *chart["lines"]]:
            assert colour not in ("none", "rgb(0, 0, 0)"), chart["title"]
        if chart["kind"] == "lines":
            extents = [line[3] - line[1] for line in chart["lines"]]
            assert max(extents) > (right - left) / 2


@pytest.mark.parametrize("width", WIDTHS)
def test_page_has_no_text_that_is_cut_off_overlaps_or_is_too_small(measure, width):
    found = measure(width)
    assert found["scroll"] <= found["width"]
    for chart in found["charts"]:
        left, top, right, bottom = chart["box"]
        assert 10 <= chart["font"] <= 15, chart["title"]
        for number, (text, *box) in enumerate(chart["texts"]):
            assert left - 1.5 <= box[0] <= box[2] <= right + 1.5, (chart["title"], text)
            assert top - 1.5 <= box[1] <= box[3] <= bottom + 1.5, (chart["title"], text)
            for other, *other_box in chart["texts"][number + 1 :]:
                assert not overlap(box, other_box), (chart["title"], text, other)


def test_page_is_dark_where_the_user_wants_it_dark(measure):
    light, dark = measure(400), measure(400, DARK)
    assert light["ground"] == "rgb(255, 255, 255)"
    assert dark["ground"] == "rgb(20, 23, 26)"
    for before, after in zip(light["charts"], dark["charts"], strict=True):
        assert before["box"] == after["box"]
        assert before["marks"][0][0] != after["marks"][0][0]


def shades(browse, page, tmp_path, *flags):
    # Distinct bytes of the filtered pixels: a handful where nothing is drawn.
    picture = tmp_path / "picture.png"
    browse(page, f"--screenshot={picture}", "--window-size=1280,2400", *flags)
    data, pixels, place = picture.read_bytes(), b"", 8
    while place < len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        if data[place + 4 : place + 8] == b"IDAT":
            pixels += data[place + 8 : place + 8 + length]
        place += length + 12
    return len(set(zlib.decompress(pixels)))


@pytest.mark.parametrize("flags", [(), (DARK,)])
def test_page_is_painted(browse, page, tmp_path, flags):
    blank = tmp_path / "blank.html"
    blank.write_text("<!doctype html><title>blank</title>", encoding="utf-8")
    assert shades(browse, blank, tmp_path, *flags) < 20
    assert shades(browse, page, tmp_path, *flags) > 200
