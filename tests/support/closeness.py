"""Whether floats that were computed in two ways are the same but for rounding.

A difference of 1e-5 is a wrong answer where values are near 0.001, and one unit in the last place of float32 where they
are near 77. So tolerances are relative: to the largest magnitude in the array, since that is what rounding errors of
sums are relative to, also where an element is small because its terms cancel.
"""

from collections.abc import Mapping

import numpy as np

# float32 has 24 bits, its unit in the last place at 1 is 2**-23 = 1.2e-7. What is compared are sums of up to some
# hundred products, over up to some hundred steps and 3 layers, added in another order, with or without fused
# multiplication. Each rounding is half a unit of its own sum, and most cancel. 1e-5 is 84 units. A mistake (a step too
# many, a mask too few, a wrong weight) is a part in a hundred, a thousand times as much.
CLOSE = 1e-5
# For sums of float64 in another order: 4,500 units.
EXACT = 1e-12


def assert_close(found, expected, tolerance=CLOSE, *, terms=0.0, name=""):
    """Raise an `AssertionError` unless no element is further off than `tolerance` times the largest magnitude expected.

    Args:
        found: an array or a number; or a list, tuple or mapping of them, each of which has a scale of its own.
        expected: of the same shapes, or one number for a whole array.
        tolerance: relative to the largest magnitude; 0: equal.
        terms: the magnitude of what was added up, where the sums may all be much smaller: they cancel, or there is
            nothing to add.
        name: what the message begins with.
    """
    if isinstance(expected, Mapping):
        assert found.keys() == expected.keys(), f"{name}: got {sorted(found)}; expected {sorted(expected)}"
        for key, value in expected.items():
            assert_close(found[key], value, tolerance, terms=terms, name=f"{name} {key!r}".strip())
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected), f"{name}: got {len(found)} arrays; expected {len(expected)}"
        for place, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_close(one, other, tolerance, terms=terms, name=f"{name} [{place}]".strip())
    else:
        _assert_close(_array(found), _array(expected), tolerance, terms, name)


def _array(values):
    return np.asarray(values.numpy() if hasattr(values, "numpy") else values)


def _assert_close(found, expected, tolerance, terms, name):
    assert expected.shape in ((), found.shape), f"{name}: got the shape {found.shape}; expected {expected.shape}"
    unit = np.finfo(found.dtype if found.dtype.kind == "f" else np.float64).eps
    found, expected = np.broadcast_arrays(found.astype(np.float64), expected.astype(np.float64))
    if not found.size:
        return
    for what, values in (("found", found), ("expected", expected)):
        assert np.isfinite(values).all(), f"{name}: {what} has values that are no finite numbers"
    difference = np.abs(found - expected)
    scale = max(float(np.abs(expected).max()), terms)
    place = np.unravel_index(difference.argmax(), difference.shape)
    worst = float(difference[place])
    units = worst / (unit * scale) if scale else np.inf
    assert worst <= tolerance * scale, (
        f"{name}: at {tuple(map(int, place))} got {found[place]}; expected {expected[place]} to {tolerance:g} of "
        f"{scale:g}; it is {worst:g} off, {units:.3g} units in the last place of {scale:g}"
    )
