import os

import pytest
import yaml

from lengthwise.errors import LengthwiseError, ParamsError
from lengthwise.pipeline.stages.check import CONTENT, REMEDY, check_files

# As on the shipped params: a change of either file, and how the refusal goes on behind the file's name.
WRONG_PARAMS = [
    ("train.batching.strategy", "paded", "train.batching.strategy: got 'paded'; expected one of bucketed, "),
    ("train.epochs", 0, "train.epochs: got 0; expected an integer from 1"),
    ("train.epoch", 3, "train.epoch: is no key; expected one of batching, best, class_weights, epochs"),
    (
        "ingest.blogs.age_brackets.10s",
        "13 to 17",
        "ingest.blogs.age_brackets.10s: got '13 to 17'; expected the youngest and",
    ),
    ("a\nb", 1, "a\\nb: is no key; expected one of baselines"),
    # Each is right by itself.
    ("train.model.bidirectional", True, "train.batching.strategy and train.model.bidirectional: got "),
    (
        "ingest.source",
        "nowhere.zip",
        "ingest.source: got 'nowhere.zip'; expected a file or a folder that is there",
    ),
    ("ingest.source", "a\x00b", "ingest.source: got 'a\\x00b'; expected a file"),
    ("ingest.source", "two\nlines", "ingest.source: got 'two\\nlines'; expected a file"),
    ("ingest.source", "x" * 300, "ingest.source: got 'xxx"),
    ("ingest.source", "blogs.zip/inside", "ingest.source: got 'blogs.zip/inside'; expected a file"),
    ("ingest.source", "$(touch made)", "ingest.source: got '$(touch made)'; expected a file"),
    ("ingest.source", "x;touch made;.zip", "ingest.source: got 'x;touch made;.zip'; expected a file"),
    (
        "train.model.vectors",
        "no_such_package",
        "train.model.vectors: got 'no_such_package'; expected none, file or an installed spaCy package",
    ),
    ("train.model.vectors", "../up", "train.model.vectors: got '../up'; expected none, file or an installed spaCy"),
    ("train.model.vectors", "os.path", "train.model.vectors: got 'os.path'; expected none, file or an installed"),
    ("train.model.vectors", "file", "data/sample/vectors.txt.gz: No such file or directory; expected the text form"),
]
WRONG_ABLATIONS = [
    ("seeds", [1, 1], "seeds: got [1, 1]; expected each seed once; remove the others"),
    ("seeds", "many", "seeds: got 'many'; expected a list of at least 1, each an integer"),
    ("seed", 3, "seed: is no key; expected one of ablations, seeds"),
    ("ablations.full", {"train.epochs": 3}, "ablations.full: got {'train.epochs': 3}; expected {}"),
    ("ablations.new", {"train.epoch": 3}, "ablations.new: got the key 'train.epoch'; expected one of task"),
    ("ablations.new", {"train.epochs": 0}, "ablations.new: train.epochs: got 0; expected an integer from 1"),
    ("ablations.a b", {}, "ablations: got the name 'a b'; expected a small letter"),
]
BROKEN = ["", "[1, 2", "a: b: c", "\x00", "train: 1\ntrain: 2\n", "a: &x 1\nb: *x\n", b"\xff\xfe"]


@pytest.fixture
def folder(root, tmp_path, monkeypatch):
    (tmp_path / "ablations").mkdir()
    for name in ("params.yaml", "ablations/params.yaml"):
        (tmp_path / name).write_bytes((root / name).read_bytes())
    (tmp_path / "blogs.zip").write_bytes(b"not read here")
    change(tmp_path / "params.yaml", "ingest.source", "blogs.zip")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def change(path, dotted, value):
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    place = content
    *sections, key = dotted.split(".")
    for section in sections:
        place = place[section]
    place[key] = value
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def check(folder):
    names = ("params.yaml", "ablations/params.yaml", "data/checked")
    check_files(*(type(folder)(name) for name in names))
    return (folder / "data" / "checked").read_bytes()


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def refusal_of(folder, file):
    before = {*files_below(folder), "data", "data/checked"}
    with pytest.raises(ParamsError) as caught:
        check(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{file}: ")
    # What to do about it, and that nothing is lost.
    assert message.endswith(f" ({REMEDY})")
    assert message.count(REMEDY) == 1
    # DVC has cleared the stage's own output; it is back, as it always is, and nothing else is there.
    assert set(files_below(folder)) == before
    assert (folder / "data" / "checked").read_text(encoding="utf-8") == CONTENT
    return message.removeprefix(f"{file}: ")


def test_legal_params_always_give_the_same_bytes(folder):
    first = check(folder)
    assert first == CONTENT.encode()
    assert check(folder) == first
    change(folder / "params.yaml", "train.epochs", 77)
    change(folder / "ablations" / "params.yaml", "seeds", [9])
    change(folder / "ablations" / "params.yaml", "ablations.new", {"train.epochs": 3})
    assert check(folder) == first
    assert files_below(folder / "data") == ["checked"]


@pytest.mark.parametrize("source", ["a folder", "posts.csv", 'it\'s $(here); & "there".zip', "deep/inside/blogs.zip"])
def test_a_source_that_is_there_is_legal_whatever_its_name(folder, source):
    path = folder / source
    path.mkdir(parents=True) if source == "a folder" else path.parent.mkdir(parents=True, exist_ok=True)
    if source != "a folder":
        path.touch()
    change(folder / "params.yaml", "ingest.source", source)
    check(folder)
    change(folder / "params.yaml", "ingest.source", str(path))
    check(folder)


@pytest.mark.parametrize(("key", "value", "told"), WRONG_PARAMS)
def test_wrong_params_are_refused_with_how_to_restore_them(folder, key, value, told):
    if key == "train.model.bidirectional":
        change(folder / "params.yaml", "train.batching.strategy", "truncated")
    change(folder / "params.yaml", key, value)
    assert refusal_of(folder, "params.yaml").startswith(told)


@pytest.mark.parametrize(("key", "value", "told"), WRONG_ABLATIONS)
def test_wrong_ablations_are_refused_with_how_to_restore_them(folder, key, value, told):
    change(folder / "ablations" / "params.yaml", key, value)
    assert refusal_of(folder, "ablations/params.yaml").startswith(told)


@pytest.mark.parametrize("file", ["params.yaml", "ablations/params.yaml"])
@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_file_is_refused(folder, file, content):
    (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    refusal_of(folder, file)


@pytest.mark.parametrize("file", ["params.yaml", "ablations/params.yaml"])
def test_a_file_that_is_not_there_is_refused(folder, file):
    (folder / file).unlink()
    assert refusal_of(folder, file).startswith("cannot be read (")
    (folder / file).mkdir()
    assert refusal_of(folder, file).startswith("cannot be read (")


def test_a_source_behind_a_closed_door_is_refused(folder):
    (folder / "closed").mkdir()
    (folder / "closed" / "blogs.zip").touch()
    change(folder / "params.yaml", "ingest.source", "closed/blogs.zip")
    check(folder)
    (folder / "closed").chmod(0)
    try:
        if os.access(folder / "closed" / "blogs.zip", os.F_OK):
            pytest.skip("this user may read everything")
        refusal_of(folder, "params.yaml")
    finally:
        (folder / "closed").chmod(0o700)


def test_characters_of_steps_without_tokens_are_refused(folder):
    change(folder / "params.yaml", "ingest.corpus", "steps")
    change(folder / "params.yaml", "tasks", ["classifier"])
    change(folder / "params.yaml", "ingest.steps.label", "class")
    change(folder / "params.yaml", "baselines.characters", 4)
    for tokens in (None, "form"):
        change(folder / "params.yaml", "ingest.steps.tokens", tokens)
        if tokens:
            check(folder)
        else:
            expected = "baselines.characters: got 4; ingest.steps names no tokens; "
            assert refusal_of(folder, "params.yaml").startswith(expected)


def test_an_ablation_that_makes_no_sense_with_todays_params_is_no_reason_to_stop(folder):
    # ablations.bidirectional and such go on; they refuse themselves, see ablations.
    change(folder / "params.yaml", "train.batching.strategy", "truncated")
    check(folder)


def test_a_place_that_cannot_be_written_is_told_in_one_line(folder):
    (folder / "data").write_bytes(b"a file")
    with pytest.raises(LengthwiseError, match=r"^data/checked: cannot be written \(") as caught:
        check(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("LENGTHWISE_WORKERS", "many", "got 'many'; expected a positive integer"),
        ("LENGTHWISE_PEER_SECONDS", "0", "got '0'; expected a positive integer"),
        ("LENGTHWISE_TRAIN_WORKERS", "-1", "got '-1'; expected a whole number from 1"),
        ("LENGTHWISE_TRAIN_WORKERS", "3", "got 3 workers, with train.logical_shards 2; expected at most as many"),
        ("TF_CONFIG", "{", "got {; expected the like of {"),
    ],
)
def test_a_variable_that_a_later_stage_would_refuse_is_refused_here(folder, monkeypatch, variable, value, told):
    change(folder / "params.yaml", "train.logical_shards", 2)
    check(folder)
    monkeypatch.setenv(variable, value)
    with pytest.raises(LengthwiseError) as caught:
        check(folder)
    assert str(caught.value).startswith(f"{variable}: {told}")
