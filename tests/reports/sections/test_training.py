import pandas as pd

from lengthwise.reports.run import Run
from lengthwise.reports.sections.training import cost, curves, environment


def test_curves_say_whether_the_last_epoch_is_the_best(run):
    last = pd.read_csv(run.metrics / "train" / "classifier" / "epochs.csv").iloc[-1]
    accuracies = f"{last['train_accuracy']:.3f} on training and of {last['validation_accuracy']:.3f} on validation"
    assert f"has an accuracy of {accuracies} sequences" in curves(run).text[0]
    assert "more epochs may still help" in curves(run).text[0]
    path = run.metrics / "train" / "classifier" / "epochs.csv"
    epochs = pd.read_csv(path)
    epochs.loc[epochs["epoch"] == 6, "validation_loss"] = 0.1
    epochs.to_csv(path, index=False)
    assert "was lowest after epoch 6: what came after was overfitting" in curves(run).text[0]
    assert "more epochs may still help" in curves(run).text[1]


def test_curves_of_a_run_without_validation_are_drawn(run, rewrite):
    for path in run.metrics.glob("train/*/epochs.csv"):
        epochs = pd.read_csv(path)
        epochs[["epoch", "train_loss", "train_accuracy"]].to_csv(path, index=False)
    section = curves(rewrite("shards.json", ('"validation_rows": 2789', '"validation_rows": 0')))
    assert all("there is no validation split" in said for said in section.text)
    assert len(section.charts) == 4


def test_cost_has_the_same_figures_as_the_metrics(run):
    (table,) = cost(run).tables.values()
    shown = dict(zip(table["what"], table["classifier"], strict=True))
    assert shown["parameters"] == "273,222"
    assert shown["steps of the optimizer"] == "550"
    assert shown["kernel"] == Run(run.metrics, run.lock).figures("train/timing_classifier.json")["kernel"]


def test_environment_has_every_figure_of_its_file(run):
    section = environment(run)
    (table,) = section.tables.values()
    figures = run.figures("environment.json")
    shown = dict(zip(table["what"], table["with"], strict=True))
    assert shown == {name.replace("_", " "): str(value) for name, value in figures.items()}
    for said in (f"TensorFlow {figures['tensorflow']} ", figures["processor"], f"{figures['threads']} thread"):
        assert said in section.text[0]
