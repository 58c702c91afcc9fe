from itertools import pairwise

import numpy as np
import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.batching.collate import collate
from lengthwise.batching.grid import grid_of
from lengthwise.batching.plan import Plan, batches_in_order
from lengthwise.core.sequences import Sequences

COLUMNS = ("sequence", "start", "stop", "batch", "row", "column")


def sequences_of(rows: list[list[int]]) -> Sequences:
    numbers = np.arange(len(rows), dtype=np.int32)
    return Sequences(
        np.cumsum([0, *map(len, rows)]).astype(np.int64),
        {"tokens": np.array([token for row in rows for token in row], np.int32)},
        {"label": (10 + numbers).astype(np.int16)},
    )


def plan_of(spans: list[tuple[int, int, int, int, int, int]]) -> Plan:
    columns = np.array(spans, np.int32).reshape(-1, 6).T
    return Plan(**{name: column.copy() for name, column in zip(COLUMNS, columns, strict=True)})


def collate_by_loop(spans, batch, rows):
    here = [span for span in spans if span[3] == batch]
    height = max(span[4] for span in here) + 1
    width = max(span[5] + span[2] - span[1] for span in here)
    grids = {
        "tokens": [[0] * width for _ in range(height)],
        "mask": [[False] * width for _ in range(height)],
        "resets": [[False] * width for _ in range(height)],
        "segments": [[-1] * width for _ in range(height)],
    }
    lengths, ends = [0] * height, []
    for number, (sequence, start, stop, _, row, column) in enumerate(here):
        for step, token in enumerate(range(start, stop), column):
            grids["tokens"][row][step] = rows[sequence][token]
            grids["mask"][row][step] = True
            grids["segments"][row][step] = number
        if start == 0:
            grids["resets"][row][column] = True
        lengths[row] = max(lengths[row], column + stop - start)
        ends.append([row, column + stop - start - 1])
    sequences = [span[0] for span in here]
    return {**grids, "lengths": lengths, "ends": ends, "sequences": sequences, "labels": [10 + s for s in sequences]}


@st.composite
def spans_of_rows(draw):
    rows = draw(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=7), min_size=1, max_size=8))
    spans, batch, row, column = [], 0, 0, 0
    for sequence in draw(st.permutations(range(len(rows)))):
        cuts = draw(st.sets(st.integers(1, 6)))
        edges = [0, *sorted(cut for cut in cuts if cut < len(rows[sequence])), len(rows[sequence])]
        for start, stop in pairwise(edges):
            spans.append((sequence, start, stop, batch, row, column))
            move = draw(st.sampled_from(["same row", "gap", "next row", "next batch"]))
            column += stop - start
            if move == "gap":
                column += 2
            elif move == "next row":
                row, column = row + 1, 0
            elif move == "next batch":
                batch, row, column = batch + 1, 0, 0
    return rows, spans


@settings(max_examples=up_to(150), deadline=None)
@given(spans_of_rows())
def test_collate_equals_a_plain_loop_for_any_rows_of_spans(case):
    rows, spans = case
    plan, sequences = plan_of(spans), sequences_of(rows)
    for batch in range(len(plan)):
        filled = collate(plan, batch, sequences)
        for name, expected in collate_by_loop(spans, batch, rows).items():
            assert getattr(filled, name).tolist() == expected, name


def test_collate_is_as_its_docstring_shows():
    plan = plan_of([(0, 0, 2, 0, 0, 0), (1, 0, 1, 0, 0, 2), (2, 0, 1, 0, 1, 0)])
    batch = collate(plan, 0, sequences_of([[7, 8], [9], [5]]))
    assert batch.tokens.tolist() == [[7, 8, 9], [5, 0, 0]]
    assert batch.segments.tolist() == [[0, 0, 1], [2, -1, -1]]
    assert batch.resets.tolist() == [[True, False, True], [True, False, False]]
    assert batch.mask.tolist() == [[True, True, True], [True, False, False]]
    assert batch.lengths.tolist() == [3, 1]
    assert batch.ends.tolist() == [[0, 1], [0, 2], [1, 0]]


def test_collate_does_not_reset_where_a_window_continues():
    plan = plan_of([(0, 0, 2, 0, 0, 0), (0, 2, 4, 1, 0, 0)])
    sequences = sequences_of([[1, 2, 3, 4]])
    first, second = collate(plan, 0, sequences), collate(plan, 1, sequences)
    assert first.resets.tolist() == [[True, False]]
    assert second.resets.tolist() == [[False, False]]
    assert second.tokens.tolist() == [[3, 4]]


def test_collate_makes_its_mask_from_spans_where_a_token_has_the_id_of_padding():
    batch = collate(plan_of([(0, 0, 3, 0, 0, 0), (1, 0, 2, 0, 1, 0)]), 0, sequences_of([[0, 0, 0], [1, 0]]))
    assert batch.mask.tolist() == [[True, True, True], [True, True, False]]
    assert batch.segments.tolist() == [[0, 0, 0], [1, 1, -1]]


@pytest.mark.parametrize("name", ["tokens", "lengths", "segments", "labels", "sequences", "ends"])
def test_collate_gives_integers_of_32_bits(name, make_sequences):
    sequences = make_sequences([3, 1, 2])
    batch = collate(batches_in_order(sequences.lengths, np.array([2, 0, 1]), 3), 0, sequences)
    assert getattr(batch, name).dtype == np.int32


def test_collate_refuses_a_batch_beyond_the_plan(make_sequences):
    sequences = make_sequences([3, 1])
    with pytest.raises(IndexError):
        collate(batches_in_order(sequences.lengths, np.array([0, 1]), 2), 1, sequences)


@pytest.mark.parametrize("padding", ["post", "pre"])
def test_collate_copies_whole_rows_as_it_fills_steps_one_by_one(padding, make_sequences):
    # The first and the last sequences are beside an end of the column, where no whole row is.
    sequences = make_sequences([3, 1, 4, 2, 2, 5, 1])
    column = np.random.default_rng(0).normal(size=(int(sequences.offsets[-1]), 2))
    for order in ([0, 2, 3], [1, 4, 3], [5, 6, 2], [2, 5]):
        grid = grid_of(batches_in_order(sequences.lengths, np.array(order), 3), 0, sequences.offsets, padding)
        assert np.array_equal(grid.of_steps(column), grid.fill(column[grid.steps]))
        assert np.array_equal(grid.mask, grid.fill(np.ones(len(grid.steps), bool)))
