"""DVC, ended if whoever started it is killed: `python -m lengthwise.pipeline.sweeps.attended DESCRIPTORS exp run ...`.

The starter holds the other end of the first descriptor, a pipe, and writes nothing: the pipe ends when the starter
does. The other descriptors are held until this process ends.
"""

import importlib
import os
import signal
import sys
import threading
import time
from typing import Any

# For a training to save its state.
GRACE_SECONDS = 20.0


def main() -> None:
    """Run DVC's command line in this process, which leads its process group."""
    descriptors = [int(text) for text in sys.argv[1].split(",")]
    for descriptor in descriptors:
        # Else the stages would hold it, too.
        os.set_inheritable(descriptor, False)
    threading.Thread(target=_end_with, args=(descriptors[0],), daemon=True).start()
    dvc: Any = importlib.import_module("dvc.cli")
    sys.exit(dvc.main(sys.argv[2:]))


def _end_with(descriptor: int) -> None:
    os.read(descriptor, 1)
    os.killpg(0, signal.SIGINT)
    time.sleep(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
