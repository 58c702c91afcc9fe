import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lengthwise.charts.frame import LETTER, label_width, nice_scale, shorten, tick_texts

FINITE = st.floats(-1e9, 1e9).filter(lambda value: value == 0 or abs(value) > 1e-9)


@given(st.lists(FINITE, min_size=1, max_size=9), st.integers(2, 8))
def test_scale_covers_all_values_and_ends_at_ticks_that_are_as_far_apart(values, most):
    scale = nice_scale(values, (10.0, 110.0), most=most)
    slack = 1e-6 * (abs(scale.low) + abs(scale.high))
    assert scale.low - slack <= min(values) <= max(values) <= scale.high + slack
    assert scale.ticks[0] == pytest.approx(scale.low, abs=slack)
    assert scale.ticks[-1] == pytest.approx(scale.high, abs=slack)
    steps = [after - before for before, after in pairwise(scale.ticks)]
    assert min(steps) > 0
    assert max(steps) - min(steps) <= slack + 1e-6 * max(steps)
    assert 2 <= len(scale.ticks) <= most + 3
    assert scale(scale.low) == pytest.approx(10)
    assert scale(scale.high) == pytest.approx(110)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=5))
def test_scale_of_whole_numbers_has_whole_ticks(values):
    assert all(tick == int(tick) for tick in nice_scale(values, (0, 1), whole=True).ticks)


def test_scale_passes_over_what_is_not_finite():
    assert nice_scale([math.nan, 0.2, math.inf, 0.8], (0, 1)).ticks == nice_scale([0.2, 0.8], (0, 1)).ticks
    assert len(nice_scale([math.nan], (0, 1)).ticks) >= 2


@given(st.lists(FINITE, min_size=1, max_size=9))
def test_tick_texts_tell_ticks_apart_and_say_what_they_are(values):
    ticks = nice_scale(values, (0, 1)).ticks
    texts = tick_texts(ticks)
    assert len(set(texts)) == len(ticks)
    step = ticks[1] - ticks[0]
    for tick, text in zip(ticks, texts, strict=True):
        assert float(text.replace("−", "-").replace(",", "")) == pytest.approx(tick, abs=step / 100)


def test_tick_texts_set_off_thousands_and_have_a_real_minus():
    assert tick_texts([-1000, 0, 1000]) == ["−1,000", "0", "1,000"]
    assert tick_texts([0.0, 0.05, 0.1]) == ["0.00", "0.05", "0.10"]


@given(st.text(max_size=60), st.floats(20, 300))
def test_shorten_fits_and_keeps_what_fits(text, width):
    shown = shorten(text, width)
    assert len(shown) * LETTER <= width
    assert shown == text or (shown.endswith("…") and text.startswith(shown[:-1]))


def test_label_width_leaves_more_than_half_of_a_chart_to_what_is_drawn():
    assert label_width(["x" * 500]) < 380 / 2 < 380 - label_width(["x" * 500])
    assert label_width([]) < label_width(["classifier"])
