import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from lengthwise.errors import FormatError
from lengthwise.models.saved import (
    CONFIG_NAME,
    VERSION,
    VOCABULARY_NAME,
    WEIGHTS_NAME,
    load_network,
    save_network,
)
from lengthwise.predictor import read_encoding
from lengthwise.prepare.forms.tokenizer_options import TokenizerOptions
from lengthwise.prepare.shards.text_encoding import TextEncoding
from lengthwise.prepare.vocabulary import Vocabulary, write_vocabulary
from lengthwise.system.files import file_digest
from lengthwise.system.seals import SEAL_KEY, UNSEALED, seal

TOKENIZER = TokenizerOptions("words", "de", "sentencizer", True, False, "link")


def vocabulary_of(words, prefix="w"):
    tokens = ("<PAD>", "<UNK>", *(f"{prefix}{number}" for number in range(words)))
    return Vocabulary(tokens, tuple(range(words + 2)))


def test_save_network_writes_the_same_bytes_twice_and_nothing_else(make_network, tmp_path):
    network = make_network()
    for name in ("first", "second"):
        save_network(network, tmp_path / name)
    save_network(load_network(tmp_path / "first"), tmp_path / "third")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second", "third"]
    assert sorted(path.name for path in (tmp_path / "first").iterdir()) == [CONFIG_NAME, WEIGHTS_NAME]
    for name in (CONFIG_NAME, WEIGHTS_NAME):
        assert len({(tmp_path / folder / name).read_bytes() for folder in ("first", "second", "third")}) == 1


@pytest.fixture
def saved(kept_network, tmp_path):
    save_network(kept_network(), tmp_path / "model")
    return tmp_path / "model"


def change_config(saved, **changes):
    # Of what the network is made, or of the file itself.
    path = saved / CONFIG_NAME
    content = json.loads(path.read_text())
    for name, value in changes.items():
        (content if name in content else content["network"])[name] = value
    path.write_text(json.dumps(content))
    seal(path)


def renew_digest(saved, name):
    # What whoever changes a file on purpose does after it.
    seal(saved / name)
    digests = json.loads((saved / CONFIG_NAME).read_text())["digests"]
    change_config(saved, digests={**digests, name: file_digest(saved / name)})


def refusal_of(folder, read=load_network):
    with pytest.raises(FormatError) as caught:
        read(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert "run the stage train again" in message
    return message


def test_load_network_refuses_a_folder_that_is_none(tmp_path):
    assert str(tmp_path / "nowhere") in refusal_of(tmp_path / "nowhere")


@pytest.mark.parametrize("name", [CONFIG_NAME, WEIGHTS_NAME])
def test_load_network_refuses_a_missing_file(saved, name):
    (saved / name).unlink()
    assert name in refusal_of(saved)


@pytest.mark.parametrize("name", [CONFIG_NAME, WEIGHTS_NAME])
@pytest.mark.parametrize("kept", [0, 5, -1])
def test_load_network_refuses_a_cut_file(saved, name, kept):
    # The config's last byte is its newline, without which it is still whole.
    kept = kept - 1 if kept < 0 else kept
    (saved / name).write_bytes((saved / name).read_bytes()[:kept])
    assert str(saved / name) in refusal_of(saved)


def test_load_network_refuses_another_version_and_names_both(saved):
    change_config(saved, version=1)
    message = refusal_of(saved)
    assert f"version: got 1; expected {VERSION}" in message


def test_load_network_refuses_a_folder_of_version_4_and_names_both(saved):
    path = saved / CONFIG_NAME
    path.write_text(json.dumps({**json.loads(path.read_text())["network"], "version": 4, "seal": UNSEALED}))
    seal(path)
    assert "version: got 4; expected 8" in refusal_of(saved)


@pytest.fixture
def with_text(kept_network, tmp_path):
    save_network(kept_network(), tmp_path / "text", TextEncoding(TOKENIZER, vocabulary_of(18)))
    return tmp_path / "text"


def test_network_keeps_how_text_becomes_ids(with_text, make_network, tmp_path):
    assert sorted(path.name for path in with_text.iterdir()) == [CONFIG_NAME, VOCABULARY_NAME, WEIGHTS_NAME]
    assert read_encoding(with_text) == TextEncoding(TOKENIZER, vocabulary_of(18))
    assert load_network(with_text).config == make_network().config
    write_vocabulary(tmp_path / "vocabulary.tsv", vocabulary_of(18))
    assert (with_text / VOCABULARY_NAME).read_bytes() == (tmp_path / "vocabulary.tsv").read_bytes()


def test_read_encoding_refuses_a_network_that_was_not_trained_on_text(saved):
    with pytest.raises(FormatError, match=r"config\.json: tokenizer: is null, so the network was not trained on text"):
        read_encoding(saved)


@pytest.mark.parametrize("name", [WEIGHTS_NAME, VOCABULARY_NAME])
def test_load_network_refuses_a_whole_file_of_another_network(with_text, make_network, tmp_path, name):
    # Of the same sizes, sealed: nothing but the digest tells.
    save_network(make_network(seed=2), tmp_path / "other", TextEncoding(TOKENIZER, vocabulary_of(18, "other")))
    (with_text / name).write_bytes((tmp_path / "other" / name).read_bytes())
    for read in (load_network, read_encoding):
        with pytest.raises(FormatError, match=rf"text/{name}: is of another network .*; run the stage train again"):
            read(with_text)


def test_load_network_refuses_a_missing_vocabulary(with_text):
    (with_text / VOCABULARY_NAME).unlink()
    assert f"{VOCABULARY_NAME}: cannot be read" in refusal_of(with_text)


@pytest.mark.parametrize("digests", [{}, {"weights.safetensors": "0"}, {"../x": "0"}, {"vocabulary.tsv": "0"}])
def test_load_network_refuses_digests_of_other_files(with_text, digests):
    change_config(with_text, digests=digests)
    assert f"config.json: digests: got {sorted(digests)}; expected" in refusal_of(with_text)


@pytest.mark.parametrize("words", [17, 19])
def test_read_encoding_refuses_a_vocabulary_of_another_size_with_its_digest(with_text, words):
    write_vocabulary(with_text / VOCABULARY_NAME, vocabulary_of(words))
    renew_digest(with_text, VOCABULARY_NAME)
    with pytest.raises(FormatError, match=rf"has {words + 2} entries; expected 20, as config\.json says"):
        read_encoding(with_text)


@pytest.mark.parametrize(
    "tokenizer", [{}, 3, {"language": "en"}, {"language": 3, "sentences": "x"}, [], {"language": None}]
)
def test_read_encoding_refuses_a_tokenizer_of_wrong_types(with_text, tokenizer):
    change_config(with_text, tokenizer=tokenizer)
    assert "config.json: tokenizer" in refusal_of(with_text, read_encoding)


@pytest.mark.parametrize("changes", [{"units": 6}, {"vocabulary_size": 21}, {"initial_state": "zeros"}])
def test_load_network_refuses_a_config_that_does_not_fit_the_weights(saved, changes):
    change_config(saved, **changes)
    assert str(saved / WEIGHTS_NAME) in refusal_of(saved)


@pytest.mark.parametrize("changes", [{"units": "many"}, {"units": None}, {"factors": 3}, {"dropout": "high"}])
def test_load_network_refuses_a_config_of_wrong_types(saved, changes):
    change_config(saved, **changes)
    assert str(saved / CONFIG_NAME) in refusal_of(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"units": 0},
        {"embedding": -1},
        {"task": "translator"},
        {"dropout": 1.5},
        {"word_dropout": 1.0},
        {"ensemble": 0},
        {"readout": "first"},
        {"cell": "rnn"},
        {"layers": 0},
        {"input": "gru"},
        {"activation": "no_such"},
    ],
)
def test_load_network_refuses_a_config_that_no_network_can_have(saved, changes):
    change_config(saved, **changes)
    refusal_of(saved)


def test_load_network_refuses_weights_of_other_names_or_shapes(saved):
    path = saved / WEIGHTS_NAME
    arrays = load_file(path)
    extra = {**arrays, "other": np.zeros(3, np.float32)}
    fewer = {name: array for name, array in arrays.items() if "bias" not in name}
    turned = {name: array.T.copy() for name, array in arrays.items()}
    for wrong in (extra, fewer, turned):
        save_file(wrong, path, {SEAL_KEY: UNSEALED})
        renew_digest(saved, WEIGHTS_NAME)
        assert str(path) in refusal_of(saved)
