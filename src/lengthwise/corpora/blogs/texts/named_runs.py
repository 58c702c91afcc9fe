"""The generated parts of `docs/results.md`: tables of the named runs, beside what others have published.

The words around them are in that document, by hand; no number of a run is. A run that is not there is left out, with a
line that says so.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from lengthwise.charts.frame import Caption
from lengthwise.charts.rows import IntervalRow, interval_chart
from lengthwise.charts.style import standalone
from lengthwise.core.names import LABEL_TASKS
from lengthwise.corpora.blogs.texts.author_folds import CHART, author_folds_block, author_folds_chart, model_words
from lengthwise.corpora.blogs.texts.changed_keys import changes_of, not_run
from lengthwise.corpora.blogs.texts.unknown_authors import best_block, search_block, splits_block
from lengthwise.reports.words import count, hue_of, percent, ranged, records
from lengthwise.runs.kept import Kept, measured
from lengthwise.runs.run import Run
from lengthwise.system.markdown import code, table, with_blocks

# From what leaks most to what does not leak.
LEAK_RUNS = {"article": "sentence", "leak_document": "document", "leak_author": "author"}
TIME_RUNS = ("time_padded", "time_bucketed", "time_padded_keras", "time_bucketed_keras")
LEAK_CHART = "leak.svg"


def written(root: Path, kept: Kept) -> dict[Path, str]:
    """What is written of the named runs into documents: `docs/results.md`, its charts, and a part of README.md.

    Args:
        root: of the working tree.
        kept: the runs.

    Raises:
        FormatError: a file of a run that is there, or a document, is absent or damaged.
    """
    docs, readme = root / "docs", root / "README.md"
    charts = {LEAK_CHART: leak_chart(kept), CHART: author_folds_chart(kept)}
    return {
        **{docs / name: standalone(chart) for name, chart in charts.items() if chart is not None},
        docs / "results.md": with_blocks(docs / "results.md", result_blocks(kept)),
        readme: with_blocks(readme, {"real-text": leak_block(kept, f"docs/{LEAK_CHART}")}),
    }


def result_blocks(kept: Kept) -> dict[str, str]:
    """What is to stand in each block of `docs/results.md`, by its name.

    Raises:
        FormatError: a file of a run that is there is absent or damaged.
    """
    return {
        "folds": author_folds_block(kept),
        "article": _if_there(kept, ["article"], _article),
        "leak": leak_block(kept, LEAK_CHART),
        "search": search_block(kept),
        "best": best_block(kept),
        "splits": splits_block(kept),
        "time": _time(kept),
        "ablations": _if_there(kept, ["ablations"], _ablations),
        "runs": _runs(kept),
    }


def leak_block(kept: Kept, chart: str) -> str:
    """Accuracy of sentences under each split, all models beside each other, with a chart and a word on what is missing.

    Args:
        kept: the runs.
        chart: where the chart is, relative to the document.
    """
    there = _leak_runs(kept)
    parts = []
    if there:
        levels = {by: _sentences(run) for by, run in there.items()}
        # Runs of before have no network and linear model together.
        models = [model for model in next(iter(levels.values())) if all(model in of for of in levels.values())]
        shared = {by: run.figures("split.json")["authors_in_several_splits"] for by, run in there.items()}
        rows = [(by, count(shared[by]), *(_interval(levels[by][model]) for model in models)) for by in there]
        parts.append(f'<img src="{chart}" width="480" alt="Accuracy of sentences under each split, with intervals">')
        parts.append(table(("split by", "authors on both sides", *models), rows))
    return "\n\n".join([*parts, *not_run(kept, LEAK_RUNS)])


def leak_chart(kept: Kept) -> str | None:
    """The same as a chart; None if no run is there."""
    groups = {f"split by {by}": list(_sentences(run).values()) for by, run in _leak_runs(kept).items()}
    if not groups:
        return None
    said = "; ".join(f"{group}, {row.label}: {_interval(row)}" for group, rows in groups.items() for row in rows)
    return interval_chart(Caption("What a leak pretends: accuracy of sentences", said), groups, "accuracy")


def _if_there(kept: Kept, names: Sequence[str], block: Callable[[Kept], str]) -> str:
    missing = not_run(kept, names)
    return "\n\n".join(missing) if missing else block(kept)


def _leak_runs(kept: Kept) -> dict[str, Run]:
    return {by: kept.runs[name] for name, by in LEAK_RUNS.items() if name in kept.runs}


def _sentences(run: Run) -> dict[str, IntervalRow]:
    """The accuracy of sentences by model."""
    chosen = run.levels[(run.levels["level"] == "sentence") & (run.levels["metric"] == "accuracy")]
    rows = [
        IntervalRow(model_words(row.model), row.value, row.low, row.high, hue_of(row.model)) for row in records(chosen)
    ]
    return {row.label: row for row in rows}


def _interval(row: IntervalRow) -> str:
    return ranged(row.value, row.low, row.high)


def _runs(kept: Kept) -> str:
    rows = []
    for name, named in kept.named.items():
        rows.append((code(name), named["description"], changes_of(kept, name), "yes" if name in kept.runs else "no"))
    parts = [table(("run", "what for", "keys changed", "is there"), rows)]
    return "\n\n".join([*parts, *(_data(run) for name, run in kept.runs.items() if name == "article")])


def _data(run: Run) -> str:
    """The way from the corpus to sequences."""
    ingest, tokens, shards, split = (run.figures(f"{name}.json") for name in ("ingest", "tokens", "shards", "split"))
    limits = run.params("shards")
    strict = percent(ingest["documents_strict_parser"] / ingest["documents"])
    rows = [
        ("corpus", code(run.params("ingest")["source"])),
        ("bloggers", count(ingest["authors"])),
        ("posts", count(ingest["documents"])),
        ("of them before the first error that stops a strict parser", strict),
        ("sentences", count(tokens["sentences"])),
        (f"of {limits['min_length']} to {limits['max_length']} tokens", count(shards["sequences_kept"])),
        ("for training", count(shards["train_rows"])),
        ("for the test", count(shards["test_rows"])),
        ("test authors", count(split["test_authors"])),
    ]
    return f"Of `article`:\n\n{table(('what', 'how many'), rows)}"


def _article(kept: Kept) -> str:
    run, published = kept.runs["article"], kept.published["article"]
    train = {task: run.figures(f"train/{task}.json")["train_accuracy"] for task in LABEL_TASKS}
    test = {
        "classifier": run.figures("evaluate/classifier.json")["sentence_accuracy"],
        "seq2seq": run.figures("evaluate/seq2seq.json")["step_accuracy"],
    }
    padding = run.table("train/classifier/batching.csv", ("strategy",), ("padding_per_batch",))
    zeros = dict(zip(padding["strategy"], padding["padding_per_batch"], strict=True))
    rows = []
    for task in LABEL_TASKS:
        rows.append((f"{task}, train", f"{published[f'{task}_train_accuracy']:.4f}", f"{train[task]:.4f}"))
        rows.append((f"{task}, test", f"{published[f'{task}_test_accuracy']:.4f}", f"{test[task]:.4f}"))
    rows.append(("majority class, test", "", f"{run.figures('baselines/majority.json')['sentence_accuracy']:.4f}"))
    rows.append(("bag of words, test", "", f"{run.figures('baselines/linear.json')['sentence_accuracy']:.4f}"))
    for name in ("padded", "bucketed"):
        rows.append((f"zeros a batch, {name}", f"{published[f'padding_{name}']:,.1f}", f"{zeros[name]:,.1f}"))
    return "\n\n".join(
        [
            _protocol(run),
            table(("accuracy, or padding", "the article", "here"), rows),
            f"The article: {published['source']}.",
        ]
    )


def _protocol(run: Run) -> str:
    shards, split, train = (run.params(section) for section in ("shards", "split", "train"))
    model, batching = train["model"], train["batching"]
    return (
        f"Sentences of {shards['min_length']} to {shards['max_length']} tokens, "
        f"{count(run.params('vocabulary')['size'])} words, {percent(split['test'])} of the sentences for the test; "
        f"{model['cell']} of {model['units']} units, dropout {model['dropout']:g}, Adam with a step of "
        f"{train['optimizer']['learning_rate']:g}, batches of {batching['batch_size']}, "
        f"{count(train['epochs'], 'epoch')}."
    )


def _time(kept: Kept) -> str:
    there = [name for name in TIME_RUNS if name in kept.runs]
    speed = {
        (name, task): measured(kept.runs[name], f"train_{task}")["sequences_per_second"]
        for name in there
        for task in LABEL_TASKS
    }
    pairs = (
        ("buckets, of padded batches", "time_bucketed_keras", "time_padded_keras", "keras"),
        ("buckets, of padded batches", "time_bucketed", "time_padded", "native"),
        ("native kernel, of Keras's, padded batches", "time_padded", "time_padded_keras", "both"),
        ("native kernel, of Keras's, buckets", "time_bucketed", "time_bucketed_keras", "both"),
    )
    rows = [
        ("buckets, of padded batches", "the article's", *[f"{kept.published['article']['speed_bucketed']:.2f}"] * 2)
    ]
    for what, faster, slower, kernel in pairs:
        if not {faster, slower} <= {*there}:
            continue
        rows.append((what, kernel, *(f"{speed[faster, task] / speed[slower, task]:.2f}" for task in LABEL_TASKS)))
    parts = [table(("sentences a second, relative", "kernel", *LABEL_TASKS), rows)] if len(rows) > 1 else []
    return "\n\n".join([*parts, *not_run(kept, TIME_RUNS)])


def _ablations(kept: Kept) -> str:
    run = kept.runs["ablations"]
    train, split = run.params("train"), run.figures("split.json")
    seeds = run.table("ablations.csv", ("name",), ("seeds",))["seeds"].max()
    said = (
        f"{count(run.figures('ingest.json')['authors'], 'blogger')}, of them {count(split['test_authors'])} for the "
        f"test; {count(train['epochs'], 'epoch')} with a learning rate of {train['optimizer']['learning_rate']:g}, "
        f"each with {count(seeds, 'seed')}."
    )
    return f"{said}\n\n{run.text('timing_ablations.md').strip()}"
