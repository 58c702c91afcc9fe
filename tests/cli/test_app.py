import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

import lengthwise
from lengthwise.cli.app import app, main

COMMANDS = (
    *("advise", "audit", "look", "predict", "generate", "report", "page", "results", "exps", "sweep", "folds"),
    *("real", "recipes", "run", "join", "documents"),
)
HEAVY = ("tensorflow", "keras", "spacy", "dvc", "pandas", "numpy", "pyarrow", "sklearn", "pydantic")


def refusal(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    printed = capsys.readouterr()
    assert (caught.value.code, printed.out) == (2, "")
    return printed.err


def shown(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0
    return capsys.readouterr().out


def test_version_is_that_of_the_package(capsys):
    assert shown(capsys, "--version") == f"lengthwise {lengthwise.__version__}\n"


def test_help_lists_every_command_with_a_whole_sentence(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    _, listed = shown(capsys, "--help").split("Commands:\n")
    lines = [line.split(maxsplit=1) for line in listed.splitlines()]
    assert [name for name, _ in lines] == list(COMMANDS)
    assert all(text.endswith(".") and not text.endswith("..") for _, text in lines)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_explains_every_argument_and_option(capsys, name):
    text = shown(capsys, name, "--help")
    command = get_command(app).commands[name]
    for parameter in command.params:
        if not getattr(parameter, "hidden", False):
            assert parameter.help, parameter.name
            assert parameter.help.split()[0] in text


def test_help_imports_nothing_that_takes_long():
    run = "try:\n    main(['--help'])\nfinally:\n    print(*sys.modules)"
    code = f"import sys\nfrom lengthwise.cli.app import main\n{run}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert "typer" in loaded
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "Missing command; see `lengthwise --help`"),
        (("train",), "No such command 'train'; see `lengthwise --help`"),
        (("report",), "Missing option '--base'; see `lengthwise report --help`"),
        (("sweep",), "Missing argument 'GRID'; see `lengthwise sweep --help`"),
        (("page", "--nope"), "No such option: --nope; see `lengthwise page --help`"),
        (("results", "a", "b"), "Got unexpected extra argument(s) (b); see `lengthwise results --help`"),
    ],
)
def test_wrong_command_lines_are_one_line_and_status_2(capsys, arguments, told):
    assert refusal(capsys, *arguments) == f"error: {told}\n"


def test_commands_whose_dependencies_are_not_installed_say_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.delitem(sys.modules, "lengthwise.reports.results", raising=False)
    told = "error: pandas: is not installed; the command needs it; pip install 'lengthwise[pipeline]'\n"
    assert refusal(capsys, "results") == told


def test_program_of_a_library_alone_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "typer", None)
    for name in [name for name in sys.modules if name.startswith("lengthwise.cli.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(SystemExit) as caught:
        importlib.import_module("lengthwise.cli.__main__").main()
    assert caught.value.code == 2
    told = "error: typer: is not installed; the command lengthwise needs it; pip install 'lengthwise[pipeline]'\n"
    assert capsys.readouterr().err == told


def test_shells_get_the_commands_as_completions():
    asked = {"_LENGTHWISE_COMPLETE": "complete_bash", "COMP_WORDS": "lengthwise re", "COMP_CWORD": "1"}
    command = [sys.executable, "-m", "lengthwise.cli"]
    done = subprocess.run(command, env={**os.environ, **asked}, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["report", "results", "real", "recipes"]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("arguments", ["--help", "--version", "predict --help", "results"])
def test_commands_say_one_line_where_the_disk_is_full(arguments):
    command = [sys.executable, "-m", "lengthwise.cli", *arguments.split()]
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: standard output: cannot be written (No space left on device)")
    assert done.stderr.count("\n") == 1
