import re
from xml.etree import ElementTree

from lengthwise.charts.frame import Caption
from lengthwise.charts.rows import Bar, bar_chart
from lengthwise.charts.style import DARK, HUES, LIGHT, STYLE, standalone


def test_standalone_chart_is_a_whole_file_with_its_style_on_a_ground_of_its_own():
    chart = bar_chart(Caption("A title", "What it says."), [Bar("a", 1.0, "1", "blue")], "x")
    svg = ElementTree.fromstring(standalone(chart))
    style, ground, *_ = svg
    assert "".join(style.itertext()).strip() == STYLE
    box = [ground.get(key) for key in ("x", "y", "width", "height")]
    assert svg.get("viewBox") == " ".join(box)
    inner = [float(number) for number in re.search(r'viewBox="0 0 (\S+) (\S+)"', chart).groups()]
    assert [float(box[2]) - 24, float(box[3]) - 24] == inner


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_colours_stand_out_from_their_ground_as_the_guidelines_ask():
    # WCAG 2.2: 4.5 for text, 3 for what is drawn.
    for theme in (LIGHT, DARK):
        colours = dict(re.findall(r"--(\w+): (#\w{6});", theme))
        ground = luminance(colours["paper"])
        for name, least in {"ink": 7, "muted": 4.5, **dict.fromkeys(HUES, 3)}.items():
            low, high = sorted([luminance(colours[name]), ground])
            assert (high + 0.05) / (low + 0.05) >= least, name
