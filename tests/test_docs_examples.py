import json
import re

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lengthwise.batching.registry import STRATEGIES, make_strategy

# Keras says so of every dataset that is given to `fit` without `shuffle=False`, whatever its order.
pytestmark = pytest.mark.filterwarnings("ignore:.*shuffle=True:UserWarning")

SETTINGS = {"batch_size": 2, "buckets": 2, "tokens": 6, "window": 16}
EXAMPLES = 12
MOST_LINES = 20
ONE_IN_A_ROW = sorted(set(STRATEGIES) - {"bucketed", "packed", "truncated"})


@pytest.fixture(scope="module")
def examples(root):
    return re.findall(
        r"^```python\n(.*?)^```$", (root / "docs" / "keras.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )


@pytest.fixture
def run(tmp_path, monkeypatch):
    # Runs an example where its file is; gives each training's losses and the weights after each epoch.
    rng = np.random.default_rng(0)
    tokens = [rng.integers(0, 10, length).tolist() for length in (*range(1, 20), 40)]
    pq.write_table(
        pa.table({"tokens": tokens, "label": [ids[-1] % 2 for ids in tokens]}), tmp_path / "sequences.parquet"
    )
    monkeypatch.chdir(tmp_path)
    trainings = []
    stock_fit = keras.Model.fit

    def fit(model, *args, **options):
        weights = []

        def on_epoch_end(epoch, logs=None):
            weights.append({variable.path: variable.numpy() for variable in model.trainable_variables})

        watch = keras.callbacks.LambdaCallback(on_epoch_end=on_epoch_end)
        options["callbacks"] = [*options.get("callbacks", []), watch]
        history = stock_fit(model, *args, **options)
        trainings.append((history.history, weights))
        return history

    monkeypatch.setattr(keras.Model, "fit", fit)

    def run_example(code):
        if "from datasets" in code:
            pytest.importorskip("datasets")
        keras.utils.set_random_seed(1)
        exec(compile(code, "docs/keras.md", "exec"), {"__name__": "example"})
        return trainings

    return run_example


def assert_trained(trainings):
    ((history, weights),) = trainings
    assert len(weights) == len(history["loss"]) > 1
    for figures in history.values():
        assert np.isfinite(figures).all()
    assert weights[0]
    for path, before in weights[0].items():
        after = weights[-1][path]
        assert np.isfinite(after).all(), path
        assert np.any(before != after), path


def lines_of_code(example):
    lines = [line for line in example.splitlines() if line.strip()]
    return [line for line in lines if not re.match(r"(import|from) ", line)]


def test_docs_examples_are_all_found(root, examples):
    text = (root / "docs" / "keras.md").read_text("utf-8")
    assert len(examples) == text.count("```python") == EXAMPLES


@pytest.mark.parametrize("number", range(EXAMPLES))
def test_docs_examples_are_of_20_lines_at_most(examples, number):
    assert 1 <= len(lines_of_code(examples[number])) <= MOST_LINES


@pytest.mark.sampled(1)
@pytest.mark.parametrize("number", range(EXAMPLES))
def test_docs_examples_run_as_they_stand_and_train(examples, number, run):
    trainings = run(examples[number])
    # An example that trains nothing asserts what it shows.
    if "assert" not in examples[number]:
        assert_trained(trainings)
    if number == 0:
        # It asks for one.
        assert "accuracy" in examples[0]
        assert "accuracy" in trainings[0][0]


@pytest.mark.long
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "exact" else [pytest.mark.long]) for name in ONE_IN_A_ROW]
)
def test_docs_first_example_trains_with_every_strategy_of_one_sequence_in_a_row(examples, name, run):
    strategy = make_strategy(name, SETTINGS)
    code, times = re.subn(r"lw\.Bucketed\([^()]*\)", f"lw.{strategy!r}", examples[0])
    assert times == 1
    assert_trained(run(code))


def test_docs_first_example_names_every_strategy_of_one_sequence_in_a_row(root):
    text = (root / "docs" / "keras.md").read_text("utf-8")
    for name in (*ONE_IN_A_ROW, "bucketed", "packed", "truncated"):
        assert f"`{STRATEGIES[name].__name__}`" in text


def test_batching_page_plans_with_the_public_names(root):
    text = (root / "docs" / "batching.md").read_text("utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    namespace = {}
    exec(compile(example, "docs/batching.md", "exec"), namespace)
    plan = namespace["plan"]
    assert sorted(zip(plan.rows.tolist(), plan.widths.tolist(), strict=True)) == [(1, 6), (2, 4)]


@pytest.mark.long
def test_notebook_runs_and_shows_what_it_printed(root, tmp_path, monkeypatch):
    cells = json.loads((root / "docs" / "article.ipynb").read_text("utf-8"))["cells"]
    codes = [cell for cell in cells if cell["cell_type"] == "code"]
    monkeypatch.chdir(tmp_path)
    space = {"__name__": "__main__"}
    for cell in codes:
        code = "".join(cell["source"])
        # What it prints differs with the processor; what must hold it asserts.
        assert ("print(" in code or not code.splitlines()[-1].startswith((" ", "assert"))) == bool(cell["outputs"])
        exec(compile(code, "docs/article.ipynb", "exec"), space)
