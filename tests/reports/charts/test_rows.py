import math
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from lengthwise.charts.frame import Caption
from lengthwise.charts.rows import Bar, IntervalRow, bar_chart, interval_chart

CAPTION = Caption("A title", "What it says.")
NS = {"s": "http://www.w3.org/2000/svg"}


def parse(chart):
    return ElementTree.fromstring(chart)


def texts(svg):
    return [text.text for text in svg.findall("s:text", NS)]


def intervals(svg):
    lines = [line for line in svg.findall("s:line", NS) if line.get("class").startswith("line")]
    return np.array([[float(line.get("x1")), float(line.get("x2"))] for line in lines])


def test_bar_chart_has_bars_as_long_as_their_values():
    values = [57.1, 0.2, 17.6, 0.0]
    svg = parse(bar_chart(CAPTION, [Bar(f"row {v}", v, f"{v} %", "blue") for v in values], "%"))
    widths = np.array([float(bar.get("width")) for bar in svg.findall("s:rect[@class='mark blue']", NS)])
    assert widths / widths[0] == pytest.approx(np.array(values) / values[0], abs=0.01)
    assert {f"row {v}" for v in values} | {f"{v} %" for v in values} <= set(texts(svg))


def test_interval_chart_places_values_and_ends_on_one_scale():
    rows = [IntervalRow("a", 0.5, 0.4, 0.7, "blue"), IntervalRow("b", 0.2, 0.1, 0.25, "orange")]
    svg = parse(interval_chart(CAPTION, {"by author": rows}, "accuracy"))
    middles = [float(mark.get("cx")) for mark in svg.findall("s:circle", NS)]
    pixels = np.concatenate([intervals(svg).ravel(), middles])
    data = [0.4, 0.7, 0.1, 0.25, 0.5, 0.2]
    assert np.polyval(np.polyfit(data, pixels, 1), data) == pytest.approx(pixels, abs=0.05)
    assert {"by author", "a", "b", "0.500", "0.200"} <= set(texts(svg))


def test_interval_chart_of_differences_marks_zero_and_writes_signs():
    svg = parse(
        interval_chart(CAPTION, {"": [IntervalRow("a", -0.03, -0.05, -0.01, "blue")]}, "difference", signed=True)
    )
    zero = next(line for line in svg.findall("s:line", NS) if line.get("class") == "zero")
    assert float(zero.get("x1")) > intervals(svg).max()
    assert "−0.030" in texts(svg)


def test_interval_chart_shows_what_is_not_known_as_a_row_without_marks():
    rows = [IntervalRow("known", 0.5, 0.4, 0.6, "blue"), IntervalRow("not", math.nan, math.nan, math.nan, "blue")]
    svg = parse(interval_chart(CAPTION, {"": rows}, "accuracy"))
    assert len(svg.findall("s:circle", NS)) == 1
    assert {"not", "–"} <= set(texts(svg))


def test_row_charts_shorten_long_labels_and_keep_them_as_hints():
    label = "a_very_long_name_of_an_ablation_that_fits_nowhere"
    svg = parse(bar_chart(CAPTION, [Bar(label, 1.0, "1.0", "grey")], "x"))
    hints = [title.text for title in svg.findall("s:text/s:title", NS)]
    assert hints == [label]


def test_row_charts_tell_all_figures_wherever_the_mouse_is_in_a_row():
    rows = [
        IntervalRow("linear", 0.694, 0.617, 0.756, "green", "n = 2,188"),
        IntervalRow("odd", math.nan, 0, 1, "blue"),
    ]
    svg = parse(interval_chart(CAPTION, {"by sentence": rows}, "accuracy"))
    hits = svg.findall("s:rect[@class='hit']", NS)
    assert hits[0].find("s:title", NS).text == "linear: 0.694 (0.617 to 0.756), n = 2,188"
    tops = [float(hit.get("y")) for hit in hits]
    assert tops[1] - tops[0] == float(hits[0].get("height"))
    svg = parse(interval_chart(CAPTION, {"": [IntervalRow("b", -0.5, -0.75, 0.25, "blue")]}, "x", signed=True))
    assert svg.find("s:rect[@class='hit']/s:title", NS).text == "b: −0.500 (−0.750 to +0.250)"
    svg = parse(bar_chart(CAPTION, [Bar("exact", 0.0, "0 %", "grey", "of 10 steps")], "%"))
    assert svg.find("s:rect[@class='hit']/s:title", NS).text == "exact: 0 %, of 10 steps"


def test_interval_chart_has_room_for_the_text_of_every_tick_that_has_one():
    rng = np.random.default_rng(0)
    for _ in range(200):
        low, high = np.sort(rng.normal(0, 1, 2)) * 10.0 ** rng.integers(-4, 5)
        label = "x" * int(rng.integers(1, 60))
        rows = [IntervalRow(label, (low + high) / 2, low, high, "blue")]
        svg = parse(interval_chart(CAPTION, {"": rows}, "difference", signed=True))
        ticks = [t for t in svg.findall("s:text", NS) if t.get("class") == "muted middle" and t.text != "difference"]
        ends = [(float(t.get("x")) - 3 * len(t.text), float(t.get("x")) + 3 * len(t.text)) for t in ticks]
        assert all(one[1] <= other[0] for one, other in pairwise(ends)), [t.text for t in ticks]
        assert any(set(t.text) <= set("0.") for t in ticks)
