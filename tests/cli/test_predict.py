import csv
import functools
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from closeness import assert_close
from forward_pass import forward_of

from lengthwise.cli import text_input as texts_module
from lengthwise.cli.app import main
from lengthwise.core.labels import joint_class
from lengthwise.errors import FormatError
from lengthwise.models.saved import save_network
from lengthwise.predictor import Predictor
from lengthwise.prepare.forms.tokenizer_options import SENTENCIZER, TokenizerOptions
from lengthwise.prepare.shards.text_encoding import TextEncoding
from lengthwise.prepare.text import spacy_languages
from lengthwise.prepare.vocabulary import Vocabulary, write_vocabulary

WORDS = ["the", "bus", "left", ".", "i", "missed", "it", "again", "and", "<#>", "!"]
TOKENS = ("<PAD>", "<UNK>", *WORDS)
VOCABULARY = Vocabulary(TOKENS, (0,) * len(TOKENS))
TEXT = "The bus left 5. I missed it again, and again!"
PIPELINES = functools.cache(spacy_languages.rule_based_pipeline)
CLASSES = [f"{gender} {age}" for gender in ("male", "female") for age in ("10s", "20s", "30s")]


@pytest.fixture(autouse=True)
def _rules_of_a_language_are_made_once(monkeypatch):
    # They take as long as the rest of a test, and no text changes them.
    monkeypatch.setattr(spacy_languages, "rule_based_pipeline", PIPELINES)


@pytest.fixture
def workspace(kept_network, tmp_path, monkeypatch):
    # Nothing but the model's folder: no params, no data.
    def make(collapse_repeats=False, language="en", sentences=SENTENCIZER, encoding=True, **changes):
        tokenizer = TokenizerOptions("words", language, sentences, False, collapse_repeats, None)
        network = kept_network(**{"vocabulary_size": len(TOKENS), **changes})
        kept = TextEncoding(tokenizer, VOCABULARY) if encoding else None
        save_network(network, tmp_path / "data" / "models" / "classifier", kept)
        monkeypatch.chdir(tmp_path)
        return network

    return make


@pytest.fixture
def run(capsys):
    def run(*arguments):
        main(["predict", *arguments])
        header, *rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
        return header, rows

    return run


def numbers(row):
    return np.array(row[-len(CLASSES) :], float)


def give(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.mark.parametrize("cell", ["gru", "layer_norm_gru"])
def test_predict_prints_an_answer_and_probabilities_a_text(workspace, run, cell):
    workspace(cell=cell)
    header, rows = run(TEXT, "it left", "the " * 300)
    assert header == ["text", "tokens", "unknown", "prediction", "gender", "age_bracket", *CLASSES]
    assert [row[:3] for row in rows] == [["1", "13", "1"], ["2", "2", "0"], ["3", "300", "0"]]
    for row in rows:
        assert numbers(row).sum() == pytest.approx(1, abs=1e-5)
        assert numbers(row).min() >= 0
        assert row[3] == CLASSES[numbers(row).argmax()]
        by_factor = numbers(row).reshape(2, 3)
        assert row[4] == ("male", "female")[by_factor.sum(axis=1).argmax()]
        assert row[5] == ("10s", "20s", "30s")[by_factor.sum(axis=0).argmax()]


# What takes long to import, and one text can do without.
ALONE = """
import sys

from lengthwise.cli.app import main

main(["predict", "it left"])
print(*{"tensorflow", "keras", "pyarrow", "spacy.cli", "pandas", "sklearn"} & {*sys.modules}, file=sys.stderr)
import spacy

assert spacy.info(silent=True)["spacy_version"] == spacy.__version__
"""


def test_predict_of_one_text_imports_little(workspace, run):
    workspace()
    _, rows = run("it left")
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "\n")
    assert [line.split("\t") for line in done.stdout.splitlines()][1:] == rows


def test_predict_needs_no_more_than_a_copy_of_the_folder(workspace, run, tmp_path, monkeypatch):
    workspace()
    _, here = run(TEXT)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data" / "models" / "classifier").rename(tmp_path / "elsewhere" / "copy")
    shutil.rmtree(tmp_path / "data")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run("--model", "copy", TEXT)[1] == here


@pytest.mark.parametrize("cell", ["gru", "layer_norm_lstm"])
def test_predict_stream_ends_with_what_the_whole_text_gives(workspace, run, cell):
    workspace(cell=cell, layers=2)
    texts = [TEXT, "it left", "again " * 60]
    _, whole = run(*texts)
    header, streamed = run("--stream", *texts)
    assert header[:5] == ["text", "token", "word", "unknown", "prediction"]
    for number, row in enumerate(whole, 1):
        mine = [line for line in streamed if line[0] == str(number)]
        assert [int(line[1]) for line in mine] == list(range(1, int(row[1]) + 1))
        assert sum(int(line[3]) for line in mine) == int(row[2])
        assert_close(numbers(mine[-1]), numbers(row), terms=1.0)
        assert mine[-1][4:7] == row[3:6]
    assert [line[2] for line in streamed][:5] == ["the", "bus", "left", "<#>", "."]


@pytest.mark.parametrize("ensemble", [1, 2])
def test_predict_stream_equals_the_whole_text_at_every_token(workspace, ensemble):
    network = workspace(cell="lstm", ensemble=ensemble)
    predictor = Predictor(forward_of(network), VOCABULARY, str.split)
    text = ["the", "bus", "never", "left", "<PAD>", "it", "again"] * 5
    stream = predictor.stream()
    for _ in range(2):
        streamed = [stream.push(token) for token in text]
        whole = predictor.whole([text[: stop + 1] for stop in range(len(text))])
        assert_close(streamed, whole)
        stream.restart()


def test_predictor_refuses_a_text_without_tokens_in_one_line(workspace):
    predictor = Predictor(forward_of(workspace()), VOCABULARY, str.split)
    assert predictor.whole([]).shape[0] == 0
    with pytest.raises(ValueError, match="text 1: has no token; expected one at least; leave empty texts out"):
        predictor.whole([["a"], [], ["b"]])


@pytest.mark.parametrize("ensemble", [1, 2])
def test_predict_reads_a_long_text_in_windows_as_if_at_once(workspace, monkeypatch, ensemble):
    network = workspace(layers=2, ensemble=ensemble)
    predictor = Predictor(forward_of(network), VOCABULARY, str.split)
    texts = [WORDS[:count] * 3 for count in (1, 9, 2, 11)]
    at_once = predictor.whole(texts)
    for window in (1, 7, 33):
        monkeypatch.setattr("lengthwise.predictor.WINDOW", window)
        assert np.allclose(predictor.whole(texts), at_once, rtol=0, atol=1e-5)


def test_predict_takes_lines_in_batches_as_if_at_once(workspace, run, monkeypatch, tmp_path):
    workspace()
    lines = [" ".join(WORDS[: 1 + number * 7 % 11]) for number in range(40)]
    (tmp_path / "lines.txt").write_text("\n\n".join(lines), encoding="utf-8")
    expected = run("--lines", "--file", "lines.txt")
    assert [row[0] for row in expected[1]] == [str(1 + 2 * number) for number in range(40)]
    for tokens in (1, 50):
        monkeypatch.setattr("lengthwise.cli.predicted.BATCH_TOKENS", tokens)
        header, rows = run("--lines", "--file", "lines.txt")
        assert (header, [row[:6] for row in rows]) == (expected[0], [row[:6] for row in expected[1]])
        assert np.allclose([*map(numbers, rows)], [*map(numbers, expected[1])], rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    "content", [b"The bus left.\n\nI missed it\n", b"\xef\xbb\xbfThe bus left.\r\n\r\nI missed it"]
)
def test_predict_reads_a_file_as_one_text_or_as_lines(workspace, run, tmp_path, content):
    workspace()
    path = tmp_path / "letters.txt"
    path.write_bytes(content)
    _, one = run("--file", str(path))
    assert [row[:3] for row in one] == [["1", "7", "0"]]
    _, lines = run("--lines", "--file", str(path))
    assert [row[:3] for row in lines] == [["1", "4", "0"], ["3", "3", "0"]]
    _, arguments = run("The bus left. I missed it", "The bus left.", "I missed it")
    assert [row[3:] for row in [*one, *lines]] == [row[3:] for row in arguments]


def test_predict_reads_standard_input_as_it_comes(workspace, capsys, monkeypatch):
    workspace()
    seen = []

    class Typed(io.BytesIO):
        def read1(self, size=-1):
            seen.append(capsys.readouterr().out.count("\n"))
            return super().readline(size)

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Typed(b"the bus\nleft again\n")))
    main(["predict", "--stream"])
    # The header, then two rows each before the next line is asked for.
    assert seen == [1, 2, 2]


def test_predict_says_which_text_has_no_tokens_or_none_that_is_known(workspace, capsys):
    workspace()
    for mode in ((), ("--stream",)):
        main(["predict", *mode, "", "it", " \n ", "never ever before", "ever"])
        printed = capsys.readouterr()
        numbered = [line.split("\t")[0] for line in printed.out.splitlines()]
        assert list(dict.fromkeys(numbered)) == ["text", "2", "4", "5"]
        assert sorted(printed.err.splitlines()) == [
            "text 1: has no tokens, so nothing can be predicted",
            "text 3: has no tokens, so nothing can be predicted",
            "text 4: none of its 3 tokens is in the vocabulary",
            "text 5: its token is not in the vocabulary",
        ]


@pytest.mark.parametrize("mode", [(), ("--lines",), ("--stream",), ("--lines", "--stream")])
def test_predict_of_nothing_prints_the_header_alone(workspace, run, monkeypatch, mode):
    workspace()
    give(monkeypatch, b"")
    header, rows = run(*mode)
    assert (header[0], rows) == ("text", [])


def test_predict_prints_no_progress(workspace, capsys):
    workspace()
    main(["predict", "it left"])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("mode", [(), ("--stream",)])
def test_predict_says_the_same_in_every_format(workspace, capsys, run, mode):
    workspace()
    texts = ("It left, again", "the bus")
    header, rows = run(*mode, *texts)
    main(["predict", *mode, "--csv", *texts])
    assert list(csv.reader(io.StringIO(capsys.readouterr().out, newline=""))) == [header, *rows]
    main(["predict", *mode, "--json", *texts])
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for row, content in zip(rows, objects, strict=True):
        factors, probabilities = content.pop("factors"), content.pop("probabilities")
        assert [*content, *factors, *probabilities] == header
        assert [*map(str, [*content.values(), *factors.values()])] == row[: -len(CLASSES)]
        assert [*probabilities.values()] == numbers(row).tolist()


def test_predict_answers_are_classes_of_the_labels(workspace, run, factors):
    workspace()
    _, rows = run(*WORDS)
    for row in rows:
        codes = [np.array([factor.classes.index(row[3].split()[place])]) for place, factor in enumerate(factors)]
        assert joint_class(factors, codes)[0] == numbers(row).argmax()


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
def test_predict_refuses_to_stream_or_to_read_on_with_a_network_that_needs_whole_texts(
    workspace, run, capsys, monkeypatch, changes, told
):
    workspace(**changes)
    assert refusal(capsys, "--stream", "it left").startswith(f"error: model: {told}")
    assert len(run("it left")[1]) == 1
    monkeypatch.setattr("lengthwise.predictor.MOST_AT_ONCE", 5)
    assert refusal(capsys, "it", "it " * 6).startswith(
        "error: text 2: has 6 tokens; expected at most 5 where the model"
    )


def test_predict_refuses_a_vocabulary_of_another_size(make_network):
    with pytest.raises(FormatError, match="expected 99"):
        Predictor(forward_of(make_network(vocabulary_size=99)), VOCABULARY, str.split)


def test_predict_refuses_another_vocabulary_of_the_same_size(workspace, capsys, tmp_path):
    workspace()
    other = (*TOKENS[:2], *reversed(TOKENS[2:]))
    write_vocabulary(tmp_path / "data" / "models" / "classifier" / "vocabulary.tsv", Vocabulary(other, (0,) * 13))
    assert "vocabulary.tsv: is of another network" in refusal(capsys, "it")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--model", "nowhere", "it"), "nowhere/config.json: cannot be read"),
        (("--file", "nowhere.txt"), "nowhere.txt: cannot be read (No such file or directory)"),
        (("--file", "data"), "data: cannot be read (Is a directory)"),
        (("--lines", "it"), "--lines: got texts as arguments; expected --file or standard input"),
        (("--vocabulary", "data/vocabulary.tsv", "it"), "--vocabulary: is not an option any more; expected the folder"),
        (("--params=params.yaml", "it"), "--params: is not an option any more"),
        (("it", "caf\udce9"), "text 2: got 'caf\\udce9', which is not UTF-8"),
        (("\ud800",), "text 1: got '\\ud800', which is not UTF-8"),
    ],
)
def test_predict_refuses_in_one_line(workspace, capsys, arguments, told):
    workspace()
    assert refusal(capsys, *arguments).startswith(f"error: {told}")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"caf\xe9", "is not UTF-8 (0xe9 at byte 3)"),
        (b"it\nleft\n\xff\xfei\0", "byte 11 is NUL"),
        (b"\xef\xbb\xbfit\n\x80", "is not UTF-8 (0x80 at byte 6)"),
        (b"\xff\xfei t", "is not UTF-8 (0xff at byte 0)"),
        (b"\x7fELF\0\0", "byte 4 is NUL"),
        (b"it " * 30, "has a line of more than 64 bytes"),
        (b"it left \n" * 8, "has more than 64 characters"),
    ],
)
@pytest.mark.parametrize("source", ["file", "standard input"])
def test_predict_refuses_what_is_no_text_of_utf_8(workspace, capsys, tmp_path, monkeypatch, content, told, source):
    workspace()
    monkeypatch.setattr(texts_module, "LARGEST_TEXT", 64)
    (tmp_path / "bad.txt").write_bytes(content)
    give(monkeypatch, content)
    message = refusal(capsys, *(("--file", "bad.txt") if source == "file" else ()))
    named = "the text" if "characters" in told else {"file": "bad.txt"}.get(source, source)
    assert message.startswith(f"error: {named}: {told}")


def test_predict_refuses_standard_input_that_is_closed(workspace, capsys, monkeypatch):
    workspace()
    monkeypatch.setattr(sys, "stdin", None)
    assert refusal(capsys).startswith("error: standard input: is closed")


@pytest.mark.parametrize("format_", ["--json", "--csv"])
def test_predict_refuses_texts_beside_a_file_and_two_formats(workspace, capsys, format_):
    workspace()
    assert "not allowed with" in refusal(capsys, "--file", "letters.txt", "it")
    assert "not allowed with" in refusal(capsys, format_, "--json" if format_ == "--csv" else "--csv", "it")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"encoding": False}, "config.json: tokenizer: is null, so the network was not trained on text"),
        ({"language": "klingon"}, "config.json: tokens.language: got 'klingon'"),
        ({"language": "lex_attrs"}, "config.json: tokens.language: got 'lex_attrs'"),
        ({"sentences": "no_such_one"}, "config.json: tokens.sentences: got 'no_such_one'"),
    ],
)
def test_predict_refuses_a_model_whose_tokenizer_is_not_to_be_had(workspace, capsys, changes, told):
    workspace(**changes)
    assert f"data/models/classifier/{told}" in refusal(capsys, "it")


def test_predict_refuses_weights_that_give_no_numbers(workspace, make_network, capsys, tmp_path):
    workspace()
    network = make_network(vocabulary_size=len(TOKENS))
    for variable in network.trainable_variables:
        variable.assign(np.full(variable.shape, np.nan, np.float32))
    encoding = TextEncoding(TokenizerOptions("words", "en", SENTENCIZER, False, False, None), VOCABULARY)
    save_network(network, tmp_path / "nan", encoding)
    for arguments in (("--json",), ("--csv",), ()):
        with pytest.raises(SystemExit):
            main(["predict", *arguments, "--model", "nan", "it"])
        assert "error: the model: gives probabilities that are no numbers" in capsys.readouterr().err


def test_predict_tokenizes_as_the_model_says(workspace, run):
    workspace()
    _, plain = run("again again.....")
    workspace(collapse_repeats=True)
    _, collapsed = run("--stream", "again again.....")
    assert [row[2] for row in collapsed] == ["again", "again", "..."]
    assert plain[0][1] == "3"


def test_predict_says_one_line_where_the_disk_is_full(workspace, capsys, monkeypatch):
    workspace()
    for mode in ((), ("--stream",), ("--json",)):
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            monkeypatch.setattr(sys, "stdout", full)
            with pytest.raises(SystemExit) as caught:
                main(["predict", *mode, "it left"])
        assert caught.value.code == 2
        told = "error: standard output: cannot be written (No space left on device)"
        assert capsys.readouterr().err.startswith(told)


def test_predict_writes_utf_8_under_a_locale_that_has_none(workspace, tmp_path):
    workspace()
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "80"}
    code = "from lengthwise.cli.app import main; main()"
    command = [sys.executable, "-c", code, "predict", "--stream", "caf\xe9 \u4f60".encode(), "it"]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    words = [line.split("\t")[2] for line in done.stdout.decode("utf-8").splitlines()]
    assert words == ["word", "caf\xe9", "\u4f60", "it"]
    assert done.stderr.decode("ascii") == "text 1: none of its 2 tokens is in the vocabulary\n"


def test_examples_of_the_help_are_commands(workspace, capsys, monkeypatch, tmp_path):
    workspace()
    (tmp_path / "letters.txt").write_text("the bus\nleft\n", encoding="utf-8")
    shutil.copytree(tmp_path / "data" / "models" / "classifier", tmp_path / "data" / "models" / "seq2seq")
    with pytest.raises(SystemExit):
        main(["predict", "--help"])
    shown = capsys.readouterr().out
    examples = [line.strip() for line in shown.splitlines() if "lengthwise predict " in line and "Usage" not in line]
    # That of sequences is for another network: test_predict_sequences has it.
    examples = [line for line in examples if "--sequences" not in line]
    assert len(examples) == 4
    for example in examples:
        words = shlex.split(example.partition("lengthwise predict ")[2])
        redirected = [place for place, word in enumerate(words) if word in "<>"]
        give(monkeypatch, b"the bus left")
        main(["predict", *words[: redirected[0] if redirected else None]])
        assert capsys.readouterr().out
