# A run whose network reads groups: scored by group, and resumed to the same bytes.
import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from training_runs import FILES, stopped_run

import lengthwise as lw
from lengthwise.errors import FormatError
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.pipeline.stages.evaluate import evaluate
from lengthwise.pipeline.stages.task_data import unit_of
from lengthwise.pipeline.stages.train.training_run import train
from lengthwise.prepare.shards.reader import read_index
from lengthwise.training.group_steps import GroupSteps

GROUPS = {"outer": "attention", "sample": 3, "batch_size": 4, "word_dropout": 0.1, "units": 8, "embedding": 8}


def made_in(folder):
    # Event files have times in them, and curves too.
    paths = [path for name in ("model", "figures") for path in (folder / name).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.parametrize(
    ("outer", "group", "unit"), [("none", "author", "sentence"), ("last", "author", "group"), ("last", "", "document")]
)
def test_a_network_of_groups_predicts_of_documents_where_each_stands_for_itself(
    corpus, make_config, outer, group, unit
):
    index = read_index(corpus.shards)
    index = dataclasses.replace(index, form=dataclasses.replace(index.form, group=group))
    assert unit_of(make_config(outer=outer), index) == unit
    assert unit in index.form.words


def check_scores(headline):
    # Of authors alone: all sequences of one say the same, and that is what is scored.
    assert {*pd.read_csv("tables/levels.csv")["level"]} == {"author"}
    said = pq.read_table("said.parquet").to_pandas()
    columns = [name for name in said if name.startswith("log_probability_")]
    groups = said.groupby("group").first()
    assert (said[columns].to_numpy() == groups.loc[said["group"], columns].to_numpy()).all()
    right = groups[columns].to_numpy().argmax(axis=1) == groups["label"]
    assert headline["author_accuracy"] == pytest.approx(right.mean())


@pytest.mark.parametrize(("share", "death"), [(0.6, True), pytest.param(0.3, False, marks=pytest.mark.long)])
def test_train_on_groups_is_scored_by_group_and_goes_on_after_a_stop_or_a_death_to_the_same_bytes(
    corpus, train_params, here, share, death
):
    params = train_params(**GROUPS, epochs=1)
    whole = train(corpus.shards, FILES, "classifier", params)
    expected = made_in(here)
    steps = json.loads(expected["figures/cost.json"])["steps"]
    assert steps > 5
    stop = round(share * steps)
    stopped_run(stop, corpus.shards, "classifier", params, death=death, of=GroupSteps)
    again = train(corpus.shards, FILES, "classifier", params)
    assert again.timing["resumed_at_step"] == stop - death
    assert again.metrics == whole.metrics
    assert made_in(here) == expected
    assert {name for name in again.metrics if name.startswith("validation_")} == {
        *(f"validation_{name}" for name in ("loss", "accuracy")),
        *(f"validation_author_{name}" for name in ("accuracy", "nll", "gender", "age_bracket")),
    }
    check_scores(evaluate(corpus.shards, FILES.model, Path("said.parquet"), Path("tables"), Bootstrap(20, 0.9, 1)))
    with pytest.raises(FormatError, match=r"config\.json: outer: got 'attention', a network over the sequences of"):
        lw.load(FILES.model)


@pytest.mark.long
def test_a_network_of_groups_learns(corpus, train_params, here):
    params = train_params(**GROUPS | {"epochs": 8, "dropout": 0.0, "learning_rate": 0.03, "best": "loss"})
    assert train(corpus.shards, FILES, "classifier", params).metrics["train_loss"] < np.log(6) - 0.5
