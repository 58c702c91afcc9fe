# Epochs through a window of blocks: what every strategy has to keep of all sequences, over many seeds.
import numpy as np
import pytest

from lengthwise.batching.plan import epoch_rng
from lengthwise.batching.registry import STRATEGIES, make_strategy
from lengthwise.core.ragged import offsets_of, ranges
from lengthwise.core.sequences import Sequences
from lengthwise.training.epoch_parts import EpochPlans, InMemory, Windowed

SETTINGS = {"batch_size": 8, "buckets": 3, "tokens": 400, "window": 16}
SEEDS = 4
SKEWED = np.random.default_rng(0)
LENGTHS = {
    "one": [7],
    "all_1": [1] * 33,
    "one_huge": [2] * 30 + [300],
    "article": SKEWED.integers(5, 31, 101).tolist(),
    "zipf": np.minimum(SKEWED.zipf(1.6, 120), 200).tolist(),
}
COLUMNS = ("sequence", "start", "stop", "batch", "row", "column")


class SomeBlocks:
    """Sequences by rising length, so many a block; a token is the number of its step."""

    def __init__(self, lengths, rows):
        self.lengths_of_all = np.sort(np.array(lengths, np.int64))
        self.rows, self.reads = rows, []
        self.length_counts = np.stack(np.unique(self.lengths_of_all, return_counts=True), axis=1)
        offsets = offsets_of(self.lengths_of_all)
        self.whole = Sequences(offsets, {"tokens": np.arange(offsets[-1])}, {"number": np.arange(len(lengths))})

    def __len__(self):
        return -(-len(self.lengths_of_all) // self.rows)

    def members(self, numbers):
        rows = (np.asarray(numbers)[:, np.newaxis] * self.rows + np.arange(self.rows)).ravel()
        return rows[rows < len(self.lengths_of_all)]

    def lengths(self, numbers):
        return self.lengths_of_all[self.members(numbers)]

    def read(self, numbers):
        self.reads.append(numbers)
        return self.whole.take(self.members(numbers))


@pytest.fixture(params=sorted(LENGTHS))
def lengths(request):
    return LENGTHS[request.param]


@pytest.fixture(params=sorted(STRATEGIES))
def strategy(request):
    return make_strategy(request.param, SETTINGS)


def steps_of(parts, plans, epoch, first=(0, 0)):
    # The numbers of the steps of each batch, in the order of rows, from a part and a batch on.
    for part, sequences in enumerate(parts.read(epoch, first[0]), first[0]):
        plan = plans.of(epoch, part)
        assert np.array_equal(parts.lengths(epoch, part), sequences.lengths)
        for batch in range(first[1] if part == first[0] else 0, len(plan)):
            spans = slice(*plan.offsets[batch : batch + 2])
            begins = sequences.offsets[plan.sequence[spans]]
            yield [
                sequences["tokens"][begin + start : begin + stop].tolist()
                for begin, start, stop in zip(begins, plan.start[spans], plan.stop[spans], strict=True)
            ]


@pytest.mark.sampled(6)
@pytest.mark.parametrize("window", [1, 3, 1000])
def test_windows_give_every_step_exactly_once_an_epoch(strategy, lengths, window):
    blocks = SomeBlocks(lengths, 7)
    for seed in range(SEEDS):
        parts = Windowed(blocks, window, seed)
        plans = EpochPlans(parts, strategy, seed)
        for epoch in range(2):
            found = []
            for plan, sequences in zip(plans.epoch(epoch), parts.read(epoch), strict=True):
                begins = sequences.offsets[plan.sequence]
                found.append(sequences["tokens"][ranges(begins + plan.start, plan.stop - plan.start)])
            assert np.array_equal(np.sort(np.concatenate(found)), np.arange(sum(lengths)))
    assert max(map(len, blocks.reads)) <= window


@pytest.mark.sampled(4)
def test_windows_give_the_same_batches_again_from_any_batch_on(strategy):
    blocks = SomeBlocks(LENGTHS["zipf"], 7)

    def fresh():
        parts = Windowed(blocks, 3, 5)
        return parts, EpochPlans(parts, strategy, 5)

    parts, plans = fresh()
    whole = list(steps_of(parts, plans, 2))
    sizes = [len(plan) for plan in plans.epoch(2)]
    places = [(part, batch) for part, size in enumerate(sizes) for batch in range(size)]
    assert len(places) == len(whole)
    for number, place in enumerate(places):
        parts, plans = fresh()
        assert list(steps_of(parts, plans, 2, place)) == whole[number:]
        before = sum(len(span) for batch in whole[:number] for span in batch)
        assert plans.tokens_before(2, *place) == before


def test_windows_begin_every_part_with_whole_sequences(strategy):
    parts = Windowed(SomeBlocks(LENGTHS["zipf"], 7), 3, 1)
    plans = EpochPlans(parts, strategy, 1)
    for plan in plans.epoch(0):
        assert not plan.start[plan.batch == 0].any()


@pytest.mark.parametrize("window", [1000, 15])
def test_one_window_of_all_blocks_has_the_plans_of_the_sequences_in_memory(strategy, window):
    blocks = SomeBlocks(LENGTHS["article"], 7)
    assert len(blocks) == 15
    windowed, memory = Windowed(blocks, window, 9), InMemory(blocks.whole)
    assert windowed.length_counts.tolist() == memory.length_counts.tolist()
    for epoch in range(3):
        found, expected = (EpochPlans(parts, strategy, 9).of(epoch, 0) for parts in (windowed, memory))
        by_hand = strategy.plan(blocks.lengths_of_all, epoch_rng(9, epoch))
        for column in COLUMNS:
            assert np.array_equal(getattr(found, column), getattr(expected, column))
            assert np.array_equal(getattr(found, column), getattr(by_hand, column))


@pytest.fixture(scope="module")
def grouped():
    # One group has half of the sequences.
    whole = SomeBlocks(LENGTHS["zipf"], 7).whole
    group = np.random.default_rng(2).permutation(np.concatenate([np.zeros(60, int), np.arange(60) % 25]))
    return Sequences(whole.offsets, whole.per_step, {"group": group})


@pytest.mark.parametrize("limit", [1, 4, 1000])
def test_limited_groups_say_beforehand_what_all_epochs_plan(strategy, grouped, limit):
    parts, epochs = InMemory(grouped, limit), 5
    plans = parts.plans(strategy, 7)
    steps = [
        np.concatenate([span for batch in steps_of(parts, plans, epoch) for span in batch]) for epoch in range(epochs)
    ]
    assert plans.tokens(epochs) == sum(map(len, steps))
    assert plans.tokens(2) == sum(map(len, steps[:2]))
    assert plans.batches(epochs) == sum(len(plans.of(epoch, 0)) for epoch in range(epochs))
    _, sizes = np.unique(grouped["group"], return_counts=True)
    for found in steps:
        assert len({*found.tolist()}) == len(found)
        drawn = np.unique(np.searchsorted(grouped.offsets, found, side="right") - 1)
        assert np.array_equal(np.bincount(grouped["group"][drawn]), np.minimum(sizes, limit))
    # Nothing is counted out of what an epoch reads.
    assert [sequences["tokens"].tolist() for sequences in parts] == [grouped["tokens"].tolist()]


@pytest.mark.sampled(4)
def test_limited_groups_give_the_same_batches_again_from_any_batch_on(strategy, grouped):
    def fresh():
        parts = InMemory(grouped, 3)
        return parts, parts.plans(strategy, 5)

    parts, plans = fresh()
    whole = list(steps_of(parts, plans, 2))
    for number in range(len(whole)):
        parts, plans = fresh()
        assert list(steps_of(parts, plans, 2, (0, number))) == whole[number:]
        assert plans.tokens_before(2, 0, number) == sum(len(span) for batch in whole[:number] for span in batch)


def test_without_a_limit_all_epochs_are_as_large_as_the_first(strategy, grouped):
    plans = InMemory(grouped).plans(strategy, 3)
    assert type(plans) is EpochPlans
    assert plans.batches(6) == 6 * len(plans.of(0, 0)) == sum(len(plans.of(epoch, 0)) for epoch in range(6))
    assert plans.tokens(6) == 6 * len(grouped["tokens"])


@pytest.mark.parametrize("window", [2, 4])
def test_windows_come_in_another_order_in_every_epoch_and_seed(window):
    strategy = make_strategy("padded", SETTINGS)
    orders = set()
    for seed in range(6):
        parts = Windowed(SomeBlocks([1] * 60, 5), window, seed)
        plans = EpochPlans(parts, strategy, seed)
        orders |= {str(list(steps_of(parts, plans, epoch))) for epoch in range(6)}
    assert len(orders) == 36


def test_windows_read_all_once_for_what_is_counted_before_training():
    blocks = SomeBlocks(LENGTHS["article"], 7)
    parts = Windowed(blocks, 4, 0)
    for _ in range(2):
        assert np.concatenate([part["number"] for part in parts]).tolist() == list(range(101))
    assert parts.parts == 4
