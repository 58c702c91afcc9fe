import pytest

from lengthwise.errors import FormatError
from lengthwise.reports.page.ablation_section import ablations


def test_ablations_are_optional(run):
    section = ablations(run)
    assert "make ablations" in section.code
    assert not section.charts


def test_ablations_draw_a_row_a_difference_and_none_for_the_reference(ablated):
    differences, times = ablations(ablated).charts
    assert differences.count("<circle") == 3
    assert ">full<" not in differences
    assert times.count('<rect class="mark') == 4


def test_ablations_are_told_apart_by_their_intervals(ablated):
    assert ablations(ablated).text[1] == (
        "Worse than the full model: zero_state. Better: lstm. Of 1 ablation the interval includes zero: these seeds "
        "cannot tell."
    )


def test_ablations_without_times_or_differences_are_a_table(ablated):
    (ablated.files.folder / "metrics" / "timing_ablations.csv").unlink()
    path = ablated.files.folder / "metrics" / "ablations.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(lines[:2]) + "\n", encoding="utf-8")
    section = ablations(ablated)
    assert not section.charts
    assert len(section.tables["All ablations"]) == 1


def test_ablations_of_another_form_are_refused(ablated):
    path = ablated.files.folder / "metrics" / "ablations.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("difference", "delta"), encoding="utf-8")
    with pytest.raises(FormatError, match=r"ablations\.csv of .*: got the columns .*; expected .* difference"):
        ablations(ablated)
