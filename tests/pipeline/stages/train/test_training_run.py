import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from closeness import assert_close
from training_runs import FILES, bytes_of, stopped_run

from lengthwise.batching.plan import epoch_rng
from lengthwise.batching.registry import STRATEGIES, make_strategy
from lengthwise.batching.stats import plan_stats
from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import Sequences
from lengthwise.errors import FormatError
from lengthwise.models.inputs import Inputs
from lengthwise.models.prediction import predict_split
from lengthwise.models.saved import load_network
from lengthwise.native.arch import arch_of_run
from lengthwise.pipeline.stages.train.events import EventFolder
from lengthwise.pipeline.stages.train.live import GrowingTable, LiveFigures
from lengthwise.pipeline.stages.train.outcome import batching_table
from lengthwise.pipeline.stages.train.training_run import RESUME_FOLDER, train
from lengthwise.predictor import read_encoding
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.prepare.shards.text_encoding import TextEncoding
from lengthwise.prepare.vocabulary import read_vocabulary
from lengthwise.training.epoch_parts import InMemory
from lengthwise.training.resume import ResumeState
from lengthwise.training.step import Steps

# Each line of the input is a run in a fork, which saves after every step and dies without a word before the step after
# `steps`; a line of the output is its exit status. So TensorFlow is imported once for all of them.
KILLED = """
import gc
gc.disable()
import json, os, signal, sys, traceback
from pathlib import Path
from lengthwise.pipeline.settings.params import TrainParams
from lengthwise.pipeline.stage import quiet_tensorflow
with quiet_tensorflow():
    from lengthwise.training import calls, resume, step
    from lengthwise.pipeline.stages.train.training_run import TrainFiles
    from lengthwise.pipeline.stages.train.live import LiveFiles
    from lengthwise.pipeline.stages.train.training_run import train

resume.SAVE_SECONDS, calls.CALL_STEPS = 0.0, 1
original = step.Steps.train_over
live = LiveFiles(*(Path("live") / name for name in ("epochs.csv", "steps.csv", "headline.json", "events")))

def run(folder, shards, task, steps, params):
    os.chdir(folder)
    os.dup2(os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    taken = []

    def counted(self, *arguments):
        for made in original(self, *arguments):
            if len(taken) == steps:
                os.kill(os.getpid(), signal.SIGKILL)
            taken.append(1)
            yield made

    step.Steps.train_over = counted
    params = TrainParams.model_validate_json(params)
    train(Path(shards), TrainFiles(Path("model"), Path("figures"), live), task, params)

for line in sys.stdin:
    child = os.fork()
    if child:
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    status = 1
    try:
        run(*json.loads(line))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)
"""


def run(shards: Path, task: str, params):
    return train(shards, FILES, task, params)


@pytest.fixture(scope="module")
def steps_per_epoch(corpus, train_params):
    index = read_index(corpus.shards)
    lengths = read_split(corpus.shards, index, "train").lengths
    batching = train_params().batching
    return len(make_strategy(batching.strategy, batching.model_dump()).plan(lengths, epoch_rng(1, 0)))


@pytest.fixture(scope="module")
def undisturbed(corpus, train_params, tmp_path_factory):
    # The network and curves of each task, by a run of its own folder.
    made = {}

    def make(task):
        if task not in made:
            folder = tmp_path_factory.mktemp(task)
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(folder)
                made[task] = folder, run(corpus.shards, task, train_params())
        return made[task]

    return make


@dataclass(frozen=True)
class Process:
    """Another process with a copy of the code, whose runs are killed."""

    package: Path
    process: subprocess.Popen

    def run(self, folder: Path, *order: object) -> tuple[int, str]:
        """Shards, task, steps and params: the exit status, negative for a signal, and what was said."""
        print(json.dumps([str(folder), *order]), file=self.process.stdin, flush=True)
        status = self.process.stdout.readline()
        assert status, "the process has ended"
        return int(status), (folder / "said").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def another_process(root, tmp_path_factory):
    package = tmp_path_factory.mktemp("code") / "lengthwise"
    shutil.copytree(root / "src" / "lengthwise", package, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "PYTHONPATH": str(package.parent)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", KILLED], env=environment, text=True, **pipes) as process:
        yield Process(package, process)
        process.stdin.close()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("task", ["classifier", "seq2seq"])
def test_train_gives_the_same_bytes_twice(undisturbed, corpus, train_params, here, task):
    folder, result = undisturbed(task)
    again = run(corpus.shards, task, train_params())
    assert bytes_of(here) == bytes_of(folder)
    assert again.metrics == result.metrics
    assert sorted(bytes_of(here)) == [
        "figures/batching.csv",
        "figures/cost.json",
        "figures/figures.json",
        "figures/lengths.csv",
        "live/epochs.csv",
        "live/headline.json",
        "live/steps.csv",
        "model/config.json",
        "model/vocabulary.tsv",
        "model/weights.safetensors",
    ]


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("task", "epochs", "extra"), [("classifier", 0, 2), ("seq2seq", 1, 0), ("classifier", 2, 0)])
def test_train_goes_on_after_a_signal_to_the_same_bytes(
    undisturbed, corpus, train_params, here, capsys, steps_per_epoch, task, epochs, extra
):
    folder, result = undisturbed(task)
    stop = epochs * steps_per_epoch + extra
    assert stopped_run(stop, corpus.shards, task, train_params()) == 128 + signal.SIGTERM
    assert f"stopped at step {stop}" in capsys.readouterr().err
    assert not (here / "model").exists()
    assert not (here / "figures").exists()
    again = run(corpus.shards, task, train_params())
    assert f"goes on at step {stop}" in capsys.readouterr().err
    assert again.timing["resumed_at_step"] == stop
    assert again.metrics == result.metrics
    assert bytes_of(here) == bytes_of(folder)
    assert list(RESUME_FOLDER.iterdir()) == []


def assert_goes_on_to_the_same_bytes(stops: tuple[int, ...], here: Path, shards: Path, task: str, params):
    """Train, then again with a stop and a second run that goes on from it, for each of the stops."""
    whole = run(shards, task, params)
    expected = bytes_of(here)
    for stop in stops:
        (here / "model").rename(here / f"before {stop}")
        stopped_run(stop, shards, task, params)
        again = run(shards, task, params)
        assert again.timing["resumed_at_step"] == stop
        assert again.metrics == whole.metrics
        assert bytes_of(here) == expected


# A network alone goes on with its schedule and its dropped words where it is killed, below, with its lanes here.
@pytest.mark.long
@pytest.mark.parametrize(
    ("task", "changes"),
    [
        pytest.param("classifier", {"schedule": "cosine", "readout": "mean"}, marks=pytest.mark.long),
        ("seq2seq", {"strategy": "truncated"}),
    ],
)
def test_train_goes_on_with_all_members_of_an_ensemble(corpus, train_params, here, task, changes):
    params = train_params(ensemble=2, word_dropout=0.2, batch_size=16, epochs=1, **changes)
    assert_goes_on_to_the_same_bytes((5,), here, corpus.shards, task, params)
    network = load_network(here / "model")
    encoding = read_encoding(here / "model")
    assert encoding == TextEncoding(read_index(corpus.shards).tokenizer, read_vocabulary(corpus.vocabulary))
    assert len(network.members) == 2
    parameters = json.loads((here / "figures" / "cost.json").read_text(encoding="utf-8"))["parameters"]
    assert parameters == sum(variable.numpy().size for variable in network.trainable_variables)


def test_train_takes_the_last_step_of_a_cosine_with_next_to_no_learning_rate(corpus, train_params, here, monkeypatch):
    rates = []
    original = Steps.__init__
    monkeypatch.setattr(
        Steps, "__init__", lambda self, *arguments: original(self, *arguments) or rates.append(arguments[1])
    )
    run(corpus.shards, "classifier", train_params(schedule="cosine"))
    steps = json.loads((here / "figures" / "cost.json").read_text(encoding="utf-8"))["steps"]
    (rate,) = rates
    assert float(rate(0)) == pytest.approx(0.01)
    assert float(rate(steps // 2)) == pytest.approx(0.005, rel=0.5)
    assert 0 < float(rate(steps - 1)) < float(rate(steps // 2))
    assert float(rate(steps)) == pytest.approx(0, abs=1e-9)


@pytest.mark.long
def test_train_goes_on_with_the_states_of_its_lanes(corpus, train_params, here):
    params = train_params(strategy="truncated", batch_size=16, window=3, cell="lstm", epochs=1)
    assert_goes_on_to_the_same_bytes((1, 9), here, corpus.shards, "seq2seq", params)


ONE_HOT = {"input": "one_hot", "padding": "pre", "cell": "simple", "activation": "relu", "masking": True}


@pytest.mark.long
@pytest.mark.parametrize(
    ("task", "changes"),
    [
        pytest.param("seq2seq", {"cell": "layer_norm_lstm", "bidirectional": True}, marks=pytest.mark.long),
        (
            "classifier",
            {"front_end": "conv1d", "stride": 2, "conv_padding": "valid", "cell": "peephole_lstm", "readout": "max"},
        ),
        pytest.param("classifier", {**ONE_HOT, "clip_norm": 1.0}, marks=pytest.mark.long),
        ("seq2seq", ONE_HOT),
    ],
)
def test_train_and_predict_with_other_networks(corpus, train_params, here, task, changes):
    result = run(corpus.shards, task, train_params(**changes))
    losses = pd.read_csv(here / "live" / "epochs.csv")["train_loss"].tolist()
    assert losses[-1] < losses[0]
    held_out = read_split(corpus.shards, read_index(corpus.shards), "validation")
    predictions = predict_split(load_network(here / "model"), held_out)
    # At its last step a classifier predicts once; the loop's figure is of the same predictions.
    chosen = predictions.log_probabilities[np.arange(len(held_out)), held_out["label"]]
    if task == "classifier":
        assert_close(result.metrics["validation_loss"], -chosen.mean())
    right = predictions.step_right.sum() / predictions.step_count.sum()
    assert result.metrics["validation_accuracy"] == pytest.approx(right, abs=1e-9)
    # Pooled by hand: each author's mean of what is said of its sentences.
    said = pd.DataFrame(predictions.log_probabilities).groupby(held_out["group"]).mean().to_numpy().argmax(axis=1)
    labels = pd.Series(held_out["label"]).groupby(held_out["group"]).first().to_numpy()
    assert result.metrics["validation_author_accuracy"] == pytest.approx((said == labels).mean(), abs=1e-9)


@pytest.mark.long
def test_train_learns_with_every_strategy(corpus, train_params, here):
    for name in sorted(STRATEGIES):
        params = train_params(strategy=name, batch_size=16, window=12, epochs=2, dropout=0.0)
        run(corpus.shards, "seq2seq", params)
        losses = pd.read_csv(here / "live" / "epochs.csv")["train_loss"].tolist()
        assert losses[-1] < losses[0], name


def points_of(folder: Path) -> dict[str, list[tuple[int, float]]]:
    # tag -> [(step, value)] of the one event file.
    (path,) = [path for path in (folder / "live" / "events").rglob("*") if "tfevents" in path.name]
    points: dict[str, list[tuple[int, float]]] = {}
    for record in tf.data.TFRecordDataset(str(path)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            points.setdefault(value.tag, []).append((event.step, value.simple_value))
    return points


def assert_points_are_those_of_the_tables(folder: Path):
    points = points_of(folder)
    for kind in ("step", "epoch"):
        table = pd.read_csv(folder / "live" / f"{kind}s.csv")
        for name in table.columns.drop(kind):
            steps, values = zip(*points[f"{kind}s/{name}"], strict=True)
            assert list(steps) == table[kind].tolist()
            np.testing.assert_allclose(values, table[name], rtol=1e-5)
    rates = points["steps/learning_rate"]
    assert [step for step, _ in rates] == [step for step, _ in points["steps/loss"]]


class KilledError(BaseException):
    """Nothing in the run catches it."""


# Where a run dies, at which call, and whether that call is done. The state is saved after every third step.
DEATHS = [
    (GrowingTable, "write", 2, False),  # Before there is any state.
    (ResumeState, "save", 1, False),
    (GrowingTable, "extend", 5, True),  # Two steps after the state.
    (LiveFigures, "after_steps", 2, False),
    (EventFolder, "begin", 1, False),
    (LiveFigures, "after_epoch", 1, True),
    (EventFolder, "add", 9, False),
    (ResumeState, "save", 1, True),
]


@pytest.mark.parametrize("deaths", [DEATHS[2::2], pytest.param(DEATHS, marks=pytest.mark.long)], ids=["some", "all"])
def test_train_killed_in_whatever_it_shows_goes_on_in_the_same_curves(corpus, train_params, here, monkeypatch, deaths):
    params = train_params(log_every=1, batch_size=8, schedule="cosine", word_dropout=0.3)
    monkeypatch.setattr("lengthwise.training.calls.CALL_STEPS", 1)
    whole = run(corpus.shards, "seq2seq", params)
    expected, points = bytes_of(here), points_of(here)
    assert len(points["steps/loss"]) == json.loads(expected["figures/cost.json"])["steps"] > 20
    assert json.loads(expected["live/headline.json"]) == {
        "s2s": {
            "loss": pytest.approx(whole.metrics["train_loss"], rel=1e-5),
            "val_acc": pytest.approx(whole.metrics["validation_accuracy"], rel=1e-5),
        }
    }
    for name in ("model", "figures", "live"):
        shutil.rmtree(here / name)
    asked = []
    monkeypatch.setattr(ResumeState, "due", property(lambda _: asked.append(1) or len(asked) % 3 == 0))
    for number, (owner, name, call, done) in enumerate(deaths):
        with monkeypatch.context() as patch:
            calls, original = [], getattr(owner, name)

            def dies(self, *arguments, calls=calls, original=original, call=call, done=done):
                calls.append(1)
                if len(calls) < call or done:
                    original(self, *arguments)
                if len(calls) >= call:
                    raise KilledError

            patch.setattr(owner, name, dies)
            with pytest.raises(KilledError):
                run(corpus.shards, "seq2seq", params)
        for path in (here / "live").glob("*.csv"):
            assert expected[f"live/{path.name}"].startswith(path.read_bytes())
        if number % 2:
            # DVC clears a stage's outputs before it runs again; event files are none.
            for path in (here / "live").glob("*.*"):
                path.unlink()
    assert run(corpus.shards, "seq2seq", params).timing["resumed_at_step"] > 0
    assert bytes_of(here) == expected
    assert points_of(here) == points
    assert_points_are_those_of_the_tables(here)


@pytest.mark.long
def test_train_goes_on_after_a_kill_to_the_same_bytes(
    undisturbed, another_process, corpus, train_params, here, steps_per_epoch
):
    folder, _ = undisturbed("seq2seq")
    stop = steps_per_epoch + 1
    order = [str(corpus.shards), "seq2seq", stop, train_params().model_dump_json()]
    status, said = another_process.run(here, *order)
    assert status == -signal.SIGKILL, said
    assert not (here / "model").exists()
    assert run(corpus.shards, "seq2seq", train_params()).timing["resumed_at_step"] == stop
    assert bytes_of(here) == bytes_of(folder)
    assert points_of(here) == points_of(folder)
    assert_points_are_those_of_the_tables(here)


def test_train_survives_edits_that_do_not_concern_it(undisturbed, another_process, corpus, train_params, here):
    def started(steps):
        return another_process.run(here, str(corpus.shards), "classifier", steps, train_params().model_dump_json())

    status, said = started(3)
    assert status == -signal.SIGKILL, said
    for name in ("runs/run.py", "cli/app.py", "corpora/__init__.py"):
        path = another_process.package / name
        path.write_text(path.read_text("utf-8").replace('"""', '"""Said otherwise. ', 1), "utf-8")
    status, said = started(1000)
    assert status == 0, said
    assert "train: goes on at step 3\n" in said
    folder, _ = undisturbed("classifier")
    assert bytes_of(here) == bytes_of(folder)


@pytest.mark.long
def test_train_with_other_params_task_or_instruction_set_does_not_pick_up_a_state(
    corpus, train_params, here, monkeypatch
):
    stopped_run(2, corpus.shards, "classifier", train_params())
    states = list(RESUME_FOLDER.iterdir())
    assert len(states) == 1
    assert run(corpus.shards, "seq2seq", train_params(epochs=1)).timing["resumed_at_step"] == 0
    assert run(corpus.shards, "classifier", train_params(epochs=1)).timing["resumed_at_step"] == 0
    for module in ("training.loop", "pipeline.stages.train.training_run"):
        monkeypatch.setattr(f"lengthwise.{module}.arch_of_run", lambda kernel: f"another {kernel}")
    other = run(corpus.shards, "classifier", train_params())
    assert other.timing["resumed_at_step"] == 0
    assert other.timing["kernel_arch"] == f"another {other.timing['kernel']}"
    assert list(RESUME_FOLDER.iterdir()) == states


def test_train_reports_what_its_network_and_plans_are(undisturbed, corpus, train_params, steps_per_epoch):
    folder, result = undisturbed("classifier")
    network = load_network(folder / "model")
    epochs = pd.read_csv(folder / "live" / "epochs.csv")
    assert epochs["epoch"].tolist() == [1, 2]
    cost = json.loads((folder / "figures" / "cost.json").read_text(encoding="utf-8"))
    table = pd.read_csv(folder / "figures" / "batching.csv").set_index("strategy")
    assert cost["padding_per_batch"] == pytest.approx(table["padding_per_batch"][train_params().batching.strategy])
    assert cost["batches"] == steps_per_epoch
    sequences = read_split(corpus.shards, read_index(corpus.shards), "train")
    lengths = pd.read_csv(folder / "figures" / "lengths.csv")
    np.testing.assert_array_equal(np.repeat(lengths["length"], lengths["sequences"]), np.sort(sequences.lengths))
    assert cost["parameters"] == sum(variable.numpy().size for variable in network.trainable_variables)
    assert cost["steps"] == 2 * steps_per_epoch
    for name in ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy"):
        assert result.metrics[name] == pytest.approx(epochs[name].iloc[-1], rel=1e-5)
    steps = pd.read_csv(folder / "live" / "steps.csv")
    assert steps["step"].tolist() == list(range(3, 2 * steps_per_epoch + 1, 3))
    assert result.timing["resumed_at_step"] == 0
    assert result.timing["kernel_arch"] == arch_of_run(result.timing["kernel"])
    assert result.timing["traces"] <= 2


@pytest.mark.sampled(1)
@pytest.mark.parametrize("task", ["classifier", "seq2seq"])
def test_train_reports_the_validation_loss_of_the_saved_network(undisturbed, corpus, task):
    folder, result = undisturbed(task)
    network = load_network(folder / "model")
    held_out = read_split(corpus.shards, read_index(corpus.shards), "validation")
    nats, right, count = 0.0, 0, 0
    for place in range(len(held_out)):
        tokens = held_out["tokens"][held_out.offsets[place] : held_out.offsets[place + 1]][None]
        steps = range(tokens.shape[1]) if task == "seq2seq" else [tokens.shape[1] - 1]
        mask, begins = np.ones(tokens.shape, bool), np.arange(tokens.shape[1])[None] == 0
        inputs = Inputs(tokens, mask, begins, np.array([[0, step] for step in steps], np.int32))
        logits = network(inputs)[0].numpy().astype(np.float64)
        label = int(held_out["label"][place])
        nats -= (logits[:, label] - np.log(np.exp(logits).sum(axis=1))).sum()
        right += int((logits.argmax(axis=1) == label).sum())
        count += len(logits)
    assert_close(result.metrics["validation_loss"], nats / count)
    assert result.metrics["validation_accuracy"] == pytest.approx(right / count, abs=1e-12)


def test_train_has_the_same_loss_however_batches_are_shaped(corpus, train_params, here):
    losses = []
    for strategy, batch_size in (("padded", 7), ("bucketed", 200)):
        params = train_params(
            strategy=strategy, batch_size=batch_size, epochs=1, learning_rate=1e-12, dropout=0.0, log_every=1000
        )
        losses.append(run(corpus.shards, "seq2seq", params).metrics["train_loss"])
    assert_close(losses[0], losses[1])


def test_train_learns(corpus, train_params, here):
    params = train_params(epochs=4, learning_rate=0.03, dropout=0.0, batch_size=16, initial_state="zeros")
    run(corpus.shards, "classifier", params)
    loss = pd.read_csv("live/epochs.csv")["train_loss"].tolist()
    assert loss == sorted(loss, reverse=True)
    assert loss[-1] < 0.9 * np.log(6)


def test_train_with_another_seed_gives_other_weights(undisturbed, corpus, train_params, here):
    run(corpus.shards, "classifier", train_params(seed=2, epochs=1))
    weights = "model/weights.safetensors"
    assert bytes_of(here)[weights] != bytes_of(undisturbed("classifier")[0])[weights]


def test_train_without_a_validation_split_reports_none(make_shards, write_corpus, invent_posts, train_params, here):
    corpus = make_shards(write_corpus(here / "corpus", invent_posts(3, 12)), validation=0.0)
    result = run(corpus.shards, "classifier", train_params(epochs=1))
    assert not [name for name in result.metrics if name.startswith("validation")]
    assert pd.read_csv("live/epochs.csv").columns.tolist() == ["epoch", "train_loss", "train_accuracy"]


def test_train_writes_a_table_of_steps_without_rows_where_there_are_too_few(corpus, train_params, here):
    run(corpus.shards, "classifier", train_params(epochs=1, batch_size=100_000, log_every=1000))
    assert Path("live/steps.csv").read_text() == "step,loss,accuracy\n"


def test_train_refuses_damaged_shards_before_anything_is_written(corpus, train_params, here):
    shutil.copytree(corpus.shards, "shards")
    path = Path("shards/train/00000.parquet")
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"00000\.parquet"):
        run(Path("shards"), "classifier", train_params())
    assert sorted(entry.name for entry in here.iterdir()) == ["shards"]


def test_batching_table_has_every_strategy_with_the_runs_settings(train_params):
    lengths = np.random.default_rng(1).integers(5, 31, 1000)
    params = train_params(batch_size=32)
    table = batching_table(InMemory(Sequences(offsets_of(lengths), {})), params)
    assert table["strategy"].tolist() == sorted(STRATEGIES)
    for row in json.loads(table.to_json(orient="records", double_precision=15)):
        stats = plan_stats(make_strategy(row["strategy"], params.batching.model_dump()).plan(lengths, epoch_rng(1, 0)))
        assert row["batches"] == stats.batches
        assert row["padding_share"] == pytest.approx(stats.padding_share)
        assert row["padding_per_batch"] == pytest.approx(stats.padding_per_batch)
        assert row["distinct_widths"] == stats.distinct_widths


def test_batching_table_leaves_out_a_strategy_that_refuses_the_lengths(train_params):
    table = batching_table(InMemory(Sequences(np.array([0, 3, 5003]), {})), train_params())
    assert sorted(table["strategy"]) == sorted(set(STRATEGIES) - {"token_budget"})


def test_train_refuses_a_budget_that_a_sequence_exceeds_and_leaves_nothing(corpus, train_params, here):
    params = train_params()
    batching = params.batching.model_copy(update={"strategy": "token_budget", "tokens": 2})
    with pytest.raises(ValueError, match=r"^tokens: got 2; expected at least"):
        run(corpus.shards, "classifier", params.model_copy(update={"batching": batching}))
    assert not (here / "model").exists()
