"""How many examples of a property are tried."""

from hypothesis import settings

# Of properties that do not say how many they need, in the quick tests.
FEWEST = 12


def up_to(most: int) -> int:
    """So many in the long tests; a quarter in the quick ones, where others are drawn every time."""
    return most if settings.default.max_examples > FEWEST else max(FEWEST, most // 4)
