"""The sections on data: the funnel from files to sequences, and lengths with the padding that they cost."""

from typing import Any

import pandas as pd

from lengthwise.charts.frame import Caption
from lengthwise.charts.plane import column_chart
from lengthwise.charts.rows import Bar, bar_chart
from lengthwise.core.names import SPLITS
from lengthwise.reports.page.section import PageSection
from lengthwise.reports.words import count, percent, records
from lengthwise.runs.run import Run
from lengthwise.runs.run_files import FigureFile

MOST_COLUMNS = 40
# What some corpora count beside what they read.
LEFT_ALONE = {"documents_strict_parser": "strict parser", "documents_empty": "empty"}


def funnel(run: Run) -> PageSection:
    """From files to sequences: what is read, what is left out and why."""
    ingest, shards = run.figures("ingest.json"), run.figures("shards.json")
    text = [_reading(run), _sequences(run)]
    read = [("read", _documents(ingest), "blue")]
    read += [(name, ingest[key], "grey") for key, name in LEFT_ALONE.items() if key in ingest]
    kept = [
        (f"{_unit(run)}s", shards["sequences_in"], "blue"),
        ("too short", shards["sequences_too_short"], "grey"),
        ("too long", shards["sequences_too_long"], "grey"),
        ("kept", shards["sequences_kept"], "blue"),
        *((name, shards[f"{name}_rows"], "green") for name in SPLITS),
    ]
    charts = [
        bar_chart(Caption(title, said), [Bar(label, n, count(n), hue) for label, n, hue in rows], axis)
        for title, said, rows, axis in (
            ("Documents", text[0], read, "documents"),
            (f"Sequences, each one {_unit(run)}", text[1], kept, "sequences"),
        )
    ]
    repairs = {name.removeprefix("repaired_").replace("_", " "): n for name, n in ingest.items() if "repaired_" in name}
    tables = {
        "What was read": [(name.replace("_", " "), count(n)) for name, n in ingest.items() if "repaired_" not in name],
        "What was repaired": [(name, count(n)) for name, n in repairs.items()],
    }
    shown = {title: pd.DataFrame(rows, columns=["what", "how many"]) for title, rows in tables.items() if rows}
    return PageSection("funnel", "Data", text, charts, shown)


def _unit(run: Run) -> str:
    """What a sequence is, by the corpus's word for it, as far as the split counts it."""
    unit: str = run.params("shards")["unit"]
    words = [name.removeprefix("test_").removesuffix("s") for name in run.figures("split.json") if "test_" in name]
    if unit == "document" and "sequence" in words:
        return "sequence"
    others = [word for word in words if word not in ("sentence", "document", "sequence") and "_" not in word]
    return others[0] if unit == "group" and others else unit


def _reading(run: Run) -> str:
    ingest = run.figures("ingest.json")
    read = _documents(ingest)
    if "documents_strict_parser" not in ingest:
        return f"{count(ingest['files'], 'file')} held {count(read, 'document')}."
    strict, malformed = ingest["documents_strict_parser"], ingest["files_malformed"]
    return (
        f"{count(ingest['files'], 'file')} by {count(ingest['authors'], 'author')} held {count(read, 'document')}, "
        f"and all of them were read. A parser that stops at a file's first error would have read {count(strict)} "
        f"({percent(strict / max(1, read))}): {count(malformed, 'file')} {'is' if malformed == 1 else 'are'} not "
        "well-formed."
    )


def _documents(ingest: FigureFile) -> float:
    """How many documents were read; a corpus of steps that are in no documents counts sequences."""
    return float(ingest.get("documents", ingest.get("sequences")) or ingest["documents"])


def _sequences(run: Run) -> str:
    tokens, split, shards = (run.figures(f"{name}.json") for name in ("tokens", "split", "shards"))
    kept_apart, leaked = _groups(split)
    return (
        f"They have {count(tokens['sentences'], 'sequence' if 'sequences' in tokens else 'sentence')} of "
        f"{count(tokens['tokens'], 'token')}. Of "
        f"{count(shards['sequences_in'], _unit(run))}, {count(shards['sequences_too_short'])} were "
        f"too short and {count(shards['sequences_too_long'])} longer than the limit; "
        f"{count(shards['sequences_kept'], 'sequence')} went into the splits, with "
        f"{percent(shards['tokens_kept'] / max(1, shards['tokens_in']))} of all {count(shards['tokens_in'], 'token')}. "
        + (
            f"{count(leaked, kept_apart)} in several splits."
            if leaked
            else f"No {kept_apart} is in more than one split."
        )
    )


def _groups(split: FigureFile) -> tuple[str, float]:
    """What is held out together, and how many of them are in several splits: of what there is fewest."""
    several = {name.removesuffix("s_in_several_splits"): n for name, n in split.items() if "in_several_splits" in name}
    word = min(several, key=lambda word: split[f"test_{word}s"])
    return word, several[word]


def lengths(run: Run) -> PageSection:
    """Lengths of the training sequences, and the padding of an epoch of them under every strategy."""
    by_length = run.table(f"train/{run.tasks[0]}/lengths.csv", (), ("length", "sequences"))
    batching = run.table(
        f"train/{run.tasks[0]}/batching.csv",
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
