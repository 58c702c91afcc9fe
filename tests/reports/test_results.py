import pandas as pd

from lengthwise.reports.results import results_table
from lengthwise.runs.run import run_in


def write(path, model, **values):
    path.mkdir(parents=True)
    rows = [(model, "author", metric, value, value - 0.1, value + 0.1) for metric, value in values.items()]
    columns = ["model", "level", "metric", "value", "low", "high"]
    pd.DataFrame(rows, columns=columns).to_csv(path / "levels.csv", index=False)


def test_results_table_has_a_column_a_model_and_a_row_a_figure_in_the_order_of_the_files(tmp_path):
    write(tmp_path / "metrics" / "evaluate" / "seq2seq", "seq2seq", nll=1.5, accuracy=0.25)
    write(tmp_path / "metrics" / "baselines" / "tables" / "majority", "majority", nll=1.75, accuracy=0.5)
    write(tmp_path / "metrics" / "evaluate" / "another", "another", nll=1.0)
    table = results_table(run_in(tmp_path))
    assert table.columns.tolist() == ["majority", "seq2seq", "another"]
    assert table.index.tolist() == [("author", "nll"), ("author", "accuracy")]
    assert table.loc[("author", "accuracy"), "seq2seq"] == "0.2500 (0.1500-0.3500)"
    assert pd.isna(table.loc[("author", "accuracy"), "another"])


def test_results_table_of_no_results_is_empty(tmp_path):
    assert results_table(run_in(tmp_path)).empty
