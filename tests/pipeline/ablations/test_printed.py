import pandas as pd

from lengthwise.pipeline.ablations.printed import markdown_table

TABLE = pd.DataFrame(
    {
        "name": ["full", "worse", "better", "unsure", "documents"],
        "accuracy": [0.5, 0.4, 0.6, 0.51, None],
        "accuracy_spread": [0.01, None, 0.02, 0.03, None],
        "difference": [None, -0.1, 0.1, 0.01, None],
        "low": [None, -0.15, 0.05, -0.02, None],
        "high": [None, -0.05, 0.15, 0.04, None],
        "document_accuracy": [0.7, 0.6, 0.8, 0.7, 0.9],
        "document_difference": [None, -0.1, 0.1, 0.0, 0.2],
        "document_low": [None, -0.2, -0.1, 0.0, 0.1],
        "document_high": [None, 0.1, 0.2, 0.0, 0.3],
        "author_accuracy": [0.8] * 5,
        "nll": [1.25, 1.5, 1.0, 1.2, None],
        "padding_share": [0.175, 0.5, 0.0, 0.1, 0.2],
        "parameters": [273222.0] * 5,
        "steps_to_accuracy": [110.0, None, 55.0, 110.0, None],
    }
)
TIMES = pd.DataFrame(
    {
        "name": ["documents", "full", "worse", "better", "unsure"],
        "seconds_per_epoch": 0.5,
        "relative": [2.0, 1.0, 1, 1, 3],
    }
)


def cells(markdown):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines()]


def test_markdown_table_has_the_reference_then_the_best_and_ends_with_what_cannot_be_compared():
    rows = cells(markdown_table(TABLE, TIMES))
    assert [row[0] for row in rows[2:]] == ["full", "better", "unsure", "worse", "documents"]
    assert len({len(row) for row in rows}) == 1


def test_markdown_table_is_bold_where_the_interval_leaves_out_nothing():
    rows = {row[0]: row for row in cells(markdown_table(TABLE, TIMES))}
    assert rows["better"][2] == "**+0.1000 (+0.0500 to +0.1500)**"
    assert rows["worse"][2] == "**-0.1000 (-0.1500 to -0.0500)**"
    assert rows["unsure"][2] == "+0.0100 (-0.0200 to +0.0400)"
    assert rows["full"][2] == rows["documents"][2] == ""
    assert rows["documents"][4] == "**+0.2000 (+0.1000 to +0.3000)**"
    assert rows["unsure"][4] == "+0.0000 (+0.0000 to +0.0000)"


def test_markdown_table_joins_times_by_name():
    rows = {row[0]: row for row in cells(markdown_table(TABLE, TIMES))}
    assert [rows[name][-1] for name in ("documents", "full", "unsure")] == ["2.00", "1.00", "3.00"]
    assert rows["full"][1] == "0.5000 ± 0.0100"
    assert rows["worse"][1] == "0.4000"
    assert rows["documents"][1] == ""
    assert rows["full"][6:10] == ["1.250", "17.5%", "273,222", "110"]
