# The drawings are well-formed and have what the plan has: a bar for each reset, an arrow for each carried state.
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from lengthwise.advice.drawing import (
    LEFT,
    MOST_BATCHES,
    MOST_ROWS,
    RIGHT,
    ROW,
    WIDTH,
    drawn_batches,
    drawn_lengths,
    drawn_width,
    scale_of,
)
from lengthwise.batching.packed import Packed
from lengthwise.batching.padded import Padded
from lengthwise.batching.registry import STRATEGIES, make_strategy
from lengthwise.batching.truncated import Truncated

SVG = "{http://www.w3.org/2000/svg}"
SETTINGS = {"batch_size": 4, "buckets": 3, "tokens": 60, "window": 8}
LENGTHS = np.random.default_rng(3).integers(1, 30, 40)


def drawn(plan, lengths, scale=None):
    root = ET.fromstring(drawn_batches(plan, lengths, "some", scale))
    return root, [*root.iter(f"{SVG}rect")], [*root.iter(f"{SVG}path")]


def of_class(elements, name):
    return [element for element in elements if element.get("class") == name]


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_drawing_has_the_rows_resets_padding_and_states_of_the_first_batches(name):
    plan = make_strategy(name, SETTINGS).plan(LENGTHS)
    _, rectangles, paths = drawn(plan, LENGTHS)
    shown = plan.batch < MOST_BATCHES
    # No batch here has more rows than are drawn, but those of few tokens.
    if plan.rows[:MOST_BATCHES].max() <= MOST_ROWS:
        assert len(of_class(rectangles, "padding")) == plan.rows[:MOST_BATCHES].sum()
        assert len(of_class(rectangles, "reset")) == (plan.start[shown] == 0).sum()
        carried = (plan.start[shown] > 0).sum() + (plan.stop < LENGTHS[plan.sequence])[shown].sum()
        assert len(of_class(paths, "carried")) == carried
    assert bool(of_class(paths, "carried")) == STRATEGIES[name].cuts


def test_spans_stand_where_the_plan_has_them():
    plan = Packed(batch_size=2, window=4).plan([3, 1, 2, 6, 2])
    root, _, _ = drawn(plan, np.array([3, 1, 2, 6, 2]))
    step = (WIDTH - LEFT - RIGHT) / drawn_width(plan)
    places = []
    for group in root.iter(f"{SVG}g"):
        ground = group.find(f"{SVG}rect")
        places.append(((float(ground.get("x")) - LEFT) / step, float(ground.get("width")) / step))
    wanted = np.stack([plan.column, plan.stop - plan.start], axis=1)
    assert np.allclose(places, wanted, atol=0.01)


def test_many_rows_are_drawn_evenly_and_said_to_be_more():
    lengths = np.sort(np.random.default_rng(0).integers(1, 50, 300))
    root, rectangles, _ = drawn(Padded(100).plan(lengths), lengths)
    assert len(of_class(rectangles, "padding")) == 3 * MOST_ROWS
    said = [text.text for text in root.iter(f"{SVG}text") if text.get("class") is None]
    assert all(f"{MOST_ROWS} of 100 rows" in text for text in said)


def test_nothing_is_drawn_beyond_the_picture():
    for name in STRATEGIES:
        plan = make_strategy(name, SETTINGS).plan(LENGTHS)
        root, rectangles, _ = drawn(plan, LENGTHS, scale_of(plan, 1000))
        _, _, width, height = map(float, root.get("viewBox").split())
        for rectangle in rectangles:
            if rectangle.get("class"):
                assert float(rectangle.get("x")) + float(rectangle.get("width")) <= width - RIGHT + 0.1
                assert float(rectangle.get("y")) + ROW <= height + ROW


def test_scale_is_that_of_the_page_unless_a_plan_is_narrow():
    plan = Padded(4).plan([10] * 9)
    assert scale_of(plan, 10).times == 1
    assert scale_of(plan, 25).times == 1
    assert scale_of(plan, 40).times == 2
    for widest in (10, 31, 100, 12345):
        scale = scale_of(plan, widest)
        assert drawn_width(plan) * scale.times <= max(widest, drawn_width(plan))
        assert drawn_width(plan) * scale.times * 2 >= widest / 3


@pytest.mark.parametrize("lengths", [[10**9], [1], [10**9, *[1] * 5000], [1] * 9000])
def test_drawings_stay_small(lengths):
    array = np.array(lengths)
    for strategy in (Padded(8), Packed(8, 5000), Truncated(8, 1 + int(array.sum()) // 1000)):
        text = drawn_batches(strategy.plan(array), array, "some")
        ET.fromstring(text)
        assert len(text) < 2_000_000
    ET.fromstring(drawn_lengths(array))


def test_histogram_has_all_sequences():
    text = drawn_lengths(LENGTHS)
    said = [title.text for title in ET.fromstring(text).iter(f"{SVG}title")][1:]
    assert sum(int(words.split(" of ")[0]) for words in said) == len(LENGTHS)
