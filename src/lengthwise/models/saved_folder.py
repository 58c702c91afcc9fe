"""A network as files, with all that is needed to ask it about text: a folder that can be copied anywhere.

    weights.safetensors   the weights
    vocabulary.tsv        the tokens that it knows, in the order of their ids
    config.json           what the network is made of, how text becomes tokens, and the digests of the other two

A network that was trained on something else than text has no vocabulary.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from lengthwise.errors import FormatError
from lengthwise.models.config import NetworkConfig
from lengthwise.system.files import file_digest
from lengthwise.system.seals import check_seal, read_sealed_json, rerun

VERSION: Literal[8] = 8
CONFIG_NAME, WEIGHTS_NAME, VOCABULARY_NAME = "config.json", "weights.safetensors", "vocabulary.tsv"
STAGE = "train"
REMEDY = rerun(STAGE)
# The same where a network is loaded without a pipeline.
REMEDY_ALONE = "copy the folder again, or train and save the network again"
FLOAT_BYTES = 4


@contextmanager
def told_alone() -> Iterator[None]:
    """Refusals of a folder name what to do where there is no pipeline."""
    try:
        yield
    except FormatError as error:
        raise FormatError(str(error).replace(REMEDY, REMEDY_ALONE)) from error


@dataclass(frozen=True)
class SavedConfig:
    """What `config.json` holds; `digests` has the SHA-256 of every other file by its name."""

    version: Literal[8]
    network: NetworkConfig
    tokenizer: dict[str, str | bool | int | None] | None
    digests: dict[str, str]


def read_arrays(folder: Path, expected: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Read the weights of a network by name.

    Args:
        folder: of the network.
        expected: the shape of each.

    Raises:
        FormatError: they cannot be read, or are those of another network.
    """
    path = folder / WEIGHTS_NAME
    try:
        arrays: dict[str, np.ndarray] = load_file(path)
    except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: cannot be read ({error}); {REMEDY}") from error
    found = {name: array.shape for name, array in arrays.items()}
    if found != expected:
        raise FormatError(f"{path}: has weights {found}; expected {dict(expected)}; {REMEDY}")
    return arrays


def read_config(folder: Path) -> SavedConfig:
    """Read `config.json`, and check every file of the folder by its seal and its digest, before a network is made.

    Raises:
        FormatError: a file is absent, damaged, of another version, or is not of the same network as the others.
    """
    path = folder / CONFIG_NAME
    config = read_sealed_json(path, SavedConfig, STAGE)
    names = {WEIGHTS_NAME} | ({VOCABULARY_NAME} if config.tokenizer is not None else set())
    if set(config.digests) != names:
        raise FormatError(f"{path}: digests: got {sorted(config.digests)}; expected {sorted(names)}; {REMEDY}")
    for name, expected in config.digests.items():
        check_seal(folder / name, STAGE)
        if (digest := file_digest(folder / name)) != expected:
            raise FormatError(
                f"{folder / name}: is of another network (digest {digest:.12}, expected {expected:.12}); {REMEDY}"
            )
    weights = folder / WEIGHTS_NAME
    least = _least_bytes(config.network)
    if weights.stat().st_size < least:
        # Before anything of that size is made.
        raise FormatError(f"{weights}: has {weights.stat().st_size} bytes; expected {least} or more; {REMEDY}")
    return config


def _least_bytes(config: NetworkConfig) -> int:
    """What the weights of a network take at least."""
    front_end = config.filters * config.kernel if config.front_end == "conv1d" else 0
    first = config.vocabulary_size * (config.embedding if config.input == "embedding" else 1) * config.tokens
    each = first + front_end + config.layers * config.units**2 + config.outputs * config.units
    return FLOAT_BYTES * config.ensemble * each
