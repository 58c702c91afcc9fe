"""Stages by forks of a process that has imported what they need, and nothing of ours: imports take longer than most.

`stages/run` takes the Python that `LENGTHWISE_PYTHON` names. Here that is a small program that hands its command, its
environment and its streams to the process, and ends as the fork does. Other tests start stages as users do.
"""

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

# What Keras imports of scikit-learn no stage of networks has, see `quiet_tensorflow`.
SERVER = """
import gc, importlib, json, os, runpy, shutil, signal, socket, sys, traceback
gc.disable()
folder, owner = sys.argv[1], int(sys.argv[2])
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.modules["sklearn"] = None
import keras, tensorflow
del sys.modules["sklearn"]
for name in ("compute", "csv", "dataset", "parquet"):
    importlib.import_module(f"pyarrow.{name}")
for name in ("pandas", "pydantic", "safetensors.numpy", "scipy.sparse", "sklearn.feature_extraction.text",
             "sklearn.linear_model", "spacy", "yaml"):
    importlib.import_module(name)

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
listener = socket.socket(socket.AF_UNIX)
listener.bind(f"{folder}/socket")
listener.listen(16)
listener.settimeout(1)
gc.freeze()
gc.enable()
while True:
    try:
        asked, _ = listener.accept()
    except TimeoutError:
        if not os.path.exists(f"/proc/{owner}"):
            shutil.rmtree(folder)
            sys.exit()
        continue
    asked.setblocking(True)
    if os.fork() == 0:
        break
    asked.close()
listener.close()
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
size = int.from_bytes(asked.recv(4, socket.MSG_WAITALL), "little")
_, streams, *_ = socket.recv_fds(asked, 1, 3)
arguments, folder, environment = json.loads(asked.recv(size, socket.MSG_WAITALL))
for number, stream in enumerate(streams):
    os.dup2(stream, number)
    os.close(stream)
os.chdir(folder)
os.environ.clear()
os.environ.update(environment)
sys.argv = arguments
sys.path[:1] = [os.path.dirname(arguments[0]), *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
try:
    runpy.run_path(arguments[0], run_name="__main__")
    status = 0
except SystemExit as stop:
    status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
except BaseException:
    traceback.print_exc()
    status = 1
sys.stdout.flush()
sys.stderr.flush()
asked.send(bytes([status]))
os._exit(status)
"""
CLIENT = """#!{python} -ISE
import json, os, socket, sys
if sys.argv[1] == "-c":
    sys.exit()
there = socket.socket(socket.AF_UNIX)
there.connect({socket!r})
order = json.dumps((sys.argv[1:], os.getcwd(), dict(os.environ))).encode()
there.sendall(len(order).to_bytes(4, "little"))
socket.send_fds(there, [b"x"], [0, 1, 2])
there.sendall(order)
status = there.recv(1)
sys.exit(status[0] if status else 137)
"""


@cache
def stage_python() -> str:
    """The program that stands for Python. The process that it asks is started once for all workers of a test run.

    It ends with the test run, and then its folder goes.
    """
    # Where there are workers the test run is their parent.
    owner = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    made = Path(tempfile.gettempdir()) / f"stages-{os.getuid()}-{owner}"
    made.mkdir(mode=0o700, exist_ok=True)
    client, socket = made / "python", made / "socket"
    with (made / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not client.exists():
            server = subprocess.Popen(
                [sys.executable, "-c", SERVER, str(made), str(owner)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            while not socket.exists():
                assert server.poll() is None, "the process that runs stages has ended"
                time.sleep(0.05)
            # It outlives this worker: nobody waits for it.
            server.returncode = 0
            client.write_text(CLIENT.format(python=sys.executable, socket=str(socket)), encoding="utf-8")
            client.chmod(0o755)
    return str(client)
