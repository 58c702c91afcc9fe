"""What holds for blogs and classes holds for other corpora and tasks: kills leave nothing, the bytes are the same."""

import random
import shutil
import signal

import pytest

STEPS = {
    "ingest.corpus": "steps",
    "ingest.steps.tokens": "form",
    "ingest.steps.tags": ["upos"],
    "split.by": "document",
    "shards.unit": "document",
    "shards.min_length": 1,
    "shards.affixes": 2,
}
TABLE = {
    "ingest.corpus": "table",
    "ingest.table.group": "by",
    "split.by": "group",
    "shards.unit": "document",
    "shards.min_length": 1,
}
NUMBERS = {"ingest.table.labels": [], "ingest.table.numbers": ["stars"]}
SEVERAL = {"ingest.table.labels": ["fast", "cheap"], "ingest.table.several": True}
PLAIN = {
    "ingest.corpus": "plain",
    "tokens.by": "characters",
    "split.by": "place",
    "shards.unit": "document",
    "shards.min_length": 2,
    "shards.max_length": 200,
    "shards.too_long": "split",
    "train.batching.strategy": "truncated",
}
WORDS = "a bird in the hand is worth two in the bush and what goes up must come down again some day".split()  # noqa: SIM905


def conll():
    rng = random.Random(1)
    sentences = []
    for _ in range(120):
        words = rng.choices(WORDS, k=rng.randint(2, 9))
        rows = [f"{n}\t{word}\t_\t{'ABC'[len(word) % 3]}" + "\t_" * 6 for n, word in enumerate(words, 1)]
        sentences.append("\n".join(rows))
    return "\n\n".join(sentences).encode() + b"\n\n"


def table():
    rng = random.Random(2)
    rows = ["text,by,stars,fast,cheap"]
    for number in range(240):
        text = " ".join(rng.choices(WORDS, k=rng.randint(5, 12)))
        rows.append(f"{text},u{number % 40},{text.count('the') + rng.random():.3f},{'in' in text:d},{number % 2}")
    return "\n".join(rows).encode() + b"\n"


def text():
    rng = random.Random(3)
    return "\n".join(" ".join(rng.choices(WORDS, k=8)) for _ in range(300)).encode()


KINDS = {
    "tagger": ("data/in/words.conllu", conll, STEPS),
    "regressor": ("data/in/t.csv", table, TABLE | {"ingest.table.labels": [], "ingest.table.numbers": ["stars"]}),
    "classifier": (
        "data/in/t.csv",
        table,
        TABLE | {"ingest.table.labels": ["fast", "cheap"], "ingest.table.several": True},
    ),
    "language_model": ("data/in/text.txt", text, PLAIN),
}
LIGHT = ("ingest", "tokens", "split", "vocabulary", "shards", "baselines")


@pytest.fixture(scope="module", params=KINDS)
def others(request, make_others):
    source, data, changes = KINDS[request.param]
    return request.param, make_others(request.param, source, data(), changes)


@pytest.fixture(scope="module")
def whole(others, tmp_path_factory):
    """The folder of an undisturbed run."""
    task, runs = others
    return runs.complete(tmp_path_factory.mktemp(task) / "whole", ["baselines", f"evaluate@{task}"])


def killed(whole, faults, stage, folder, part):
    """A stage killed at a part of its operations on files, and run again: what the first one left, and the second."""
    made = whole.with_old_outputs(stage, folder)
    done = faults.run(made, stage)
    assert done.status == 0, done.text
    shutil.rmtree(made)
    made = whole.with_old_outputs(stage, folder)
    old = whole.digests(stage, made)
    if faults.preload is not None:
        first = faults.run(made, stage, at=max(1, int(part * done.operations)))
        assert first.status == -signal.SIGKILL, first.text
        for name, found in whole.digests(stage, made).items():
            if name not in faults.stages[stage].live:
                assert found in (None, old[name], whole.digests(stage)[name]), name
    again = faults.run(made, stage, save_seconds=1e9)
    assert again.status == 0, again.text
    assert whole.digests(stage, made) == whole.digests(stage)
    shutil.rmtree(made)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("stage", ["ingest", *(pytest.param(name, marks=pytest.mark.long) for name in LIGHT[1:])])
def test_a_stage_of_any_corpus_that_is_killed_runs_again_to_the_same_bytes(others, stage, tmp_path):
    _, runs = others
    before = runs.complete(tmp_path / "whole", [stage])
    for part in (0.3, 0.9):
        killed(before, runs.faults, stage, tmp_path / "run", part)


@pytest.mark.long
def test_training_of_any_task_that_is_killed_goes_on_to_the_same_bytes(whole, others, tmp_path):
    task, runs = others
    for stage in (f"train@{task}", f"evaluate@{task}"):
        for part in (0.2, 0.5, 0.9):
            killed(whole, runs.faults, stage, tmp_path / "run", part)


@pytest.mark.long
def test_a_run_of_any_task_has_the_same_bytes_with_other_workers(whole, others, tmp_path):
    task, runs = others
    stages = ["baselines", f"evaluate@{task}"]
    again = runs.complete(tmp_path / "again", stages, workers=2)
    for stage in runs.faults.stages:
        if stage != "check":
            assert again.digests(stage) == whole.digests(stage), stage
