"""Which instruction set the native kernel is built for; no TensorFlow.

By default it is all that this processor has. A smaller one makes the kernel of another machine: the same build on two
processors computes the same bytes, and an error that only some processors show can be looked for on any.
"""

import os
import platform
from pathlib import Path

from lengthwise.errors import InstructionSetError

ARCH_VARIABLE = "LENGTHWISE_KERNEL_ARCH"
NATIVE = "native"
# What each level of the x86-64 ABI adds to the one before it, in the words of /proc/cpuinfo (pni is SSE3, abm LZCNT).
X86_LEVELS = {
    "x86-64-v2": {"cx16", "lahf_lm", "pni", "popcnt", "sse4_1", "sse4_2", "ssse3"},
    "x86-64-v3": {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"},
    "x86-64-v4": {"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"},
}


def kernel_archs() -> tuple[str, ...]:
    """List the instruction sets that this machine has: the levels of x86-64, smallest first, then `native`.

    A processor of another kind has `native` alone.
    """
    flags = {flag for line in _lines_of_processor() if line.startswith("flags") for flag in line.split()}
    levels = []
    for name, needed in X86_LEVELS.items():
        if not needed <= flags:
            break
        levels.append(name)
    return (*levels, NATIVE)


def kernel_arch() -> str:
    """Return the instruction set to build for: `LENGTHWISE_KERNEL_ARCH`, or `native` where that is unset or empty.

    Raises:
        InstructionSetError: there is no such instruction set, or this machine lacks it.
    """
    asked = os.environ.get(ARCH_VARIABLE) or NATIVE
    has = kernel_archs()
    if asked not in has:
        lacks = f", which this machine ({platform.machine()}) lacks" if asked in X86_LEVELS else ""
        raise InstructionSetError(
            f"{ARCH_VARIABLE}: got {asked!r}{lacks}; expected {' or '.join(has)}; change or unset it"
        )
    return asked


def arch_of_run(kernel: str) -> str:
    """Name the instruction set for the record of a run: the one asked for, or `native` and what that is here.

    Args:
        kernel: what computes, `native` or `keras`.

    Returns:
        As `x86-64-v3`, `native (x86-64-v4)` or, on another kind of processor, `native (aarch64)`; `none` for Keras.

    Raises:
        InstructionSetError: see `kernel_arch`.
    """
    if kernel != NATIVE:
        return "none"
    arch = kernel_arch()
    if arch != NATIVE:
        return arch
    *levels, _ = kernel_archs()
    return f"{NATIVE} ({levels[-1] if levels else platform.machine()})"


def processor() -> str:
    """Return the processor's name and the instructions that it has."""
    names = ("vendor_id", "cpu family", "model", "model name", "flags", "CPU implementer", "CPU part", "Features")
    lines = {line for line in _lines_of_processor() if line.split("\t")[0].strip() in names}
    return platform.machine() + ("".join(sorted(lines)) or platform.processor())


def _lines_of_processor() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # There is no such file but on Linux.
        return []
