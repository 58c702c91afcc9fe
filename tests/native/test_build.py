import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from lengthwise.errors import InstructionSetError, KernelError
from lengthwise.native import build, ops
from lengthwise.native.arch import ARCH_VARIABLE, kernel_archs
from lengthwise.native.build import SOURCES, library
from lengthwise.native.compiling import LIBRARY_NAME, cache_folder, refuse_unknown_arch

ROOT = Path(__file__).parents[2]

# Notes each call, and writes what it is asked for.
WORKS = """
echo "$@" >> {log}
while [ $# -gt 0 ]; do if [ "$1" = -o ]; then echo built > "$2"; fi; shift; done
"""


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    # The instruction set that these tests are run with is not theirs.
    monkeypatch.delenv(ARCH_VARIABLE, raising=False)
    library.cache_clear()
    yield
    library.cache_clear()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LENGTHWISE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    # A script in the compiler's place, and the calls that it got.
    class Compiler:
        path, log = tmp_path / "cxx", tmp_path / "calls"

        def does(self, script):
            self.path.write_text("#!/bin/sh\n" + script.replace("{log}", str(self.log)))
            self.path.chmod(0o755)
            library.cache_clear()
            return self

        @property
        def calls(self):
            return self.log.read_text().splitlines() if self.log.exists() else []

    monkeypatch.setenv("CXX", str(Compiler.path))
    return Compiler().does(WORKS)


def files_in(folder):
    return {path.name for path in folder.rglob("*") if path.is_file()}


def refusal():
    with pytest.raises(KernelError) as caught:
        library()
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("native kernel: ")
    return str(caught.value)


def built_anew():
    library.cache_clear()
    return library()


def test_library_is_built_once_and_found_there_afterwards(folder, compiler, capsys):
    path = library()
    assert path.parent.parent == folder
    assert path.read_text() == "built\n"
    assert files_in(folder) == {LIBRARY_NAME, "lock"}
    assert len(compiler.calls) == 3
    assert capsys.readouterr().err == "native kernel: is built, once for this machine, in about 20 s\n"
    assert built_anew() == path
    assert len(compiler.calls) == 3
    assert capsys.readouterr().err == ""


def test_library_that_is_there_needs_no_compiler_and_no_right_to_write(folder, compiler, monkeypatch):
    path = library()
    compiler.path.unlink()
    monkeypatch.setattr(Path, "mkdir", None)
    assert built_anew() == path


def test_library_is_compiled_with_the_flags_of_tensorflow_and_of_this_processor(folder, compiler):
    library()
    kernel, glue = sorted((call for call in compiler.calls if " -c " in call), key=lambda call: "op.cc" in call)
    assert "-march=native" in kernel
    assert "-march=native" not in glue
    assert all(flag in glue for flag in tf.sysconfig.get_compile_flags())
    (link,) = (call for call in compiler.calls if "-shared" in call)
    assert all(flag in link for flag in tf.sysconfig.get_link_flags())


def test_library_of_another_source_flag_compiler_or_tensorflow_is_another(folder, compiler, tmp_path, monkeypatch):
    paths = [library(), built_anew()]
    assert paths[0] == paths[1]
    for name in SOURCES:
        source = tmp_path / name.replace(".", "_")
        shutil.copytree(Path(build.__file__).parent, source)
        (source / name).write_text((source / name).read_text() + "\n")
        with monkeypatch.context() as patch:
            patch.setattr(build, "__file__", str(source / "build.py"))
            paths.append(built_anew())
    for name in ("KERNEL_FLAGS", "GLUE_FLAGS"):
        with monkeypatch.context() as patch:
            patch.setattr(build, name, (*getattr(build, name), "-g"))
            paths.append(built_anew())
    for name in ("get_compile_flags", "get_link_flags"):
        with monkeypatch.context() as patch:
            patch.setattr(tf.sysconfig, name, lambda: ["-Dother"])
            paths.append(built_anew())
    with monkeypatch.context() as patch:
        patch.setattr(tf, "__version__", "9.9.9")
        paths.append(built_anew())
    other = compiler.path.with_name("other-cxx")
    shutil.copy(compiler.path, other)
    monkeypatch.setenv("CXX", str(other))
    paths.append(built_anew())
    assert len(set(paths)) == len(paths) - 1


CPUINFO = "processor\t: {number}\nmodel name\t: {name}\ncpu MHz\t\t: {clock}\nflags\t\t: {flags}\n\n"


def test_library_of_another_processor_is_another_and_its_clock_does_not_count(folder, compiler, monkeypatch):
    def library_on(name, flags, clock="2000", processors=2):
        cores = [CPUINFO.format(number=number, name=name, flags=flags, clock=clock) for number in range(processors)]
        with monkeypatch.context() as patch:
            real = Path.read_text
            patch.setattr(
                Path,
                "read_text",
                lambda path, *args, **kwargs: (
                    "".join(cores) if path == Path("/proc/cpuinfo") else real(path, *args, **kwargs)
                ),
            )
            return built_anew()

    usual = library_on("EPYC", "sse avx")
    assert library_on("EPYC", "sse avx", clock="3000.1", processors=5) == usual
    assert len({usual, library_on("EPYC", "sse avx avx512f"), library_on("Xeon", "sse avx")}) == 3


@pytest.fixture
def archs(monkeypatch):
    # Whatever this machine has.
    every = ("x86-64-v2", "x86-64-v3", "x86-64-v4", "native")
    monkeypatch.setattr("lengthwise.native.arch.kernel_archs", lambda: every)
    return every


def test_library_is_built_for_the_instruction_set_asked_for_beside_the_others(
    folder, compiler, archs, capsys, monkeypatch
):
    paths = [library()]
    for arch in archs:
        monkeypatch.setenv(ARCH_VARIABLE, arch)
        paths.append(built_anew())
        assert built_anew() == paths[-1]
    assert paths[0] == paths[-1]
    assert len(set(paths)) == len(archs)
    flags = [word for call in compiler.calls for word in call.split() if word.startswith("-march=")]
    # Asked once whether it knows the flag, then told it for the kernel and not for the glue.
    assert sorted(flags) == sorted(["-march=native", *(f"-march={arch}" for arch in archs[:-1] * 2)])
    said = capsys.readouterr().err.splitlines()
    assert said == [
        f"native kernel: is built, once for {what}, in about 20 s" for what in ("this machine", *archs[:-1])
    ]


def test_library_for_an_instruction_set_is_the_same_on_every_processor(folder, compiler, archs, monkeypatch):
    found = {}
    for processor in ("EPYC", "Xeon"):
        monkeypatch.setattr(build, "processor", lambda name=processor: name)
        for arch in archs:
            monkeypatch.setenv(ARCH_VARIABLE, arch)
            found[arch, processor] = built_anew()
    assert [len({found[arch, name] for name in ("EPYC", "Xeon")}) for arch in archs] == [1, 1, 1, 2]


def test_library_refuses_an_instruction_set_that_does_not_exist_before_it_builds(folder, compiler, monkeypatch):
    monkeypatch.setenv(ARCH_VARIABLE, "x86-64-v9")
    with pytest.raises(InstructionSetError, match=r"^LENGTHWISE_KERNEL_ARCH: got 'x86-64-v9'; expected .*native; "):
        library()
    assert compiler.calls == []
    assert not folder.exists()


def test_library_of_a_compiler_that_does_not_know_the_instruction_set_says_so(folder, compiler, archs, monkeypatch):
    compiler.does(
        f'case "$*" in\n*-march=x86-64-v3*) echo "cc1plus: error: bad value" >&2; exit 1 ;;\n*) {WORKS}\n;;\nesac\n'
    )
    monkeypatch.setenv(ARCH_VARIABLE, "x86-64-v3")
    with pytest.raises(InstructionSetError) as caught:
        library()
    message = str(caught.value)
    assert "\n" not in message
    assert f"got 'x86-64-v3', which the compiler {compiler.path} does not build for (" in message
    assert "cc1plus: error: bad value" in message
    assert not folder.exists()
    monkeypatch.setenv(ARCH_VARIABLE, "x86-64-v2")
    assert built_anew().read_text() == "built\n"


@pytest.mark.native
@pytest.mark.parametrize("arch", kernel_archs())
def test_compiler_of_this_machine_knows_every_instruction_set_that_the_machine_has(arch):
    refuse_unknown_arch([os.environ.get("CXX") or "g++"], arch)


@pytest.mark.parametrize("name", ["no-such-compiler", "/nowhere/g++"])
def test_library_without_a_compiler_says_which_is_missing_and_leaves_nothing(folder, monkeypatch, name):
    monkeypatch.setenv("CXX", name)
    message = refusal()
    assert repr(name) in message
    assert "CXX" in message
    assert not folder.exists()


@pytest.mark.parametrize("part", ["*", "*kernel.cc*", "*op.cc*", "*-shared*"])
def test_library_that_does_not_compile_is_refused_in_one_line_and_leaves_nothing(folder, compiler, part):
    compiler.does(
        f'case "$*" in\n{part}) ;;\n*) {WORKS}\nexit 0 ;;\nesac\n'
        'echo "In file included from x.h" >&2\necho "x.cc:1: error: no such thing" >&2\n'
        'echo "x.cc:2: error: nor such" >&2\nexit 3\n'
    )
    message = refusal()
    assert "status 3" in message
    assert "x.cc:1: error: no such thing" in message
    assert "nor such" not in message
    assert files_in(folder) <= {"lock"}
    # What failed once may work now.
    compiler.does(WORKS)
    assert library().read_text() == "built\n"
    assert files_in(folder) == {LIBRARY_NAME, "lock"}


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("exit 1", "no message"),
        ("echo some words >&2\nexit 1", "some words"),
        ("kill -9 $$", "-9"),
        # A message in another encoding than Python expects.
        ("printf 'x.cc: error: \\374ber\\n' >&2\nexit 1", "error"),
    ],
)
def test_library_is_refused_whatever_the_compiler_says_when_it_fails(folder, compiler, script, expected):
    compiler.does(script)
    assert expected in refusal()
    assert files_in(folder) <= {"lock"}


def test_library_of_a_compiler_that_writes_nothing_is_refused(folder, compiler):
    compiler.does("exit 0")
    refusal()
    assert files_in(folder) <= {"lock"}


def test_library_of_a_compiler_that_talks_keeps_standard_output_clean(folder, compiler, capfd):
    compiler.does("echo all is well\n" + WORKS)
    library()
    assert capfd.readouterr().out == ""


def test_library_of_a_compiler_that_does_not_start_blames_the_compiler_and_not_the_folder(folder, compiler):
    compiler.path.write_bytes(b"\x7fELF")
    message = refusal()
    assert str(compiler.path) in message
    assert "LENGTHWISE_CACHE" not in message


def test_library_in_no_folder_says_which_and_what_to_set(compiler, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    # A file, below a file, where nobody may write, and a name that no file system takes.
    for place in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nowhere"), tmp_path / ("x" * 300)):
        monkeypatch.setenv("LENGTHWISE_CACHE", str(place))
        library.cache_clear()
        message = refusal()
        assert str(place) in message
        assert "LENGTHWISE_CACHE" in message
    assert compiler.calls == []


def test_library_of_a_user_without_a_home_says_what_to_set(compiler, monkeypatch):
    def nobody(*_):
        raise KeyError("getpwuid(): uid not found")

    for name in ("LENGTHWISE_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert "LENGTHWISE_CACHE" in refusal()


def test_cache_folder_is_the_own_one_or_in_the_users_cache(monkeypatch, tmp_path):
    for name in ("LENGTHWISE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "lengthwise"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "shared"))
    assert cache_folder() == tmp_path / "shared" / "lengthwise"
    monkeypatch.setenv("LENGTHWISE_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


def test_library_refuses_a_platform_that_it_is_not_written_for(folder, compiler, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert "win32" in refusal()
    assert compiler.calls == []


def test_library_is_built_once_by_two_processes_at_once(folder, compiler, tmp_path):
    compiler.does("sleep 0.3\n" + WORKS)
    # Nothing of TensorFlow is needed but its flags, and it takes seconds to import.
    (tmp_path / "tensorflow.py").write_text(
        "class sysconfig:\n    get_compile_flags = get_link_flags = staticmethod(list)\n__version__ = '0'\n"
    )
    command = [sys.executable, "-c", "from lengthwise.native.build import library; print(library())"]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT / 'src'}"}
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    results = [process.communicate(timeout=30) for process in running]
    assert [process.returncode for process in running] == [0, 0], results
    assert len({out.splitlines()[-1] for out, _ in results}) == 1
    assert sum("is built" in err for _, err in results) == 1
    assert len(compiler.calls) == 3
    assert files_in(folder) == {LIBRARY_NAME, "lock"}


@pytest.mark.parametrize("content", [b"", b"no library", b"\x7fELF" + bytes(100)])
def test_load_of_a_damaged_library_says_what_to_do(folder, compiler, content):
    path = library()
    path.write_bytes(content)
    with pytest.raises(KernelError, match=r"cannot be loaded .*; remove it to build it anew") as caught:
        ops.load.__wrapped__()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="session")
def whole_library():
    ops.load()
    return library().read_bytes()


@pytest.mark.native
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.8])
def test_load_of_a_library_that_was_cut_short_says_what_to_do(whole_library, folder, compiler, kept):
    library().write_bytes(whole_library[: int(kept * len(whole_library))])
    context = multiprocessing.get_context("fork")
    said = context.SimpleQueue()

    def load():
        try:
            ops.load.__wrapped__()
        except KernelError as error:
            said.put(str(error))

    # In a process of its own, since a loader that trusts the file dies of it.
    process = context.Process(target=load)
    process.start()
    process.join(30)
    assert process.exitcode == 0
    assert not said.empty()
    assert "remove it to build it anew" in said.get()
