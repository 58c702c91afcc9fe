"""The command `lengthwise audit`: what the test of the last run has in common with its training."""

# Help needs \b: it keeps the line breaks of the paragraph below it.
# ruff: noqa: D301

import json
from pathlib import Path
from typing import Annotated

import typer

from lengthwise.cli.pipes import write


def audit(
    near: Annotated[
        float,
        typer.Option(min=0.55, max=1.0, help="Share of common token triples from which documents are near copies."),
    ] = 0.8,
    as_json: Annotated[bool, typer.Option("--json", help="Write one line of JSON.")] = False,
) -> None:
    """Say what the last run's test shares with its training.

    Counts groups on both sides, and copies and near copies of training documents in the test. Where there are some,
    says what each model's figure is on the test documents without them, and how much of the figure they pretend.

    \b
    Examples:
      lengthwise audit
      lengthwise audit --near 0.9 --json
    """
    from lengthwise.pipeline.leaks.split_audit import audit_split
    from lengthwise.pipeline.settings.params import load_params
    from lengthwise.pipeline.stage import PARAMS_FILE

    found = audit_split(Path(), near, load_params(PARAMS_FILE).evaluate.bootstrap)
    write(json.dumps(found.to_dict()) + "\n" if as_json else found.to_text())
