"""Builds the native kernel from the source that ships, once per source, TensorFlow version and processor.

See `lengthwise.native.compiling`. TensorFlow's headers are not compiled for the very processor, since Eigen, which they
include, does not compile for every one.
"""

import hashlib
from functools import cache
from pathlib import Path

import tensorflow as tf

from lengthwise.native.arch import NATIVE, processor
from lengthwise.native.compiling import KERNEL_FLAGS, KERNEL_SOURCES, built_library, run_compilers

GLUE_SOURCES = (
    "parallel.h",
    "op_support.h",
    "layout_op.h",
    "batch_op.h",
    "convolution_op.h",
    "recurrent_op.h",
    "dropout_op.h",
    "adam_op.h",
    "op.cc",
)
SOURCES = (*KERNEL_SOURCES, *GLUE_SOURCES)
GLUE_FLAGS = ("-O2", "-fPIC", "-w")
SECONDS = 20


@cache
def library() -> Path:
    """The built library, which is built if it is not there.

    Raises:
        KernelError: there is no compiler, or it failed; or this is no place where the kernel runs.
        InstructionSetError: `LENGTHWISE_KERNEL_ARCH` names an instruction set that the machine or the compiler lacks.
    """
    source = Path(__file__).parent
    return built_library(
        lambda compiler, arch: _digest(source, compiler, arch),
        lambda command, arch, out: _build(command, arch, source, out),
        SECONDS,
    )


def _digest(source: Path, compiler: str, arch: str) -> str:
    """A digest of all that the library depends on; on the very processor only if it is built for that."""
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update((source / name).read_bytes())
    flags = [*KERNEL_FLAGS, *GLUE_FLAGS, *tf.sysconfig.get_compile_flags(), *tf.sysconfig.get_link_flags()]
    machine = processor() if arch == NATIVE else ""
    for part in (tf.__version__, compiler, arch, machine, *flags):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:24]


def _build(compiler: list[str], arch: str, source: Path, out: Path) -> None:
    """Compile both files side by side and link them."""
    kernel, glue = (out.parent / f"{out.name}.{name}.o" for name in ("kernel", "op"))
    try:
        run_compilers(
            [*compiler, *KERNEL_FLAGS, f"-march={arch}", "-c", str(source / "kernel.cc"), "-o", str(kernel)],
            [*compiler, *GLUE_FLAGS, *tf.sysconfig.get_compile_flags(), "-c", str(source / "op.cc"), "-o", str(glue)],
        )
        run_compilers([*compiler, "-shared", "-o", str(out), str(kernel), str(glue), *tf.sysconfig.get_link_flags()])
    finally:
        kernel.unlink(missing_ok=True)
        glue.unlink(missing_ok=True)
