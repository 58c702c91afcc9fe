import shutil
from xml.etree import ElementTree

import pandas as pd
import pytest

from lengthwise.corpora.blogs.texts.author_folds import FOLDER, author_folds_block, author_folds_chart
from lengthwise.errors import FormatError
from lengthwise.runs.kept import Kept


@pytest.fixture
def kept(root, tmp_path):
    # Two models on two levels, whose figures differ in every cell.
    shutil.copy(root / "results" / "published.yaml", tmp_path)
    folder = tmp_path / FOLDER / "some"
    folder.mkdir(parents=True)
    figures = [
        (model, level, metric, value, value - 0.01, value + 0.01)
        for number, model in enumerate(("majority", "linear", "classifier", "classifier_and_linear"))
        for level, metric, base in (
            ("author", "accuracy", 0.3),
            ("author", "gender_accuracy", 0.5),
            ("author", "f1", 0.9),
        )
        for value in [base + number / 100]
    ]
    pd.DataFrame(figures, columns=["model", "level", "metric", "value", "low", "high"]).to_csv(folder / "levels.csv")
    pairs = [
        ("classifier", "majority", "author", "accuracy", 0.32, 0.3, 0.02, 0.01, 0.03),
        ("classifier", "linear", "author", "accuracy", 0.32, 0.31, -0.01, -0.02, 0.0),
        ("classifier_and_linear", "linear", "author", "gender_accuracy", 0.53, 0.51, 0.02, 0.015, 0.025),
    ]
    columns = ["network", "baseline", "level", "metric", "one", "other", "difference", "low", "high"]
    pd.DataFrame(pairs, columns=columns).to_csv(folder / "differences.csv")
    return Kept(tmp_path)


def test_the_table_has_every_model_beside_what_was_published(kept):
    lines = author_folds_block(kept).splitlines()
    assert lines[0] == "| recipe | by | of | linear | classifier | classifier and linear | Schler et al. |"
    assert "| `some` | author | both | 0.310 (0.300 to 0.320) | 0.320 (0.310 to 0.330) | 0.330 (" in lines[2]
    assert lines[3].endswith("| 0.530 (0.520 to 0.540) | 0.801 |")
    # What is no accuracy and no likelihood is left out.
    assert not any("f1" in line or "0.9" in line for line in lines)


def test_differences_are_from_what_knows_the_text(kept):
    text = author_folds_block(kept)
    header = "| recipe | by | of | classifier less linear | classifier and linear less linear |"
    assert f"{header} classifier and linear less classifier |" in text
    assert "| `some` | author | both | -0.010 (-0.020 to +0.000) |  |  |" in text
    assert "| `some` | author | gender |  | +0.020 (+0.015 to +0.025) |  |" in text
    # How far a network is from the frequencies of classes says nothing here.
    assert "majority" not in text
    assert "+0.010" not in text


@pytest.mark.parametrize("name", ["levels.csv", "differences.csv"])
def test_a_table_that_is_damaged_is_named(kept, name):
    path = kept.folder / FOLDER / "some" / name
    for content in ("a,b\n1,2\n", "", '"'):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(FormatError, match=rf"{name}: .*expected the table of folds"):
            author_folds_block(kept)
    path.unlink()
    with pytest.raises(FormatError, match=rf"{name}: cannot be read"):
        author_folds_block(kept)


def test_the_chart_has_what_is_compared_with_the_linear_model(kept):
    texts = [element.text for element in ElementTree.fromstring(author_folds_chart(kept)).iter() if element.text]
    assert {"both, some", "gender, some", "classifier and linear"} <= set(map(str.strip, texts))
    shutil.rmtree(kept.folder / FOLDER)
    assert author_folds_chart(kept) is None
