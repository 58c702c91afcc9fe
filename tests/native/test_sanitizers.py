# The kernel under the sanitizers of the compiler: it touches nothing beside its arrays, and does nothing undefined.
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from lengthwise.native import compiling
from lengthwise.native.arch import kernel_archs

pytestmark = [pytest.mark.native, pytest.mark.long]

SOURCE = Path(compiling.__file__).parent
DRIVER = Path(__file__).parent / "sanitized.cc"
SANITIZED = ("-std=c++17", "-O1", "-g1", "-fno-math-errno", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@pytest.mark.parametrize("arch", kernel_archs())
def test_kernel_reads_and_writes_its_arrays_alone(arch, tmp_path):
    made = tmp_path / "sanitized"
    command = [*shlex.split(os.environ.get("CXX") or "g++"), *SANITIZED, f"-march={arch}", f"-I{SOURCE}"]
    files = [str(DRIVER), str(SOURCE / "kernel.cc")]
    built = subprocess.run([*command, "-o", str(made), *files], capture_output=True, text=True, check=False)
    if "cannot find" in built.stderr:
        pytest.skip("the compiler has no sanitizers here")
    assert built.returncode == 0, built.stderr
    # Seven cells, inputs that are projected or not, 25 rounds.
    done = subprocess.run([str(made)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "350 problems, 0 values that are no finite numbers\n"), done.stderr
