"""What documents say of named runs: which keys they change, and which have not been run."""

import json
from collections.abc import Iterable

from lengthwise.reports.words import listed
from lengthwise.runs.kept import Kept
from lengthwise.system.markdown import code


def changes_of(kept: Kept, name: str) -> str:
    """The keys that a named run changes, with their values, in Markdown."""
    return ", ".join(code(f"{key}: {json.dumps(value)}") for key, value in kept.named[name]["changes"].items())


def not_run(kept: Kept, names: Iterable[str]) -> list[str]:
    """A line of Markdown on those that are not there, and the command that runs them; none if all are."""
    missing = [name for name in names if name not in kept.runs]
    if not missing:
        return []
    subject = f"{listed([code(name) for name in missing])} {'has' if len(missing) == 1 else 'have'}"
    command = f'make real CORPUS=path/to/corpus RUNS="{" ".join(missing)}"'
    return [f"{subject} not been run: {code(command)}."]
