import re

import numpy as np
import pytest

import lengthwise as lw
from lengthwise.advice.advice_page import page_of
from lengthwise.advice.advising import first_epoch
from lengthwise.advice.drawing import beside
from lengthwise.advice.written import TERMINAL, bytes_text, seconds_text, table_text
from lengthwise.batching.registry import STRATEGIES

LENGTHS = np.random.default_rng(0).geometric(0.06, 900)


@pytest.fixture(scope="module")
def page():
    return page_of(lw.advise(LENGTHS, batch_size=32), LENGTHS)


def test_page_is_one_file_that_fetches_nothing_and_runs_nothing(page):
    assert "default-src 'none'" in page
    assert not re.findall(r"<script|<link|<img|@import|url\((?!#)", page)
    assert set(re.findall(r"https?://[^\"' )]+", page)) == {"http://www.w3.org/2000/svg"}
    assert not re.findall(r"\son\w+=", page)


def test_page_draws_every_strategy_and_marks_the_choice(page):
    for name in STRATEGIES:
        assert f"The first batches of {name}</title>" in page
    assert page.count('<article class="taken">') == page.count('<tr class="taken">') == 1
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)
    assert "`" not in page


def test_page_of_the_same_advice_has_the_same_bytes(page):
    assert page_of(lw.advise(LENGTHS, batch_size=32), LENGTHS) == page


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "lengths", [[1], [10**9, 5], [10**6] * 40, np.random.default_rng(0).geometric(0.001, 3000).tolist()]
)
@pytest.mark.parametrize("memory", [None, 10])
def test_table_fits_a_terminal(lengths, memory):
    text = table_text(lw.advise(lengths, memory=memory))
    assert max(map(len, text.splitlines())) <= TERMINAL
    assert len(page_of(lw.advise(lengths, memory=memory), np.array(lengths))) < 3_000_000


def test_numbers_have_units():
    assert [seconds_text(value) for value in (0, 0.0123, 9.99, 61, 7200, 10**6)] == [
        "0 s",
        "0.012 s",
        "10 s",
        "1 min",
        "2 h",
        "12 d",
    ]
    assert [bytes_text(value) for value in (0, 999, 130_000_000, 2_500_000_000, 10**19)] == [
        "0 B",
        "1,000 B",
        "130 MB",
        "2.5 GB",
        "10,000 PB",
    ]


def test_example_and_picture_of_the_docs_are_made_by_this_code(root, capsys):
    text = (root / "docs" / "advise.md").read_text("utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    exec(compile(example, "docs/advise.md", "exec"), {})
    assert capsys.readouterr().out.split()[0] in STRATEGIES
    lengths = np.array([3, 1, 2, 6, 2, 4, 1, 5, 9, 2, 3, 1])
    rows = lw.advise(lengths, batch_size=4, window=6, buckets=3).strategies
    names = ("padded", "bucketed", "packed", "truncated")
    plans = {name: first_epoch(rows[name].strategy, lengths, 0) for name in names}
    assert (root / "docs" / "advise.svg").read_text("utf-8") == beside(plans, lengths)
