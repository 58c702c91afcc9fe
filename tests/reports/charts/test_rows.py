import math
from xml.etree import ElementTree

import numpy as np
import pytest

from lengthwise.reports.charts.frame import Caption
from lengthwise.reports.charts.rows import Bar, Interval, bar_chart, interval_chart

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
    widths = np.array([float(bar.get("width")) for bar in svg.findall("s:rect", NS)])
    assert widths / widths[0] == pytest.approx(np.array(values) / values[0], abs=0.01)
    assert {f"row {v}" for v in values} | {f"{v} %" for v in values} <= set(texts(svg))


def test_interval_chart_places_values_and_ends_on_one_scale():
    rows = [Interval("a", 0.5, 0.4, 0.7, "blue"), Interval("b", 0.2, 0.1, 0.25, "orange")]
    svg = parse(interval_chart(CAPTION, {"by author": rows}, "accuracy"))
    middles = [float(mark.get("cx")) for mark in svg.findall("s:circle", NS)]
    pixels = np.concatenate([intervals(svg).ravel(), middles])
    data = [0.4, 0.7, 0.1, 0.25, 0.5, 0.2]
    assert np.polyval(np.polyfit(data, pixels, 1), data) == pytest.approx(pixels, abs=0.05)
    assert {"by author", "a", "b", "0.500", "0.200"} <= set(texts(svg))


def test_interval_chart_of_differences_marks_zero_and_writes_signs():
    svg = parse(interval_chart(CAPTION, {"": [Interval("a", -0.03, -0.05, -0.01, "blue")]}, "difference", signed=True))
    zero = next(line for line in svg.findall("s:line", NS) if line.get("class") == "zero")
    assert float(zero.get("x1")) > intervals(svg).max()
    assert "−0.030" in texts(svg)


def test_interval_chart_shows_what_is_not_known_as_a_row_without_marks():
    rows = [Interval("known", 0.5, 0.4, 0.6, "blue"), Interval("not", math.nan, math.nan, math.nan, "blue")]
    svg = parse(interval_chart(CAPTION, {"": rows}, "accuracy"))
    assert len(svg.findall("s:circle", NS)) == 1
    assert {"not", "–"} <= set(texts(svg))


def test_row_charts_shorten_long_labels_and_keep_them_as_hints():
    label = "a_very_long_name_of_an_ablation_that_fits_nowhere"
    svg = parse(bar_chart(CAPTION, [Bar(label, 1.0, "1.0", "grey")], "x"))
    hints = [title.text for title in svg.findall("s:text/s:title", NS)]
    assert hints == [label]
