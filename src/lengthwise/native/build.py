"""Builds the native kernel from the source that ships, once per source, TensorFlow version and processor.

The library goes into a folder of the user's cache, named by a digest of all that it depends on; whoever comes second
waits for the first, and finds it there. The kernel is compiled for the very processor (`-march=native`); TensorFlow's
headers are not, since Eigen, which they include, does not compile for every processor.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import tensorflow as tf

from lengthwise.errors import KernelError
from lengthwise.files import replacing_file

SOURCES = ("kernel.h", "kernel.cc", "op.cc")
KERNEL_FLAGS = ("-std=c++17", "-O3", "-march=native", "-fPIC")
GLUE_FLAGS = ("-O2", "-fPIC", "-w")
LIBRARY_NAME = "lengthwise.so"


@cache
def library() -> Path:
    """The built library, which is built if it is not there.

    Raises:
        KernelError: there is no compiler, or it failed; or this is no place where the kernel runs.
    """
    if sys.platform not in ("linux", "darwin"):
        raise KernelError(f"native kernel: got the platform {sys.platform}; expected Linux or macOS")
    compiler = os.environ.get("CXX", "g++")
    program = shutil.which(compiler)
    source = Path(__file__).parent
    digest = _digest(source, compiler)
    path = cache_folder() / digest / LIBRARY_NAME
    if path.exists():
        return path
    if program is None:
        raise KernelError(
            f"native kernel: got no compiler {compiler!r}; expected g++ or clang++; install it, or set CXX"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (path.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                print("native kernel: is built, once for this machine, in about 20 s", file=sys.stderr)
                with replacing_file(path) as out:
                    _build(program, source, out)
    except OSError as error:
        raise KernelError(
            f"native kernel: {path.parent}: {error}; expected a folder to build in; set LENGTHWISE_CACHE"
        ) from error
    return path


def cache_folder() -> Path:
    """The per-user folder of built kernels: `LENGTHWISE_CACHE`, or `lengthwise` in the user's cache."""
    own = os.environ.get("LENGTHWISE_CACHE")
    if own:
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "lengthwise"


def _digest(source: Path, compiler: str) -> str:
    """A digest of all that the library depends on."""
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update((source / name).read_bytes())
    flags = [*KERNEL_FLAGS, *GLUE_FLAGS, *tf.sysconfig.get_compile_flags(), *tf.sysconfig.get_link_flags()]
    for part in (tf.__version__, compiler, _processor(), *flags):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:24]


def _processor() -> str:
    """The processor's name and the instructions that it has."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine() + platform.processor()
    names = ("vendor_id", "cpu family", "model", "model name", "flags", "CPU implementer", "CPU part", "Features")
    return platform.machine() + "".join(sorted({line for line in lines if line.split("\t")[0].strip() in names}))


def _build(compiler: str, source: Path, out: Path) -> None:
    """Compile both files side by side and link them."""
    kernel, glue = (out.parent / f"{out.name}.{name}.o" for name in ("kernel", "op"))
    commands = (
        [compiler, *KERNEL_FLAGS, "-c", str(source / "kernel.cc"), "-o", str(kernel)],
        [compiler, *GLUE_FLAGS, *tf.sysconfig.get_compile_flags(), "-c", str(source / "op.cc"), "-o", str(glue)],
    )
    try:
        running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]  # noqa: S603
        texts = [process.communicate()[1] for process in running]
        _check([(process.returncode, text) for process, text in zip(running, texts, strict=True)])
        link = [compiler, "-shared", "-o", str(out), str(kernel), str(glue), *tf.sysconfig.get_link_flags()]
        linked = subprocess.run(link, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603
        _check([(linked.returncode, linked.stderr)])
    finally:
        kernel.unlink(missing_ok=True)
        glue.unlink(missing_ok=True)


def _check(results: list[tuple[int, str]]) -> None:
    for status, text in results:
        if status:
            errors = [line for line in text.splitlines() if "error" in line.lower()] or text.splitlines()[-1:]
            raise KernelError(
                f"native kernel: the compiler failed with status {status}: {(errors or ['no message'])[0]}"
            )
