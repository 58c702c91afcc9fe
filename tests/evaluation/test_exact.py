# What is reported of a network is what its predictions say, computed otherwise; and each sequence speaks once.
import functools

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from closeness import EXACT, assert_close
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss, recall_score

from lengthwise.batching.collate import collate
from lengthwise.batching.for_evaluation import evaluation_plan
from lengthwise.batching.plan import batches_in_order, epoch_rng
from lengthwise.batching.registry import STRATEGIES, make_strategy
from lengthwise.core.names import LABEL_TASKS
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.models.inputs import network_inputs
from lengthwise.models.network import Network
from lengthwise.models.prediction import predict_split
from lengthwise.models.saved import save_network
from lengthwise.pipeline.stages.evaluate import evaluate
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.training.step import Steps

CLASSES = [f"{gender} {bracket}" for gender in ("male", "female") for bracket in ("10s", "20s", "30s")]
COLUMNS = [f"log_probability_{number}" for number in range(6)]
# Sums and means are taken in another order and width.
MEAN = 1e-6
SETTINGS = {"batch_size": 8, "buckets": 4, "tokens": 200, "window": 16}
LENGTHS = np.minimum(np.random.default_rng(0).zipf(1.4, 40), 50)


@pytest.fixture(scope="module", params=sorted(LABEL_TASKS))
def evaluated(request, corpus, make_network, tmp_path_factory):
    """The folder of an evaluation, its headline, and its predictions for each level, pooled by pandas."""
    folder = tmp_path_factory.mktemp("evaluated")
    index = read_index(corpus.shards)
    purpose = {"vocabulary_size": index.vocabulary_size, "numbers": (), "tags": (), "tag_column": ""}
    save_network(make_network(request.param, 2, **purpose), folder / "model")
    files = (folder / "model", folder / "predictions.parquet", folder / "tables")
    headline = evaluate(corpus.shards, *files, Bootstrap(20, 0.9, 1))
    table = pq.read_table(folder / "predictions.parquet").to_pandas()
    test = read_split(corpus.shards, index, "test")
    table["length"] = pd.Series(test.lengths, index=test["sequence"]).sort_index()
    levels = {"sentence": table}
    for name, column in (("document", "document"), ("author", "group")):
        pooled = table.groupby(column)[COLUMNS].mean()
        pooled = pooled.sub(np.log(np.exp(pooled).sum(axis=1)), axis=0)
        levels[name] = pooled.assign(label=table.groupby(column)["label"].first())
    return folder / "tables", headline, levels


@pytest.mark.sampled(1)
def test_every_sequence_of_the_test_split_is_scored_once(corpus, evaluated):
    _, _, levels = evaluated
    test = read_split(corpus.shards, read_index(corpus.shards), "test")
    assert levels["sentence"]["sequence"].tolist() == list(range(len(test)))
    assert_close(np.exp(levels["sentence"][COLUMNS]).sum(axis=1), 1, MEAN)


@pytest.mark.parametrize("level", ["sentence", "document", "author"])
def test_figures_equal_what_scikit_learn_says_of_the_predictions_in_the_file(evaluated, level):
    tables, headline, levels = evaluated
    scores = np.exp(levels[level][COLUMNS].to_numpy(np.float64))
    truth, predicted = levels[level]["label"].to_numpy(), scores.argmax(axis=1)
    gender, bracket = (
        scores.reshape(-1, 2, 3).sum(axis=2).argmax(axis=1),
        scores.reshape(-1, 2, 3).sum(axis=1).argmax(1),
    )
    present = sorted(set(truth.tolist()))
    expected = {
        "accuracy": accuracy_score(truth, predicted),
        "gender_accuracy": accuracy_score(truth // 3, gender),
        "age_bracket_accuracy": accuracy_score(truth % 3, bracket),
        "nll": log_loss(truth, scores / scores.sum(axis=1, keepdims=True), labels=range(6)),
        "macro_f1": f1_score(truth, predicted, labels=present, average="macro"),
    }
    recalls = recall_score(truth, predicted, labels=present, average=None)
    expected |= {f"recall {CLASSES[label]}": recall for label, recall in zip(present, recalls, strict=True)}
    figures = pd.read_csv(tables / "levels.csv").query("level == @level").set_index("metric")["value"]
    assert_close(figures.to_dict(), expected, MEAN)
    # What is a count divided by a count is right to the last digit but rounding.
    for name in ("accuracy", "gender_accuracy", "age_bracket_accuracy"):
        assert figures[name] == pytest.approx(expected[name], rel=0, abs=1e-12)
        assert headline[f"{level}_{name.removesuffix('_accuracy')}"] == pytest.approx(expected[name], rel=0, abs=1e-12)


@pytest.mark.parametrize("level", ["sentence", "document", "author"])
def test_confusions_equal_those_of_scikit_learn(evaluated, level):
    tables, _, levels = evaluated
    predicted = levels[level][COLUMNS].to_numpy().argmax(axis=1)
    table = pd.read_csv(tables / f"confusion_{level}.csv")
    expected = confusion_matrix(levels[level]["label"], predicted, labels=range(6))
    assert table["count"].tolist() == expected.ravel().tolist()
    assert [tuple(row) for row in table[["actual", "predicted"]].to_numpy()] == [
        (a, b) for a in CLASSES for b in CLASSES
    ]


def test_accuracy_by_length_is_that_of_the_predictions_in_the_file(evaluated):
    tables, _, levels = evaluated
    table = levels["sentence"]
    right = table[COLUMNS].to_numpy().argmax(axis=1) == table["label"]
    expected = right.groupby(table["length"]).agg(["count", "mean"])
    found = pd.read_csv(tables / "by_length.csv").set_index("length")
    assert found.index.tolist() == expected.index.tolist()
    assert found["count"].tolist() == expected["count"].tolist()
    assert_close(found["accuracy"], expected["mean"], EXACT)


@pytest.fixture(scope="module")
def one_by_one(make_network, make_sequences):
    """Sequences, a network per task, and log-probabilities and right class of each prediction, by (sequence, step)."""
    sequences = make_sequences(LENGTHS, seed=7)
    plan = batches_in_order(sequences.lengths, np.arange(len(sequences)), 1)
    networks, alone = {}, {}
    for task in LABEL_TASKS:
        networks[task] = make_network(task)
        for number in range(len(plan)):
            inputs, targets = network_inputs(networks[task].config, collate(plan, number, sequences))
            scores = networks[task].predict_batch(inputs)
            for step, row in zip(targets.positions[:, 1].tolist(), scores, strict=True):
                alone[task, number, step] = row
    return sequences, networks, alone


def with_kernel(network, kernel):
    other = Network(network.config, kernel)
    for variable, like in zip(other.trainable_variables, network.trainable_variables, strict=True):
        variable.assign(like)
    return other


@pytest.fixture(scope="module")
def still_steps(one_by_one):
    """Steps of size zero by a task and a kernel, traced once: they leave their network as it is."""
    _, networks, _ = one_by_one
    return functools.cache(lambda task, kernel: Steps(with_kernel(networks[task], kernel), 0.0, None))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_predictions_under_every_strategy_are_those_of_one_by_one_each_once(one_by_one, name):
    sequences, networks, alone = one_by_one
    for task in sorted(LABEL_TASKS):
        network = networks[task]
        plan = make_strategy(name, SETTINGS).plan(sequences.lengths, epoch_rng(1, 0))
        keys, states = [], None
        read = dict.fromkeys(range(len(sequences)), 0)
        for number in range(len(plan)):
            batch = collate(plan, number, sequences)
            inputs, targets = network_inputs(network.config, batch)
            if states is None or not batch.continues:
                states = network.zero_states(len(batch.tokens))
            logits, states = network(inputs, [state[: len(batch.tokens)] for state in states])
            logits = logits.numpy().astype(np.float64)
            scores = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
            for segment, row in zip(targets.segments.tolist(), scores, strict=True):
                sequence = int(batch.sequences[segment])
                step = int(LENGTHS[sequence]) - 1 if task == "classifier" else read[sequence]
                read[sequence] += 1
                keys.append((task, sequence, step))
                assert_close(row, alone[keys[-1]], name=str(keys[-1]))
        assert sorted(keys) == sorted(key for key in alone if key[0] == task)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("name", "kernel"),
    [
        *((name, "native") for name in sorted(STRATEGIES)),
        ("bucketed", "keras"),
        ("packed", "keras"),
        ("truncated", "keras"),
    ],
)
def test_an_epoch_of_training_counts_every_prediction_once(one_by_one, still_steps, name, kernel):
    # The compiled loop with a step size of zero: what it sums up is what one by one gives.
    sequences, _, alone = one_by_one
    for task in sorted(LABEL_TASKS):
        plan = make_strategy(name, SETTINGS).plan(sequences.lengths, epoch_rng(2, 0))
        figures = [figures for figures, _ in still_steps(task, kernel).train_over(plan, sequences, 0, "post", None)]
        assert_sums(np.concatenate(figures), task, sequences, alone)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kernel", ["native", "keras"])
def test_validation_and_evaluation_count_every_prediction_once(one_by_one, kernel):
    sequences, networks, alone = one_by_one
    for task in sorted(LABEL_TASKS):
        network = with_kernel(networks[task], kernel)
        figures = Steps(network, 0.0, None).evaluate_over(evaluation_plan(sequences.lengths), sequences)
        assert_sums(np.concatenate(list(figures)), task, sequences, alone)
        made = predict_split(network, sequences)
        expected = [alone[task, place, length - 1] for place, length in enumerate(LENGTHS.tolist())]
        assert_close(made.log_probabilities, expected)
        steps = np.array([step for of, _, step in alone if of == task])
        assert made.step_count.tolist() == np.bincount(steps, minlength=LENGTHS.max()).tolist()


def assert_sums(figures, task, sequences, alone):
    rows = {key[1:]: row for key, row in alone.items() if key[0] == task}
    labels = [int(sequences["label"][sequence]) for sequence, _ in rows]
    loss = -sum(float(row[label]) for row, label in zip(rows.values(), labels, strict=True))
    right = sum(row.argmax() == label for row, label in zip(rows.values(), labels, strict=True))
    total = figures.sum(axis=0, dtype=np.float64)
    assert_close(total[0] / total[2], loss / len(rows))
    assert total[1:].tolist() == [right, len(rows)]
