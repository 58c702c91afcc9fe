import math
from xml.etree import ElementTree

import numpy as np
import pytest

from lengthwise.charts.frame import Caption
from lengthwise.charts.plane import Series, column_chart, line_chart

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


def test_line_chart_shows_what_all_lines_say_at_the_nearest_place():
    lines = [
        Series("train", [1, 2, 4], [0.1, 0.2, math.nan], "blue", counts=[1200, 30, 1]),
        Series("other", [2, 4], [0.3, 0.45678], "orange", letter="B"),
    ]
    svg = parse(line_chart(CAPTION, lines, "epoch", "accuracy"))
    spots = svg.findall("s:g[@class='spot']", NS)
    said = [[text.text for text in spot.findall(".//s:text", NS)] for spot in spots]
    assert said == [
        ["epoch: 1", "train", "0.1 (n 1,200)"],
        ["epoch: 2", "train", "0.2 (n 30)", "B other", "0.3"],
        ["epoch: 4", "B other", "0.4568"],
    ]
    # The spots share out the plane: no place is without one, none is in two.
    parts = numbers([spot.find("s:rect", NS) for spot in spots], "x", "width")
    assert parts[:-1].sum(axis=1) == pytest.approx(parts[1:, 0], abs=0.02)
    crosses = numbers([spot.find("s:g/s:line", NS) for spot in spots], "x1")[:, 0]
    assert ((parts[:, 0] <= crosses) & (crosses <= parts.sum(axis=1))).all()


@pytest.mark.parametrize("runs", [1, 3, 8, 16])
def test_line_chart_of_many_runs_keeps_boards_and_letters_within_itself(runs):
    lines = [Series("n" * 60, [1, 2, 3], [0.5, 0.5, 0.5], "blue", (9, 9, 9), chr(65 + n)) for n in range(runs)]
    svg = parse(line_chart(CAPTION, lines, "tokens of the sequence", "accuracy"))
    width, height = map(float, svg.get("viewBox").split()[2:])
    boards = numbers(svg.findall(".//s:rect[@class='ground']", NS), "x", "y", "width", "height")
    assert (boards[:, :2] >= 0).all()
    assert (boards[:, 0] + boards[:, 2] <= width).all()
    assert (boards[:, 1] + boards[:, 3] <= height).all()
    letters = [text for text in svg.findall("s:text", NS) if text.get("class", "").startswith("letter")]
    assert [text.text for text in letters] == [chr(65 + n) for n in range(runs)]
    ys = numbers(letters, "y")[:, 0]
    assert (np.diff(ys) >= 13.9).all()
    assert ys[-1] <= height
    assert all(len(text.text) < 60 for text in svg.findall(".//s:text", NS))


def test_line_chart_has_a_column_for_each_count():
    svg = parse(line_chart(CAPTION, [Series("a", [1, 2, 3], [0.1, 0.2, 0.3], "blue", [10, 0, 5])], "length", "y"))
    heights = numbers(svg.findall("s:rect[@class='count']", NS), "height")[:, 0]
    assert heights / heights[0] == pytest.approx([1, 0, 0.5])
    without = parse(line_chart(CAPTION, [Series("a", [1, 2], [0.1, 0.2], "blue")], "length", "y"))
    assert not without.findall("s:rect[@class='count']", NS)
