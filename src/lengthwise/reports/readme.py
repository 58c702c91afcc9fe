"""The parts of README.md that are generated: `python -m lengthwise.reports.readme metrics README.md`."""

import argparse
import re
from pathlib import Path

from lengthwise.files import replacing_file
from lengthwise.reports.results import results_table

BLOCK = re.compile(r"(<!-- results: [^\n]*-->\n).*?(<!-- /results -->)", re.DOTALL)
# README shows the joint class and its factors; `make results` has the rest.
SHOWN = ("accuracy", "gender_accuracy", "age_bracket_accuracy")


def with_results(readme: str, metrics: Path) -> str:
    """README's text with the block of results made anew."""
    table = results_table(metrics)
    text = table[table.index.get_level_values("metric").isin(SHOWN)].to_string()
    block = "\n".join(f"    {line.rstrip()}" for line in text.splitlines())
    return BLOCK.sub(lambda match: f"{match[1]}\n{block}\n\n{match[2]}", readme)


def main() -> None:
    """Write the generated parts into README.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("metrics", type=Path, metavar="METRICS", help="folder of metrics")
    parser.add_argument("readme", type=Path, metavar="README", help="file to write into")
    arguments = parser.parse_args()
    text = with_results(arguments.readme.read_text(encoding="utf-8"), arguments.metrics)
    with replacing_file(arguments.readme) as beside:
        beside.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
