import keras
import numpy as np
import pytest
from closeness import assert_close
from sklearn.utils.class_weight import compute_class_weight

from lengthwise.batching.collate import collate
from lengthwise.batching.plan import batches_in_order
from lengthwise.core.names import WEIGHTED_TASKS
from lengthwise.errors import ArgumentError
from lengthwise.models.class_counts import class_counts
from lengthwise.models.ensemble import make_network as network_of
from lengthwise.models.tasks import task_columns
from lengthwise.training.class_weights import balanced_weights, weighted_loss
from lengthwise.training.optimizers import UpdateRule, make_optimizer
from lengthwise.training.step import Steps
from lengthwise.training.training_settings import OptimizerSettings

KERNELS = ["keras", pytest.param("native", marks=pytest.mark.native)]
LENGTH, BATCH, EPOCHS, RATE = 6, 8, 4, 0.5
DESCENT = OptimizerSettings(RATE, "constant", None, "sgd", 0.0, 0.0, 0)


@pytest.mark.parametrize("seed", range(5))
def test_balanced_weights_are_those_of_scikit_learn_for_the_classes_that_occur(seed):
    labels = np.random.default_rng(seed).choice(7, 40, p=[0.5, 0.2, 0.2, 0.05, 0.05, 0, 0])
    weights = balanced_weights(np.bincount(labels, minlength=7))
    present = np.unique(labels)
    assert_close(weights[present], compute_class_weight("balanced", classes=present, y=labels))
    assert not weights[np.setdiff1d(np.arange(7), present)].any()
    # A prediction counts 1 in the mean, and each class as much as another.
    assert weights[labels].mean() == pytest.approx(1)
    totals = np.bincount(labels, weights[labels])
    assert_close(totals[present], np.full(len(present), 40 / len(present)))


def test_weighted_loss_is_the_sum_of_the_classes_losses_by_their_weights():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(0, 3, (50, 4)).astype(np.float32), rng.integers(0, 4, 50).astype(np.int32)
    weights = np.array([0.5, 2.0, 0.0, 1.0], np.float32)
    double = logits.astype(np.float64)
    losses = np.log(np.exp(double).sum(axis=1)) - double[np.arange(50), labels]
    assert float(weighted_loss(logits, labels, weights)) == pytest.approx((weights[labels] * losses).sum(), rel=1e-5)
    assert float(weighted_loss(logits[:0], labels[:0], weights)) == 0.0


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("task", "changes"),
    [
        *((task, {}) for task in WEIGHTED_TASKS),
        *((task, {"front_end": "conv1d", "kernel": 3, "stride": 2}) for task in ("classifier", "seq2seq")),
    ],
)
def test_class_counts_are_those_of_the_predictions_of_an_epoch(make_network, make_sequences, task, changes):
    sequences = make_sequences([3, 1, 7, 4, 4, 9, 2])
    network = make_network(task, **changes)
    steps = Steps(network, 0.01, None)
    plan = batches_in_order(sequences.lengths, np.arange(7), 3)
    columns = task_columns(network.config, sequences)
    made = [steps.prepare(collate(plan, n, sequences), columns).labels for n in range(len(plan))]
    expected = np.bincount(np.concatenate(made), minlength=network.config.outputs)
    assert class_counts(network.config, [sequences]).tolist() == expected.tolist()
    assert class_counts(network.config, [sequences[:3], sequences[3:4], sequences[4:]]).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("task", "changes", "what"),
    [
        ("regressor", {}, "regressor"),
        ("language_model", {}, "language_model"),
        ("classifier", {"several": True}, "several labels"),
    ],
)
def test_class_counts_refuse_what_has_no_few_classes(make_config, make_sequences, task, changes, what):
    with pytest.raises(
        ArgumentError, match=f"class_weights: got balanced for {what}; expected none, or one of classifier"
    ):
        class_counts(make_config(task, **changes), [make_sequences([3, 1])])


def stock(member):
    """Keras's own layers with the weights of a member."""
    config = member.config
    model = keras.Sequential(
        [
            keras.layers.Embedding(config.vocabulary_size, config.embedding),
            keras.layers.GRU(config.units),
            keras.layers.Dense(config.outputs),
        ]
    )
    model.build((None, LENGTH))
    # The cell's weights have the order and the shapes of Keras's.
    model.set_weights([variable.numpy() for variable in member.trainable_variables])
    return model


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("ensemble", "kernel"),
    [
        pytest.param(1, "native", marks=pytest.mark.native),
        pytest.param(1, "keras", marks=pytest.mark.long),
        pytest.param(2, "keras", marks=pytest.mark.long),
        pytest.param(2, "native", marks=[pytest.mark.native, pytest.mark.long]),
    ],
)
def test_weighted_steps_are_those_of_keras_fit_with_class_weights(make_config, make_sequences, ensemble, kernel):
    config = make_config(initial_state="zeros", ensemble=ensemble)
    sequences = make_sequences([LENGTH] * 30, config.vocabulary_size, 3)
    weights = balanced_weights(class_counts(config, [sequences]))
    assert weights.max() > 1.5 * weights[weights > 0].min()
    keras.utils.set_random_seed(1)
    network = network_of(config, kernel)
    models = [stock(member) for member in network.members]
    rule = UpdateRule(make_optimizer(DESCENT, RATE, network.trainable_variables, native=kernel == "native"), weights)
    steps = Steps(network, RATE, None, rule)
    plan = batches_in_order(sequences.lengths, np.arange(30), BATCH)
    for _ in range(EPOCHS):
        figures = np.concatenate([made for made, _ in steps.train_over(plan, sequences)])
    # What is reported knows of no weights: each prediction counts once.
    assert figures[:, 2].tolist() == [8, 8, 8, 6]
    tokens, labels = sequences["tokens"].reshape(30, LENGTH), sequences["label"]
    for member, model in zip(network.members, models, strict=True):
        model.compile(keras.optimizers.SGD(RATE), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        fit = {"batch_size": BATCH, "epochs": EPOCHS, "shuffle": False, "verbose": 0}
        model.fit(tokens, labels, class_weight=dict(enumerate(weights.tolist())), **fit)
        assert_close([variable.numpy() for variable in member.trainable_variables], model.get_weights(), 1e-4)


@pytest.mark.parametrize("kernel", [KERNELS[1], pytest.param("keras", marks=pytest.mark.long)])
def test_reported_loss_and_accuracy_know_of_no_weights(make_network, make_sequences, kernel):
    sequences = make_sequences([5, 3, 7, 2, 6])
    plan = batches_in_order(sequences.lengths, np.arange(5), 5)
    made = []
    for weights in (None, np.arange(make_network().config.outputs, dtype=np.float32)):
        network = make_network()
        optimizer = make_optimizer(DESCENT, RATE, network.trainable_variables)
        steps = Steps(network, RATE, None, UpdateRule(optimizer, weights))
        made.append(next(figures for figures, _ in steps.train_over(plan, sequences)))
        made.append(next(iter(steps.evaluate_over(plan, sequences))))
    np.testing.assert_allclose(made[0], made[2], rtol=1e-6)
    # The weights after it are others.
    assert not np.allclose(made[1], made[3], rtol=1e-4)
