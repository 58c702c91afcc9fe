"""The settings of batching strategies, with their bounds: a setting is the same in each strategy that has it."""

from typing import Annotated

from lengthwise.bounds import Within

# Rows.
BatchSize = Annotated[int, Within(1, 1_000_000)]
BucketCount = Annotated[int, Within(1, 100_000)]
# Steps, counted in 32 bits.
TokenCount = Annotated[int, Within(1, 2**31 - 1)]
WindowSize = Annotated[int, Within(1, 2**31 - 1)]
