import csv
import gc
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import hypothesis
import numpy as np
import pyarrow as pa
import pytest

import lengthwise.prepare.document_writer as documents_module
from lengthwise.core.affixes import BUCKETS, PER_TOKEN
from lengthwise.core.labels import LabelFactor
from lengthwise.core.sequences import Sequences
from lengthwise.pipeline.stage import SELDOM
from lengthwise.prepare.counting import build_vocabulary
from lengthwise.prepare.document_writer import DocumentWriter
from lengthwise.prepare.forms.document_form import Document, DocumentForm
from lengthwise.prepare.forms.tokenizer_options import SENTENCIZER, TokenizerOptions
from lengthwise.prepare.shards.lengths import LengthLimits
from lengthwise.prepare.shards.writer import ShardInputs, build_shards
from lengthwise.prepare.splits import SplitShares, split_sentences
from lengthwise.prepare.text.store import Sentences, write_index, write_lexicon, write_slice

# TensorFlow reports at every start that there is no GPU.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Nor need Git wait until the disk has what a test commits, which may take half a minute where much is being written.
os.environ |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.fsync", "GIT_CONFIG_VALUE_0": "none"}

ROOT = Path(__file__).parent.parent
NO_BYTECODE = sys.dont_write_bytecode
# What several tests import: `from closeness import assert_close`.
sys.path.append(str(ROOT / "tests" / "support"))
from examples import FEWEST  # noqa: E402

FACTORS = (LabelFactor("gender", ("male", "female")), LabelFactor("age_bracket", ("10s", "20s", "30s")))
# What else the network of a task has to know, see `_make_sequences`.
OF_TASK = {
    "tagger": {"tags": ("X", "Y", "Z"), "tag_column": "tags"},
    "regressor": {"numbers": ("size", "weight")},
}
FORM = DocumentForm(factors=FACTORS, group="author")
CLASSES = 6
TOKENIZER = TokenizerOptions("words", "en", SENTENCIZER, False, False, None)
# Files of ten seconds of work and more, the longest first: workers that take a file each then end together. While one
# runs the pipeline for test_repro.py, the other takes a file that does not wait for it.
SLOWEST = (
    "pipeline/test_repro.py",
    # These need no kernel, which the pipeline has built meanwhile.
    "prepare/text/test_tokens.py",
    "reports/change/test_configured.py",
    "pipeline/stages/train/test_training_run.py",
    "pipeline/test_ablations.py",
    "batching/test_fit.py",
    "layers/test_recurrent.py",
    "pipeline/sweeps/test_real_dvc.py",
    "models/test_honest_ablation.py",
    "pipeline/test_verbs.py",
    "faults/test_killed.py",
    "cli/test_predict.py",
    "training/test_step.py",
    "faults/test_no_room.py",
    "batching/test_fields.py",
    "batching/test_fit_epoch.py",
    "pipeline/stages/train/test_best_epoch.py",
    "pipeline/stages/train/test_pretrained.py",
    "batching/test_checking.py",
    "batching/test_in_order.py",
    "pipeline/test_sweeps.py",
    "models/test_ensemble.py",
    "models/test_network.py",
    "test_docs_examples.py",
    "reports/test_plots_browser.py",
    "layers/test_kernels.py",
    "layers/test_contract.py",
    "layers/test_cells.py",
    "pipeline/sweeps/test_grid_file.py",
    "pipeline/settings/test_params.py",
    "training/test_class_weights.py",
    "layers/test_front_end.py",
    "pipeline/test_stage.py",
    "batching/test_contract.py",
    "reports/change/test_report.py",
    "native/test_recurrent.py",
    "pipeline/test_workflows.py",
)


@dataclass(frozen=True)
class Post:
    author: str
    codes: tuple[int, int]
    sentences: list[list[str]]


@dataclass(frozen=True)
class Corpus:
    folder: Path
    posts: list[Post]

    @property
    def documents(self) -> Path:
        return self.folder / "documents.parquet"

    @property
    def tokens(self) -> Path:
        return self.folder / "tokens"

    @property
    def split(self) -> Path:
        return self.folder / "split.parquet"

    @property
    def vocabulary(self) -> Path:
        return self.folder / "vocabulary.tsv"

    @property
    def shards(self) -> Path:
        return self.folder / "shards"

    @property
    def inputs(self) -> ShardInputs:
        return ShardInputs(self.documents, self.tokens, self.split, self.vocabulary)

    def lexicon(self) -> list[str]:
        return sorted({token for post in self.posts for sentence in post.sentences for token in sentence})


def pytest_collection_finish() -> None:
    sys.dont_write_bytecode = NO_BYTECODE
    # Tracing makes so many objects that looking for cycles among them as often as usual takes a sixth of the time.
    gc.freeze()
    gc.set_threshold(*SELDOM)


def pytest_configure(config: pytest.Config) -> None:
    # What pytest makes of the tests' asserts is kept beside them, whatever the environment says of byte code: a third
    # of the time in which all tests are collected, by each worker.
    sys.dont_write_bytecode = False
    # Of properties that do not say how many examples they need; other ones are drawn every time.
    hypothesis.settings.register_profile("short", max_examples=FEWEST)
    if "long" not in config.option.markexpr.replace("not long", "", 1):
        hypothesis.settings.load_profile("short")
    # pytest-xdist would begin with the files of the most tests, which are the quick ones.
    config.option.loadscopereorder = False


# First, so that pytest leaves out what is marked here.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    _leave_out_of_samples(items)
    places = {ROOT / "tests" / name: place for place, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))
    if shutil.which(os.environ.get("CXX") or "g++") is not None:
        return
    for item in items:
        callspec = getattr(item, "callspec", None)
        by_name = callspec is not None and callspec.params.get("kernel") == "native"
        if by_name or item.get_closest_marker("native"):
            item.add_marker(pytest.mark.skip(reason="there is no C++ compiler"))


def _leave_out_of_samples(items: list[pytest.Item]) -> None:
    """Of a `sampled` test so many cases are run that each value is in one; of `sampled(n)` n with the most values."""
    tests: dict[str, list[pytest.Item]] = {}
    for item in items:
        # What is long anyway stands for no value.
        if item.get_closest_marker("sampled") and not item.get_closest_marker("long"):
            tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for cases in tests.values():
        marker = cases[0].get_closest_marker("sampled")
        most = marker.args[0] if marker and marker.args else None
        values = {case: _values(case) for case in cases}
        missing = set().union(*values.values())
        # Neighbours are alike, so those of a tie are taken far from each other.
        left = [cases[place] for place in sorted(range(len(cases)), key=lambda place: place * 0.618 % 1)]
        kept: set[pytest.Item] = set()
        while left and (missing if most is None else len(kept) < most):
            case = max(left, key=lambda case: len(values[case] & missing))
            left.remove(case)
            kept.add(case)
            missing -= values[case]
        for case in left:
            case.add_marker(pytest.mark.long)


def _values(item: pytest.Item) -> set[tuple[str, object]]:
    """The arguments of a case; of objects, cases of the same value have the same."""
    cases = item.callspec.params.items()  # type: ignore[attr-defined]
    return {(name, value if isinstance(value, str | bool | int | None) else id(value)) for name, value in cases}


def _write_corpus(folder: Path, posts: Sequence[Post], rows_per_slice: int = 8192) -> Corpus:
    corpus = Corpus(folder, list(posts))
    folder.mkdir(parents=True, exist_ok=True)
    with (
        mock.patch.object(documents_module, "ROWS_PER_SLICE", rows_per_slice),
        DocumentWriter(corpus.documents, FORM) as writer,
    ):
        for post in corpus.posts:
            text = " ".join(token for sentence in post.sentences for token in sentence)
            writer.write(Document(post.author, post.codes, text))
    (corpus.tokens / "sentences").mkdir(parents=True)
    lexicon = corpus.lexicon()
    ids = {token: number for number, token in enumerate(lexicon)}
    write_lexicon(corpus.tokens, pa.array(lexicon, pa.string()))
    slices = range(0, len(corpus.posts), rows_per_slice)
    for number, begin in enumerate(slices):
        members = range(begin, min(begin + rows_per_slice, len(corpus.posts)))
        sentences = [(row, sentence) for row in members for sentence in corpus.posts[row].sentences]
        write_slice(
            corpus.tokens,
            number,
            Sentences(
                np.array([row for row, _ in sentences], np.int32),
                np.array([ids[token] for _, sentence in sentences for token in sentence], np.int32),
                np.cumsum([0, *(len(sentence) for _, sentence in sentences)]).astype(np.int64),
            ),
        )
    write_index(corpus.tokens, len(slices), TOKENIZER)
    return corpus


def _invent_posts(seed: int, authors: int, most_posts: int = 4, most_tokens: int = 12) -> list[Post]:
    # Each joint class likes tokens of its own, so that there is something to learn.
    rng = np.random.default_rng(seed)
    posts = []
    for author in range(authors):
        codes = (author % 2, author // 2 % 3)
        favourite = codes[0] * 3 + codes[1]
        for _ in range(int(rng.integers(1, most_posts + 1))):
            sentences = [
                [
                    f"own{favourite}" if rng.random() < 0.3 else f"w{int(rng.zipf(1.5)) % 40}"
                    for _ in range(int(rng.integers(1, most_tokens + 1)))
                ]
                for _ in range(int(rng.integers(0, 5)))
            ]
            posts.append(Post(f"a{author:04d}", codes, sentences))
    return posts


def _make_shards(
    corpus: Corpus,
    *,
    by: str = "group",
    unit: str = "sentence",
    validation: float = 0.2,
    limits: LengthLimits | None = None,
    rows_per_shard: int = 1000,
) -> Corpus:
    split_sentences(corpus.documents, corpus.tokens, corpus.split, by, SplitShares(validation, 0.2, 3))
    build_vocabulary(corpus.tokens, corpus.split, corpus.vocabulary, 30)
    build_shards(corpus.inputs, corpus.shards, unit, limits or LengthLimits(1, None, "drop"), rows_per_shard)
    return corpus


def _make_sequences(lengths: Sequence[int] | np.ndarray, vocabulary_size: int = 20, seed: int = 0) -> Sequences:
    rng = np.random.default_rng(seed)
    lengths = np.asarray(lengths, np.int64)
    count = len(lengths)
    tokens = rng.integers(0, vocabulary_size, int(lengths.sum())).astype(np.int32)
    more = np.random.default_rng([seed, 1])
    steps = {
        "tokens": tokens,
        "tags": more.integers(0, 3, len(tokens)).astype(np.int32),
        "affixes": more.integers(0, BUCKETS, (len(tokens), PER_TOKEN)).astype(np.int32),
        "features": more.normal(3, 2, (len(tokens), 2)).astype(np.float32),
    }
    columns = {
        "numbers": more.normal(5, 3, (count, 2)),
        "labels": more.integers(0, 2, (count, len(FACTORS))).astype(np.int32),
        "label": rng.integers(0, CLASSES, count).astype(np.int16),
        "sequence": rng.permutation(count).astype(np.int32),
        "document": np.arange(count, dtype=np.int32),
        "group": np.arange(count, dtype=np.int32),
    }
    return Sequences(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), steps, columns)


@pytest.fixture(autouse=True)
def _limit_of_csv_fields() -> Iterator[None]:
    # Whoever reads a corpus sets it, for all of the process.
    limit = csv.field_size_limit()
    yield
    csv.field_size_limit(limit)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def factors() -> tuple[LabelFactor, ...]:
    return FACTORS


@pytest.fixture(scope="session")
def post() -> type[Post]:
    return Post


@pytest.fixture(scope="session")
def write_corpus() -> Callable[..., Corpus]:
    return _write_corpus


@pytest.fixture(scope="session")
def invent_posts() -> Callable[..., list[Post]]:
    return _invent_posts


@pytest.fixture(scope="session")
def make_shards() -> Callable[..., Corpus]:
    return _make_shards


@pytest.fixture(scope="session")
def make_sequences() -> Callable[..., Sequences]:
    return _make_sequences


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    return _make_shards(_write_corpus(folder, _invent_posts(1, 60), rows_per_slice=16))


@pytest.fixture(scope="session")
def make_config() -> Callable[..., Any]:
    # Imported here: most tests run without TensorFlow.
    from lengthwise.models.config import NetworkConfig

    def make(task: str = "classifier", **changes: object) -> Any:
        settings = {
            "vocabulary_size": 20,
            "factors": FACTORS,
            **OF_TASK.get(task, {}),
            "input": "embedding",
            "embedding": 4,
            "front_end": "none",
            "filters": 3,
            "kernel": 3,
            "stride": 2,
            "conv_padding": "same",
            "cell": "gru",
            "activation": "tanh",
            "units": 5,
            "layers": 1,
            "bidirectional": False,
            "initial_state": "learned",
            "masking": False,
            "readout": "last",
            "word_dropout": 0.0,
            "dropout": 0.0,
            "ensemble": 1,
        }
        return NetworkConfig(task, **{**settings, **changes})

    return make


@pytest.fixture(scope="session")
def make_network(make_config) -> Callable[..., Any]:
    # All weights are random: zeros, as biases begin, would hide what is wrong with them.
    from lengthwise.models import ensemble

    def make(task: str = "classifier", seed: int = 1, **changes: object) -> Any:
        network = ensemble.make_network(make_config(task, **changes))
        rng = np.random.default_rng(seed)
        for variable in network.trainable_variables:
            variable.assign(rng.normal(0, 0.7, variable.shape).astype(np.float32))
        return network

    return make


@pytest.fixture(scope="session")
def kept_network(make_network) -> Callable[..., Any]:
    # As `make_network`, one for all tests that ask for the same: they read it, and leave it as it is.
    made: dict[str, Any] = {}

    def keep(task: str = "classifier", **changes: object) -> Any:
        key = repr((task, sorted(changes.items())))
        if key not in made:
            made[key] = make_network(task, **changes)
        return made[key]

    return keep


@pytest.fixture(scope="session")
def document() -> Callable[..., Document]:
    def build(group: str = "7", text: str = "Hello.", **changes: object) -> Document:
        facts = {"age": 25, "industry": "Arts", "sign": "Leo", "date": "14,May,2004"}
        codes = changes.pop("codes", (0, 1))
        assert changes.keys() <= facts.keys()
        return Document(group, codes, text, tuple({**facts, **changes}.values()))

    return build


@dataclass(frozen=True)
class Project:
    folder: Path

    def git(self, *arguments: str) -> str:
        # Nobody's own settings, and nobody's name.
        names = {f"GIT_{who}_{what}": "tester" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        environment = {**os.environ, **names, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, message: str = "change") -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def change(self, path: str, **figures: object) -> None:
        # A figure that is None goes.
        content = {**json.loads((self.folder / path).read_text("utf-8")), **figures}
        kept = {name: value for name, value in content.items() if value is not None}
        (self.folder / path).write_text(json.dumps(kept), "utf-8")

    def replace(self, path: str, old: str, new: str) -> None:
        text = (self.folder / path).read_text("utf-8")
        assert old in text
        (self.folder / path).write_text(text.replace(old, new), "utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    # What Git has of this project's own run, on the branch main of a repository of its own.
    if shutil.which("git") is None:
        pytest.skip("git is not there")
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "metrics", folder / "metrics", ignore=shutil.ignore_patterns("*ablations*"))
    for name in ("params.yaml", "dvc.lock"):
        shutil.copy(ROOT / name, folder / name)
    project = Project(folder)
    project.git("init", "--quiet", "--initial-branch", "main")
    project.commit("start")
    return project
