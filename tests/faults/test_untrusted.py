# Files of others: whatever stands in a model, a vocabulary or any file that is read, none of it is run.

import ast
import io
import json
import os
import pickle
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import spacy
from safetensors.numpy import save_file
from yaml.constructor import SafeConstructor

from lengthwise.errors import LengthwiseError
from lengthwise.pipeline.settings.params import load_params
from lengthwise.prepare.documents import open_documents, read_document_table
from lengthwise.prepare.forms.tokenizer_options import SENTENCIZER, TokenizerOptions
from lengthwise.prepare.shards.encoding import TextEncoding, read_shard_encoding
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.prepare.splits import read_splits
from lengthwise.prepare.text.store import TokenStore
from lengthwise.prepare.vocabulary import Vocabulary, read_vocabulary
from lengthwise.system.files import file_digest
from lengthwise.system.seals import SEAL_KEY, UNSEALED, seal
from lengthwise.system.strict_yaml import SAFE_LOADER, _StrictLoader

LIBRARY = Path(__file__).parents[2] / "src" / "lengthwise"
MARKER = "it_was_run"
COMMAND = f"touch {MARKER}"


class Evil:
    """Runs a command where it is unpickled."""

    def __reduce__(self) -> tuple:
        return os.system, (COMMAND,)


def pickled() -> bytes:
    return pickle.dumps(Evil())


def object_array() -> bytes:
    with io.BytesIO() as stream:
        np.savez(stream, weights=np.array([Evil()], object))
        return stream.getvalue()


def keras_file(config: dict) -> bytes:
    with io.BytesIO() as stream:
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("config.json", json.dumps(config))
            archive.writestr("metadata.json", json.dumps({"keras_version": "3.0.0"}))
            archive.writestr("model.weights.h5", b"")
        return stream.getvalue()


def lambda_layer() -> bytes:
    code = {"class_name": "__lambda__", "config": {"code": "Y29kZQ==", "defaults": None, "closure": None}}
    layer = {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "lambda", "function": code}}
    return keras_file({"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": [layer]}})


def importable_callable() -> bytes:
    layer = {"module": "os", "class_name": "system", "config": COMMAND, "registered_name": "system"}
    return keras_file({"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": [layer]}})


def yaml_tags() -> bytes:
    return f"!!python/object/apply:os.system ['{COMMAND}']\n".encode()


def extension_type() -> bytes:
    # What old versions of Arrow unpickled on reading.
    metadata = {"ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": pickled()}
    return parquet(pa.schema([pa.field("split", pa.int8(), nullable=False, metadata=metadata)]))


def pandas_metadata() -> bytes:
    field = {"name": "split", "pandas_type": "object", "numpy_type": "object", "metadata": {"pickle": pickled().hex()}}
    return parquet(
        pa.schema(
            [pa.field("split", pa.int8(), nullable=False)],
            {"pandas": json.dumps({"columns": [field], "index_columns": []})},
        )
    )


def parquet(schema: pa.Schema) -> bytes:
    with io.BytesIO() as stream:
        pq.write_table(pa.table([pa.array([0, 1], schema[0].type)], schema=schema), stream)
        return stream.getvalue()


HOSTILE = [
    pickled,
    object_array,
    lambda_layer,
    importable_callable,
    yaml_tags,
    extension_type,
    pandas_metadata,
]


def load_model(folder: Path) -> object:
    # TensorFlow is only imported where it is needed.
    from lengthwise.predictor import Predictor

    return Predictor.load(folder / "model")


def read_shards(folder: Path) -> object:
    index = read_index(folder / "shards")
    encoding = read_shard_encoding(folder / "shards", index)
    return encoding, [read_split(folder / "shards", index, name) for name in index.splits]


def read_tokens(folder: Path) -> object:
    store = TokenStore(folder / "tokens")
    return store.lexicon(), list(store)


READERS = {
    "params.yaml": lambda folder: load_params(folder / "params.yaml"),
    "documents.parquet": lambda folder: read_document_table(folder / "documents.parquet"),
    "tokens/index.json": read_tokens,
    "tokens/lexicon.parquet": read_tokens,
    "tokens/sentences/00000.parquet": read_tokens,
    "split.parquet": lambda folder: list(read_splits(folder / "split.parquet")),
    "vocabulary.tsv": lambda folder: read_vocabulary(folder / "vocabulary.tsv"),
    "shards/index.json": read_shards,
    "shards/train/00000.parquet": read_shards,
    "shards/vocabulary.tsv": read_shards,
    "model/config.json": load_model,
    "model/weights.safetensors": load_model,
    "model/vocabulary.tsv": load_model,
}


@pytest.fixture(scope="module")
def good(corpus, make_network, root, tmp_path_factory):
    from lengthwise.models.saved import save_network

    folder = shutil.copytree(corpus.folder, tmp_path_factory.mktemp("untrusted") / "files")
    tokens = ("<PAD>", "<UNK>", *(f"w{number}" for number in range(18)))
    tokenizer = TokenizerOptions("words", "en", SENTENCIZER, False, False, None)
    save_network(make_network(), folder / "model", TextEncoding(tokenizer, Vocabulary(tokens, (0,) * 20)))
    shutil.copy(root / "params.yaml", folder)
    return folder


@pytest.fixture
def here(good, tmp_path, monkeypatch):
    # A command that is run leaves its marker in this folder.
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(good, tmp_path / "files")


def refusal_of(path: str, folder: Path) -> str:
    with pytest.raises(LengthwiseError) as caught:
        READERS[path](folder)
    message = str(caught.value)
    assert message.isprintable()
    assert not Path(MARKER).exists()
    return message


def test_hostile_files_do_run_a_command_where_they_are_trusted(tmp_path, monkeypatch):
    # Otherwise the tests below could not fail.
    monkeypatch.chdir(tmp_path)
    arrays = np.load(io.BytesIO(object_array()), allow_pickle=True)
    for unpack in (lambda: pickle.loads(pickled()), lambda: arrays["weights"]):
        unpack()
        Path(MARKER).unlink()


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
@pytest.mark.parametrize("path", READERS)
def test_hostile_file_in_the_place_of_any_other_is_refused_and_not_run(here, path, make):
    (here / path).write_bytes(make())
    refusal_of(path, here)


@pytest.mark.sampled
@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
@pytest.mark.parametrize(
    "path", [path for path in READERS if path not in ("params.yaml", "shards/train/00000.parquet")]
)
def test_hostile_file_that_is_sealed_is_refused_and_not_run(here, path, make):
    # Parsers see it now; a seal tells damage, not who sealed.
    (here / path).write_bytes(make() + b"\n" + UNSEALED.encode() + b"\n")
    seal(here / path)
    refusal_of(path, here)


@pytest.mark.parametrize("make", [extension_type, pandas_metadata], ids=lambda make: make.__name__)
def test_sealed_parquet_with_a_pickle_in_its_metadata_runs_nothing(here, make):
    # Whoever goes so far gets what he wrote read, and no more: to Arrow the pickle is metadata.
    hostile = pq.read_table(io.BytesIO(make()))
    with pq.ParquetWriter(here / "split.parquet", hostile.schema) as writer:
        writer.add_key_value_metadata({SEAL_KEY: UNSEALED})
        writer.write_table(hostile)
    seal(here / "split.parquet")
    assert [part.tolist() for part in read_splits(here / "split.parquet")] == [[0, 1]]
    assert not Path(MARKER).exists()


def test_sealed_documents_of_other_columns_are_refused(here):
    factors = open_documents(here / "documents.parquet").schema_arrow.metadata
    with pq.ParquetWriter(here / "documents.parquet", pa.schema([("text", pa.binary())], factors)) as writer:
        writer.add_key_value_metadata({SEAL_KEY: UNSEALED})
        writer.write_table(pa.table({"text": pa.array([pickled()])}))
    seal(here / "documents.parquet")
    assert "has columns ['pyarrow.Field<text: binary>']" in refusal_of("documents.parquet", here)


@pytest.mark.parametrize(
    "changes",
    [
        {"cell": "os.system"},
        {"cell": {"module": "os", "class_name": "system", "config": COMMAND}},
        {"activation": "lambda"},
        {"activation": {"class_name": "__lambda__", "config": {"code": "Y29kZQ=="}}},
        {"initial_state": f"!!python/object/apply:os.system ['{COMMAND}']"},
        {"layers": 10**9},
        {"units": 10**9},
        {"vocabulary_size": 10**12},
        {"factors": [{"name": f"f{number}", "classes": ["a"] * 100} for number in range(40)]},
    ],
)
def test_model_config_that_names_a_callable_or_asks_for_all_memory_is_refused(here, changes):
    change_config(here / "model", "network", changes)
    assert "run the stage train again" in refusal_of("model/config.json", here)


def change_config(model: Path, section: str, changes: dict) -> None:
    path = model / "config.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, section: {**content[section], **changes}}))
    seal(path)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "changes",
    [
        # spaCy would import the first three, and read the others from where they are.
        {"sentences": "hostile_package"},
        {"sentences": "os"},
        {"sentences": "pip"},
        {"sentences": "./pipeline"},
        {"sentences": "{here}/pipeline"},
        {"sentences": ""},
        {"sentences": "\ud83d\udca3\n"},
        {"language": "..hostile_package"},
        {"language": "../../hostile_package"},
        {"language": "hostile_package"},
        {"language": "tokenizer_exceptions"},
        {"language": ""},
        {"language": "en\0"},
        {"language": "en" * 10_000},
    ],
)
def test_model_tokenizer_that_names_a_path_or_another_package_is_refused(here, monkeypatch, changes):
    Path("hostile_package.py").write_text(f"import os\nos.system({COMMAND!r})\n")
    monkeypatch.syspath_prepend(Path.cwd())
    spacy.blank("en").to_disk("pipeline")
    filled = {name: value.replace("{here}", str(Path.cwd())) for name, value in changes.items()}
    change_config(here / "model", "tokenizer", filled)
    # By spaCy's rules, or because no options can be so.
    assert re.search(r"config\.json: (tokens\.|tokenizer: )", refusal_of("model/config.json", here))


@pytest.mark.parametrize("names", [["../../secret"], ["/etc/passwd"], ["weights.safetensors", "../vocabulary.tsv"], []])
def test_model_that_names_other_files_than_its_own_is_refused_before_they_are_read(here, names):
    path = here / "model" / "config.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "digests": dict.fromkeys(names, "0" * 64)}))
    seal(path)
    assert f"digests: got {sorted(names)}" in refusal_of("model/config.json", here)


def test_model_whose_vocabulary_has_broken_lines_or_a_token_twice_is_refused(here):
    path = here / "model" / "vocabulary.tsv"
    for token in ("w1\tw2", "w1\n2\tw2\t0", "w0"):
        words = ["<PAD>", "<UNK>", "w0", token, *(f"v{number}" for number in range(16))]
        lines = ["id\ttoken\tcount", *(f"{number}\t{word}\t0" for number, word in enumerate(words)), UNSEALED, ""]
        path.write_text("\n".join(lines))
        seal(path)
        change_config(here / "model", "digests", {"vocabulary.tsv": file_digest(path)})
        assert "vocabulary.tsv" in refusal_of("model/vocabulary.tsv", here)


def test_model_weights_of_a_kind_that_numpy_lacks_are_refused(here):
    path = here / "model" / "weights.safetensors"
    save_file({"weights": np.zeros(4096, np.float32)}, path, {SEAL_KEY: UNSEALED})
    path.write_bytes(path.read_bytes().replace(b'"F32"', b'"F4" '))
    seal(path)
    change_config(here / "model", "digests", {"weights.safetensors": file_digest(path)})
    assert str(path) in refusal_of("model/weights.safetensors", here)


@pytest.mark.parametrize("tag", ["object/apply:os.system", "object/new:os.system", "name:os.system", "module:os"])
def test_yaml_tags_run_nothing(here, tag):
    text = f"train: !!python/{tag} ['{COMMAND}']\n"
    (here / "params.yaml").write_text(text)
    assert "is not YAML" in refusal_of("params.yaml", here)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [1]\nb: *a\n",
        "&a [*a]\n",
        "l0: &l0 [x]\n" + "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 30)),
        "[" * 20_000,
        "{a: " * 5_000,
        "a: 0x" + "f" * 100_000,
        "a: " + "9" * 100_000,
        "0001-01-01 00:00:00 +23:59: 1",
        "!!int '': 1",
        "!!bool x: 1",
        "!!timestamp x: 1",
        '"a\\nb": 1',
    ],
    ids=range(12),
)
def test_yaml_made_to_take_all_memory_or_to_break_the_parser_is_refused(here, text):
    (here / "params.yaml").write_text(text)
    assert len(refusal_of("params.yaml", here)) < 2100


FORBIDDEN_MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "joblib", "cloudpickle", "imp", "code"}
# They make plain values alone.
SAFE_LOADERS = {"_StrictLoader": _StrictLoader, "SAFE_LOADER": SAFE_LOADER}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_ATTRIBUTES = {"load_model", "unsafe_load", "full_load", "enable_unsafe_deserialization", "read_pickle"}


def test_library_has_no_way_to_run_what_it_reads():
    assert all(issubclass(loader, SafeConstructor) for loader in SAFE_LOADERS.values())
    texts = {path: path.read_text(encoding="utf-8") for path in LIBRARY.rglob("*.py")}
    # A docstring may say that there is none.
    assert [path for path, text in texts.items() if "allow_pickle=True" in text] == []
    for path, text in texts.items():
        assert_runs_nothing(path, ast.parse(text))


def assert_runs_nothing(path, tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & FORBIDDEN_MODULES, path
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in FORBIDDEN_MODULES, path
        elif isinstance(node, ast.Attribute):
            assert node.attr not in FORBIDDEN_ATTRIBUTES, (path, node.lineno)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in FORBIDDEN_CALLS, (path, node.lineno)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "load":
            assert ast.unparse(node.func) != "yaml.load" or ast.unparse(node.args[1]) in SAFE_LOADERS
