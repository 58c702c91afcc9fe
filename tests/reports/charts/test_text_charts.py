import numpy as np
import pandas as pd
import pytest

from lengthwise.charts.text_charts import BARS, MOST_POINTS, WIDTH, curves, interval_line


def test_interval_line_puts_each_share_at_its_place():
    line = interval_line(0.5, (0.25, 0.75))
    assert [line.index(mark) for mark in "├●┤"] == [10, 20, 30]
    assert len(line) == WIDTH


@pytest.mark.parametrize(("value", "low", "high"), [(0, 0, 0), (1, 1, 1), (0.5, -3, 9), (0.2, 0.4, 0.3), (7, 0, 1)])
def test_interval_line_never_leaves_its_width(value, low, high):
    line = interval_line(value, (low, high))
    assert len(line) == WIDTH
    assert line.count("●") == 1


def test_interval_line_without_an_interval_is_a_point():
    assert set(interval_line(0.3)) == {"·", "●"}


def test_curves_have_one_scale_and_one_axis():
    old = pd.Series([0.0, 0.5, 1.0], index=[1, 2, 3])
    new = pd.Series([2.0, 1.0], index=[2, 4])
    assert curves([old, new]) == ["▁▃▅ ", " █ ▅"]


def test_curves_that_do_not_change_or_do_not_exist_are_drawn():
    flat = pd.Series([0.5, 0.5], index=[1, 2])
    assert curves([flat, flat]) == ["▁▁", "▁▁"]
    nothing = pd.Series([], index=pd.Index([], dtype=float), dtype=float)
    assert curves([flat, nothing]) == ["▁▁", "  "]
    assert curves([nothing, nothing]) == ["", ""]


def test_curves_of_many_points_average_neighbours():
    values = np.linspace(0, 1, 100_000)
    (line,) = curves([pd.Series(values, index=np.arange(len(values)))])
    assert len(line) == MOST_POINTS
    assert list(line) == sorted(line, key=BARS.index)
    assert (line[0], line[-1]) == (BARS[0], BARS[-1])
