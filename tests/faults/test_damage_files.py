# Every file that a stage or a run reads back, with a bit turned over or its end gone at every place.
import contextlib
import hashlib
import io
import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from lengthwise.errors import FormatError
from lengthwise.prepare.documents import open_documents, read_document_ids, read_document_table
from lengthwise.prepare.forms.tokenizer_options import SENTENCIZER, TokenizerOptions
from lengthwise.prepare.shards.encoding import TextEncoding, read_shard_encoding
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.prepare.splits import read_splits
from lengthwise.prepare.text.store import TokenStore
from lengthwise.prepare.vocabulary import Vocabulary, read_vocabulary

ROOT = Path(__file__).parents[2]
# Places of a file in every run of the tests; the long version takes all.
PLACES = 120
BLOCK = 64

# What the saved state of a training is of, and the name of its folder: the digest of that.
RUN = ("classifier", "code", "settings", "data")
STATE = hashlib.sha256("".join(RUN).encode()).hexdigest()[:24]


def values(content: object) -> object:
    """The same as lists, so that they compare."""
    if isinstance(content, np.ndarray):
        return content.tolist()
    if hasattr(content, "__dataclass_fields__"):
        return [values(getattr(content, name)) for name in content.__dataclass_fields__]
    if isinstance(content, dict):
        return {name: values(part) for name, part in content.items()}
    return [values(part) for part in content] if isinstance(content, list | tuple | Iterator) else content


def read_documents(folder: Path) -> object:
    path = folder / "documents.parquet"
    return open_documents(path).read().to_pylist(), read_document_table(path), read_document_ids(path)


def read_tokens(folder: Path) -> object:
    store = TokenStore(folder / "tokens")
    return store.lexicon(), iter(store), store.sentence_documents()


def read_shards(folder: Path) -> object:
    index = read_index(folder / "shards")
    encoding = read_shard_encoding(folder / "shards", index)
    splits = [read_split(folder / "shards", index, name) for name in index.splits]
    return index, encoding, splits


def read_model(folder: Path) -> object:
    # TensorFlow is only imported where it is needed.
    from lengthwise.models.saved import load_network
    from lengthwise.predictor import read_encoding

    encoding, network = read_encoding(folder / "model"), load_network(folder / "model")
    return repr((network.config, encoding)), [variable.numpy() for variable in network.trainable_variables]


def make_state(folder: Path) -> object:
    import keras

    from lengthwise.training.resume import ResumeState, RunDigests

    return ResumeState(folder / "resume", RunDigests(*RUN), [keras.Variable(np.arange(6, dtype=np.float32))])


def read_state(folder: Path) -> object:
    # A damaged state is no reason to stop: it is said, and the run begins anew.
    state = make_state(folder)
    with contextlib.redirect_stderr(io.StringIO()) as said:
        restored = state.restore()
    if restored is None:
        assert not said.getvalue() or "begins anew" in said.getvalue()
        raise FormatError(said.getvalue().strip())
    return restored


@dataclass(frozen=True)
class File:
    """A file, who reads it, and what a refusal of it has to say."""

    path: str
    read: Callable[[Path], object]
    remedy: str

    @property
    def id(self) -> str:
        return self.path.replace("/", "-")


FILES = [
    File("documents.parquet", read_documents, "dvc repro -f ingest"),
    File("tokens/index.json", read_tokens, "dvc repro -f tokens"),
    File("tokens/lexicon.parquet", read_tokens, "dvc repro -f tokens"),
    File("tokens/sentences/00001.parquet", read_tokens, "dvc repro -f tokens"),
    File("split.parquet", lambda folder: read_splits(folder / "split.parquet"), "dvc repro -f split"),
    File("vocabulary.tsv", lambda folder: read_vocabulary(folder / "vocabulary.tsv"), "dvc repro -f vocabulary"),
    File("shards/index.json", read_shards, "dvc repro -f shards"),
    File("shards/train/00000.parquet", read_shards, "dvc repro -f shards"),
    File("shards/vocabulary.tsv", read_shards, "dvc repro -f shards"),
    File("model/config.json", read_model, "dvc repro -f train"),
    File("model/weights.safetensors", read_model, "dvc repro -f train"),
    File("model/vocabulary.tsv", read_model, "dvc repro -f train"),
    File(f"resume/{STATE}/state.safetensors", read_state, "begins anew"),
]


@pytest.fixture(scope="module")
def whole(corpus, make_network, tmp_path_factory):
    from lengthwise.models.saved import save_network

    folder = shutil.copytree(corpus.folder, tmp_path_factory.mktemp("damage") / "files")
    tokens = ("<PAD>", "<UNK>", *(f"w{number}" for number in range(18)))
    tokenizer = TokenizerOptions("words", "en", SENTENCIZER, False, False, None)
    save_network(make_network(), folder / "model", TextEncoding(tokenizer, Vocabulary(tokens, (0,) * 20)))
    make_state(folder).save({"epoch": 3, "rows": [{"loss": 0.25}]}, [np.arange(4)])
    return folder


def damages(content: bytes, every: bool) -> Iterator[tuple[str, bytes]]:
    """A kind of damage, and the damaged content: a bit at each place, a cut at each place, and larger ones."""
    rng = random.Random(len(content))
    size = len(content)
    edges = {*range(min(8, size)), *range(max(0, size - 24), size)}
    places = sorted(range(size) if every else edges | set(rng.sample(range(size), min(PLACES, size))))
    for place in places:
        turned = content[place] ^ 1 << rng.randrange(8)
        yield "bit", content[:place] + bytes([turned]) + content[place + 1 :]
        yield "cut", content[:place]
    for place in places[:: max(1, len(places) // 30)]:
        block = content[place : place + BLOCK]
        yield "zeros", content[:place] + bytes(len(block)) + content[place + BLOCK :]
        yield "lost", content[:place] + content[place + BLOCK :]
        yield "twice", content[:place] + block + content[place:]
    yield "longer", content + b"\0"


@pytest.mark.sampled(3)
@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.long)], ids=["sampled", "every"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.id)
def test_reader_refuses_every_damage_with_the_file_and_the_remedy(whole, file, every):
    path = whole / file.path
    content = path.read_bytes()
    intact = values(file.read(whole))
    done: Counter[str] = Counter()
    try:
        for kind, damaged in damages(content, every):
            if damaged == content:  # Zeros in the place of zeros.
                continue
            path.write_bytes(damaged)
            done[kind] += 1
            try:
                # A damage that is not refused has to change nothing that is read.
                assert values(file.read(whole)) == intact
                done["not refused"] += 1
            except FormatError as error:
                message = str(error)
                assert str(path) in message
                assert file.remedy in message
                assert message.isprintable()
    finally:
        path.write_bytes(content)
    assert values(file.read(whole)) == intact
    print(json.dumps({"file": file.path, "bytes": len(content), **done}))
    assert done["bit"] == done["cut"] > 0
    # As it is now nothing passes; the assertion above is for formats to come.
    assert not done["not refused"]


@pytest.mark.parametrize("missing", [file.path for file in FILES if not file.path.startswith("resume")])
def test_reader_refuses_a_folder_in_which_the_file_is_missing(whole, missing):
    file = next(file for file in FILES if file.path == missing)
    aside = (whole / missing).rename(whole / "aside")
    try:
        with pytest.raises(FormatError, match=file.remedy) as caught:
            values(file.read(whole))
        assert str(whole / missing) in str(caught.value)
    finally:
        aside.rename(whole / missing)


def test_stage_that_reads_a_damaged_file_says_so_in_one_line_and_writes_nothing(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "data")
    shutil.rmtree(folder / "shards")
    damaged = bytearray((folder / "split.parquet").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (folder / "split.parquet").write_bytes(damaged)
    shutil.copy(ROOT / "params.yaml", folder)
    words = ["documents.parquet", "tokens", "split.parquet", "vocabulary.tsv", "shards", "metrics.json", "timing.json"]
    before = sorted(path.name for path in folder.iterdir())
    done = subprocess.run(
        [sys.executable, ROOT / "stages" / "shards.py", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: split.parquet: is damaged")
    assert done.stderr.endswith("run the stage split again (dvc repro -f split)\n")
    assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in folder.iterdir()) == before
