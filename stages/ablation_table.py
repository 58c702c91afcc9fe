"""ablation_table: put all ablations of params.yaml beside each other."""

from pathlib import Path

from lengthwise.ablations.report import markdown_table
from lengthwise.ablations.table import ablation_table, headline, read_members, timing_table
from lengthwise.files import replacing_file
from lengthwise.params import Params
from lengthwise.stage import Figures, run_stage


def main(params: Params, members: Path, table: Path, times: Path, report: Path) -> Figures:
    """Write the CSV files `table` and `times` and the Markdown file `report`, which has both."""
    found = read_members(members, params)
    figures, timing = ablation_table(found, params), timing_table(found)
    for path, text in (
        (table, figures.to_csv(index=False)),
        (times, timing.to_csv(index=False)),
        (report, markdown_table(figures, timing)),
    ):
        with replacing_file(path) as beside:
            beside.write_text(text, encoding="utf-8")
    return Figures(headline(figures))


if __name__ == "__main__":
    run_stage(main, "params")
