"""Runs stages in forked children, so that a run costs no imports, and lets faults happen to them.

A line of JSON on standard input is a run (see `Run` in conftest.py), a line on standard output what came of it. Started
with file_faults.cc preloaded; its argument are the modules to import before the first fork.
"""

import ctypes
import importlib
import json
import os
import resource
import runpy
import shutil
import signal
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

CAPABILITY_VERSION = 0x20080522


class Faults(ctypes.Structure):
    _fields_ = [
        ("operations", ctypes.c_long),
        ("at", ctypes.c_long),
        ("error", ctypes.c_int),
        ("root", ctypes.c_char * 4096),
        ("last", ctypes.c_char * 4200),
    ]


def shared_faults():
    # None where there was no compiler: kills at random times and limits of the system need nothing preloaded.
    try:
        function = ctypes.CDLL(None).shared_faults
    except AttributeError:
        return None
    function.restype = ctypes.POINTER(Faults)
    return function().contents


def drop_privileges():
    # Permissions of files do not bind root, but a root without capabilities.
    header, none = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, none):
        raise OSError(ctypes.get_errno(), "capset")


def run(order, faults):
    os.setpgid(0, 0)
    os.chdir(order["folder"])
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ["LENGTHWISE_WORKERS"] = str(order["workers"])
    if "lengthwise.training.resume" in sys.modules:
        sys.modules["lengthwise.training.resume"].SAVE_SECONDS = order["save_seconds"]
    if order["file_size"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_size"], resource.RLIM_INFINITY))
    if order["unprivileged"]:
        drop_privileges()
    sys.argv = list(order["arguments"])
    if faults:
        faults.operations, faults.at, faults.error = 0, order["at"], order["error"]
        faults.last, faults.root = b"", order["folder"].encode()
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
        status = 0
    except SystemExit as stop:
        status = int(stop.code or 0)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def wait(child, seconds, vanishing):
    # The exit status, negative for a signal; after so many seconds an input goes, or the group is killed.
    until = time.monotonic() + seconds if seconds is not None else None
    while True:
        pid, status = os.waitpid(child, 0 if until is None else os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= until:
            if vanishing is None:
                os.killpg(child, signal.SIGKILL)
            elif vanishing.is_dir():
                shutil.rmtree(vanishing)
            else:
                vanishing.unlink()
            until = None
        else:
            time.sleep(0.001)


def serve(modules):
    for module in modules:
        importlib.import_module(module)
    faults = shared_faults()
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            run(order, faults)
        with suppress(OSError):
            os.setpgid(child, child)  # Whoever of the two comes first: a kill may come at once.
        started = time.monotonic()
        vanishing = Path(order["folder"], order["vanish"]) if order["vanish"] else None
        status = wait(child, order["seconds"], vanishing)
        counted = {"operations": faults.operations, "last": faults.last.decode()} if faults else {}
        if faults:
            faults.root = b""  # What this process does counts no more.
        done = {"status": status, "seconds": time.monotonic() - started, **counted}
        done["text"] = Path(order["log"]).read_text(encoding="utf-8")
        print(json.dumps(done), flush=True)


# A stage's own workers import this module as theirs.
if __name__ == "__main__":
    serve(sys.argv[1:])
