import io
import json
import sys
from types import SimpleNamespace

import pytest

import lengthwise as lw
from lengthwise.batching.registry import STRATEGIES
from lengthwise.cli.app import main
from lengthwise.prepare.shards.reader import read_index, read_split


@pytest.fixture
def advised(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lengths.txt").write_text("3\n1\n2\n6\n2\n")

    def advised(*arguments):
        status = 0
        try:
            main(["advise", *arguments])
        except SystemExit as error:
            status = error.code
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return advised


def test_advise_prints_a_table_with_every_strategy_and_a_choice(advised):
    status, out, err = advised("lengths.txt", "--batch-size", "5")
    assert (status, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 100
    for name in STRATEGIES:
        assert sum(line[2:].startswith(f"{name} ") for line in out.splitlines()) == 1
    assert "5 sequences of 1 to 6 steps, 2.8 on average." in out
    assert "\nTake " in out


def test_advise_prints_json_of_what_the_library_returns(advised):
    status, out, _ = advised("lengths.txt", "--batch-size", "5", "--json", "--kernel", "keras", "--units", "32")
    assert status == 0
    found = json.loads(out)
    advice = lw.advise([3, 1, 2, 6, 2], batch_size=5, network=lw.TrainedNetwork(units=32, kernel="keras"))
    assert found["choice"]["name"] == advice.choice.name
    assert found["costs"]["network"] == {"cell": "lstm", "units": 32, "features": 64, "kernel": "keras"}
    for name, row in advice.strategies.items():
        assert found["strategies"][name]["padding"] == row.padding
        assert found["strategies"][name]["seconds"] == pytest.approx(row.seconds)
        assert found["strategies"][name]["strategy"] == vars(row.strategy)


def test_advise_reads_standard_input(advised, monkeypatch):
    by_file = advised("lengths.txt")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"3\n1\n2\n6\n2\n")))
    assert advised("-") == by_file


def test_advise_reads_the_training_split_of_shards(advised, capsys, write_corpus, invent_posts, make_shards, tmp_path):
    corpus = make_shards(write_corpus(tmp_path / "corpus", invent_posts(0, authors=20)))
    lengths = read_split(corpus.shards, read_index(corpus.shards), "train").lengths
    capsys.readouterr()
    by_folder = advised(str(corpus.shards), "--json")
    assert (by_folder[0], by_folder[2]) == (0, "")
    assert (json.loads(by_folder[1])["sequences"], json.loads(by_folder[1])["steps"]) == (len(lengths), lengths.sum())
    files = advised(str(corpus.shards / "train"), "--column", "tokens", "--json")
    assert files == by_folder


def test_advise_writes_a_page(advised, tmp_path):
    status, out, _ = advised("lengths.txt", "--output", "pages/advice.html")
    assert (status, out) == (0, advised("lengths.txt")[1])
    assert (tmp_path / "pages" / "advice.html").read_text("utf-8").startswith("<!doctype html>")


def test_advise_keeps_to_a_memory(advised):
    found = json.loads(advised("lengths.txt", "--memory", "1.5 MB", "--json")[1])
    assert found["memory"] == 1_500_000
    assert all(row["peak_bytes"] <= 1_500_000 for row in found["strategies"].values() if row["fits"])


@pytest.mark.slow
@pytest.mark.long
def test_advise_measures(advised):
    options = ("--measure", "--kernel", "keras", "--cell", "simple", "--units", "2", "--features", "2")
    status, out, err = advised("lengths.txt", "--batch-size", "2", *options)
    assert status == 0
    assert "costs measured here." in out
    assert err.startswith("measures what training costs here")


@pytest.mark.parametrize(
    ("content", "arguments", "told"),
    [
        ("", (), "wrong.txt: got none; expected one at least"),
        ("0\n", (), "wrong.txt: got 0 for sequence 0; expected a whole number from 1"),
        ("3\n-4\n", (), "wrong.txt: line 2 is '-4'; expected a whole number from 1"),
        ("many\n", (), "wrong.txt: line 1 is 'many'"),
        ("99999999999\n", (), "wrong.txt: got 99999999999 for sequence 0"),
        ("", ("--measure",), "wrong.txt: got none"),
        ("3\n", ("--column", "x"), "wrong.txt: is a text, which has no column 'x'"),
        ("3\n", ("--batch-size", "0"), "--batch-size: got 0; expected a whole number from 1"),
        ("3\n", ("--batch-size", "many"), "Invalid value for '--batch-size'"),
        ("3\n", ("--memory", "much"), "--memory: got 'much'; expected a size, such as 500MB or 2GB"),
        ("3\n", ("--memory", "0"), "--memory: got '0'"),
        ("3\n", ("--tokens", "2"), "--tokens: got 2; expected at least 3"),
        ("3\n", ("--cell", "elman"), "--cell: got 'elman'; expected one of gru, layer_norm_gru, layer_norm_lstm, "),
        ("3\n", ("--kernel", "auto"), "--kernel: got 'auto'"),
        ("3\n", ("--units", "0"), "--units: got 0"),
        ("3\n", ("--seed", "-1"), "--seed: got -1"),
        ("3\n", ("--output", "wrong.txt/page.html"), "wrong.txt/page.html: cannot be written"),
    ],
)
def test_advise_rejects_in_one_line_with_status_2(advised, tmp_path, content, arguments, told):
    (tmp_path / "wrong.txt").write_text(content)
    status, out, err = advised("wrong.txt", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: {told}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["nowhere.txt", "nowhere", "nowhere.parquet", "nowhere.doc"])
def test_advise_rejects_files_that_are_not_there(advised, name):
    status, out, err = advised(name)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"error: {name}: ")


def test_advise_writes_its_page_of_huge_lengths_and_many_of_them(advised, tmp_path):
    (tmp_path / "skewed.txt").write_text("999000000\n" + "1\n" * 200_000)
    status, out, _ = advised("skewed.txt", "--output", "page.html")
    assert status == 0
    assert "200,001 sequences of 1 to 999,000,000 steps" in out
    assert (tmp_path / "page.html").stat().st_size < 3_000_000
