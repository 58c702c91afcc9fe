import numpy as np
import pytest

from lengthwise.core.ragged import offsets_of
from lengthwise.prepare.shards.kept_units import KeptUnits, pieces_of
from lengthwise.prepare.shards.lengths import LengthLimits
from lengthwise.prepare.shards.units import Units

# No names of files.
NAMES = ("tokens", "a/b", "../é", "")
LIMITS = [LengthLimits(3, 6, how) for how in ("drop", "truncate", "split")] + [LengthLimits(99, None, "drop")]


def units_of(seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 20, count := int(rng.integers(0, 12)))
    shapes = [(), (3,), (), (2,)]
    steps = {
        name: rng.integers(0, 99, (int(lengths.sum()), *shape)).astype(np.float32 if shape else np.int32)
        for name, shape in zip(NAMES, shapes, strict=True)
    }
    document, split = np.arange(count, dtype=np.int32), rng.integers(0, 3, count).astype(np.int8)
    return Units(steps, offsets_of(lengths), document, split)


def rows_of(units):
    return [
        (int(document), int(split), {name: values[begin:end].tolist() for name, values in units.steps.items()})
        for document, split, begin, end in zip(
            units.document, units.split, units.offsets[:-1], units.offsets[1:], strict=True
        )
    ]


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("seed", range(5))
def test_pieces_are_sequences_cut_by_loops(seed, limits):
    units = units_of(seed)
    pieces = limits.pieces(np.diff(units.offsets))
    whole = rows_of(units)
    expected = [
        (*whole[unit][:2], {name: values[start : start + length] for name, values in whole[unit][2].items()})
        for unit, start, length in zip(pieces.unit, pieces.start, pieces.length, strict=True)
    ]
    found = pieces_of(units, pieces)
    assert rows_of(found) == expected
    assert {name: (values.dtype, values.shape[1:]) for name, values in found.steps.items()} == {
        name: (values.dtype, values.shape[1:]) for name, values in units.steps.items()
    }


def test_kept_sequences_come_back_in_order_and_their_files_go_one_by_one(tmp_path):
    slices = [units_of(seed) for seed in range(6)]
    kept = KeptUnits(tmp_path)
    for units in slices:
        kept.add(units)
    left = len(list(tmp_path.iterdir()))
    assert left == len(slices)
    for units, found in zip(slices, kept, strict=True):
        left -= 1
        assert len(list(tmp_path.iterdir())) == left
        assert rows_of(found) == rows_of(units)
        assert list(found.steps) == list(NAMES)
        assert [array.dtype for array in (found.offsets, found.document, found.split)] == [np.int64, np.int32, np.int8]


def test_nothing_kept_is_nothing_read(tmp_path):
    assert list(KeptUnits(tmp_path)) == []
