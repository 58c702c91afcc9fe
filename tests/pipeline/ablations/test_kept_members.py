import json
import os
import pickle
import signal
import subprocess
import sys

import pytest
import yaml

from lengthwise.errors import FormatError, ParamsError, WorkerError
from lengthwise.pipeline.ablations import kept_members
from lengthwise.pipeline.ablations.definitions import Ablations
from lengthwise.pipeline.ablations.kept_members import MEMBER_CODE, PREPARE_CODE, Store, run_ablations
from lengthwise.pipeline.ablations.member_files import read_settings
from lengthwise.pipeline.ablations.prepared import PipelineData
from lengthwise.pipeline.settings.params import Params, load_params

# In the place of the script that trains: notes whom it was called for, and writes what shows that a member is complete.
MEMBER = """
import pathlib, sys
seed, shards, prepared, member, metrics, timing = sys.argv[1:]
folder = pathlib.Path({folder!r})
name = pathlib.Path(prepared).name.split(".")[1]
with open(folder / "calls", "a") as calls:
    calls.write(f"{{name}}-{{seed}} {{(pathlib.Path(prepared) / 'shards').is_dir()}}\\n")
fault = folder / f"{{name}}-{{seed}}.fault"
if fault.exists():
    exec(fault.read_text())
member = pathlib.Path(member)
member.mkdir(parents=True, exist_ok=True)
settings = (pathlib.Path(prepared) / "settings.json").read_text()
(member / "settings.json").write_text(settings)
pathlib.Path(metrics).write_text("{{}}")
pathlib.Path(timing).write_text("{{}}")
"""


@pytest.fixture(scope="module")
def shipped(root):
    params = load_params(root / "params.yaml")
    # As the shards of the fixture were made, so that an ablation can make others.
    changes = {"split": {"validation": 0.2, "test": 0.2}, "shards": {"min_length": 1, "max_length": None}}
    changed = {name: getattr(params, name).model_copy(update=change) for name, change in changes.items()}
    return params.model_copy(update=changed)


class Trial:
    """Ablations of a pipeline whose data may be changed, with a script that takes no time."""

    def __init__(self, folder, corpus, params):
        self.folder, self.params = folder, params
        self.data = PipelineData(
            *(folder / "data" / name for name in ("documents.parquet", "tokens", "split", "words"))
        )
        self.shards = folder / "data" / "shards"
        for path, source in (
            (self.data.documents, corpus.documents),
            (self.data.tokens, corpus.tokens),
            (self.data.split, corpus.split),
            (self.data.vocabulary, corpus.vocabulary),
            (self.shards, corpus.shards),
        ):
            path.parent.mkdir(exist_ok=True)
            path.symlink_to(source)
        script = folder / "member.py"
        script.write_text(MEMBER.format(folder=str(folder)), encoding="utf-8")
        self.store = Store(folder / "store", self.shards, self.data, 1)

    def run(self, ablations, seeds=(1, 2), **changes):
        return run_ablations(*self.asked(ablations, seeds, changes), self.store)

    def named(self, ablations, **changes):
        """By ablation, the name of its member's folder, without training any."""
        params, definitions = self.asked(ablations, [1], changes)
        return {
            name: kept_members._member_folders(params, definitions, name, self.store, kept_members._file_digest)[1].name
            for name in ablations
        }

    def asked(self, ablations, seeds, changes):
        content = self.params.model_dump()
        for key, value in changes.items():
            *sections, last = key.split("__")
            place = content
            for section in sections:
                place = place[section]
            place[last] = value
        return Params.model_validate(content), Ablations(senseless="refuse", seeds=list(seeds), ablations=ablations)

    def trained(self):
        """Who was trained since the last call, and whether with shards of its own."""
        path = self.folder / "calls"
        calls = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [call.removesuffix(" False").replace(" True", "+") for call in calls]

    def fail(self, member, code):
        (self.folder / f"{member}.fault").write_text(code, encoding="utf-8")

    def mend(self):
        for path in self.folder.glob("*.fault"):
            path.unlink()

    def replace(self, path, content=b"other"):
        # Not through the link: the fixture is everybody's.
        if path.is_dir():
            target = path.resolve()
            path.unlink()
            path.mkdir()
            for member in target.iterdir():
                (path / member.name).symlink_to(member)
            path = path / "index.json"
        path.unlink()
        path.write_bytes(content)

    def latest(self):
        return max(self.store.folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)

    def members(self):
        return sorted(path.name for path in self.store.folder.iterdir())


@pytest.fixture
def trial(tmp_path, corpus, shipped, monkeypatch):
    monkeypatch.setattr(kept_members, "MEMBER_SCRIPT", tmp_path / "member.py")
    return Trial(tmp_path, corpus, shipped)


ABLATIONS = {"full": {}, "long": {"train.epochs": 20}}


def test_run_trains_every_ablation_with_every_seed_once(trial):
    folders = trial.run(ABLATIONS)
    assert trial.trained() == ["full-1", "full-2", "long-1", "long-2"]
    assert {name: len(of_name) for name, of_name in folders.items()} == {"full": 2, "long": 2}
    assert [read_settings(folder).train.epochs for folder in folders["long"]] == [20, 20]
    # Nothing but the members is left.
    assert trial.members() == sorted(folder.name for of_name in folders.values() for folder in of_name)
    assert trial.run(ABLATIONS) == folders
    assert trial.trained() == []


def test_adding_a_name_or_a_seed_trains_its_members_alone(trial):
    before = trial.run(ABLATIONS)
    trial.trained()
    more = {"deep": {"train.model.layers": 2}, **ABLATIONS}
    folders = trial.run(more)
    assert trial.trained() == ["deep-1", "deep-2"]
    assert {name: folders[name] for name in ABLATIONS} == before
    folders = trial.run(more, seeds=(2, 3, 1))
    assert trial.trained() == ["deep-3", "full-3", "long-3"]
    assert [folders["full"][2], folders["full"][0]] == before["full"]
    # And what goes, or comes back in another order, trains nobody.
    assert trial.run({"long": ABLATIONS["long"], "full": {}}) == before
    assert trial.trained() == []


def test_ablations_that_are_the_same_by_other_names_are_trained_once(trial):
    folders = trial.run({"full": {}, "same": {"train.model.cell": "gru"}, "task": {"task": "classifier"}})
    assert trial.trained() == ["full-1", "full-2"]
    assert folders["same"] == folders["task"] == folders["full"]


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("changes", "concerned"),
    [
        # What members do not read concerns none of them; the pipeline's own seed of training is one of their seeds.
        ({"train__seed": 99, "baselines__max_iterations": 7, "evaluate__bootstrap_samples": 11}, set()),
        # The shards of the pipeline would be others: see the test of changed data.
        ({"split__seed": 99}, {"leak"}),
        ({"vocabulary__size": 25}, {"leak"}),
        ({"shards__min_length": 2}, {"few", "leak"}),
        ({"train__epochs": 3}, {"full", "few", "leak"}),
        ({"comparison__accuracy": 0.3}, {"full", "few", "leak"}),
        ({"evaluate__kernel": "keras"}, {"full", "few", "leak"}),
    ],
)
def test_changed_params_concern_those_who_read_them(trial, changes, concerned):
    ablations = {"full": {}, "few": {"vocabulary.size": 9}, "leak": {"split.by": "sentence"}}
    before, after = trial.named(ablations), trial.named(ablations, **changes)
    assert {name for name in ablations if before[name] != after[name]} == concerned


def test_every_change_of_an_ablation_makes_members_of_their_own(trial, root):
    ablations = yaml.safe_load((root / "ablations" / "params.yaml").read_text(encoding="utf-8"))["ablations"]
    assert len({*trial.named(ablations).values()}) == len(ablations) > 20


def test_a_changed_setting_trains_again_and_a_setting_that_comes_back_does_not(trial):
    before = trial.run(ABLATIONS, seeds=[1])
    trial.trained()
    assert trial.run(ABLATIONS, seeds=[1], train__epochs=3) == {"full": [trial.latest()], "long": before["long"]}
    assert trial.trained() == ["full-1"]
    assert trial.run(ABLATIONS, seeds=[1]) == before
    assert trial.trained() == []


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("part", "concerned"),
    [
        ("documents", {"links", "leak", "few", "short"}),
        ("tokens", {"leak", "few", "short"}),
        ("split", {"few", "short"}),
        ("vocabulary", {"short"}),
        ("shards", {"full", "deep"}),
    ],
)
def test_changed_data_concern_those_who_read_them(trial, part, concerned):
    ablations = {
        "full": {},
        "deep": {"train.model.layers": 2},
        "links": {"tokens.link_word": "urlLink"},
        "leak": {"split.by": "sentence"},
        "few": {"vocabulary.size": 9},
        "short": {"shards.max_length": 4},
    }
    before = trial.named(ablations)
    trial.replace(trial.shards if part == "shards" else getattr(trial.data, part))
    after = trial.named(ablations)
    assert {name for name in ablations if before[name] != after[name]} == concerned
    assert len({*before.values()}) == len(ablations)


@pytest.mark.parametrize(
    ("file", "concerned"),
    [
        ("models/network.py", {"full", "few"}),
        ("native/kernel.cc", {"full", "few"}),
        ("pipeline/ablations/member.py", {"full", "few"}),
        ("prepare/text/tokens.py", {"few"}),
        ("prepare/splits.py", {"few"}),
        ("reports/html.py", set()),
        ("pipeline/settings/params.py", set()),
        ("pipeline/ablations/table.py", set()),
        ("models/notes.txt", set()),
    ],
)
def test_changed_code_concerns_those_who_run_it(trial, monkeypatch, tmp_path, file, concerned):
    source = tmp_path / "source"
    for name in (*MEMBER_CODE, *PREPARE_CODE, file):
        path = source / name
        path = path if path.suffix else path / "module.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    monkeypatch.setattr(kept_members, "SOURCE", source)
    ablations = {"full": {}, "few": {"vocabulary.size": 9}}
    before = trial.named(ablations)
    (source / file).write_text("changed", encoding="utf-8")
    after = trial.named(ablations)
    assert {name for name in ablations if before[name] != after[name]} == concerned


def test_code_of_members_is_there(root):
    # A name that is moved would be digested as nothing.
    for name in {*MEMBER_CODE, *PREPARE_CODE}:
        assert (root / "src" / "lengthwise" / name).exists(), name


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("sys.exit('error: shards: are damaged; run dvc repro')", "shards: are damaged; run dvc repro"),
        ("print('error: first', file=sys.stderr); print('warning', file=sys.stderr); sys.exit(2)", "first"),
        ("raise ValueError('a bug')", "ValueError: a bug"),
        ("sys.exit(3)", "status 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "status -9"),
    ],
)
def test_a_member_that_fails_is_named_and_leaves_the_others(trial, code, reason):
    trial.fail("long-1", code)
    with pytest.raises(WorkerError) as caught:
        trial.run(ABLATIONS)
    assert str(caught.value).startswith(f"ablations.long: seed 1 has failed: {reason} (")
    assert "make ablations goes on" in str(caught.value)
    assert trial.trained() == ["full-1", "full-2", "long-1"]
    assert len(trial.members()) == 2
    trial.mend()
    trial.run(ABLATIONS)
    assert trial.trained() == ["long-1", "long-2"]
    assert len(trial.members()) == 4


def test_a_member_without_its_last_file_is_trained_again(trial):
    folders = trial.run(ABLATIONS)
    (folders["long"][0] / "timing.json").unlink()
    (folders["full"][1] / "metrics.json").unlink()  # Damage, which the table tells.
    trial.trained()
    assert trial.run(ABLATIONS) == folders
    assert trial.trained() == ["long-1"]


# Runs ablations in a process that can be killed.
RUNNER = """
import pathlib, pickle, sys
from lengthwise.pipeline.ablations import kept_members
kept_members.MEMBER_SCRIPT = pathlib.Path(sys.argv[1])
kept_members.run_ablations(*pickle.loads(pathlib.Path(sys.argv[2]).read_bytes()))
"""


def test_a_killed_run_goes_on_where_it_was(trial, tmp_path):
    # The member kills who has started it, at the second seed of a prepared ablation that has its own shards.
    ablations = {"full": {}, "few": {"vocabulary.size": 9}}
    trial.fail("few-2", "import os, signal; os.kill(os.getppid(), signal.SIGKILL); sys.exit(1)")
    handed = tmp_path / "handed"
    asked = Ablations(senseless="refuse", seeds=[1, 2, 3], ablations=ablations)
    handed.write_bytes(pickle.dumps((trial.params, asked, trial.store)))
    done = subprocess.run([sys.executable, "-c", RUNNER, str(tmp_path / "member.py"), str(handed)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert trial.trained() == ["full-1", "full-2", "full-3", "few-1+", "few-2+"]
    trial.mend()
    folders = trial.run(ablations, seeds=(1, 2, 3))
    assert trial.trained() == ["few-2+", "few-3+"]
    # What the killed one left is gone as well.
    assert trial.members() == sorted(folder.name for of_name in folders.values() for folder in of_name)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_nothing_is_trained_if_an_ablation_makes_no_sense(trial, place):
    odd = {"train.batching.strategy": "truncated", "train.model.bidirectional": True}
    items = list(ABLATIONS.items())
    with pytest.raises(ParamsError, match=r"^ablations\.odd: train\.batching\.strategy and"):
        trial.run(dict([*items[:place], ("odd", odd), *items[place:]]))
    assert trial.trained() == []
    assert not trial.store.folder.exists()


@pytest.mark.parametrize("part", ["documents", "tokens", "split", "vocabulary", "shards"])
def test_data_that_are_not_there_are_told_before_anyone_is_trained(trial, part):
    (trial.shards if part == "shards" else getattr(trial.data, part)).unlink()
    with pytest.raises(FormatError, match=r"cannot be read \(No such file or directory\); run dvc repro") as caught:
        trial.run({"short": {"shards.max_length": 4}, "full": {}})
    assert "\n" not in str(caught.value)
    assert trial.trained() == []
    assert not trial.store.folder.exists()


def test_a_store_that_cannot_be_written_is_told_in_one_line(trial):
    if os.geteuid() == 0:
        trial.store.folder.write_text("a file", encoding="utf-8")
    else:
        trial.store.folder.mkdir(mode=0o500)
    with pytest.raises(OSError, match="cannot be written") as caught:
        trial.run(ABLATIONS)
    assert "\n" not in str(caught.value)
    assert trial.trained() == []


def test_members_are_handed_the_shards_of_the_pipeline_and_their_settings(trial):
    folders = trial.run({"full": {}, "both": {"task": "seq2seq", "shards.max_length": 4, "train.epochs": 7}})
    assert trial.trained() == ["full-1", "full-2", "both-1+", "both-2+"]
    settings = json.loads((folders["both"][1] / "settings.json").read_text(encoding="utf-8"))
    assert (settings["task"], settings["train"]["epochs"]) == ("seq2seq", 7)
    # The seed is no setting of a prepared ablation: it is on the command line.
    assert (folders["both"][0] / "settings.json").read_bytes() == (folders["both"][1] / "settings.json").read_bytes()
