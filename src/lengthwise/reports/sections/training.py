"""The sections on training: how it went, and what it cost."""

import pandas as pd

from lengthwise.reports.charts.frame import Caption
from lengthwise.reports.charts.plane import Series, line_chart
from lengthwise.reports.charts.rows import Bar, bar_chart
from lengthwise.reports.run import TASKS, Run
from lengthwise.reports.sections.section import Section, count, hue_of, percent, records

CURVES = tuple(f"{split}_{figure}" for split in ("train", "validation") for figure in ("loss", "accuracy"))
FIGURES = (("accuracy", "accuracy"), ("loss", "loss in nats"))


def curves(run: Run) -> Section:
    """Loss and accuracy by epoch."""
    text, charts, tables = [], [], {}
    for task in TASKS:
        epochs = run.table(f"train/{task}/epochs.csv", (), ("epoch", *CURVES))
        text.append(_course(task, epochs))
        for figure, label in FIGURES:
            lines = [
                Series(split, epochs["epoch"].tolist(), epochs[f"{split}_{figure}"].tolist(), classes)
                for split, classes in (("train", "grey dashed"), ("validation", hue_of(task)))
            ]
            charts.append(line_chart(Caption(f"{task}: {figure}", text[-1]), lines, "epoch", label))
        tables[f"Epochs of {task}"] = epochs
    return Section("curves", "Learning curves", text, charts, tables)


def _course(task: str, epochs: pd.DataFrame) -> str:
    rows = records(epochs)
    last, best = rows[-1], min(rows, key=lambda row: row.validation_loss)
    return (
        f"After {count(last.epoch, 'epoch')} {task} has an accuracy of {last.train_accuracy:.3f} on training and of "
        f"{last.validation_accuracy:.3f} on validation sequences. "
    ) + (
        "Its validation loss is lowest at the end: more epochs may still help."
        if best.epoch == last.epoch
        else f"Its validation loss was lowest after epoch {best.epoch:.0f}: what came after was overfitting."
    )


def cost(run: Run) -> Section:
    """What the networks cost: size, steps, padding, and the time of this run."""
    columns, bars = {}, []
    for task in TASKS:
        figures, timing = run.figures(f"train/{task}/cost.json"), run.figures(f"train/timing_{task}.json")
        columns[task] = {
            "parameters": count(figures["parameters"]),
            "steps of the optimizer": count(figures["steps"]),
            "padding": percent(figures["padding_share"]),
            "seconds of training": f"{timing['seconds']:,.1f}",
            "peak memory": f"{count(timing['peak_memory_mb'])} MiB",
            "kernel": timing["kernel"],
        }
        speed = timing["sequences_per_second"]
        bars.append(Bar(task, speed, count(speed), hue_of(task)))
    steps = " and ".join(f"{task} {columns[task]['steps of the optimizer']} steps" for task in TASKS)
    text = [
        f"Training took {steps}. Steps, size and padding are the same in every run of these params; times are this "
        "machine's."
    ]
    chart = bar_chart(Caption("Speed of training", text[0]), bars, "sequences a second")
    table = pd.DataFrame(columns).rename_axis("what").reset_index()
    return Section("cost", "Cost", text, [chart], {"Cost of training": table})
