"""A run as one page that needs no network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

import pandas as pd

from lengthwise.reports.charts.style import STYLE
from lengthwise.reports.run import Run
from lengthwise.reports.sections import ablations, data, evaluation, training
from lengthwise.reports.sections.section import Section

SECTIONS = (
    evaluation.results,
    data.funnel,
    data.lengths,
    training.curves,
    evaluation.confusion,
    evaluation.by_length,
    ablations.ablations,
    training.cost,
    training.environment,
)
INVENTED = (
    "This run is on the sample corpus, which is invented: its figures say that the pipeline works, not what the "
    "techniques are worth."
)
# Nothing may be fetched, from nowhere, and no script runs.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"

PAGE_STYLE = """\
*, ::before, ::after { box-sizing: border-box; }
html { scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: break-word; }
body { font: 16px/1.6 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 54rem; margin: 0 auto; padding: 2.5rem 1rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.3rem; margin: 0 0 .5rem; }
p, pre { max-width: 44rem; margin: 0 0 .75rem; }
a { color: var(--blue); }
nav ol { list-style: none; margin: 1.25rem 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; }
section { margin-top: 2.25rem; padding-top: 1.5rem; border-top: 1px solid var(--rule); }
.notice { border-left: 3px solid var(--orange); padding-left: .75rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); gap: 2rem 2.5rem; }
.charts { margin: 1.5rem 0; max-width: 54rem; }
.charts > :only-child { max-width: 26rem; }
figure { margin: 0; min-width: 0; }
details { margin: .25rem 0; }
summary { cursor: pointer; color: var(--muted); font-size: .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; margin: .5rem 0 1rem; }
th, td { text-align: right; padding: .15rem .75rem .15rem 0; white-space: nowrap; }
tr { border-bottom: 1px solid var(--rule); }
th { font-weight: 600; }
th:first-child, td:first-child { text-align: left; }
h3 { font-size: .95rem; margin: 0 0 .25rem; }
.blocks { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); gap: 1rem 2.5rem; }
.blocks { margin: 1rem 0; }
.block { min-width: 0; }
.block table { width: 100%; }
.block small { display: block; font-weight: normal; color: var(--muted); min-height: 1.3em; }
.block th { vertical-align: top; }
.block th:last-child, .block td:last-child { padding-right: 0; }
.runs { list-style: none; margin: 0 0 1.25rem; padding: 0; }
.runs li { display: grid; grid-template-columns: auto 1fr auto; gap: .6rem; align-items: baseline; padding: .2rem 0; }
.runs span { overflow-wrap: anywhere; }
.runs code { color: var(--muted); font-size: .8rem; }
.badge { display: inline-block; min-width: 1.35em; padding: 0 .25em; border-radius: .3em; text-align: center; }
.badge { background: var(--hue); color: var(--paper); font-size: .8rem; line-height: 1.4; margin-right: .15em; }
.badge.dashed { background: none; color: var(--hue); outline: 2px dashed var(--hue); outline-offset: -2px; }
.params { margin: 1rem 0; display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .1rem 1.5rem; }
.params dt, .params dd { margin: 0; padding: .3rem 0; }
.params dt { overflow-wrap: anywhere; font-size: .9rem; }
.params dd { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; font-size: .9rem; min-width: 0; }
.chip { overflow-wrap: anywhere; min-width: 0; }
@media (max-width: 40rem) { .params { grid-template-columns: 1fr; gap: 0; } .params dd { padding: 0 0 .6rem; } }
pre { padding: .6rem .8rem; background: color-mix(in srgb, var(--ink) 6%, var(--paper)); overflow-x: auto; }
footer { margin-top: 3rem; color: var(--muted); font-size: .85rem; }
@media print {
  main { padding: 0; max-width: none; }
  nav, details { display: none; }
  section, figure { break-inside: avoid; }
  #curves, #confusion, #results { break-inside: auto; }
  h2 { break-after: avoid; }
}
"""


@dataclass(frozen=True)
class Frame:
    """What stands around the sections: title, a line below it, a footer in HTML, and a notice where one is due."""

    title: str
    about: str
    footer: str
    notice: str = ""


REPORT = Frame(
    "Lengthwise: report of a run",
    "Recurrent networks on text of variable length, trained and judged by one reproducible run.",
    "Made by <code>make report</code> from the folder metrics and from dvc.lock.",
)


def report(run: Run) -> str:
    """The whole page; the same run, the same bytes.

    Raises:
        FormatError: a file of the run is absent or damaged.
    """
    frame = replace(REPORT, notice=INVENTED) if run.on_sample else REPORT
    return page(frame, [make(run) for make in SECTIONS])


def page(frame: Frame, sections: Sequence[Section]) -> str:
    """A page of sections, with links to them."""
    links = "".join(f'<li><a href="#{section.key}">{escape(section.heading)}</a></li>\n' for section in sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{frame.title}</title>\n<style>\n{STYLE}\n{PAGE_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<header>\n<h1>{frame.title}</h1>\n<p>{frame.about}</p>\n"
        + (f'<p class="notice">{frame.notice}</p>\n' if frame.notice else "")
        + f'</header>\n<nav aria-label="Sections">\n<ol>\n{links}</ol>\n</nav>\n'
        + "".join(map(_section, sections))
        + f"<footer>\n<p>{frame.footer}</p>\n</footer>\n</main>\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    text = "".join(f"<p>{escape(paragraph)}</p>\n" for paragraph in section.text)
    code = f"<pre><code>{escape(section.code)}</code></pre>\n" if section.code else ""
    figures = "".join(f"<figure>\n{chart}\n</figure>\n" for chart in section.charts)
    charts = f'<div class="charts">\n{figures}</div>\n' if figures else ""
    blocks = "".join(section.blocks)
    tables = "".join(_details(name, table) for name, table in section.tables.items())
    return (
        f'<section id="{section.key}" aria-labelledby="{section.key}-heading">\n'
        f'<h2 id="{section.key}-heading">{escape(section.heading)}</h2>\n'
        f"{text}{code}{blocks}{charts}{tables}</section>\n"
    )


def _details(name: str, table: pd.DataFrame) -> str:
    body = table.to_html(index=False, border=0, na_rep="", float_format=_number)
    return f'<details>\n<summary>{escape(name)}</summary>\n<div class="scroll">\n{body}\n</div>\n</details>\n'


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.4f}"
