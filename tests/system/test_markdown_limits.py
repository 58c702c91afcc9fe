import html
import random
import re
import string

import pytest

from lengthwise.system.markdown import MOST_CHARACTERS, ReportSection, fit, number, plain, quoted, table_lines, value

HOSTILE = [
    "a|b",
    "a\\|b",
    "`code`",
    "``",
    "@everyone #1 $x$ https://example.org",
    "<img src=x onerror=y>",
    "</code><script>",
    "<!-- hidden",
    "line\nbreak\r\n\ttab",
    "\u202eright to left\u200b\x00\x1b[31m\ud800",
    "&lt;",
    "",
    " ",
    "é ü 中",
]


def read_code(markdown):
    # What a reader sees of a cell: one code span, in backticks or as an element, and nothing beside it.
    span = re.fullmatch(r"`([^`|\\\n]+)`|<code>((?:[A-Za-z0-9]|&#\d+;)*)</code>", markdown)
    assert span, markdown
    return span[1] if span[1] is not None else html.unescape(span[2])


@pytest.mark.parametrize("text", HOSTILE)
def test_code_is_one_span_that_shows_the_text(text):
    shown = read_code(quoted(text))
    assert shown.isprintable()
    if text.isprintable():
        assert shown == text


def test_code_of_any_text_stays_in_its_cell_and_its_span():
    rng = random.Random(0)
    alphabet = "`|\\<>&@#*_~[]()!-\n\r\t \u2028" + string.ascii_letters
    for _ in range(2000):
        text = "".join(rng.choices(alphabet, k=rng.randrange(12)))
        shown = read_code(quoted(text))
        if text.isprintable():
            assert shown == text


def test_code_cuts_long_text():
    shown = read_code(quoted("x" * 10_000))
    assert len(shown) == MOST_CHARACTERS
    assert shown.endswith("…")


def test_plain_text_cannot_end_a_code_block():
    for text in HOSTILE:
        shown = plain(text, 10)
        assert "`" not in shown
        assert "\n" not in shown
        assert len(shown) <= 10


@pytest.mark.parametrize(
    ("figure", "signed", "shown"),
    [
        (None, False, "–"),
        (13585, False, "13,585"),
        (-3, True, "-3"),
        (3, True, "+3"),
        (0, True, "0"),
        (0, False, "0"),
        (0.51874, False, "0.5187"),
        (0.00001, True, "0"),
        (-0.00006, True, "-0.0001"),
        (1e300, False, "1e+300"),
        (10**30, False, "1e+30"),
        ("native", False, "`native`"),
    ],
)
def test_number_shows(figure, signed, shown):
    assert number(figure, signed) == shown


def test_value_shows_what_yaml_had():
    assert value(None) == "`null`"
    assert value([13, 17]) == "`[13, 17]`"
    assert value("10") == '`"10"`'
    assert value(float("nan")) == "`NaN`"


def test_table_has_as_many_cells_in_every_row():
    lines = table_lines(("a", "b"), [(quoted("x|y"), "1"), ("2", "3")])
    assert lines[0] == ""
    assert [line.count("|") for line in lines[1:]] == [3] * 4


def make_sections(lines):
    return [ReportSection(title, [f"{title} {number:05d}" for number in range(lines)], title == "c") for title in "abc"]


def test_fit_leaves_what_fits_alone():
    text = fit("head", make_sections(5), "cba", 10_000)
    assert "Cut for length" not in text
    assert all(f"{title} 0000{number}" in text for title in "abc" for number in range(5))


@pytest.mark.parametrize("limit", range(300, 4200, 37))
def test_fit_cuts_from_the_end_of_the_first_in_order(limit):
    sections = make_sections(100)
    text = fit("head", sections, "cba", limit)
    assert len(text) <= limit
    kept = {title: len(re.findall(rf"^{title} \d+$", text, re.MULTILINE)) for title in "abc"}
    # What is later in order is whole as long as an earlier one has anything left.
    assert not (kept["b"] < 100 and kept["c"])
    assert not (kept["a"] < 100 and kept["b"])
    for title, count in kept.items():
        assert (f"Cut for length: {100 - count} of 100" in text) is (count < 100)
        assert [f"{title} {number:05d}" in text for number in range(100)] == [True] * count + [False] * (100 - count)
    assert text.count("<details>") == text.count("</details>") == 1


def test_fit_refuses_a_head_that_is_too_long():
    with pytest.raises(ValueError, match="cannot be cut"):
        fit("x" * 100, [ReportSection("a", ["line"] * 50)], "a", 90)
