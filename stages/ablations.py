"""ablations: train every ablation with every seed that is not there yet, and put all beside each other."""

from pathlib import Path

from lengthwise.pipeline.ablations.definitions import load_ablations, sensible
from lengthwise.pipeline.ablations.kept_members import Store, run_ablations
from lengthwise.pipeline.ablations.prepared import PipelineData
from lengthwise.pipeline.ablations.printed import markdown_table
from lengthwise.pipeline.ablations.table import ablation_table, headlines, read_members, timing_table
from lengthwise.pipeline.published import rounded_csv, write_rounded_json
from lengthwise.pipeline.settings.params import Params
from lengthwise.pipeline.stage import WHOLE, run_without_figures, worker_count
from lengthwise.prepare.shards.reader import read_index
from lengthwise.system.files import replacing_file, replacing_folder

STORE = Path(".lengthwise") / "ablations"


def main(params: Params, definitions: Path, data: Path, tables: Path, headline: Path) -> None:
    """Write into the folder `tables`, from the pipeline's `data`; and the folder `headline`, a file an ablation."""
    ablations = sensible(params, load_ablations(definitions, params), read_index(data / "shards").form)
    pipeline = PipelineData.below(data)
    store = Store(STORE, data / "shards", pipeline, worker_count())
    members = read_members(run_ablations(params, ablations, store))
    figures = ablation_table(members, ablations.ablations, params.evaluate.bootstrap)
    timing = timing_table(members)
    for name, text in (
        ("ablations.csv", rounded_csv(figures.to_csv(index=False))),
        ("timing_ablations.csv", timing.to_csv(index=False)),
        ("timing_ablations.md", markdown_table(figures, timing)),
    ):
        with replacing_file(tables / name) as beside:
            beside.write_text(text, encoding="utf-8")
    with replacing_folder(headline) as beside:
        for name, of_name in headlines(figures).items():
            write_rounded_json(beside / f"{name}.json", of_name)


if __name__ == "__main__":
    run_without_figures(main, WHOLE)
