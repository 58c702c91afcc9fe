import re

import pytest
import yaml

from lengthwise.errors import ParamsError, SweepError
from lengthwise.pipeline.settings.params import load_params
from lengthwise.pipeline.sweeps.named import read_named_runs

GOOD = {"description": "What for.", "runs": "dvc.yaml", "changes": {"train.epochs": 3}}


class WithoutAliases(yaml.SafeDumper):
    def ignore_aliases(self, _data):
        return True


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "my, blogs.zip"
    path.write_bytes(b"")
    return path


@pytest.fixture
def read(root, tmp_path, corpus):
    def read(content, *names, corpus=corpus):
        path = tmp_path / "runs.yaml"
        path.write_text(content if isinstance(content, str) else yaml.dump(content, Dumper=WithoutAliases), "utf-8")
        return read_named_runs(path, root / "params.yaml", corpus, names)

    return read


def test_named_run_changes_its_keys_and_the_corpus_and_nothing_else(read, root, corpus):
    (run,) = read({"article": GOOD})
    shipped = load_params(root / "params.yaml").model_dump()
    shipped["ingest"]["source"] = str(corpus)
    shipped["train"]["epochs"] = 3
    assert run.params.model_dump() == shipped
    assert (run.name, run.targets) == ("article", ())
    assert run.overrides == [f"ingest.source='{corpus}'", "train.epochs=3"]


@pytest.mark.parametrize(
    ("target", "targets"),
    [
        ("train", ["train"]),
        ("train_classifier", ["train@classifier"]),
        ("classifier", ["evaluate@classifier", "baselines"]),
        ("baselines", ["baselines"]),
        ("ablations/dvc.yaml", ["ablations/dvc.yaml"]),
    ],
)
def test_named_run_of_other_than_the_pipeline_has_it_as_its_target(read, target, targets):
    (run,) = read({"ablations": {**GOOD, "runs": target, "changes": {"train.seed": 4}}})
    assert list(run.targets) == targets
    assert run.overrides[-1] == "train.seed=4"
    assert run.params.train.seed == 4


def test_named_runs_are_those_asked_for_in_the_order_of_the_file(read):
    content = {"a": GOOD, "b": GOOD, "c": GOOD}
    assert [run.name for run in read(content)] == ["a", "b", "c"]
    assert [run.name for run in read(content, "c", "a")] == ["a", "c"]


def test_named_run_names_the_corpus_by_its_absolute_path(read, corpus, monkeypatch):
    # A temporary workspace has another current folder.
    monkeypatch.chdir(corpus.parent)
    (run,) = read({"a": GOOD}, corpus=type(corpus)(corpus.name))
    assert run.params.ingest.source == str(corpus)


def test_named_run_with_a_value_that_params_may_not_have_is_refused_alone(read):
    refused, good = read({"a": {**GOOD, "changes": {"train.epochs": "many"}}, "b": GOOD})
    assert refused.params is None
    assert "train.epochs: got 'many'; expected an integer" in refused.refusal
    assert good.params is not None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"got None; expected a map from names to runs"),
        ([1], r"got \[1\]; expected a map"),
        ({"Big": GOOD}, r"got the name 'Big'; expected a small letter"),
        ({"../up": GOOD}, r"got the name '\.\./up'"),
        ({1: GOOD}, r"got the name 1;"),
        ({"a": None}, r"a: the file: got None"),
        ({"a": {**GOOD, "more": 1}}, r"a: more: is no key; expected one of changes, description, runs"),
        ({"a": {"runs": "dvc.yaml", "changes": {}}}, r"a: description: is missing; expected text; add it"),
        (
            {"a": {**GOOD, "runs": "other/dvc.yaml"}},
            r"a: runs: got 'other/dvc\.yaml'; expected one of dvc\.yaml, train, train_classifier, ",
        ),
        ({"a": {**GOOD, "changes": ["x"]}}, r"a: changes: got \['x'\]; expected a map of names"),
        ({"a": {**GOOD, "changes": {"train.epoch": 1}}}, r"train\.epoch: is no key, at 'epoch'"),
        ({"a": {**GOOD, "changes": {"train": {}}}}, r"train: is a section"),
        ({"a": {**GOOD, "changes": {"ingest.source": "x"}}}, r"a: got the key 'ingest\.source', which is CORPUS"),
    ],
)
def test_named_runs_that_are_wrong_are_refused_in_one_line_before_anything_runs(read, tmp_path, content, message):
    with pytest.raises(SweepError) as caught:
        read(content)
    said = str(caught.value)
    assert said.startswith(str(tmp_path / "runs.yaml"))
    assert re.search(message, said)
    assert "\n" not in said


def test_named_runs_refuse_a_name_that_is_not_there_and_say_which_are(read):
    with pytest.raises(SweepError, match=r"RUNS: got 'bset'; expected some of article, best; change it"):
        read({"article": GOOD, "best": GOOD}, "article", "bset")


def test_named_runs_without_a_corpus_are_refused(read, tmp_path):
    with pytest.raises(SweepError, match=r"CORPUS: got '.*nowhere\.zip'; expected .*; name its place"):
        read({"a": GOOD}, corpus=tmp_path / "nowhere.zip")


def test_named_runs_in_which_a_name_stands_twice_are_refused(read):
    text = yaml.safe_dump({"a": GOOD})
    with pytest.raises(ParamsError, match="key 'a' stands twice"):
        read(text + text)


def test_committed_named_runs_can_all_be_run(root, corpus):
    runs = read_named_runs(root / "results" / "runs.yaml", root / "params.yaml", corpus, ())
    assert [run.refusal for run in runs if run.params is None] == []
    assert len(runs) > 3
