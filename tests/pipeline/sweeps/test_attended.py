import os
import subprocess
import sys

# Stands for `dvc`: a module of that name before the real one.
FAKE = "import sys, time\ndef main(arguments):\n    print(arguments, flush=True)\n    {body}\n    return 3\n"


def start(tmp_path, body, *descriptors):
    package = tmp_path / "dvc"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "cli.py").write_text(FAKE.format(body=body), encoding="utf-8")
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-m", "lengthwise.pipeline.sweeps.attended", ",".join(map(str, descriptors)), "exp", "run"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        pass_fds=descriptors,
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_attended_dvc_is_called_with_its_arguments_and_hands_its_status_on(tmp_path):
    theirs, ours = os.pipe()
    process = start(tmp_path, "pass", theirs)
    assert process.communicate(timeout=60)[0] == "['exp', 'run']\n"
    assert process.returncode == 3
    os.close(theirs)
    os.close(ours)


def test_attended_dvc_is_interrupted_when_its_starter_is_gone(tmp_path):
    theirs, ours = os.pipe()
    held, other = os.pipe()
    process = start(tmp_path, "time.sleep(60)", theirs, other)
    os.close(theirs)
    os.close(other)
    assert process.stdout.readline()
    os.close(ours)
    assert os.read(held, 1) == b""
    process.communicate(timeout=60)
    assert process.returncode not in (0, 3)
    os.close(held)
