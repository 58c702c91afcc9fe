"""A network as files, with all that is needed to ask it about text: a folder that can be copied anywhere.

    weights.safetensors   the weights
    vocabulary.tsv        the tokens that it knows, in the order of their ids
    config.json           what the network is made of, how text becomes tokens, and the digests of the other two

A network that was trained on something else than text has no vocabulary.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol

import keras
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from lengthwise.errors import FormatError
from lengthwise.models.config import NetworkConfig
from lengthwise.models.ensemble import Ensemble, make_network
from lengthwise.models.network import Network
from lengthwise.system.files import file_digest, replacing_folder
from lengthwise.system.seals import SEAL_KEY, UNSEALED, check_seal, read_sealed_json, rerun, seal, write_sealed_json

VERSION: Literal[8] = 8
CONFIG_NAME, WEIGHTS_NAME, VOCABULARY_NAME = "config.json", "weights.safetensors", "vocabulary.tsv"
STAGE = "train"
REMEDY = rerun(STAGE)
FLOAT_BYTES = 4


class TextFiles(Protocol):
    """How text becomes the ids of a network: what its folder keeps of it, and never looks into."""

    @property
    def options(self) -> Mapping[str, str | bool]:
        """How text becomes tokens, by name."""
        ...

    def write(self, path: Path) -> None:
        """Write the table of tokens, with a seal."""
        ...


@dataclass(frozen=True)
class SavedConfig:
    """What `config.json` holds; `digests` has the SHA-256 of every other file by its name."""

    version: Literal[8]
    network: NetworkConfig
    tokenizer: dict[str, str | bool | int | None] | None
    digests: dict[str, str]


def save_network(network: Network | Ensemble, folder: Path, text: TextFiles | None = None) -> None:
    """Write a network: no code, no pickle, no time stamp.

    Args:
        network: trained.
        folder: to write.
        text: how text becomes its ids; none where it was trained on something else.
    """
    with replacing_folder(folder) as out:
        (out / WEIGHTS_NAME).write_bytes(save(_arrays(network.saved_variables), {SEAL_KEY: UNSEALED}))
        seal(out / WEIGHTS_NAME)
        if text:
            text.write(out / VOCABULARY_NAME)
        digests = {path.name: file_digest(path) for path in sorted(out.iterdir())}
        config = {
            "version": VERSION,
            "network": asdict(network.config),
            "tokenizer": dict(text.options) if text else None,
            "digests": digests,
        }
        write_sealed_json(out / CONFIG_NAME, config)


def load_network(folder: Path, kernel: str = "auto") -> Network | Ensemble:
    """Read a network back, to be computed by a kernel.

    Raises:
        FormatError: see `read_config`; or the weights are not those of such a network.
        KernelError: the kernel is `native`, which cannot be built here, or does not compute this cell.
    """
    config = read_config(folder).network
    path = folder / WEIGHTS_NAME
    try:
        arrays = load_file(path)
    except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: cannot be read ({error}); {REMEDY}") from error
    network = make_network(config, kernel)
    expected = {variable.path: tuple(variable.shape) for variable in network.saved_variables}
    found = {name: array.shape for name, array in arrays.items()}
    if found != expected:
        raise FormatError(f"{path}: has weights {found}; expected {expected}; {REMEDY}")
    for variable in network.saved_variables:
        variable.assign(arrays[variable.path])
    return network


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


def _arrays(variables: Sequence[keras.Variable]) -> dict[str, np.ndarray]:
    return {variable.path: variable.numpy() for variable in variables}
