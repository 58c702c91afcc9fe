import shutil

import pandas as pd

from lengthwise.reports.page.learning import cost, curves, environment


def test_curves_say_whether_the_last_epoch_is_the_best(run):
    for task, best in (("classifier", 10), ("seq2seq", 7)):
        path = run.files.folder / "metrics" / "train" / task / "epochs.csv"
        epochs = pd.read_csv(path)
        epochs.loc[epochs["epoch"] == best, "validation_loss"] = 0.1
        epochs.to_csv(path, index=False)
    text = curves(run).text
    last = pd.read_csv(run.files.folder / "metrics" / "train" / "classifier" / "epochs.csv").iloc[-1]
    accuracies = f"{last['train_accuracy']:.3f} on training and of {last['validation_accuracy']:.3f} on validation"
    assert f"has an accuracy of {accuracies} sequences" in text[0]
    assert "is lowest at the end: more epochs may still help" in text[0]
    assert "was lowest after epoch 7: what came after was overfitting" in text[1]


def test_curves_say_which_epoch_is_kept_where_it_is_not_the_last(run, rewrite):
    assert not any("The network has the weights of" in said for said in curves(run).text)
    changed = rewrite("train/classifier.json", ('"best_epoch": 10', '"best_epoch": 4'))
    said = curves(changed).text
    assert said[0].endswith(" The network has the weights of epoch 4, the best.")
    assert "The network has the weights of" not in said[1]


def test_curves_of_a_run_without_validation_are_drawn(run, rewrite):
    for path in (run.files.folder / "metrics").glob("train/*/epochs.csv"):
        epochs = pd.read_csv(path)
        epochs[["epoch", "train_loss", "train_accuracy"]].to_csv(path, index=False)
    section = curves(rewrite("shards.json", ('"validation_rows": 2789', '"validation_rows": 0')))
    assert all("there is no validation split" in said for said in section.text)
    assert len(section.charts) == 4


def test_cost_has_the_same_figures_as_the_metrics(run):
    (table,) = cost(run).tables.values()
    shown = dict(zip(table["what"], table["classifier"], strict=True))
    figures = run.figures("train/classifier/cost.json")
    assert shown["parameters"] == f"{figures['parameters']:,}"
    assert shown["steps of the optimizer"] == f"{figures['steps']:,}"
    # Of the invented times.
    assert (shown["seconds of training"], shown["peak memory"], shown["kernel"]) == ("90.5", "512 MiB", "native")
    assert "are those of the machine that trained" in cost(run).text[0]
    assert ">4,322<" in cost(run).charts[0]


def test_environment_has_every_figure_of_its_file(run):
    section = environment(run)
    (table,) = section.tables.values()
    figures = run.timing("environment_classifier")
    shown = dict(zip(table["what"], table["with"], strict=True))
    assert shown == {name.replace("_", " "): str(value) for name, value in figures.items()}
    for said in (f"TensorFlow {figures['tensorflow']} ", figures["processor"], f"{figures['threads']} thread"):
        assert said in section.text[0]


def test_cost_and_environment_without_what_a_machine_measured_say_so(run):
    shutil.rmtree(run.files.folder / "data" / "timing")
    section = cost(run)
    assert section.text[0].endswith("times are not at hand: Git has none, and dvc pull gets them.")
    assert not section.charts
    (table,) = section.tables.values()
    parameters = run.figures("train/classifier/cost.json")["parameters"]
    assert dict(zip(table["what"], table["classifier"], strict=True))["parameters"] == f"{parameters:,}"
    assert environment(run).text == ["Versions and machine are not at hand: dvc pull gets them."]
