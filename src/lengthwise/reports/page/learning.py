"""The sections on training: how it went, what it cost, and with what it was done."""

import pandas as pd

from lengthwise.charts.frame import Caption
from lengthwise.charts.plane import Series, line_chart
from lengthwise.charts.rows import Bar, bar_chart
from lengthwise.reports.page.section import PageSection
from lengthwise.reports.words import count, hue_of, listed, percent, records
from lengthwise.runs.run import Run
from lengthwise.runs.run_files import METRICS, FigureFile


def curves(run: Run) -> PageSection:
    """Loss and accuracy by epoch."""
    # Without a validation split there is nothing to say of it.
    splits = ("train", "validation") if run.figures("shards.json")["validation_rows"] else ("train",)
    text, charts, tables = [], [], {}
    for task in run.tasks:
        figures = learned_figures(run, task)
        columns = [f"{split}_{figure}" for split in splits for figure in figures]
        epochs = run.table(f"train/{task}/epochs.csv", (), ("epoch", *columns))
        text.append(_course(task, epochs, next(iter(figures))) + _kept(run.figures(f"train/{task}.json"), len(epochs)))
        hues = {"train": "grey dashed", "validation": hue_of(task)}
        for figure, label in figures.items():
            lines = [
                Series(split, epochs["epoch"].tolist(), epochs[f"{split}_{figure}"].tolist(), hues[split])
                for split in splits
            ]
            charts.append(line_chart(Caption(f"{task}: {figure}", text[-1]), lines, "epoch", label))
        tables[f"Epochs of {task}"] = epochs
    return PageSection("curves", "Learning curves", text, charts, tables)


def learned_figures(run: Run, task: str) -> dict[str, str]:
    """What each epoch says of a split, with what stands along its axis: accuracy, where there is one, and loss."""
    columns = run.csv(f"{METRICS}train/{task}/epochs.csv").columns
    names = [name.removeprefix("train_") for name in columns if name.startswith("train_")]
    nats = "loss" if task == "regressor" else "loss in nats"
    return {name: nats if name == "loss" else name for name in sorted(names or ["accuracy", "loss"])}


def _course(task: str, epochs: pd.DataFrame, figure: str) -> str:
    rows = records(epochs)
    last = rows[-1]
    known = {split: getattr(last, f"{split}_{figure}", 0.0) for split in ("train", "validation")}
    article = "an" if figure[0] in "aeiou" else "a"
    said = f"After {count(last.epoch, 'epoch')} {task} has {article} {figure} of {known['train']:.3f} on training"
    if "validation_loss" not in epochs:
        return f"{said} sequences; there is no validation split."
    best = min(rows, key=lambda row: row.validation_loss)
    ending = (
        "is lowest at the end: more epochs may still help."
        if best.epoch == last.epoch
        else f"was lowest after epoch {best.epoch:.0f}: what came after was overfitting."
    )
    return f"{said} and of {known['validation']:.3f} on validation sequences. Its validation loss {ending}"


def _kept(figures: FigureFile, epochs: int) -> str:
    """Which epoch's weights the network has, where that is not the last."""
    # Runs of before have no such figure, and kept the last.
    kept = figures.get("best_epoch", epochs)
    return "" if kept == epochs else f" The network has the weights of epoch {kept}, the best."


def cost(run: Run) -> PageSection:
    """What the networks cost: size, steps, padding, and the time of this run."""
    columns, bars = {}, []
    for task in run.tasks:
        figures, timing = run.figures(f"train/{task}/cost.json"), run.timing(f"train_{task}")
        columns[task] = {
            "parameters": count(figures["parameters"]),
            "steps of the optimizer": count(figures["steps"]),
            "padding": f"{percent(figures['padding_share'])} of {count(_time_steps(run, figures))} time steps an epoch",
        }
        if timing is None:
            continue
        columns[task] |= {
            "seconds of training": f"{timing['seconds']:,.1f}",
            "peak memory": f"{count(timing['peak_memory_mib'])} MiB",
            "kernel": timing["kernel"],
        }
        speed = timing["sequences_per_second"]
        bars.append(Bar(task, speed, count(speed), hue_of(task)))
    steps = listed([f"{task} {columns[task]['steps of the optimizer']}" for task in run.tasks])
    said = "are those of the machine that trained" if bars else "are not at hand: Git has none, and dvc pull gets them"
    text = [
        f"Steps of the optimizer: {steps}. Steps, size and padding are the same in every run of these params; times "
        f"{said}."
    ]
    charts = [bar_chart(Caption("Speed of training", text[0]), bars, "sequences a second")] if bars else []
    table = pd.DataFrame(columns).rename_axis("what").reset_index()
    return PageSection("cost", "Cost", text, charts, {"Cost of training": table})


def _time_steps(run: Run, figures: FigureFile) -> float:
    """The time steps of an epoch: its tokens and its padding."""
    return float(run.figures("shards.json")["train_tokens"] + figures["padding_per_batch"] * figures["batches"])


def environment(run: Run) -> PageSection:
    """Versions and machine that the networks were trained with."""
    figures = run.timing(f"environment_{run.tasks[0]}")
    if figures is None:
        return PageSection("environment", "Environment", ["Versions and machine are not at hand: dvc pull gets them."])
    table = pd.DataFrame({"what": [name.replace("_", " ") for name in figures], "with": map(str, figures.values())})
    text = [
        f"The networks were trained with TensorFlow {figures['tensorflow']} under {figures['python']}, on "
        f"{figures['processor']} with {count(figures['threads'], 'thread')}. The same params, code and environment "
        "give the same bytes; another environment may give other last digits."
    ]
    return PageSection("environment", "Environment", text, (), {"Versions and machine": table})
