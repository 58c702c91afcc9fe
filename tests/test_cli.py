import io
import json
import sys

import numpy as np
import pytest
import yaml

from lengthwise.cli import main
from lengthwise.models.saved import save_network
from lengthwise.predict import Predictor
from lengthwise.vocabulary import Vocabulary, write_vocabulary

WORDS = ["the", "bus", "left", ".", "i", "missed", "it", "again", "and", "<#>", "!"]
TEXT = "The bus left 5. I missed it again, and again!"


@pytest.fixture
def workspace(make_network, root, tmp_path, monkeypatch):
    def make(**changes):
        tokens = ("<PAD>", "<UNK>", *dict.fromkeys(WORDS))
        write_vocabulary(tmp_path / "data" / "vocabulary.tsv", Vocabulary(tokens, (0,) * len(tokens)))
        network = make_network(**{"vocabulary_size": len(tokens), **changes})
        save_network(network, tmp_path / "data" / "models" / "classifier")
        (tmp_path / "params.yaml").write_text((root / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        return network

    (tmp_path / "data" / "models").mkdir(parents=True)
    return make


@pytest.fixture
def run(capsys):
    def run(*arguments):
        main(["predict", *arguments])
        header, *rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
        return header, rows

    return run


def numbers(row, first):
    return np.array(row[first:], float)


@pytest.mark.parametrize("cell", ["gru", "lstm", "layer_norm_gru"])
def test_predict_prints_a_row_of_probabilities_a_text(workspace, run, cell):
    workspace(cell=cell)
    header, rows = run(TEXT, "it left", "the " * 300)
    assert header == ["text", "tokens", *(f"{g} {a}" for g in ("male", "female") for a in ("10s", "20s", "30s"))]
    assert [row[:2] for row in rows] == [["1", "13"], ["2", "2"], ["3", "300"]]
    for row in rows:
        assert numbers(row, 2).sum() == pytest.approx(1, abs=1e-5)
        assert numbers(row, 2).min() >= 0


@pytest.mark.parametrize("cell", ["gru", "peephole_lstm", "layer_norm_lstm", "simple"])
def test_predict_stream_ends_with_what_the_whole_text_gives(workspace, run, cell):
    workspace(cell=cell, layers=2)
    texts = [TEXT, "it left", "again " * 60]
    _, whole = run(*texts)
    header, streamed = run("--stream", *texts)
    assert header[:3] == ["text", "token", "word"]
    for number, row in enumerate(whole, 1):
        mine = [line for line in streamed if line[0] == str(number)]
        assert [int(line[1]) for line in mine] == list(range(1, int(row[1]) + 1))
        assert np.allclose(numbers(mine[-1], 3), numbers(row, 2), rtol=0, atol=1e-5)
    assert [line[2] for line in streamed][:5] == ["the", "bus", "left", "<#>", "."]


@pytest.mark.parametrize("ensemble", [1, 2])
def test_predict_stream_equals_the_whole_text_at_every_token(workspace, ensemble):
    network = workspace(cell="lstm", ensemble=ensemble)
    tokens = ("<PAD>", "<UNK>", *dict.fromkeys(WORDS))
    predictor = Predictor(network, Vocabulary(tokens, (0,) * len(tokens)), str.split)
    text = ["the", "bus", "never", "left", "<PAD>", "it", "again"] * 5
    stream = predictor.stream()
    for _ in range(2):
        streamed = [stream.push(token) for token in text]
        whole = predictor.whole([text[: stop + 1] for stop in range(len(text))])
        assert np.allclose(streamed, whole, rtol=0, atol=1e-5)
        stream.restart()


def test_predict_reads_a_file_as_one_text_or_as_lines(workspace, run, tmp_path):
    workspace()
    path = tmp_path / "letters.txt"
    path.write_text("The bus left.\n\nI missed it\n", encoding="utf-8")
    _, one = run("--file", str(path))
    assert [row[:2] for row in one] == [["1", "7"]]
    _, lines = run("--lines", "--file", str(path))
    assert [row[:2] for row in lines] == [["1", "4"], ["3", "3"]]
    _, arguments = run("The bus left. I missed it", "The bus left.", "I missed it")
    assert [row[2:] for row in [*one, *lines]] == [row[2:] for row in arguments]


def test_predict_reads_standard_input_as_it_comes(workspace, capsys, monkeypatch):
    workspace()
    seen = []

    class Typed(io.StringIO):
        def __next__(self):
            seen.append(capsys.readouterr().out.count("\n"))
            return super().__next__()

    monkeypatch.setattr(sys, "stdin", Typed("the bus\nleft again\n"))
    main(["predict", "--stream"])
    # The header, then two rows each before the next line is asked for.
    assert seen == [1, 2, 2]


def test_predict_says_which_text_has_no_tokens(workspace, run, capsys):
    workspace()
    main(["predict", "", "it", " \n "])
    printed = capsys.readouterr()
    assert [line.split("\t")[0] for line in printed.out.splitlines()] == ["text", "2"]
    assert "text 1: has no tokens" in printed.err
    assert "text 3: has no tokens" in printed.err


def refusal(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(["predict", *arguments])
    printed = capsys.readouterr()
    assert caught.value.code == 2
    assert printed.out == ""
    return printed.err.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"bidirectional": True}, "has bidirectional=True"),
        ({"front_end": "conv1d"}, "has bidirectional=False and front_end=conv1d"),
        ({"readout": "mean"}, "has readout=mean"),
    ],
)
def test_predict_refuses_to_stream_to_a_network_that_needs_whole_texts(workspace, run, capsys, changes, told):
    workspace(**changes)
    assert refusal(capsys, "--stream", "it left").startswith(f"error: model: {told}")
    assert len(run("it left")[1]) == 1


def test_predict_refuses_a_vocabulary_of_another_size(workspace, capsys):
    workspace(vocabulary_size=99)
    assert "expected 99" in refusal(capsys, "it")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--model", "nowhere", "it"), "nowhere/config.json: cannot be read"),
        (("--vocabulary", "nowhere.tsv", "it"), "nowhere.tsv: cannot be read"),
        (("--file", "nowhere.txt"), "nowhere.txt: cannot be read"),
        (("--params", "nowhere.yaml", "it"), "nowhere.yaml: cannot be read"),
    ],
)
def test_predict_refuses_what_is_not_there(workspace, capsys, arguments, told):
    workspace()
    assert f"error: {told}" in refusal(capsys, *arguments)


def test_predict_refuses_text_that_is_not_utf_8(workspace, capsys, tmp_path):
    workspace()
    (tmp_path / "bad.txt").write_bytes(b"caf\xe9")
    assert "is not UTF-8" in refusal(capsys, "--file", "bad.txt")


def test_predict_refuses_texts_beside_a_file(workspace, capsys):
    workspace()
    assert "not allowed with" in refusal(capsys, "--file", "letters.txt", "it")


def test_predict_tokenizes_as_the_params_say(workspace, run, tmp_path):
    workspace()
    _, plain = run("again again.....")
    content = yaml.safe_load((tmp_path / "params.yaml").read_text(encoding="utf-8"))
    content["tokens"]["collapse_repeats"] = True
    (tmp_path / "params.yaml").write_text(json.dumps(content), encoding="utf-8")
    _, collapsed = run("--stream", "again again.....")
    assert [row[2] for row in collapsed] == ["again", "again", "..."]
    assert plain[0][1] == "3"


@pytest.fixture
def report(project, capsys, monkeypatch):
    monkeypatch.chdir(project.folder)

    def report(*arguments):
        status = 0
        try:
            main(["report", *arguments])
        except SystemExit as error:
            status = error.code
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return report


def test_report_prints_markdown_and_succeeds_when_nothing_changed(report):
    status, out, err = report("--base", "main")
    assert (status, err) == (0, "")
    assert out.startswith("<!-- lengthwise-report -->\n# Lengthwise report: within noise\n")


@pytest.mark.parametrize("accuracy", [0.01, None])
def test_report_fails_with_status_1_when_a_metric_is_worse_or_missing(project, report, accuracy):
    project.change("metrics/evaluate/seq2seq.json", sentence_accuracy=accuracy)
    status, out, err = report("--base", "main")
    assert (status, err) == (1, "")
    assert f"# Lengthwise report: {'worse' if accuracy else 'missing'}\n" in out


def test_report_writes_to_a_file_also_when_it_fails(project, report):
    project.change("metrics/evaluate/seq2seq.json", sentence_accuracy=0.01)
    status, out, _ = report("--base", "main", "--out", "somewhere/report.md")
    assert (status, out) == (1, "")
    assert (project.folder / "somewhere" / "report.md").read_text("utf-8") == report("--base", "main")[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--base", "nowhere"), "--base: got 'nowhere'; expected a commit, branch or tag"),
        (("--base=--help",), "--base: got '--help'; expected a commit"),
        (("--base", "main", "--out", "params.yaml/report.md"), "params.yaml/report.md: cannot be written"),
        (("--base", "main", "--out", "metrics"), "metrics: cannot be written"),
    ],
)
def test_report_refuses_in_one_line_with_status_2(project, report, arguments, told):
    status, out, err = report(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: {told}")
    assert err.count("\n") == 1
    assert project.git("status", "--short") == ""


def test_report_needs_a_base(report):
    status, _, err = report()
    assert status == 2
    assert "--base" in err


def test_report_refuses_a_folder_without_a_repository(report, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    status, _, err = report("--base", "main")
    assert status == 2
    assert err.startswith("error: git rev-parse: not a git repository")
