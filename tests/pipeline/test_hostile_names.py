"""No param passes through a shell: whatever a name has in it, each stage works or refuses it in one line."""

import shutil
from contextlib import suppress

import pytest
import yaml

from lengthwise.errors import LengthwiseError
from lengthwise.pipeline.stages.check import check_files

# Each would write this file if a shell read it.
MARK = "executed"
NAMES = [
    f'two words, it\'s "quoted" & touch {MARK} &.zip',
    f"x;touch {MARK};$(touch {MARK})`touch {MARK}`.zip",
    f"--flag=*?[a] | touch {MARK} #\ntouch {MARK}\n.zip",
]
UNASKED = ("train", "model", "vectors_file")
OF_OTHER_CORPORA = {("ingest", section) for section in ("plain", "steps", "table")}


@pytest.fixture(scope="module")
def project(tmp_path_factory, make_project, root):
    stages = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    return make_project(
        tmp_path_factory.mktemp("names") / "a folder; with $names", without=stages.keys() - {"check", "ingest"}
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", [NAMES[1], *(pytest.param(name, marks=pytest.mark.long) for name in NAMES[::2])])
def test_corpus_of_any_name_is_read_and_nothing_is_executed(project, name):
    source = project.folder / "data" / name
    shutil.copy(project.folder / "data" / "sample" / "blogs.zip", source)
    project.change_params("ingest", source=f"data/{name}")
    project.run("dvc", "repro", "--quiet")
    assert (project.folder / "data" / "documents.parquet").is_file()
    assert not list(project.folder.rglob(MARK))


def text_keys(content, place=()):
    for key, value in content.items():
        if isinstance(value, dict):
            yield from text_keys(value, (*place, key))
        elif isinstance(value, str):
            yield (*place, key)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_no_text_of_the_params_passes_but_a_name_that_is_there(root, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    shipped = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    keys = list(text_keys(shipped))
    assert {("ingest", "source"), ("tokens", "language"), ("train", "model", "cell")} <= {*keys}
    for place in keys:
        params = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
        params["ingest"]["source"] = str(root / params["ingest"]["source"])
        here = params
        for part in place[:-1]:
            here = here[part]
        here[place[-1]] = name
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        # What nothing reads in this run may be any text: columns of another corpus, vectors where none are asked for.
        is_read = place[:2] not in OF_OTHER_CORPORA and place != UNASKED
        with pytest.raises(LengthwiseError) if is_read else suppress(LengthwiseError) as refusal:
            check_files(tmp_path / "params.yaml", root / "ablations" / "params.yaml", tmp_path / "checked")
        if is_read:
            message = str(refusal.value)
            assert message.count("\n") == 0
            assert ".".join(place) in message or "age_brackets" in message
    assert not list(tmp_path.rglob(MARK))
