# At most so many sequences of a group in an epoch, under every strategy: what is drawn, planned and given to Keras.
import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lengthwise as lw
from lengthwise.batching.limited_groups import LimitedGroups, draw
from lengthwise.batching.padded import Padded
from lengthwise.batching.plan import epoch_rng
from lengthwise.batching.registry import STRATEGIES, make_strategy
from lengthwise.batching.sampled import Sampled
from lengthwise.errors import ArgumentError

SETTINGS = {"batch_size": 4, "buckets": 3, "tokens": 90, "window": 5}
COLUMNS = ("sequence", "start", "stop", "batch", "row", "column")
BY_COUNT = sorted(name for name, kind in STRATEGIES.items() if kind.counts_sequences)
by_strategy = pytest.mark.parametrize("name", sorted(STRATEGIES))
# As of authors: most have written little, one has written half.
GROUPS = np.random.default_rng(0).permutation([*range(20), *range(5), *[7] * 30, *[3] * 9])
LENGTHS = np.random.default_rng(1).integers(1, 31, len(GROUPS))


def limited_of(name, limit):
    return LimitedGroups(make_strategy(name, SETTINGS), limit, by="group")


@given(owner=st.lists(st.integers(-3, 6), max_size=40), most=st.integers(1, 9), seed=st.integers(0, 2**31))
def test_draw_has_as_many_of_each_group_as_it_may(owner, most, seed):
    owner = np.array(owner, np.int64)
    drawn = draw(owner, most, np.random.default_rng(seed))
    assert (np.diff(drawn) > 0).all()
    for group in set(owner.tolist()):
        assert (owner[drawn] == group).sum() == min(most, (owner == group).sum())


def test_every_member_of_a_group_is_drawn_as_often_as_any_other():
    owner, counts = np.arange(50) % 5 // 4, np.zeros(50)
    for seed in range(2000):
        counts[draw(owner, 4, epoch_rng(seed, 0))] += 1
    for group in (0, 1):
        members = owner == group
        assert np.abs(counts[members] / 2000 - 4 / members.sum()).max() < 0.05


@by_strategy
@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_limited_plans_the_steps_of_drawn_sequences_once_as_its_strategy_plans_them_alone(name, limit):
    limited = limited_of(name, limit)
    for seed in range(5):
        plan = limited.plan(LENGTHS, GROUPS, epoch_rng(seed, 1))
        drawn = np.unique(plan.sequence)
        numbers, sizes = np.unique(GROUPS, return_counts=True)
        assert np.array_equal([(GROUPS[drawn] == number).sum() for number in numbers], np.minimum(sizes, limit))
        steps = sorted(
            (sequence, step)
            for sequence, start, stop in zip(plan.sequence, plan.start, plan.stop, strict=True)
            for step in range(start, stop)
        )
        assert steps == [(sequence, step) for sequence in drawn for step in range(LENGTHS[sequence])]
        assert plan.sequence.dtype == np.int32
        # The strategy knows nothing of those that are not drawn.
        rng = epoch_rng(seed, 1)
        draw(GROUPS, limit, rng)
        alone = limited.strategy.plan(LENGTHS[drawn], rng)
        for column in COLUMNS[1:]:
            assert np.array_equal(getattr(plan, column), getattr(alone, column))
        assert plan.least_width == alone.least_width


@by_strategy
def test_limited_plan_is_a_function_of_seed_and_epoch(name):
    first, again, later, other = (
        limited_of(name, 2).plan(LENGTHS, GROUPS, epoch_rng(seed, epoch))
        for seed, epoch in ((4, 1), (4, 1), (4, 2), (5, 1))
    )
    assert all(np.array_equal(getattr(first, column), getattr(again, column)) for column in COLUMNS)
    assert len({np.unique(plan.sequence).tobytes() for plan in (first, later, other)}) == 3


def test_groups_are_any_values_and_stand_in_any_order():
    names = np.array([f"author {group}" for group in GROUPS])
    for epoch in range(3):
        # By their ranks: numbers of one digit have the same order as letters.
        few = np.flatnonzero(GROUPS < 10)
        plans = [limited_of("packed", 2).plan(LENGTHS[few], of[few], epoch_rng(0, epoch)) for of in (GROUPS, names)]
        assert np.array_equal(plans[0].sequence, plans[1].sequence)


def test_limited_and_sampled_draw_alike():
    outer = np.array([9, 1, 30, 2])
    owner, inner = np.repeat(np.arange(4), outer), np.ones(42, np.int64)
    for seed in range(9):
        plan = LimitedGroups(Padded(3), 4, by="group").plan(inner, owner, epoch_rng(seed, 2))
        drawn = Sampled(Padded(3), 4).plan(outer, inner, epoch_rng(seed, 2)).drawn
        assert np.unique(plan.sequence).tolist() == drawn.tolist()


@by_strategy
def test_strategies_say_whether_their_batches_depend_on_the_number_of_sequences_alone(name):
    rng, sizes = np.random.default_rng(3), {}
    for _ in range(60):
        count = int(rng.integers(1, 40))
        lengths = rng.integers(1, int(rng.integers(2, 90)), count)
        for seed in range(2):
            sizes.setdefault(count, set()).add(len(make_strategy(name, SETTINGS).plan(lengths, epoch_rng(seed, 0))))
    assert (name in BY_COUNT) == all(len(found) == 1 for found in sizes.values())


def test_a_length_without_a_batch_is_rejected_in_every_epoch_whoever_is_drawn():
    limited = LimitedGroups(lw.TokenBudget(4), 1, by="group")
    for epoch in range(9):
        with pytest.raises(ArgumentError, match=r"^tokens: got 4; expected at least 9, the length of sequence 5;"):
            limited.plan([1, 2, 3, 4, 4, 9], [0, 0, 0, 0, 0, 0], epoch_rng(0, epoch))


def author_sequences():
    tokens = [np.full(length, number + 1) for number, length in enumerate(LENGTHS)]
    columns = {"author": [f"a{group}" for group in GROUPS], "label": GROUPS % 2}
    return lw.from_arrays(tokens, per_sequence=columns)


def seen_in(batches):
    return sorted(int(row[0]) - 1 for tokens, _ in batches for row in tokens.numpy())


@pytest.mark.parametrize("name", BY_COUNT)
def test_fit_data_gives_a_pass_of_drawn_sequences_and_others_in_the_next(name):
    data = lw.fit_data(author_sequences(), LimitedGroups(make_strategy(name, SETTINGS), 2, by="author"), seed=3)
    passes = [seen_in(data) for _ in range(3)]
    for seen in passes:
        assert len(seen) == len(set(seen))
        numbers, sizes = np.unique(GROUPS, return_counts=True)
        assert [(GROUPS[seen] == number).sum() for number in numbers] == np.minimum(sizes, 2).tolist()
    assert len({str(seen) for seen in passes}) == 3
    assert len({int(data.cardinality()), *(sum(1 for _ in data) for _ in range(2))}) == 1


def test_fit_goes_on_with_the_sequences_that_its_epoch_draws():
    def trained(*runs):
        keras.utils.set_random_seed(1)
        model = keras.Sequential(
            [keras.layers.Embedding(len(GROUPS) + 1, 2, mask_zero=True), lw.GRU(2), keras.layers.Dense(2)]
        )
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        for begin, end in runs:
            epoch = lw.FitEpoch()
            limited = lw.LimitedGroups(lw.Bucketed(8, buckets=2), 3, by="author")
            data = lw.fit_data(author_sequences(), limited, epoch=epoch)
            callbacks = [epoch]
            model.fit(data, initial_epoch=begin, epochs=end, callbacks=callbacks, shuffle=False, verbose=0)
        return [weight.numpy() for weight in model.trainable_variables]

    for whole, parts in zip(trained((0, 3)), trained((0, 1), (1, 3)), strict=True):
        assert whole.tobytes() == parts.tobytes()


def stream():
    return lw.Stream(lambda: [{"ids": [1]}], {"tokens": "ids"})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LimitedGroups("padded", 2, by="author"), r"strategy: got 'padded'; expected a strategy, such as"),
        (lambda: LimitedGroups(Padded(2), 0, by="author"), r"group_limit: got 0; expected a whole number from 1"),
        (lambda: LimitedGroups(Padded(2), None, by="author"), r"group_limit: got None; expected a whole number from 1"),
        (lambda: LimitedGroups(Padded(2), 2, by=3), r"by: got 3; expected the name of a column per sequence"),
        (
            lambda: LimitedGroups(Padded(2), 2, by="g").plan([2, 3], [1]),
            r"groups: got shape \(1,\); expected \(2,\), one for",
        ),
        (
            lambda: LimitedGroups(Padded(2), 2, by="g").plan([0], [1]),
            r"lengths: got 0 for sequence 0; expected 1",
        ),
        (
            lambda: lw.fit_data(author_sequences(), LimitedGroups(Padded(2), 2, by="writer")),
            r"by: got 'writer'; expected a column with one value a sequence: author, label",
        ),
        (
            lambda: lw.fit_data(author_sequences(), LimitedGroups(Padded(2), 2, by="tokens")),
            r"by: got 'tokens'; expected a column with one value a sequence",
        ),
        (
            lambda: lw.fit_data(author_sequences(), LimitedGroups(lw.TokenBudget(90), 2, by="author")),
            r"strategy: got a limit with TokenBudget\(tokens=90\), whose number of batches would differ from pass to",
        ),
        (
            lambda: lw.fit_data(stream(), LimitedGroups(Padded(2), 2, by="author"), targets=None),
            r"strategy: got LimitedGroups with a Stream; expected a strategy, since a group lies in",
        ),
        (
            lambda: lw.check(keras.layers.GRU(2), LimitedGroups(Padded(2), 2, by="author")),
            r"strategy: got LimitedGroups",
        ),
    ],
)
def test_what_does_not_go_with_a_limit_is_rejected(make, message):
    with pytest.raises(ArgumentError, match=f"^{message}") as caught:
        make()
    assert "\n" not in str(caught.value)
