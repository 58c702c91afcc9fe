"""Networks of sequences that come as steps are asked by files of any form that they may come in."""

import csv
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from closeness import assert_close
from forward_pass import forward_of

from lengthwise.cli import predicted_sequences
from lengthwise.cli.app import main
from lengthwise.core.sequences import Sequences
from lengthwise.models.saved import save_network
from lengthwise.prepare.forms.tokenizer_options import SENTENCIZER, TokenizerOptions
from lengthwise.prepare.shards.text_encoding import TextEncoding
from lengthwise.prepare.vocabulary import Vocabulary

TOKENS = ("<PAD>", "<UNK>", "the", "bus", "left")
VOCABULARY = Vocabulary(TOKENS, (0,) * len(TOKENS))
OF_FEATURES = {"tokens": False, "features": 2, "feature_columns": ("features",)}
RUNS = [np.array(rows, np.float32) for rows in ([[1.5, 0.1], [2.5, 0.2], [3.0, 0.3]], [[0.5, 0.9]])]
TS = "@timeStamps false\n@classLabel true a b\n@data\n1.5,2.5,3.0:0.1,0.2,0.3:a\n0.5:0.9:b\n"


@pytest.fixture
def model(kept_network, tmp_path):
    def make(task="classifier", by="blanks", **changes):
        network = kept_network(task, **{"vocabulary_size": len(TOKENS), **changes})
        encoding = TextEncoding(TokenizerOptions(by, "en", SENTENCIZER, False, False, None), VOCABULARY)
        save_network(network, tmp_path / "model", encoding if changes.get("tokens", True) else None)
        return network

    return make


@pytest.fixture
def ask(capsys, tmp_path):
    def ask(file, *arguments):
        main(["predict", "--sequences", str(file), "--model", str(tmp_path / "model"), *arguments])
        return capsys.readouterr()

    return ask


def as_parquet(path, name="features"):
    pq.write_table(pa.table({name: [run.tolist() for run in RUNS], "other": ["x", "y"]}), path)


def as_archive(path):
    np.savez(path, features=np.concatenate(RUNS), lengths=[len(run) for run in RUNS])


def as_ts(path):
    path.write_text(TS)


FORMS = {"runs.ts": as_ts, "runs.parquet": as_parquet, "runs.npz": as_archive}


def expected_of(network):
    return forward_of(network).predict(Sequences(np.array([0, 3, 4]), dict(columns_of(network))))


def columns_of(network):
    names, values = network.config.feature_columns, np.concatenate(RUNS)
    return zip(names, [values] if len(names) == 1 else values.T[:, :, np.newaxis], strict=True)


@pytest.mark.parametrize("name", FORMS)
def test_predict_reads_features_from_any_form(model, ask, tmp_path, name):
    network = model(**OF_FEATURES)
    FORMS[name](tmp_path / name)
    header, *rows = [line.split("\t") for line in ask(tmp_path / name).out.splitlines()]
    assert header[:3] == ["sequence", "steps", "prediction"]
    assert [row[:2] for row in rows] == [["1", "3"], ["2", "1"]]
    assert_close(np.array([row[5:] for row in rows], float), expected_of(network))


def test_the_example_of_the_help_is_a_command(model, tmp_path, capsys, monkeypatch):
    model(**OF_FEATURES)
    (tmp_path / "data" / "models").mkdir(parents=True)
    (tmp_path / "model").rename(tmp_path / "data" / "models" / "classifier")
    as_ts(tmp_path / "recordings.ts")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["predict", "--help"])
    (example,) = [line for line in capsys.readouterr().out.splitlines() if "predict --sequences" in line]
    main(example.split()[1:])
    assert len(capsys.readouterr().out.splitlines()) == len(RUNS)


def test_predict_reads_long_tables_and_writes_json_and_csv(model, ask, tmp_path):
    network = model(**{**OF_FEATURES, "feature_columns": ("x", "y")})
    path = tmp_path / "runs.csv"
    path.write_text("run,second,x,y\na,1,2.5,0.2\nb,0,0.5,0.9\na,0,1.5,0.1\na,2,3.0,0.3\n")
    columns = ("--sequence", "run", "--step", "second")
    said = [json.loads(line) for line in ask(path, *columns, "--json").out.splitlines()]
    assert [(row["sequence"], row["steps"]) for row in said] == [(1, 3), (2, 1)]
    assert_close(np.array([[*row["probabilities"].values()] for row in said]), expected_of(network))
    header, *rows = csv.reader(io.StringIO(ask(path, *columns, "--csv").out, newline=""))
    assert [row[:2] for row in (header, *rows)] == [["sequence", "steps"], ["1", "3"], ["2", "1"]]


def test_predict_finds_a_column_by_the_name_that_it_got_in_training(model, ask, tmp_path):
    model(**{**OF_FEATURES, "feature_columns": ("the_x",)})
    as_parquet(tmp_path / "runs.parquet", "the x")
    assert len(ask(tmp_path / "runs.parquet").out.splitlines()) == 3


def test_predict_of_a_tagger_has_a_row_for_each_word_in_batches_of_any_size(model, ask, tmp_path, monkeypatch):
    network = model("tagger")
    path = tmp_path / "words.conll"
    path.write_text("the X\nbus X\n\nleft X\n\nplane X\nbus X\n")
    whole = ask(path).out
    header, *rows = [line.split("\t") for line in whole.splitlines()]
    assert header == ["sequence", "step", "word", "unknown", "prediction", "probability"]
    assert [row[:4] for row in rows] == [
        *(["1", "1", "the", "0"], ["1", "2", "bus", "0"], ["2", "1", "left", "0"]),
        *(["3", "1", "plane", "1"], ["3", "2", "bus", "0"]),
    ]
    steps = {"tokens": np.array([2, 3, 4, 1, 3], np.int32)}
    expected = forward_of(network).predict_steps(Sequences(np.array([0, 2, 3, 5]), steps))
    assert [row[4] for row in rows] == [network.config.tags[code] for code in expected.argmax(axis=1)]
    monkeypatch.setattr(predicted_sequences, "BATCH_STEPS", 1)
    assert ask(path).out == whole


def test_a_sequence_that_lacks_a_value_has_a_note_and_no_row(model, ask, tmp_path):
    model(**OF_FEATURES)
    (tmp_path / "runs.ts").write_text(TS.replace("2.5", "?"))
    said = ask(tmp_path / "runs.ts")
    assert said.err == "sequence 1: lacks a value of features, so nothing can be predicted\n"
    assert [line.split("\t")[0] for line in said.out.splitlines()] == ["sequence", "2"]


@pytest.mark.parametrize(
    ("changes", "arguments", "message"),
    [
        ({**OF_FEATURES, "features": 3}, (), "line 4: has 2 numbers a step; expected 3, as the network reads them"),
        ({"by": "words"}, (), "tokenizer: is by words, so the network reads texts"),
        (OF_FEATURES, ("--stream",), "--stream: not allowed with --sequences"),
        (OF_FEATURES, ("a text",), "TEXT: not allowed with --sequences"),
    ],
)
def test_predict_refuses_what_the_network_does_not_read(model, ask, tmp_path, capsys, changes, arguments, message):
    model(**changes)
    as_ts(tmp_path / "runs.ts")
    with pytest.raises(SystemExit) as exit_:
        ask(tmp_path / "runs.ts", *arguments)
    said = capsys.readouterr()
    assert (exit_.value.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert message in said.err


@pytest.mark.parametrize(
    ("name", "text", "arguments", "message"),
    [
        ("a.csv", "run,x\na,1\n", (), "looks like a table; name in --sequence the column of what a row is a step of"),
        ("a.txt", "plain words here\nand more\nx\n", ("--tokens", "1"), "it looks like none; change the file"),
        ("a.bin", "\0", (), "it is no text in UTF-8 or UTF-16; convert it"),
        ("a.csv", "run,x\na,1\n", ("--sequence", "who"), "no column 'who'; expected one of run, x; change --sequence"),
        (
            "a.csv",
            "run,at,x\na,1,1\na,1,2\n",
            ("--tokens", "x", "--sequence", "run", "--step", "at"),
            "mend the table, or empty --step",
        ),
        (
            "a.conllu",
            "the X\n",
            ("--tokens", "3"),
            "has 2 columns; expected 3 or more; change --tokens, or mend the line",
        ),
        ("a.conllu", "the X\n", ("--tokens", "word"), "--tokens: got the column 'word'; expected its number from 1"),
        ("a.conllu", "the X\n", ("--sequence", "1"), "has no column '1'; expected one of the X; change --sequence"),
        ("a.ts", "@data\n1:a\n", (), "a .ts file has features alone; change the file, or what is asked of it"),
        ("a.ts", "@classLabel false\n", (), "has no line @data; expected a .ts file; mend it, or name its form"),
    ],
)
def test_readers_say_what_is_wrong_in_the_words_of_the_command(
    model, ask, tmp_path, capsys, name, text, arguments, message
):
    model("tagger" if "--tokens" in arguments or "--tokens" in message else "classifier", features=0)
    (tmp_path / name).write_text(text)
    with pytest.raises(SystemExit):
        ask(tmp_path / name, *arguments)
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert message in said.err
    assert "ingest.steps" not in said.err


def test_a_file_without_the_columns_is_refused_in_the_words_of_the_command(model, ask, tmp_path, capsys):
    model(**{**OF_FEATURES, "feature_columns": ("x",)})
    as_parquet(tmp_path / "runs.parquet")
    with pytest.raises(SystemExit):
        ask(tmp_path / "runs.parquet")
    assert "has no column 'x'; expected one of features, other; change the file" in capsys.readouterr().err
    # What is in the file, or in its name, is no key.
    as_parquet(tmp_path / "ingest.steps.tokens.parquet", "ingest.steps.features")
    with pytest.raises(SystemExit):
        ask(tmp_path / "ingest.steps.tokens.parquet")
    said = capsys.readouterr().err
    assert "/ingest.steps.tokens.parquet: has no column 'x'; expected one of ingest.steps.features, other; " in said
    with pytest.raises(SystemExit):
        main(["predict", "--step", "second", "a text"])
    assert "--step: got 'second' without --sequences" in capsys.readouterr().err
