# Runs beside each other in a real browser: three, and many.
import pytest

from lengthwise.reports.page.pages import page_of

pytestmark = pytest.mark.browser
LONG = "a-name-of-an-experiment-that-goes-on-and-on-and-is-no-word-that-a-browser-would-break-anywhere"


@pytest.mark.parametrize("runs", [3, 8])
def test_page_of_runs_has_nothing_that_is_cut_off_or_overlaps(browser, project, predict, tmp_path, runs):
    project.experiment(LONG, learning_rate="0.0123", source="x" * 150)
    predict(project.run)
    names = [".", "main", LONG, "./."][:runs]
    text = page_of([*names, *[LONG] * (runs - len(names))], project.folder)
    for found in browser.measure(text, tmp_path).values():
        assert {chart["kind"] for chart in found["charts"]} >= {"intervals", "lines"}
        assert len(found["tables"]) == 4
        browser.check_nothing_is_cut_off(found)
