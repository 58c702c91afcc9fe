"""What a run was computed with: versions, compiler, processor, threads; no name of a user or a host, and no path."""

import os
import platform
import re
import shlex
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lengthwise.system.variables import processors, tensorflow_threads

# What a byte of some output may depend on.
PACKAGES = (
    "dvc",
    "keras",
    "lengthwise",
    "numpy",
    "pandas",
    "pyarrow",
    "safetensors",
    "scikit-learn",
    "scipy",
    "spacy",
    "tensorflow",
)
ABSENT = "none"
COMPILER_SECONDS = 60


def environment(kernel: Mapping[str, str]) -> dict[str, float | int | str]:
    """The environment of this process, flat, for a metrics file.

    Args:
        kernel: what computed the recurrent layers, `kernel`, and more on it.

    Returns:
        A version per package, `python`, `system`, `processor`, `threads`, `compiler`, and what `kernel` has.
    """
    return {
        **{name.replace("-", "_"): _version(name) for name in PACKAGES},
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": " ".join(filter(None, [platform.system(), platform.machine(), *platform.libc_ver()])),
        "processor": _processor(),
        "threads": _threads(),
        # The native kernel's; without it nothing was compiled.
        "compiler": _compiler() if kernel["kernel"] == "native" else ABSENT,
        **kernel,
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # A build of TensorFlow may go by another name.
        return ABSENT


def _processor() -> str:
    """The processor as it calls itself, or its architecture."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def _threads() -> int:
    """Threads that TensorFlow shares an operation out to: its variable, or the processors this process may use."""
    return tensorflow_threads() or processors()


def _compiler() -> str:
    """The first line that the compiler of the native kernel (see `lengthwise.native.build`) says of its version."""
    command = [*shlex.split(os.environ.get("CXX") or "g++"), "--version"]
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, errors="replace", check=True, timeout=COMPILER_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return ABSENT
    # A compiler may give the place where it stands.
    return " ".join(word for word in done.stdout.partition("\n")[0].split() if "/" not in word) or ABSENT
