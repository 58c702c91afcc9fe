import json

import pytest
import yaml

from lengthwise.errors import FormatError, ParamsError
from lengthwise.pipeline.ablations.definitions import Ablations
from lengthwise.pipeline.ablations.member_files import read_settings
from lengthwise.pipeline.ablations.prepared import STAGES, PipelineData, changed_stages, member_settings, prepare
from lengthwise.pipeline.settings.params import load_params
from lengthwise.prepare.counting import build_vocabulary
from lengthwise.prepare.shards.lengths import LengthLimits
from lengthwise.prepare.shards.reader import read_index
from lengthwise.prepare.shards.writer import build_shards
from lengthwise.prepare.splits import SplitShares, split_sentences


@pytest.fixture(scope="module")
def params(root):
    return load_params(root / "params.yaml")


@pytest.fixture
def pipeline(corpus):
    return PipelineData(corpus.documents, corpus.tokens, corpus.split, corpus.vocabulary)


def ablations_of(**changes):
    return Ablations(senseless="refuse", seeds=[1], ablations={"full": {}, **changes})


def smaller(params):
    shards = params.shards.model_copy(update={"min_length": 1, "max_length": None})
    split = params.split.model_copy(update={"validation": 0.2, "test": 0.2})
    vocabulary = params.vocabulary.model_copy(update={"size": 30})
    return params.model_copy(update={"shards": shards, "split": split, "vocabulary": vocabulary})


def bytes_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("section", "change", "expected"),
    [
        ("tokens", {"link_word": "urlLink"}, STAGES),
        ("split", {"by": "sentence"}, STAGES[1:]),
        ("vocabulary", {"size": 7}, STAGES[2:]),
        ("shards", {"max_length": 60}, STAGES[3:]),
        ("train", {"epochs": 99}, ()),
        ("evaluate", {"seed": 99}, ()),
    ],
)
def test_changed_stages_are_the_first_changed_one_and_all_after_it(params, section, change, expected):
    changed = params.model_copy(update={section: getattr(params, section).model_copy(update=change)})
    assert changed_stages(params, changed) == expected


def test_pipeline_data_are_what_the_stages_write(root):
    stages = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    data = PipelineData.below(root / "data")
    for path, stage in ((data.documents, "ingest"), *((getattr(data, stage), stage) for stage in STAGES[:-1])):
        assert str(path.relative_to(root)) in stages[stage]["outs"]


def test_prepare_writes_no_shards_where_only_training_changes(params, pipeline, tmp_path):
    params = smaller(params)
    ablations = ablations_of(long={"train.epochs": 99, "task": "seq2seq", "train.model.layers": 3})
    for name in ("full", "long"):
        prepare(params, ablations, name, pipeline, tmp_path / name, 1)
        assert [path.name for path in (tmp_path / name).iterdir()] == ["settings.json"]
    full, long = (read_settings(tmp_path / name) for name in ("full", "long"))
    assert (full.task, full.train) == ("classifier", params.train)
    assert (long.task, long.train.epochs, long.train.model.layers) == ("seq2seq", 99, 3)
    assert long.train.batching == params.train.batching
    assert (long.kernel, long.accuracy) == (params.evaluate.kernel, params.comparison.accuracy)


def test_prepare_makes_the_shards_that_the_stages_would(params, pipeline, corpus, tmp_path):
    changes = {
        "few": {"vocabulary.size": 9},
        "short": {"shards.max_length": 4, "shards.too_long": "split"},
        "leak": {"split.by": "sentence", "split.seed": 5},
    }
    params = smaller(params)
    for name, change in changes.items():
        split, vocabulary, expected = (tmp_path / f"{name}-{part}" for part in ("split", "vocabulary", "shards"))
        shares = SplitShares(0.2, 0.2, change.get("split.seed", params.split.seed))
        split_sentences(corpus.documents, corpus.tokens, split, change.get("split.by", params.split.by), shares)
        build_vocabulary(corpus.tokens, split, vocabulary, change.get("vocabulary.size", 30))
        # The fixture's own split has another seed: only what comes after the first changed stage is made anew.
        kept_split = split if name == "leak" else corpus.split
        kept_vocabulary = corpus.vocabulary if name == "short" else vocabulary
        if name == "few":
            build_vocabulary(corpus.tokens, corpus.split, kept_vocabulary, 9)
        inputs = type(corpus.inputs)(corpus.documents, corpus.tokens, kept_split, kept_vocabulary)
        limits = LengthLimits(1, change.get("shards.max_length"), change.get("shards.too_long", "drop"))
        build_shards(inputs, expected, "sentence", limits, params.shards.rows_per_shard)
        prepare(params, ablations_of(**changes), name, pipeline, tmp_path / name, 1)
        assert bytes_of(tmp_path / name / "shards") == bytes_of(expected)
        assert read_index(tmp_path / name / "shards").splits["train"].tokens > 0


def test_prepare_refuses_an_ablation_that_is_none_or_makes_no_sense_and_writes_nothing(params, pipeline, tmp_path):
    odd = {"train.batching.strategy": "truncated", "train.model.bidirectional": True}
    ablations = ablations_of(odd=odd)
    for name, message in (
        ("other", r"ablations\.other: is missing; expected one of full, odd"),
        ("odd", r"^ablations\.odd: train"),
    ):
        with pytest.raises(ParamsError, match=message):
            prepare(params, ablations, name, pipeline, tmp_path / name, 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"task": 3}', "\x00"])
def test_read_settings_refuses_what_prepare_has_not_written(tmp_path, content):
    if content is not None:
        (tmp_path / "settings.json").write_text(content, encoding="utf-8")
    with pytest.raises(FormatError, match=r"settings\.json: cannot be read .*; run make ablations") as caught:
        read_settings(tmp_path)
    assert "\n" not in str(caught.value)


def test_settings_are_the_same_bytes_whatever_the_rest_of_the_params_is(params, pipeline, tmp_path):
    # What a member does not read must not run it again.
    baselines = params.baselines.model_copy(update={"max_iterations": 7})
    evaluate = params.evaluate.model_copy(update={"bootstrap_samples": 11})
    other = params.model_copy(update={"baselines": baselines, "evaluate": evaluate})
    for name, settings in (("one", params), ("other", other)):
        prepare(smaller(settings), ablations_of(), "full", pipeline, tmp_path / name, 1)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "other")
    written = json.loads((tmp_path / "one" / "settings.json").read_text(encoding="utf-8"))
    assert written == member_settings("classifier", params)
