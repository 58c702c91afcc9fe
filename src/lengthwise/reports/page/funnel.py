"""The sections on data: the funnel from files to sequences, and lengths with the padding that they cost."""

from typing import Any

import pandas as pd

from lengthwise.names import SPLITS
from lengthwise.reports.charts.frame import Caption
from lengthwise.reports.charts.plane import column_chart
from lengthwise.reports.charts.rows import Bar, bar_chart
from lengthwise.reports.page.section import PageSection
from lengthwise.reports.run import Run
from lengthwise.reports.words import count, percent, records

MOST_COLUMNS = 40


def funnel(run: Run) -> PageSection:
    """From files to sequences: what is read, what is left out and why."""
    ingest, shards = run.figures("ingest.json"), run.figures("shards.json")
    text = [_reading(run), _sequences(run)]
    unit = run.params("shards")["unit"]
    read = [
        ("read", ingest["documents"], "blue"),
        ("strict parser", ingest["documents_strict_parser"], "grey"),
        ("empty", ingest["documents_empty"], "grey"),
    ]
    kept = [
        (f"{unit}s", shards["sequences_in"], "blue"),
        ("too short", shards["sequences_too_short"], "grey"),
        ("too long", shards["sequences_too_long"], "grey"),
        ("kept", shards["sequences_kept"], "blue"),
        *((name, shards[f"{name}_rows"], "green") for name in SPLITS),
    ]
    charts = [
        bar_chart(Caption(title, said), [Bar(label, n, count(n), hue) for label, n, hue in rows], axis)
        for title, said, rows, axis in (
            ("Documents", text[0], read, "documents"),
            (f"Sequences, each a{'n' * (unit == 'author')} {unit}", text[1], kept, "sequences"),
        )
    ]
    repairs = {name.removeprefix("repaired_").replace("_", " "): n for name, n in ingest.items() if "repaired_" in name}
    table = pd.DataFrame({"what": list(repairs), "documents": [count(n) for n in repairs.values()]})
    return PageSection("funnel", "Data", text, charts, {"What was repaired": table} if repairs else {})


def _reading(run: Run) -> str:
    ingest = run.figures("ingest.json")
    read, strict, malformed = (ingest[name] for name in ("documents", "documents_strict_parser", "files_malformed"))
    return (
        f"{count(ingest['files'], 'file')} by {count(ingest['authors'], 'author')} held {count(read, 'document')}, "
        f"and all of them were read. A parser that stops at a file's first error would have read {count(strict)} "
        f"({percent(strict / max(1, read))}): {count(malformed, 'file')} {'is' if malformed == 1 else 'are'} not "
        "well-formed."
    )


def _sequences(run: Run) -> str:
    tokens, split, shards = (run.figures(f"{name}.json") for name in ("tokens", "split", "shards"))
    leaked = split["authors_in_several_splits"]
    return (
        f"They have {count(tokens['sentences'], 'sentence')} of {count(tokens['tokens'], 'token')}. Of "
        f"{count(shards['sequences_in'], run.params('shards')['unit'])}, {count(shards['sequences_too_short'])} were "
        f"too short and {count(shards['sequences_too_long'])} longer than the limit; "
        f"{count(shards['sequences_kept'], 'sequence')} went into the splits, with "
        f"{percent(shards['tokens_kept'] / max(1, shards['tokens_in']))} of all {count(shards['tokens_in'], 'token')}. "
        + ("No author is in more than one split." if not leaked else f"{count(leaked, 'author')} in several splits.")
    )


def lengths(run: Run) -> PageSection:
    """Lengths of the training sequences, and the padding of an epoch of them under every strategy."""
    by_length = run.table("train/classifier/lengths.csv", (), ("length", "sequences"))
    batching = run.table(
        "train/classifier/batching.csv",
        ("strategy",),
        ("batches", "padding_per_batch", "padding_share", "distinct_widths"),
    )
    chosen = run.params("train")["batching"]["strategy"]
    tokens = run.figures("shards.json")["train_tokens"]

    def steps(row: Any) -> float:  # noqa: ANN401
        return float(tokens + row.padding_per_batch * row.batches)

    ordered = batching.sort_values(["padding_share", "strategy"], ascending=[False, True])
    most, *_, least = records(ordered) * 2
    text = [
        f"Half of the training sequences have at most {_median(by_length):,} tokens; the longest has "
        f"{by_length['length'].max():,.0f}.",
        "Padding fills a batch up to one width. It is "
        f"{percent(most.padding_share)} of the {count(steps(most))} time steps of an epoch under {most.strategy} and "
        f"{percent(least.padding_share)} of {count(steps(least))} under {least.strategy}; this run is {chosen}.",
    ]
    edges, counts = _binned(by_length)
    bars = [
        Bar(
            row.strategy,
            100 * row.padding_share,
            percent(row.padding_share),
            "blue" if row.strategy == chosen else "grey",
            f"of {count(steps(row), 'time step')} in {count(row.batches, 'batch', 'batches')}",
        )
        for row in records(ordered)
    ]
    charts = [
        column_chart(Caption("Lengths of the training sequences", text[0]), edges, counts, "tokens", "sequences"),
        bar_chart(Caption("Padding by strategy", text[1]), bars, "% of an epoch's time steps"),
    ]
    shown = ordered.drop(columns="padding_per_batch").assign(padding_share=ordered["padding_share"].map(percent))
    return PageSection("lengths", "Lengths and padding", text, charts, {"An epoch under every strategy": shown})


def _median(by_length: pd.DataFrame) -> int:
    reached = by_length["sequences"].cumsum() * 2 >= by_length["sequences"].sum()
    return int(by_length["length"][reached].iloc[0])


def _binned(by_length: pd.DataFrame) -> tuple[list[int], list[float]]:
    """Edges of columns of equal width, as narrow as `MOST_COLUMNS` lets them be, and the sequences in each."""
    low, high = int(by_length["length"].min()), int(by_length["length"].max())
    width = -(-(high - low + 1) // MOST_COLUMNS)
    columns = (high - low) // width + 1
    counts = by_length.groupby((by_length["length"].astype(int) - low) // width)["sequences"].sum()
    whole = counts.reindex(range(columns), fill_value=0)
    return [low + width * number for number in range(columns + 1)], [float(n) for n in whole]
