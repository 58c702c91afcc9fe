import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from lengthwise.core.labels import LabelFactor
from lengthwise.core.names import LABEL_TASKS
from lengthwise.errors import FormatError, LengthwiseError
from lengthwise.evaluation.baseline_options import BaselineOptions, LinearOptions, NgramOptions, TagModelOptions
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.models.prediction import predict_split
from lengthwise.models.saved import load_network, save_network
from lengthwise.pipeline.stages.baselines import evaluate_baselines
from lengthwise.pipeline.stages.evaluate import evaluate
from lengthwise.prepare.shards.lengths import LengthLimits
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.prepare.shards.text_encoding import TextEncoding
from lengthwise.prepare.vocabulary import Vocabulary

BOOTSTRAP = Bootstrap(30, 0.9, 1)


@pytest.fixture
def save_random_network(make_network):
    def save(folder, corpus, task):
        save_network(make_network(task, 2, vocabulary_size=read_index(corpus.shards).vocabulary_size), folder)

    return save


def run(corpus, folder):
    return evaluate(corpus.shards, folder / "model", folder / "predictions.parquet", folder / "tables", BOOTSTRAP)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("task", ["classifier", "seq2seq"])
def test_evaluate_writes_each_sequence_once_in_the_corpus_order(corpus, save_random_network, tmp_path, task):
    save_random_network(tmp_path / "model", corpus, task)
    figures = run(corpus, tmp_path)
    test = read_split(corpus.shards, read_index(corpus.shards), "test")
    made = predict_split(load_network(tmp_path / "model"), test)
    table = pq.read_table(tmp_path / "predictions.parquet").to_pandas()
    assert table["sequence"].tolist() == list(range(len(test)))
    scores = table[[f"log_probability_{number}" for number in range(6)]].to_numpy()
    for place, rank in enumerate(test["sequence"].tolist()):
        row = table.iloc[rank]
        assert (row["label"], row["document"], row["group"]) == (
            test["label"][place],
            test["document"][place],
            test["group"][place],
        )
        assert np.array_equal(scores[rank], made.log_probabilities[place])
    right = scores.argmax(axis=1) == table["label"]
    assert figures["sentence_accuracy"] == pytest.approx(right.mean(), abs=1e-12)
    step_accuracy = made.step_right.sum() / made.step_count.sum()
    if task == "classifier":
        assert step_accuracy == pytest.approx(figures["sentence_accuracy"], abs=1e-12)
        assert "step_accuracy" not in figures
    else:
        assert figures["step_accuracy"] == pytest.approx(step_accuracy, abs=1e-12)


@pytest.mark.parametrize(
    ("size", "classes", "told"),
    [(30, 2, "its vocabulary"), (29, 2, "its classes and the size"), (30, 3, "its classes and the size")],
)
def test_evaluate_refuses_a_network_of_other_shards(corpus, make_network, tmp_path, size, classes, told):
    # Of 30 entries, as the shards' own: only the digest tells.
    index = read_index(corpus.shards)
    assert index.vocabulary_size == 30
    tokens = ("<PAD>", "<UNK>", *(f"other{number}" for number in range(size - 2)))
    factors = (LabelFactor("gender", tuple(map(str, range(classes)))), index.factors[1])
    network = make_network(vocabulary_size=size, factors=tuple(index.factors) if classes == 2 else factors)
    save_network(network, tmp_path / "model", TextEncoding(index.tokenizer, Vocabulary(tokens, (0,) * size)))
    with pytest.raises(FormatError, match=f"config.json: is not of these shards; expected {told}"):
        run(corpus, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_evaluate_writes_tables_that_add_up(corpus, save_random_network, tmp_path):
    save_random_network(tmp_path / "model", corpus, "seq2seq")
    figures = run(corpus, tmp_path)
    test = read_split(corpus.shards, read_index(corpus.shards), "test")
    by_length = pd.read_csv(tmp_path / "tables" / "by_length.csv")
    assert by_length["length"].tolist() == sorted(set(test.lengths.tolist()))
    assert by_length["count"].tolist() == [(test.lengths == length).sum() for length in by_length["length"]]
    mean = (by_length["count"] * by_length["accuracy"]).sum() / len(test)
    assert mean == pytest.approx(figures["sentence_accuracy"])
    by_step = pd.read_csv(tmp_path / "tables" / "by_step.csv")
    assert by_step["step"].tolist() == list(range(1, test.lengths.max() + 1))
    assert by_step["count"].tolist() == [(test.lengths >= step).sum() for step in by_step["step"]]
    mean = (by_step["count"] * by_step["accuracy"]).sum() / by_step["count"].sum()
    assert mean == pytest.approx(figures["step_accuracy"])
    authors = pd.read_csv(tmp_path / "tables" / "confusion_author.csv")
    assert authors["count"].sum() == len(set(test["group"].tolist()))


def test_evaluate_gives_the_same_bytes_twice(corpus, save_random_network, tmp_path):
    contents = []
    for name in ("first", "second"):
        save_random_network(tmp_path / name / "model", corpus, "classifier")
        figures = run(corpus, tmp_path / name)
        files = {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        contents.append((figures, files))
    assert contents[0] == contents[1]


@pytest.fixture
def fit_linear_model(corpus, tmp_path):
    options = BaselineOptions(LinearOptions(1.0, 5), TagModelOptions(1, 8, 1), NgramOptions(2))

    def fit(shards=corpus.shards, tasks=("classifier",)):
        evaluate_baselines(shards, tmp_path / "baselines", tasks, options, BOOTSTRAP)
        return tmp_path / "baselines"

    return fit


def run_together(corpus, folder, baselines):
    files = (folder / "model", folder / "predictions.parquet", folder / "tables")
    return evaluate(corpus.shards, *files, BOOTSTRAP, "auto", baselines)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("task", ["classifier", "seq2seq"])
def test_network_and_linear_model_together_are_one_more_model_beside(
    corpus, save_random_network, fit_linear_model, tmp_path, task
):
    save_random_network(tmp_path / "model", corpus, task)
    alone = run(corpus, tmp_path)
    assert not [*(tmp_path / "tables").glob("*_and_linear*")]
    before = {path.name: path.read_bytes() for path in (tmp_path / "tables").iterdir()}
    baselines = fit_linear_model()
    # The headline, and all that is of the network alone, stays as it is.
    assert run_together(corpus, tmp_path, baselines) == alone
    name = f"{task}_and_linear"
    added = {path.name for path in (tmp_path / "tables").iterdir()} - before.keys()
    assert added == {name, f"{name}.json"}
    assert all((tmp_path / "tables" / file).read_bytes() == content for file, content in before.items())
    assert {path.name for path in (tmp_path / "tables" / name).iterdir()} == {"items.parquet", "levels.csv"}

    figures = pd.read_csv(tmp_path / "tables" / name / "levels.csv")
    assert set(figures["model"]) == {name}
    values = figures.set_index(["level", "metric"])["value"]
    said = pq.read_table(baselines / "tables" / "linear" / "item_predictions.parquet").to_pandas()
    network = pq.read_table(tmp_path / "predictions.parquet").to_pandas()
    columns = [f"log_probability_{number}" for number in range(6)]
    for level, key in (("sentence", "sequence"), ("document", "document"), ("author", "group")):
        mine = network.groupby(key)[columns].mean()
        mine = mine.sub(np.log(np.exp(mine).sum(axis=1)), axis=0)
        its = said[said["level"] == level].set_index("item")[columns].loc[mine.index]
        chances = np.sqrt(np.exp(mine) * np.exp(its)).to_numpy()
        right = network.groupby(key)["label"].first().to_numpy()
        loss = -np.log(chances[np.arange(len(right)), right] / chances.sum(axis=1)).mean()
        assert values[level, "nll"] == pytest.approx(loss)
        assert values[level, "accuracy"] == pytest.approx((chances.argmax(axis=1) == right).mean())
    headline = json.loads((tmp_path / "tables" / f"{name}.json").read_text(encoding="utf-8"))
    assert headline.keys() == alone.keys() - {"step_accuracy"}
    assert headline["author_accuracy"] == pytest.approx(values["author", "accuracy"])


def test_where_no_linear_model_predicts_classes_nothing_is_scored_together(
    corpus, save_random_network, fit_linear_model, tmp_path
):
    save_random_network(tmp_path / "model", corpus, "classifier")
    baselines = fit_linear_model(tasks=("language_model",))
    assert not [*baselines.rglob("item_predictions.parquet")]
    run_together(corpus, tmp_path, baselines)
    assert not [*(tmp_path / "tables").glob("*_and_linear*")]


def test_baselines_of_other_shards_are_refused_and_nothing_is_written(
    corpus, save_random_network, fit_linear_model, tmp_path
):
    save_random_network(tmp_path / "model", corpus, "classifier")
    baselines = fit_linear_model()
    path = baselines / "tables" / "linear" / "item_predictions.parquet"
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({b"lengthwise.shards_digest": b"0" * 64}), path)
    with pytest.raises(FormatError, match=r"item_predictions\.parquet: is of shards 000000000000; expected "):
        run_together(corpus, tmp_path, baselines)
    path.unlink()
    with pytest.raises(FormatError, match=r"item_predictions\.parquet: cannot be read"):
        run_together(corpus, tmp_path, baselines)
    assert {path.name for path in tmp_path.iterdir()} == {"model", "baselines"}


def test_evaluate_refuses_a_folder_that_is_no_network_and_writes_nothing(corpus, tmp_path):
    with pytest.raises(FormatError, match=r"config\.json: cannot be read"):
        run(corpus, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_test_split_without_sequences_is_refused_before_its_figures(
    write_corpus, post, save_random_network, make_shards, tmp_path
):
    # All of the test split's sentences are too short: nothing can be said of it.
    posts = [post(f"a{number}", (number % 2, 0), [["w"] * 9]) for number in range(40)]
    corpus = make_shards(write_corpus(tmp_path / "whole", posts))
    test = set(read_split(corpus.shards, read_index(corpus.shards), "test")["group"].tolist())
    posts = [post(p.author, p.codes, [["w"]] if rank in test else p.sentences) for rank, p in enumerate(posts)]
    short = write_corpus(tmp_path / "short", posts)
    with pytest.raises(LengthwiseError, match="test"):
        _shards_and_figures(short, make_shards, save_random_network, tmp_path)


def _shards_and_figures(corpus, make_shards, save_random_network, folder):
    make_shards(corpus, limits=LengthLimits(5, 30, "drop"))
    save_random_network(folder / "model", corpus, "classifier")
    options = BaselineOptions(LinearOptions(1.0, 5), TagModelOptions(1, 8, 1), NgramOptions(2))
    evaluate_baselines(corpus.shards, folder / "baselines", LABEL_TASKS, options, BOOTSTRAP)
    run(corpus, folder)
