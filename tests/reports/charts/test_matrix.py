from xml.etree import ElementTree

import pytest

from lengthwise.charts.frame import Caption
from lengthwise.charts.matrix import matrix_chart

CAPTION = Caption("A title", "What it says.")
NS = {"s": "http://www.w3.org/2000/svg"}
LABELS = ("actual", "predicted")


def draw(names, counts):
    return ElementTree.fromstring(matrix_chart(CAPTION, names, counts, LABELS))


def test_matrix_chart_writes_shares_of_rows_and_shades_by_them():
    svg = draw(["x", "y"], [[30, 10], [0, 5]])
    cells = svg.findall("s:rect", NS)
    opacity = [float(cell.get("fill-opacity")) for cell in cells]
    assert [text.text for text in svg.findall("s:text", NS) if text.get("class") == "middle"] == [
        "75",
        "25",
        "0",
        "100",
    ]
    assert sorted(range(4), key=opacity.__getitem__) == [2, 1, 0, 3]
    assert cells[1].find("s:title", NS).text == "x taken for y: 10"


def test_matrix_chart_has_rows_from_above_and_columns_from_the_left():
    cells = draw(["x", "y"], [[1, 2], [3, 4]]).findall("s:rect", NS)
    places = [(float(cell.get("y")), float(cell.get("x"))) for cell in cells]
    assert places == sorted(places)


def test_matrix_chart_of_a_class_without_items_has_an_empty_row():
    svg = draw(["x", "y"], [[0, 0], [1, 1]])
    assert [text.text for text in svg.findall("s:text", NS) if text.get("class") == "middle"] == ["0", "0", "50", "50"]


@pytest.mark.parametrize("classes", [1, 2, 14, 15, 40])
def test_matrix_chart_of_any_number_of_classes_stays_within_its_width(classes):
    names = [f"class number {number}" for number in range(classes)]
    svg = draw(names, [[1] * classes] * classes)
    cells = svg.findall("s:rect", NS)
    assert len(cells) == classes**2
    assert max(float(cell.get("x")) + float(cell.get("width")) for cell in cells) <= 380
    assert min(float(cell.get("width")) for cell in cells) > 0
