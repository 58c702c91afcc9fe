"""A stage without room, permission or input says so in one line, exits with 2, and leaves what was there before."""

import errno
import json
import os
import shutil
import subprocess
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

LIGHT = ("ingest", "tokens", "split", "vocabulary", "shards", "baselines")
HEAVY = ("train@classifier", "evaluate@classifier")
# Each costs seconds.
LONG_HEAVY = tuple(pytest.param(stage, marks=pytest.mark.long) for stage in HEAVY)
PAGE = 4096


@pytest.fixture
def starve(faults, make_pipeline, tmp_path, record_property):
    # Runs a stage that lacks something, looks at what it says and leaves; then it lacks nothing, and it runs again.
    happened = Counter()

    def run(stage, prepare=lambda folder: None, mend=lambda folder: None, absent=(), many=False, **lack):
        pipeline = make_pipeline(stage, many)
        expected = pipeline.digests(stage)
        folder = pipeline.with_old_outputs(stage, tmp_path / "run")
        old, others = pipeline.digests(stage, folder), pipeline.others(stage, folder)
        prepare(folder)
        done = faults.run(folder, stage, **lack)
        place = f"{stage} {lack} {done.last}: {done.text}"
        lines = [line for line in done.text.splitlines() if "%" not in line]
        if done.status:
            assert done.status == 2, place
            assert len(lines) == 1, place
            assert lines[0].startswith("error: "), place
            assert lines[0].count("; ") >= 1, place
        pipeline.assert_live_files_are_whole(stage, folder, place)
        for name, found in pipeline.digests(stage, folder).items():
            if name in faults.stages[stage].live:
                continue
            assert found in (old[name], expected[name], *absent), f"{name} is not whole after {place}"
        mend(folder)
        again = faults.run(folder, stage, save_seconds=1e9)
        assert again.status == 0, f"{place}\nand then {again.text}"
        assert pipeline.digests(stage, folder) == expected, f"{place}\nand then {again.text}"
        assert pipeline.others(stage, folder) == others, f"left over by {place}"
        happened.update(runs=1, refused=int(done.status == 2))
        shutil.rmtree(folder, ignore_errors=True)  # It may be a disk.
        return done

    yield run
    record_property("faults", json.dumps({"section": "starved", **happened}))


@pytest.fixture
def operations(faults, make_pipeline, tmp_path):
    def count(stage):
        if faults.preload is None:
            pytest.skip("there is no C++ compiler")
        return faults.run(make_pipeline(stage).with_old_outputs(stage, tmp_path / "counted"), stage).operations

    return count


# Networks take half a minute, and write as the others do.
@pytest.mark.sampled(1)
@pytest.mark.parametrize("stage", [*LIGHT, *(pytest.param(stage, marks=pytest.mark.long) for stage in HEAVY)])
def test_stage_with_a_disk_that_is_full_from_some_write_on_says_so(starve, operations, stage):
    cuts = np.linspace(1, operations(stage) - 3, 2).astype(int)
    rng = np.random.default_rng(len(stage))
    for low, high in pairwise(cuts):
        assert starve(stage, at=int(rng.integers(low, high)), error=errno.ENOSPC).status == 2


@pytest.mark.long
@pytest.mark.parametrize("stage", [*LIGHT, *HEAVY])
def test_stage_with_a_disk_that_is_full_from_any_write_on_says_so(starve, operations, stage):
    # The last two are the rename and the removal of what is not there any more, and need no room.
    for number in range(1, operations(stage) - 1):
        assert starve(stage, at=number, error=errno.ENOSPC).status == 2


@pytest.mark.long
@pytest.mark.parametrize("error", [errno.EROFS, errno.EIO])
@pytest.mark.parametrize("stage", LIGHT)
def test_stage_with_a_disk_that_fails_from_any_operation_on_says_so(starve, operations, stage, error):
    # Where the disk fails between two renames, there is no going back.
    for number in range(1, operations(stage) + 1):
        starve(stage, at=number, error=error, absent=(None,))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("stage", [*LIGHT, *LONG_HEAVY])
def test_stage_with_a_limit_on_the_size_of_files_says_so(starve, stage):
    assert starve(stage, file_size=400 if stage == "split" else 1500).status == 2


@pytest.mark.long
def test_tokens_whose_workers_have_no_room_say_so(starve):
    assert starve("tokens", many=True, file_size=5000, workers=2).status == 2


@pytest.fixture
def small_disk():
    # Gives a folder a disk of its own, which is full; it can grow.
    mounted = []

    def mount(folder):
        aside = folder.with_name("aside")
        folder.rename(aside)
        folder.mkdir()
        used = sum(-(-path.stat().st_size // PAGE) for path in aside.rglob("*") if path.is_file()) * PAGE
        command = ["mount", "-t", "tmpfs", "-o", f"size={used}", "faults", str(folder)]
        if os.geteuid() or subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("no disk can be mounted")
        mounted.append(folder)
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        shutil.rmtree(aside)

    def grow(folder):
        subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)

    yield mount, grow
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("stage", [*LIGHT, *LONG_HEAVY])
def test_stage_on_a_full_disk_says_so(starve, small_disk, stage):
    mount, grow = small_disk
    done = starve(stage, mount, grow)
    assert done.status == 2
    assert "cannot be written (No space left on device)" in done.text


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("stage", "place"),
    [
        # What a stage makes and what it has to report are in two folders.
        *((stage, ("data", "data/figures")[number % 2]) for number, stage in enumerate(LIGHT[:-1])),
        *(
            pytest.param(stage, ("data/figures", "data")[number % 2], marks=pytest.mark.long)
            for number, stage in enumerate(LIGHT[:-1])
        ),
        ("baselines", "data/figures"),
        pytest.param("train@classifier", ".", marks=pytest.mark.long),
        pytest.param("train@classifier", "data/models", marks=pytest.mark.long),
        pytest.param("evaluate@classifier", "data/predictions", marks=pytest.mark.long),
    ],
)
def test_stage_in_a_folder_that_is_not_to_be_written_to_says_so(starve, stage, place):
    done = starve(
        stage,
        lambda folder: (folder / place).chmod(0o555),
        lambda folder: (folder / place).chmod(0o755),
        unprivileged=True,
    )
    assert done.status == 2
    assert f"error: {'.lengthwise' if place == '.' else place}/" in done.text
    assert "cannot be written (Permission denied)" in done.text


@pytest.mark.sampled(1)
@pytest.mark.parametrize("stage", [*LIGHT, *LONG_HEAVY])
def test_stage_whose_inputs_are_not_to_be_read_says_so(starve, faults, stage):
    for name in faults.stages[stage].inputs:
        modes = {}

        def forbid(folder, name=name, modes=modes):
            modes.update({path: path.stat().st_mode for path in (folder / name, *(folder / name).rglob("*"))})
            for path in reversed(modes):
                path.chmod(0)

        def allow(_folder, modes=modes):
            for path, mode in modes.items():
                path.chmod(mode)

        done = starve(stage, forbid, allow, unprivileged=True)
        assert done.status == 2
        assert name in done.text
        assert "Permission denied" in done.text


def remove(path):
    (shutil.rmtree if path.is_dir() else os.unlink)(path)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("stage", [*LIGHT, *LONG_HEAVY])
def test_stage_whose_input_has_gone_says_so(starve, faults, make_pipeline, stage):
    pipeline = make_pipeline(stage)
    for name in faults.stages[stage].inputs:
        done = starve(
            stage,
            lambda folder, name=name: remove(folder / name),
            lambda folder, name=name: pipeline.copy_input(name, folder),
        )
        assert done.status == 2
        assert name in done.text


def vanish(starve, faults, make_pipeline, stage, share):
    # Every input goes in the middle of a run, which takes no harm or says so.
    pipeline = make_pipeline(stage)
    longest = 1.0 if stage in LIGHT else 3.0
    for name in faults.stages[stage].inputs:

        def put_back(folder, name=name):
            if not (folder / name).exists():
                pipeline.copy_input(name, folder)

        done = starve(stage, mend=put_back, seconds=share * longest, vanish=name)
        assert done.status == 0 or name in done.text


@pytest.mark.sampled(1)
@pytest.mark.parametrize("stage", LIGHT)
def test_stage_whose_input_goes_while_it_runs_ends_or_says_so(starve, faults, make_pipeline, stage):
    vanish(starve, faults, make_pipeline, stage, np.random.default_rng(len(stage)).uniform(0, 0.3))


@pytest.mark.long
@pytest.mark.parametrize("stage", [*LIGHT, *HEAVY])
def test_stage_whose_input_goes_at_any_time_ends_or_says_so(starve, faults, make_pipeline, stage):
    for share in np.random.default_rng(len(stage)).uniform(0, 1, 8):
        vanish(starve, faults, make_pipeline, stage, share)
