# The drawn examples of the docstrings are plans that the strategies make, and docs/batching.md shows the same.
import inspect
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from lengthwise.batching.plan import epoch_rng
from lengthwise.batching.registry import STRATEGIES

ROOT = Path(__file__).parents[2]
DRAWING = re.compile(r"\n\n((?: {4}[^\n]*\n)+)")


def example_of(name):
    doc = inspect.getdoc(STRATEGIES[name])
    drawing = DRAWING.search(doc)[1].rstrip("\n")
    lengths = [int(number) for number in re.search(r"lengths\s+\[([\d, ]+)\]", doc)[1].split(",")]
    settings = {
        field.name: int(re.search(rf"`{field.name}` (\d+)|(\d+) {field.name}", doc).expand(r"\1\2"))
        for field in fields(STRATEGIES[name])
    }
    return drawing, np.array(lengths), STRATEGIES[name](**settings)


def drawn_batches(drawing):
    lines = drawing.splitlines()
    begins = [match.start() for match in re.finditer(r"batch \d+", lines[0])]
    columns = [slice(begin + len("batch 0"), end) for begin, end in zip(begins, [*begins[1:], None], strict=True)]
    return [[line[column].split() for line in lines if line[column].split()] for column in columns]


def planned_batches(plan):
    batches = []
    for rows, width in zip(plan.rows.tolist(), plan.widths.tolist(), strict=True):
        batches.append([["."] * width for _ in range(rows)])
    for sequence, start, stop, batch, row, column in zip(
        *(getattr(plan, name).tolist() for name in ("sequence", "start", "stop", "batch", "row", "column")), strict=True
    ):
        batches[batch][row][column : column + stop - start] = [str(sequence)] * (stop - start)
    return batches


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_strategy_makes_the_batches_of_its_docstring_in_some_epoch(name):
    drawing, lengths, strategy = example_of(name)
    drawn = drawn_batches(drawing)
    assert any(planned_batches(strategy.plan(lengths, epoch_rng(seed, 0))) == drawn for seed in range(2000))


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_batching_page_shows_the_example_of_every_strategy(name):
    page = (ROOT / "docs" / "batching.md").read_text(encoding="utf-8")
    assert f"## `{name}`" in page
    assert example_of(name)[0] in page


def readme_batches():
    """The three drawings of README: by name, the batches, each its rows."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    head, *lines = re.search(r"^ {4}lengths .*\n((?: {4}.*\n)+?)(?= {4}padding)", text, re.MULTILINE)[0].splitlines()
    begins = {name: head.index(name) for name in ("padded", "packed", "truncated")}
    ends = [begins["packed"], begins["truncated"], None]
    padded, packed, truncated = (
        [line[begin:end].strip() for line in lines] for begin, end in zip(begins.values(), ends, strict=True)
    )
    windows = zip(*([window.split() for window in line.split("|")] for line in truncated if line), strict=True)
    return {
        "padded": [[row.split() for row in padded]],
        "packed": [[row.split() for row in batch.split("\n")] for batch in "\n".join(packed).strip().split("\n\n")],
        "truncated": [[row for row in batch if row] for batch in windows],
    }


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("padded", {"batch_size": 5}),
        ("packed", {"batch_size": 2, "window": 4}),
        ("truncated", {"batch_size": 2, "window": 4}),
    ],
)
def test_readme_shows_batches_that_strategies_make(name, settings):
    strategy, lengths = STRATEGIES[name](**settings), np.array([3, 1, 2, 6, 2])
    drawn = readme_batches()[name]
    assert any(planned_batches(strategy.plan(lengths, epoch_rng(seed, 0))) == drawn for seed in range(2000))
