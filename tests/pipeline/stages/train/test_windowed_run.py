# A run that trains through a window of blocks: the bytes of one in memory where they are one window, and its own again
# after a stop or a death anywhere.
import json
import weakref
from contextlib import contextmanager

import pandas as pd
import pytest
from training_runs import FILES, bytes_of, stopped_run

from lengthwise.batching.registry import STRATEGIES
from lengthwise.pipeline.stages.train.training_run import train
from lengthwise.prepare.shards import writer
from lengthwise.prepare.shards.reader import read_index
from lengthwise.prepare.shards.shard_blocks import ShardBlocks


@pytest.fixture(scope="module")
def shards(write_corpus, invent_posts, make_shards, tmp_path_factory):
    folder = tmp_path_factory.mktemp("blocks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "BLOCK_STEPS", 100)
        return make_shards(write_corpus(folder, invent_posts(1, 60)), rows_per_shard=100).shards


@pytest.fixture(scope="module")
def blocks(shards):
    return len(ShardBlocks(shards, read_index(shards), "train"))


@pytest.mark.long
@pytest.mark.parametrize(
    ("task", "changes"),
    [
        ("classifier", {"class_weights": "balanced", "schedule": "cosine"}),
        pytest.param("seq2seq", {"strategy": "truncated", "batch_size": 16}, marks=pytest.mark.long),
    ],
)
def test_train_through_one_window_gives_the_bytes_of_training_in_memory(
    shards, blocks, train_params, here, task, changes
):
    made = []
    for window in (None, blocks):
        train(shards, FILES, task, train_params(window_blocks=window, epochs=1, **changes))
        made.append(bytes_of(here))
    assert made[0] == made[1]


@contextmanager
def windows_in_memory():
    # How many there are whenever one has been read: it, and the one that is trained on.
    made_so_far, counts, original = [], [], ShardBlocks.read

    def read(self, numbers):
        made = original(self, numbers)
        made_so_far.append(weakref.ref(made))
        counts.append(sum(reference() is not None for reference in made_so_far))
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ShardBlocks, "read", read)
        yield counts


LANES = {"strategy": "truncated", "batch_size": 16, "window": 3, "cell": "lstm", "epochs": 1}
WORDS = {"schedule": "cosine", "word_dropout": 0.2, "batch_size": 16}


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("task", "changes", "share", "death"),
    [
        ("seq2seq", LANES, 0.6, True),
        pytest.param("seq2seq", LANES, 0.2, False, marks=pytest.mark.long),
        pytest.param("classifier", WORDS, 0.6, False, marks=pytest.mark.long),
        pytest.param("classifier", WORDS, 0.2, True, marks=pytest.mark.long),
    ],
)
def test_train_through_windows_goes_on_after_a_stop_or_a_death_to_the_same_bytes(
    shards, blocks, train_params, here, task, changes, share, death
):
    params = train_params(window_blocks=blocks // 4, **changes)
    with windows_in_memory() as counts:
        whole = train(shards, FILES, task, params)
    assert len(counts) >= 4
    assert max(counts) <= 2
    expected = bytes_of(here)
    steps = json.loads(expected["figures/cost.json"])["steps"]
    assert steps > 10
    stop = round(share * steps)
    (here / "model").rename(here / "before")
    stopped_run(stop, shards, task, params, death=death)
    assert not (here / "model").exists()
    again = train(shards, FILES, task, params)
    assert again.timing["resumed_at_step"] == stop - death
    assert again.metrics == whole.metrics
    assert bytes_of(here) == expected


@pytest.mark.long
def test_train_through_windows_learns_with_every_strategy_and_tells_what_its_batches_are(
    shards, blocks, train_params, here
):
    for name in sorted(STRATEGIES):
        params = train_params(
            strategy=name, batch_size=16, window=12, epochs=2, dropout=0.0, window_blocks=-(-blocks // 3)
        )
        train(shards, FILES, "seq2seq", params)
        losses = pd.read_csv(here / "live" / "epochs.csv")["train_loss"].tolist()
        assert losses[-1] < losses[0], name
    cost = json.loads((here / "figures" / "cost.json").read_text(encoding="utf-8"))
    table = pd.read_csv(here / "figures" / "batching.csv").set_index("strategy")
    assert table.loc["truncated", "batches"] == cost["batches"]
    assert sorted(table.index) == sorted(STRATEGIES)
    rows = read_index(shards).splits["train"].rows
    # A window's last batch may be smaller, as an epoch's in memory.
    assert -(-rows // 16) <= table.loc["padded", "batches"] <= rows // 16 + 3
