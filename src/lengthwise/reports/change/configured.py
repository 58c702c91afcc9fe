"""The report on a change in any DVC repository, as its `.lengthwise.yaml` says."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lengthwise.evaluation.paired import detectable
from lengthwise.reports.change.report_frame import Report, finished, head_lines, not_run_lines, verdict_lines
from lengthwise.reports.change.sections import OTHER, difference_cells, other_rows, params_section
from lengthwise.runs.contents import Absent, contents
from lengthwise.runs.not_run import not_run
from lengthwise.runs.run import Run
from lengthwise.runs.run_files import LOCK, PARAMS
from lengthwise.system.dotted import finite, leaves
from lengthwise.system.markdown import ReportSection, number, quoted, table_lines
from lengthwise.verdict.comparison import Comparison, Evidence, Verdict, compare, overall
from lengthwise.verdict.config_file import FILE, Config
from lengthwise.verdict.figures import Figure
from lengthwise.verdict.judge import (
    BASE,
    HERE,
    Judged,
    Side,
    confidence_of_each,
    items_or_absent,
    judge_all,
)

LONGEST_COMMAND = 300
HEADER = ("metric", "better", "old", "new", "difference", "its interval", "items", "verdict")


def report_as_configured(config: Config, base: str, commit: str, folder: Path) -> Report:
    """Compare the metrics that a configuration names with those at a revision.

    Args:
        config: of the working tree; it is also how the base is read.
        base: the revision's name.
        commit: its hash.
        folder: the project's.

    Raises:
        ParamsError: the configuration names a metric that neither run has.
        FormatError: a file of one of the two is damaged.
    """
    old, new = _side(config, folder, commit), _side(config, folder, None)
    files = [*{metric.file for metric in config.metrics}, *([config.predictions] if config.predictions else [])]
    outdated = not_run(new.snapshot, folder, files=files)
    outdated_base = not_run(old.snapshot, folder, commit, files)
    judged = list(judge_all(config, old, new))
    comparisons = [one.comparison for one in judged]
    verdict = Verdict.NOT_RUN if outdated else overall(comparisons)
    rest = _rest(config, old.snapshot, new.snapshot)
    sections = [
        ReportSection("Metrics", table_lines(HEADER, [_row(one) for one in judged])),
        params_section(old.snapshot.params_file, new.snapshot.params_file),
        ReportSection(OTHER, other_rows(rest), folded=True),
    ]
    head = head_lines(verdict, base, commit, f", as {quoted(FILE)} says")
    head += [*not_run_lines(outdated, outdated_base), *verdict_lines(comparisons), *_notes(config, judged)]
    head += _remedies((*old.remedies, *new.remedies))
    return finished(head, sections, verdict)


def _side(config: Config, folder: Path, commit: str | None) -> Side:
    name = HERE if commit is None else BASE
    of_metrics = sorted({metric.file for metric in config.metrics})
    of_items = [config.predictions] if config.predictions else []
    found = contents([PARAMS, LOCK, *of_metrics, *of_items], folder, commit)
    files = {path: content for path, content in found.items() if isinstance(content, bytes) and path not in of_items}
    absent = {path: found[path] for path in of_metrics}
    items = items_or_absent(found[of_items[0]] if of_items else None, config, name)
    lacking = {path: content for path, content in absent.items() if isinstance(content, Absent)}
    return Side(Run(name, files), items, lacking)


def _row(judged: Judged) -> tuple[str, ...]:
    one = judged.comparison
    verdict = f"{one.verdict}" if one.verdict in (Verdict.WITHIN_NOISE, Verdict.REPORTED) else f"**{one.verdict}**"
    return (
        f"{quoted(one.key[0])} {quoted(one.key[1])}",
        "higher" if judged.metric.sign > 0 else "lower",
        number(one.old),
        number(one.new),
        *difference_cells(one),
        number(judged.items),
        verdict + (f": {quoted(one.reason)}" if one.reason else ""),
    )


def _rest(config: Config, old: Run, new: Run) -> list[Comparison]:
    """The other figures of the files, which nobody asked to judge."""
    named = {(metric.file, metric.name) for metric in config.metrics}
    sides = [
        {
            (file, name): Figure(value)
            for file in {metric.file for metric in config.metrics}
            for name, value in leaves(snapshot.json(file))
            if (file, name) not in named and (finite(value) or isinstance(value, str))
        }
        for snapshot in (old, new)
    ]
    keys = sorted({*sides[0], *sides[1]})
    return [compare(key, sides[0].get(key), sides[1].get(key), Evidence(None)) for key in keys]


def _notes(config: Config, judged: Sequence[Judged]) -> Iterator[str]:
    """What was compared, how, and what the intervals do not know."""
    confidence = confidence_of_each(config)
    paired = [one for one in judged if one.is_paired]
    if paired:
        group = (config.columns or {}).get("group")
        by = f"groups of {quoted(group)} as a whole" if group else "each item by itself"
        yield (
            f"\nPaired: the same {number(paired[0].items)} items of {quoted(config.predictions)} in both runs, {by}, "
            f"{_names(paired)}."
        )
    for one in paired:
        if one.only is not None and one.items:
            least = detectable(sum(one.only), one.items, confidence, one.metric.training_noise)
            yield (
                f"\n{quoted(one.metric.name)}: only the new run has {one.only[0]:,} items right, only the old one "
                f"{one.only[1]:,}, together {sum(one.only) / one.items:.1%}."
                + ("" if group else f" A difference of {least:.4f} would be found four times in five.")
            )
    alone = [one for one in judged if one.comparison.interval is not None and not one.is_paired]
    if alone:
        yield (
            f"\n**Unpaired**, from the metrics alone, as if the runs were independent on {number(alone[0].items)} "
            f"items, which is wider than need be: {_names(alone)}. There are not both runs' predictions."
        )
    if paired or alone:
        together = f", {config.confidence:.4g} together" if confidence != config.confidence else ""
        yield f"\nIntervals of confidence {confidence:.4g}{together}. They say what other items would give."
        silent = [one for one in (*paired, *alone) if not one.metric.training_noise]
        if silent:
            yield f"\nWhat another seed of the training gives comes on top: set training_noise for {_names(silent)}."


def _remedies(commands: Sequence[str]) -> Iterator[str]:
    if commands:
        shown = ", ".join(quoted(command, LONGEST_COMMAND) for command in commands)
        yield f"\nNot in the DVC cache, and nothing is fetched for a report. What was pushed comes with {shown}."


def _names(judged: Sequence[Judged]) -> str:
    return ", ".join(quoted(one.metric.name) for one in judged)
