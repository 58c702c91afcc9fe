import getpass
import os
import platform
import socket
import stat
from importlib.metadata import version
from pathlib import Path

import pytest

from lengthwise.pipeline.stages.train import environment as module
from lengthwise.pipeline.stages.train.environment import PACKAGES, environment


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    # Something that answers `--version` as a compiler does.
    def install(said, status=0):
        script = tmp_path / "bin" / "cc"
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\nexit {status}\n", "utf-8")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("CXX", str(script))

    return install


def test_environment_has_the_versions_that_are_installed():
    import keras
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    found = environment({"kernel": "keras"})
    for name, loaded in (("keras", keras), ("numpy", np), ("pandas", pd), ("pyarrow", pa)):
        assert found[name] == loaded.__version__
    assert all(found[name.replace("-", "_")] == version(name) for name in PACKAGES)
    assert found["python"].endswith(platform.python_version())
    assert found["threads"] == len(os.sched_getaffinity(0))
    assert all(type(value) in (int, str) and value != "" for value in found.values())


def test_environment_is_the_same_twice_and_names_no_user_host_or_path():
    found = environment({"kernel": "native"})
    assert environment({"kernel": "native"}) == found
    words = {word for value in found.values() for word in str(value).split()}
    assert not words & {getpass.getuser(), socket.gethostname(), platform.node()}
    assert not [word for word in words if word.startswith(("/", "~")) or str(Path.home()) in word]


def test_environment_has_the_compiler_only_where_a_kernel_was_compiled(compiler):
    compiler("c++ (Distribution 12.2.0-14) 12.2.0\nCopyright")
    assert environment({"kernel": "keras"})["compiler"] == "none"
    found = environment({"kernel": "native", "kernel_arch": "x86-64-v3"})
    assert found["compiler"] == "c++ (Distribution 12.2.0-14) 12.2.0"
    assert (found["kernel"], found["kernel_arch"]) == ("native", "x86-64-v3")


def test_environment_leaves_out_where_a_compiler_stands(compiler):
    compiler("/home/somebody/bin/c++ version 17.0 (from /home/somebody/src)")
    assert environment({"kernel": "native"})["compiler"] == "version 17.0 (from"


@pytest.mark.parametrize("command", ["", "/nowhere/c++", "false"])
def test_environment_without_a_compiler_that_answers_has_none(monkeypatch, compiler, command):
    if command:
        monkeypatch.setenv("CXX", command)
    else:
        compiler("unknown option", status=1)
    assert environment({"kernel": "native"})["compiler"] == "none"


def test_environment_of_a_package_under_another_name_has_none(monkeypatch):
    monkeypatch.setattr(module, "PACKAGES", ("no-such-package-anywhere",))
    assert environment({"kernel": "keras"})["no_such_package_anywhere"] == "none"


@pytest.mark.parametrize(("text", "expected"), [("7", 7), ("0", None), ("many", None), ("", None)])
def test_environment_has_the_threads_that_tensorflow_takes(monkeypatch, text, expected):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", text)
    threads = environment({"kernel": "keras"})["threads"]
    assert threads == (expected or len(os.sched_getaffinity(0)))
