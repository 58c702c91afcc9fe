import math
from xml.etree import ElementTree

import numpy as np
import pytest

from lengthwise.reports.charts.frame import Caption
from lengthwise.reports.charts.plane import Series, column_chart, line_chart

CAPTION = Caption("A title", "What it says.")
NS = {"s": "http://www.w3.org/2000/svg"}


def parse(chart):
    return ElementTree.fromstring(chart)


def numbers(elements, *keys):
    return np.array([[float(element.get(key)) for key in keys] for element in elements])


def test_line_chart_places_points_in_proportion_to_their_values():
    xs, ys = [1, 2, 4, 7], [0.3, 0.35, 0.5, 0.45]
    marks = parse(line_chart(CAPTION, [Series("train", xs, ys, "blue")], "epoch", "accuracy")).findall("s:circle", NS)
    places = numbers(marks, "cx", "cy")
    for column, values, sign in ((0, xs, 1), (1, ys, -1)):
        slope, offset = np.polyfit(values, places[:, column], 1)
        assert np.sign(slope) == sign
        assert np.polyval([slope, offset], values) == pytest.approx(places[:, column], abs=0.02)


def test_line_chart_agrees_with_its_ticks():
    svg = parse(line_chart(CAPTION, [Series("train", [0, 10], [0, 50], "blue")], "epoch", "loss"))
    ticks = {
        text.text: float(text.get("y")) - 4 for text in svg.findall("s:text", NS) if text.get("class") == "muted end"
    }
    low, high = numbers(svg.findall("s:circle", NS), "cy")[:, 0]
    assert [ticks["0"], ticks["50"]] == pytest.approx([low, high], abs=0.02)


def test_line_chart_leaves_out_what_is_not_finite():
    svg = parse(line_chart(CAPTION, [Series("train", [1, 2, 3], [0.5, math.nan, math.inf], "blue")], "x", "y"))
    assert len(svg.findall("s:circle", NS)) == 1
    assert "nan" not in ElementTree.tostring(svg, encoding="unicode")


@pytest.mark.parametrize("values", [[], [math.nan]])
def test_line_chart_of_nothing_is_a_chart_without_marks(values):
    svg = parse(line_chart(CAPTION, [Series("train", values, values, "blue")], "x", "y"))
    assert not svg.findall("s:circle", NS)


def test_column_chart_has_columns_as_high_as_their_counts_and_side_by_side():
    counts = [10, 0, 25, 5]
    svg = parse(column_chart(CAPTION, [5, 7, 9, 11, 13], counts, "tokens", "sequences"))
    columns = svg.findall("s:rect", NS)
    places = numbers(columns, "x", "y", "width", "height")
    assert places[:, 3] / places[:, 3].sum() == pytest.approx(np.array(counts) / sum(counts), abs=1e-3)
    assert places[:, 1] + places[:, 3] == pytest.approx(places[0, 1] + places[0, 3], abs=0.02)
    assert (places[:-1, 0] + places[:-1, 2] <= places[1:, 0]).all()
    assert [column.find("s:title", NS).text for column in columns][:2] == ["5 to 6: 10", "7 to 8: 0"]


def test_charts_escape_what_they_write_and_say_what_they_are():
    hostile = '<script>alert("x")</script> & co'
    chart = line_chart(Caption(hostile, hostile), [Series(hostile, [1], [1], "blue")], hostile, hostile)
    svg = parse(chart)
    assert "<script" not in chart
    assert svg.find("s:title", NS).text == svg.find("s:desc", NS).text == hostile
    assert svg.get("role") == "img"
