import pytest
import yaml

from lengthwise.errors import ParamsError
from lengthwise.verdict.config_file import CONFIDENCE, KINDS, read_config

GOOD = {
    "metrics": {"eval/metrics.json": {"acc": "accuracy", "avg_prec.test": "higher"}},
    "predictions": "eval/predictions.csv",
    "columns": {"id": "item", "target": "label", "prediction": "guess", "group": "author"},
    "tolerance": {"avg_prec.test": 0.01},
    "training_noise": {"acc": 0.002},
    "confidence": 0.9,
}


def read(folder, content):
    text = content if isinstance(content, str) else yaml.safe_dump(content)
    (folder / ".lengthwise.yaml").write_text(text, "utf-8")
    return read_config(folder)


def changed(key, value):
    return {name: content for name, content in {**GOOD, key: value}.items() if content is not None}


def test_a_project_without_a_configuration_has_none(tmp_path):
    assert read_config(tmp_path) is None


def test_a_configuration_says_what_each_metric_is(tmp_path):
    config = read(tmp_path, GOOD)
    accuracy, precision = config.metrics
    assert (accuracy.file, accuracy.name, accuracy.kind, accuracy.sign) == ("eval/metrics.json", "acc", "accuracy", 1)
    assert (accuracy.tolerance, accuracy.training_noise) == (None, 0.002)
    assert (precision.tolerance, precision.training_noise) == (0.01, 0)
    assert config.predictions == "eval/predictions.csv"
    assert config.columns == GOOD["columns"]
    assert config.confidence == 0.9


def test_a_configuration_of_one_line_is_enough(tmp_path):
    config = read(tmp_path, "metrics: {m.json: {f1: higher, loss: lower}}")
    assert [metric.sign for metric in config.metrics] == [1, -1]
    assert (config.predictions, config.confidence) == (None, CONFIDENCE)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_direction(tmp_path, kind):
    columns = {"id": "a", "target": "b", "prediction": "c", "score": "d"}
    config = read(tmp_path, changed("metrics", {"m.json": {"x": kind}}) | {
        "columns": columns, "tolerance": {"x": 0}, "training_noise": {"x": 0},
    })  # fmt: skip
    assert config.metrics[0].sign in (1, -1)
    assert (config.metrics[0].sign == 1) == (kind in ("accuracy", "higher"))


WRONG = [
    ("", ": got None; expected a map with the key metrics; change it"),
    ("[1]", ": got [1]; expected a map with the key metrics; change it"),
    (changed("metrics", None), ": metrics: got nothing; expected a map of files to their metrics"),
    (changed("metrics", "m.json"), ": metrics: got 'm.json'; expected a map of files to their metrics"),
    (changed("metrics", {}), ": metrics: got {}; expected a map of files"),
    (changed("metrics", {"m.yaml": {"a": "higher"}}), ": metrics: got 'm.yaml'; expected a file below this"),
    (changed("metrics", {"../m.json": {"a": "higher"}}), ": metrics: got '../m.json'; expected a file below this"),
    (changed("metrics", {"/m.json": {"a": "higher"}}), ": metrics: got '/m.json'; expected a file below this folder"),
    (changed("metrics", {"m.json": ["a"]}), ": metrics.m.json: got ['a']; expected a map of its metrics"),
    (changed("metrics", {"m.json": {"a": "up"}}), ": metrics.m.json.a: got 'up'; expected one of accuracy, log_loss"),
    (changed("metrics", {"m.json": {"a": ["higher"]}}), ": metrics.m.json.a: got ['higher']; expected one of"),
    (changed("metrics", {"m.json": {1: "higher"}}), ": metrics.m.json.1: got 1; expected a key that is text"),
    (changed("predictions", None), ": predictions: got nothing; expected the file that acc (accuracy) is made from"),
    (changed("predictions", 3), ": predictions: got 3; expected a file below this folder that ends in .csv or .tsv"),
    (changed("predictions", "p.txt"), ": predictions: got 'p.txt'; expected a file below this folder"),
    (changed("columns", None), ": columns: got None; expected a map, as {id: id"),
    (changed("columns", {"id": "a", "target": "b"}), ": columns.prediction: got nothing; expected the name"),
    (changed("columns", {"target": "b", "prediction": "c"}), ": columns.id: got nothing; expected the name"),
    (changed("columns", {"id": 1, "target": "b", "prediction": "c"}), ": columns.id: got 1; expected the name"),
    (changed("columns", {"ids": "a"}), ": columns.ids: is unknown; expected one of id, target, prediction"),
    (changed("tolerance", 0.1), ": tolerance: got 0.1; expected a map of metrics to numbers"),
    (changed("tolerance", {"acc": -1}), ": tolerance.acc: got -1; expected a number from 0 on; change it"),
    (changed("tolerance", {"acc": "1 %"}), ": tolerance.acc: got '1 %'; expected a number from 0 on"),
    (changed("tolerance", {"acc": float("nan")}), ": tolerance.acc: got nan; expected a number from 0 on"),
    (changed("tolerance", {"f1": 1}), ": tolerance.f1: is unknown; expected one of acc, avg_prec.test; rename it"),
    (changed("training_noise", {"acc": True}), ": training_noise.acc: got True; expected a number from 0 on"),
    (changed("confidence", 95), ": confidence: got 95; expected a number from 0.5 to below 1; change it"),
    (changed("metric", 1), ": metric: is unknown; expected one of metrics, predictions, columns"),
    ("metrics: [", ": is not YAML ("),
    ("metrics: 1\nmetrics: 2", ": key 'metrics' stands twice"),
    ("a: &a [1]\nb: *a", ": alias *a in line 2"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "message"), WRONG)
def test_what_is_wrong_is_one_line_with_key_value_and_what_was_expected(tmp_path, content, message):
    with pytest.raises(ParamsError) as raised:
        read(tmp_path, content)
    assert f".lengthwise.yaml{message}" in str(raised.value)
    assert "\n" not in str(raised.value)
