"""Builds a library of C++ once per source and machine, in a folder of the user's cache; no TensorFlow.

The folder is named by a digest of all that the library depends on; whoever comes second waits for the first, and finds
it there. The kernel is compiled for the very processor (`-march=native`), or for the instruction set that
`LENGTHWISE_KERNEL_ARCH` names (see `lengthwise.native.arch`).
"""

import fcntl
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lengthwise.errors import InstructionSetError, KernelError
from lengthwise.native.arch import ARCH_VARIABLE, NATIVE, kernel_arch
from lengthwise.system.files import file_digest, replacing_file

# Without `errno` a square root is one instruction.
KERNEL_FLAGS = ("-std=c++17", "-O3", "-fno-math-errno", "-fPIC")
# What both libraries are made of.
KERNEL_SOURCES = (
    "kernel.h",
    "vectors.h",
    "matrices.h",
    "memory.h",
    "packing.h",
    "cells.h",
    "normalization.h",
    "normalized_cells.h",
    "forward_pass.h",
    "backward_pass.h",
    "dropout.h",
    "adam.h",
    "kernel.cc",
)
LIBRARY_NAME = "lengthwise.so"
# Held by who builds; in it the digest of what was built.
LOCK_NAME = "lock"

# Compiler and instruction set to the digest; and command, instruction set and file to what is built there.
Digest = Callable[[str, str], str]
Build = Callable[[list[str], str, Path], None]


def built_library(digest: Digest, build: Build, seconds: int) -> Path:
    """A built library, which is built if it is not there.

    Args:
        digest: of all that it depends on, of a compiler and an instruction set.
        build: compiles it, by a command for an instruction set, to a file.
        seconds: that this takes, about.

    Raises:
        KernelError: there is no compiler, or it failed; or this is no place where the kernel runs.
        InstructionSetError: `LENGTHWISE_KERNEL_ARCH` names an instruction set that the machine or the compiler lacks.
    """
    if sys.platform not in ("linux", "darwin"):
        raise KernelError(f"native kernel: got the platform {sys.platform}; expected Linux or macOS")
    arch = kernel_arch()
    compiler = os.environ.get("CXX") or "g++"
    folder = cache_folder() / digest(compiler, arch)
    path = folder / LIBRARY_NAME
    try:
        if path.exists():
            return path
        command = shlex.split(compiler)
        if shutil.which(command[0]) is None:
            raise KernelError(
                f"native kernel: found no compiler {compiler!r}; expected g++ or clang++; install it or set CXX"
            )
        refuse_unknown_arch(command, arch)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOCK_NAME).open("a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                what = "this machine" if arch == NATIVE else arch
                print(f"native kernel: is built, once for {what}, in about {seconds} s", file=sys.stderr)
                with replacing_file(path) as out:
                    build(command, arch, out)
                    lock.truncate(0)
                    lock.write(file_digest(out))
                    lock.flush()
    except OSError as error:
        raise KernelError(
            f"native kernel: {folder}: {error}; expected a folder to build in; set LENGTHWISE_CACHE"
        ) from error
    return path


def is_whole(path: Path) -> bool:
    """Whether a library is what was built: to load one that was cut short ends the process."""
    try:
        return (path.parent / LOCK_NAME).read_text() == file_digest(path)
    except (OSError, UnicodeDecodeError):
        return False


def cache_folder() -> Path:
    """The per-user folder of built kernels: `LENGTHWISE_CACHE`, or `lengthwise` in the user's cache.

    Raises:
        KernelError: there is no home to have a cache in.
    """
    own = os.environ.get("LENGTHWISE_CACHE")
    if own:
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(shared) if shared else Path.home() / ".cache") / "lengthwise"
    except RuntimeError as error:
        raise KernelError(f"native kernel: found no home ({error}); set LENGTHWISE_CACHE to a folder") from error


def refuse_unknown_arch(compiler: list[str], arch: str) -> None:
    """Try the flag alone: who asked for an instruction set is told so, not that some file does not compile.

    Raises:
        InstructionSetError: the compiler does not build for it.
    """
    if arch == NATIVE:
        return
    try:
        run_compilers([*compiler, f"-march={arch}", "-fsyntax-only", "-x", "c++", os.devnull])
    except KernelError as error:
        raise InstructionSetError(
            f"{ARCH_VARIABLE}: got {arch!r}, which the compiler {shlex.join(compiler)} does not build for ({error}); "
            "install a newer one, set CXX, or unset it"
        ) from error


def run_compilers(*commands: list[str]) -> None:
    """Run commands side by side.

    Raises:
        KernelError: one does not start, or fails; the message has the first error that it told.
    """
    running = []
    try:
        for command in commands:
            running.append(
                subprocess.Popen(  # noqa: S603
                    command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
                )
            )
    except OSError as error:
        reason = f"the compiler cannot be started ({error})"
        raise KernelError(f"native kernel: {reason}; install another or set CXX") from error
    finally:
        told = [process.communicate()[1] for process in running]
    for process, text in zip(running, told, strict=True):
        if process.returncode:
            errors = [line for line in text.splitlines() if "error" in line.lower()] or text.splitlines()[-1:]
            reason = (errors or ["no message"])[0]
            raise KernelError(f"native kernel: the compiler failed with status {process.returncode} ({reason})")


def is_there(load: Callable[[], object], instead: str) -> bool:
    """Whether a library loads; if not, says so, and what goes on instead.

    Raises:
        InstructionSetError: what `LENGTHWISE_KERNEL_ARCH` asks for is not to be had: nothing else was asked for.
    """
    try:
        load()
    except InstructionSetError:
        raise
    except KernelError as error:
        print(f"{error}; goes on with {instead}", file=sys.stderr)
        return False
    return True
