"""Stages by forks of a process that has imported what they need, and nothing of ours: imports take longer than most.

`stages/run` takes the Python that `LENGTHWISE_PYTHON` names. Here that is a small program that hands its command, its
environment and its streams to the process, and ends as the fork does. Other tests start stages as users do.
"""

import atexit
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

# What Keras imports of scikit-learn no stage of networks has, see `quiet_tensorflow`.
SERVER = """
import gc, importlib, json, os, runpy, signal, socket, sys, traceback
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
listener.bind(sys.argv[1])
listener.listen(16)
gc.collect()
gc.freeze()
while True:
    asked, _ = listener.accept()
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
    """The program that stands for Python; the process that it asks is started once, and ends with this one."""
    made = Path(tempfile.mkdtemp(prefix="stages"))
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(made / "socket")], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    atexit.register(server.wait)
    atexit.register(server.kill)
    client = made / "python"
    client.write_text(CLIENT.format(python=sys.executable, socket=str(made / "socket")), encoding="utf-8")
    client.chmod(0o755)
    while not (made / "socket").exists():
        assert server.poll() is None, "the process that runs stages has ended"
        time.sleep(0.05)
    return str(client)
