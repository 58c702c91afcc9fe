"""The command `lengthwise advise`: its options, and what they have to do with each other."""

# Help needs \b: it keeps the line breaks of the paragraph below it.
# ruff: noqa: D301

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lengthwise.cli.pipes import write
from lengthwise.errors import ArgumentError, FormatError, LengthwiseError
from lengthwise.system.files import replacing_file

if TYPE_CHECKING:
    import numpy as np

    from lengthwise.advice.costs import Costs, TrainedNetwork

STANDARD_INPUT = "-"
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
MEMORY = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([kmgt]?)b?", re.IGNORECASE)


def advise(
    lengths: Annotated[
        str, typer.Argument(metavar="LENGTHS", help="File of lengths, folder of shards or of Parquet files, or -.")
    ],
    column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Column of numbers or of lists.  [default: the only one]"),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(metavar="N", help="Sequences in a batch.  [default: 256]", show_default=False)
    ] = None,
    memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="What an epoch may take, such as 500MB or 2GB.")
    ] = None,
    buckets: Annotated[int, typer.Option(metavar="N", help="Buckets of bucketed.")] = 5,
    tokens: Annotated[
        int | None, typer.Option(metavar="N", help="Steps in a batch of token_budget.  [default: by the lengths]")
    ] = None,
    window: Annotated[
        int | None, typer.Option(metavar="N", help="Window of packed and truncated.  [default: by the lengths]")
    ] = None,
    cell: Annotated[str, typer.Option(metavar="CELL", help="Cell of the layer, such as gru.")] = "lstm",
    units: Annotated[int, typer.Option(metavar="N", help="Units of the layer.")] = 64,
    features: Annotated[int, typer.Option(metavar="N", help="Features of a step.")] = 64,
    kernel: Annotated[str, typer.Option(metavar="KERNEL", help="What computes it: native, or keras.")] = "native",
    measure: Annotated[bool, typer.Option("--measure", help="Measure the costs here: trains a few batches.")] = False,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the epoch that is planned.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page that draws the batches.")] = None,
) -> None:
    """Say which batching strategy to take for given lengths.

    LENGTHS is a text with a whole number a line, a CSV or Parquet file with a column, a Parquet file or folder with
    a column of lists, the pipeline's folder of shards (its training split), or - for standard input. The table has
    padding, batches, bias, and the time and memory that are predicted for an epoch under every strategy.
    docs/advise.md explains it.

    \b
    Examples:
      lengthwise advise lengths.txt
      lengthwise advise data/shards --batch-size 128 --output advice.html
      lengthwise advise table.parquet --column tokens --memory 2GB --json
    """
    from lengthwise.advice.advising import advise as advise_on
    from lengthwise.advice.costs import TrainedNetwork
    from lengthwise.advice.written import json_text, table_text

    found = _lengths(lengths, column)
    try:
        network = TrainedNetwork(cell, units, features, kernel)
        advice = advise_on(
            found,
            batch_size=batch_size,
            memory=_bytes(memory),
            buckets=buckets,
            tokens=tokens,
            window=window,
            network=network,
            costs=_measured(network, batch_size, int(found.max(initial=1))) if measure and len(found) else None,
            seed=seed,
        )
    except ArgumentError as error:
        if error.argument == "lengths":
            raise FormatError(f"{lengths}: {error.problem}; correct it") from error
        raise LengthwiseError(f"--{error.argument.replace('_', '-')}: {error.problem}") from error
    if output is not None:
        from lengthwise.advice.advice_page import page_of

        with replacing_file(output) as beside:
            beside.write_text(page_of(advice, found), encoding="utf-8")
    write(json_text(advice) if json else table_text(advice))


def _lengths(given: str, column: str | None) -> "np.ndarray":
    from lengthwise.advice.length_files import read_lengths, text_lengths

    if given == STANDARD_INPUT:
        if sys.stdin is None:
            raise FormatError("standard input: is closed; expected lengths; give a file")
        return text_lengths(sys.stdin.buffer, "standard input")
    path = Path(given)
    if (path / "index.json").is_file() and column is None:
        import numpy as np

        from lengthwise.prepare.shards.reader import read_index

        counted = read_index(path).splits["train"].lengths
        return np.repeat(*np.array(counted, np.int64).reshape(-1, 2).T)
    return read_lengths(path, column)


def _bytes(given: str | None) -> int | None:
    if given is None:
        return None
    found = MEMORY.fullmatch(given.strip())
    if not found or not (count := int(float(found[1]) * UNITS[found[2].lower()])):
        raise LengthwiseError(f"--memory: got {given!r:.80}; expected a size, such as 500MB or 2GB")
    return count


def _measured(network: "TrainedNetwork", batch_size: int | None, longest: int) -> "Costs":
    from lengthwise.advice.measuring import MOST_STEPS, measure_costs

    print("measures what training costs here: some seconds to a minute", file=sys.stderr)
    return measure_costs(network, batch_size=min(batch_size or 64, 64), widest=min(longest, MOST_STEPS))
