# A model of two levels under every strategy says what is said by reading each sequence alone, then the outer one.
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from closeness import assert_close

from lengthwise.batching.fit_epoch import FitEpoch
from lengthwise.batching.for_evaluation import EVALUATION_STEPS
from lengthwise.batching.nested_data import fit_nested, predict_nested
from lengthwise.batching.packed import Packed
from lengthwise.batching.padded import Padded
from lengthwise.batching.registry import STRATEGIES, make_strategy
from lengthwise.batching.sampled import Sampled
from lengthwise.core.nested import nest
from lengthwise.errors import ArgumentError
from lengthwise.layers import Recurrent
from lengthwise.layers.two_level import TwoLevel
from lengthwise.sources import from_arrays

SETTINGS = {"batch_size": 3, "buckets": 2, "tokens": 40, "window": 4}
SEVERAL = ("packed", "truncated")
AUTHORS = (9, 1, 4, 2, 13, 1, 6)


@pytest.fixture(scope="module")
def nested():
    rng = np.random.default_rng(0)
    authors = np.repeat(np.arange(len(AUTHORS)), AUTHORS)
    rows = rng.permutation(len(authors))
    sentences = from_arrays(
        [rng.integers(1, 30, rng.integers(1, 9)) for _ in authors],
        per_sequence={"author": authors[rows], "label": authors[rows] % 3, "hour": rng.random(len(authors))},
    )
    return nest(sentences, by="author", shared=["label"])


def inner_model(packed):
    keras.utils.set_random_seed(1)
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    if not packed:
        states = keras.layers.GRU(5)(keras.layers.Embedding(30, 4, mask_zero=True)(tokens))
        return keras.Model(tokens, states), ("tokens",)
    resets = keras.Input((None,), dtype="bool", name="resets")
    states = Recurrent(keras.layers.GRUCell(5))(keras.layers.Embedding(30, 4)(tokens), resets=resets)
    return keras.Model({"tokens": tokens, "resets": resets}, states), ("tokens", "resets")


def outer_model(carried_rows=None):
    keras.utils.set_random_seed(2)
    steps, hour = keras.Input((None, 5), name="steps"), keras.Input((None,), name="hour")
    resets = keras.Input((None,), dtype="bool", name="resets")
    features = keras.ops.concatenate([steps, hour[..., None]], axis=-1)
    states = Recurrent(keras.layers.GRUCell(6), carried_rows=carried_rows)(features, resets=resets)
    return keras.Model({"steps": steps, "hour": hour, "resets": resets}, keras.layers.Dense(3)(states))


@pytest.fixture(scope="module")
def models():
    # One model and one function for all strategies that it goes with: most of the time is that of tracing.
    made = {}

    def of(name, packed=False):
        carried = SETTINGS["batch_size"] if name == "truncated" else None
        if (carried, packed) not in made:
            inner, inputs = inner_model(packed)
            model = TwoLevel(inner, outer_model(carried), ("hour", "resets"))
            made[carried, packed] = model, inputs, tf.function(model, reduce_retracing=True)
        return made[carried, packed]

    return of


@pytest.fixture(scope="module")
def said(nested):
    # Sentence by sentence, by the inner model that reads rows of one and by the one that reads rows of several.
    found = {}
    for packed in (False, True):
        model, _ = inner_model(packed)
        call = tf.function(model, reduce_retracing=True)
        outputs = []
        for number in range(len(nested.inner)):
            one = nested.inner[number : number + 1]["tokens"][np.newaxis]
            resets = np.arange(one.shape[1])[np.newaxis] == 0
            output = call({"tokens": tf.constant(one), "resets": tf.constant(resets)} if packed else tf.constant(one))
            outputs.append(output[0, -1] if packed else output[0])
        found[packed] = tf.stack(outputs)
    return found


def read_alone(said, nested, sequences):
    # Author by author: the outputs at every step.
    found, model = [], outer_model()
    call = tf.function(model, reduce_retracing=True)
    for number in range(len(nested)):
        rows = np.intersect1d(np.arange(*nested.outer.offsets[number : number + 2]), sequences)
        hour = tf.constant(nested.outer["hour"][rows], tf.float32)[tf.newaxis]
        resets = tf.constant(np.arange(len(rows))[np.newaxis] == 0)
        found.append(call({"steps": tf.gather(said, rows)[tf.newaxis], "hour": hour, "resets": resets})[0].numpy())
    return found


@pytest.mark.sampled(1)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("sample", [None, 3])
@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_batches_say_what_sentences_and_then_authors_say_alone(nested, models, said, name, sample, packed):
    model, inputs, call = models(name, packed)
    sampled = Sampled(make_strategy(name, SETTINGS), sample, window=10 if packed else None)
    data = fit_nested(
        nested,
        sampled,
        inputs=inputs,
        outer_inputs=("hour", "resets", "ends", "sequence"),
        targets=None,
        at="last_step" if packed else "sequence",
        model=model,
    )
    drawn = sampled.plan(nested.outer.lengths, nested.inner.lengths).drawn
    alone = read_alone(said[packed], nested, drawn)
    seen = 0
    for x in data:
        outputs, ends = call(x).numpy(), x["outer"]["ends"].numpy()
        for author, output in zip(x["outer"]["sequence"].numpy()[ends], outputs[ends], strict=True):
            assert_close(output, alone[author][-1])
            seen += 1
    assert seen == len(nested)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "name",
    # All but the last are planned as in the test before.
    [
        *(pytest.param(name, marks=pytest.mark.long) for name in sorted(STRATEGIES) if name not in SEVERAL),
        *SEVERAL,
        None,
    ],
)
@pytest.mark.parametrize("at", ["every_step", "last_step"])
def test_predict_reads_all_sentences_of_each_author(nested, models, said, name, at):
    model, inputs, _ = models(name)
    strategy = make_strategy(name, SETTINGS) if name else None
    found = predict_nested(model, nested, strategy, inputs=inputs, outer_at=at)
    alone = read_alone(said[False], nested, np.arange(len(nested.inner)))
    assert_close(found, np.concatenate(alone) if at == "every_step" else np.stack([steps[-1] for steps in alone]))


def pooling_model():
    # Both levels are pooled: padding makes a difference to each, were it not masked.
    keras.utils.set_random_seed(4)
    inner = [keras.Input((None,)), keras.layers.Embedding(30, 4, mask_zero=True), keras.layers.GlobalAveragePooling1D()]
    outer = [keras.Input((None, 4)), keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(3)]
    return TwoLevel(keras.Sequential(inner), keras.Sequential(outer))


def gradients_of(model, batches):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    with tf.GradientTape() as tape:
        total = sum(loss(y, model(x)) for x, y in batches)
    gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(total, model.trainable_variables)]
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)
    # As one: single gradients may be small sums of large terms.
    return np.concatenate([tf.reshape(gradient, [-1]).numpy() for gradient in gradients])


def test_gradients_of_both_levels_do_not_depend_on_batches(nested):
    model = pooling_model()
    ways = (Padded(100), Padded(1), make_strategy("bucketed", SETTINGS), make_strategy("token_budget", SETTINGS))
    # The same seed draws the same, whatever the strategy: all of each.
    found = [gradients_of(model, fit_nested(nested, Sampled(way), model=model)) for way in ways]
    for others in found[1:]:
        assert_close(others, found[0])


def trained(nested, epochs, begin=0, weights=None):
    model = pooling_model()
    if weights is not None:
        model.set_weights(weights)
    model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    epoch = FitEpoch()
    data = fit_nested(nested, Sampled(Padded(2), 3), seed=5, epoch=epoch, model=model)
    model.fit(data, epochs=epochs, initial_epoch=begin, callbacks=[epoch], shuffle=False, verbose=0)
    return model.get_weights()


@pytest.mark.long
def test_training_resumed_at_an_epoch_comes_to_the_same_bytes(nested):
    whole, half = trained(nested, 2), trained(nested, 1)
    resumed = trained(nested, 2, begin=1, weights=half)
    assert [array.tobytes() for array in whole] == [array.tobytes() for array in resumed]
    assert [array.tobytes() for array in whole] != [array.tobytes() for array in half]


def test_inner_rows_stay_small_however_many_sentences_an_author_has():
    sentences = from_arrays(
        [np.full(1 + number % 40, 2) for number in range(20_000)], per_sequence={"author": np.zeros(20_000, int)}
    )
    shapes = []

    class Reader(keras.layers.Layer):
        def call(self, tokens):
            tf.py_function(lambda x: shapes.append(x.shape), [tokens], [])
            return tf.reduce_sum(tf.cast(tokens, tf.float32), axis=1, keepdims=True)

    class Total(keras.layers.Layer):
        def call(self, steps, mask=None):
            return tf.reduce_sum(steps, axis=1)

    found = predict_nested(TwoLevel(Reader(), Total()), nest(sentences, by="author"))
    assert found.tolist() == [[2.0 * int(sentences.lengths.sum())]]
    assert len(shapes) > 10
    assert max(rows * steps for rows, steps in shapes) <= EVALUATION_STEPS


def test_a_saved_model_says_the_same(nested, tmp_path):
    model = pooling_model()
    expected = predict_nested(model, nested)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert predict_nested(again, nested).tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampled": Padded(2)}, "sampled: got Padded(batch_size=2); expected one, such as Sampled(Padded("),
        ({"sampled": Sampled(Padded(2), window=8)}, "at: got 'sequence' with Sampled("),
        ({"at": "every_step"}, "at: got 'every_step'; expected sequence or last_step"),
        ({"outer_inputs": ("place",)}, "outer_inputs: got ('place',); expected a list of names, without 'place'"),
        ({"outer_inputs": ("date",)}, "inputs: got 'date'; expected a column or one of author, hour, label, "),
        ({"targets": "class"}, "targets: got 'class'; expected a column or one of author, hour, label"),
        ({"seed": -1}, "seed: got -1; expected a whole number from 0"),
        ({"sampled": Sampled(Packed(2, 9))}, "inputs: got ('mask',) with Packed(batch_size=2, window=9); expected"),
    ],
)
def test_fit_rejects_what_does_not_fit(nested, options, message):
    with pytest.raises(ArgumentError, match=f"^{re.escape(message)}"):
        fit_nested(nested, **{"sampled": Sampled(Padded(2)), **options})


def test_fit_rejects_a_model_whose_levels_do_not_go_with_the_rows(nested):
    with pytest.raises(ArgumentError, match="one sequence of a row would leak into the next"):
        fit_nested(
            nested,
            Sampled(Packed(2, 9)),
            outer_inputs=("resets",),
            targets=None,
            model=TwoLevel(pooling_model().inner, keras.Sequential([keras.layers.GRU(2)])),
        )
    with pytest.raises(ArgumentError, match=r"^model: got .*; expected a TwoLevel"):
        fit_nested(nested, Sampled(Padded(2)), model=pooling_model().outer)
    with pytest.raises(ArgumentError, match=r"^nested: got Sequences; expected NestedSequences; make them by nest"):
        fit_nested(nested.inner, Sampled(Padded(2)))
    with pytest.raises(ArgumentError, match=r"^inner: got 3; expected a Keras model"):
        TwoLevel(3, pooling_model())
