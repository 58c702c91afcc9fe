# The report in a real browser.
import zlib

import pytest

from lengthwise.reports.page.pages import report

pytestmark = pytest.mark.browser
WIDTHS = (400, 800, 1280)


@pytest.fixture
def page(ablated, predict, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(report(predict(ablated)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def measured():
    # The page is the same in every test.
    return {}


@pytest.fixture
def measurements(browser, page, tmp_path, measured):
    def run(*flags):
        if flags not in measured:
            measured[flags] = browser.measure(page.read_text(encoding="utf-8"), tmp_path, *flags)
        return measured[flags]

    return run


def test_browser_tells_of_errors_and_of_what_is_asked_for_on_a_page_that_has_such(browser, tmp_path):
    # Or the tests below could not fail.
    path = tmp_path / "bad.html"
    path.write_text("<!doctype html><script>nothing.here()</script>", encoding="utf-8")
    assert any("nothing is not defined" in line for line in browser.browse(path, "--dump-dom")[1])
    text = '<!doctype html><body><script src="https://cdn.example.org/vega"></script></body>'
    assert browser.measure(text, tmp_path)[400]["asked"] == ["https://cdn.example.org/vega"]


def test_page_opens_in_a_browser_without_a_word_on_its_console(browser, page):
    dom, console = browser.browse(page, "--dump-dom")
    assert not console
    assert dom.rstrip().endswith("</html>")


@pytest.mark.parametrize("width", WIDTHS)
def test_page_has_no_chart_that_is_empty_in_a_browser(measurements, width):
    found = measurements()[width]
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
def test_page_has_no_text_that_is_cut_off_overlaps_or_is_too_small(browser, measurements, width):
    browser.check_nothing_is_cut_off(measurements()[width])


def test_page_is_dark_where_the_user_wants_it_dark(browser, measurements):
    light, dark = measurements()[400], measurements(browser.dark)[400]
    assert light["ground"] == "rgb(255, 255, 255)"
    assert dark["ground"] == "rgb(20, 23, 26)"
    for before, after in zip(light["charts"], dark["charts"], strict=True):
        assert before["box"] == after["box"]
        assert before["marks"][0][0] != after["marks"][0][0]


def shades(browser, page, tmp_path, *flags):
    # Distinct bytes of the filtered pixels: a handful where nothing is drawn.
    picture = tmp_path / "picture.png"
    browser.browse(page, f"--screenshot={picture}", "--window-size=1280,2400", *flags)
    data, pixels, place = picture.read_bytes(), b"", 8
    while place < len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        if data[place + 4 : place + 8] == b"IDAT":
            pixels += data[place + 8 : place + 8 + length]
        place += length + 12
    return len(set(zlib.decompress(pixels)))


@pytest.mark.parametrize("dark", [False, True])
def test_page_is_painted(browser, page, tmp_path, dark):
    flags = (browser.dark,) if dark else ()
    assert shades(browser, page, tmp_path, *flags) > 200


def test_blank_page_has_hardly_any_shades(browser, tmp_path):
    # Or the test above could not fail.
    blank = tmp_path / "blank.html"
    blank.write_text("<!doctype html><title>blank</title>", encoding="utf-8")
    assert shades(browser, blank, tmp_path) < 20
