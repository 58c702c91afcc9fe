"""A network as files: `config.json` and `weights.safetensors`."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from lengthwise.errors import FormatError
from lengthwise.files import replacing_folder
from lengthwise.models.config import VERSION, NetworkConfig
from lengthwise.models.ensemble import Ensemble, make_network
from lengthwise.models.network import Network
from lengthwise.seals import SEAL_KEY, UNSEALED, check_seal, read_sealed_json, rerun, seal, write_sealed_json

CONFIG_NAME, WEIGHTS_NAME = "config.json", "weights.safetensors"
FLOAT_BYTES = 4


def save_network(network: Network | Ensemble, folder: Path) -> None:
    """Write a network as `config.json` and `weights.safetensors`: no code, no pickle, no time stamp."""
    with replacing_folder(folder) as out:
        (out / WEIGHTS_NAME).write_bytes(save(_arrays(network.trainable_variables), {SEAL_KEY: UNSEALED}))
        seal(out / WEIGHTS_NAME)
        write_sealed_json(out / CONFIG_NAME, asdict(network.config))


def load_network(folder: Path, kernel: str = "auto") -> Network | Ensemble:
    """Read a network back, to be computed by a kernel.

    Raises:
        FormatError: a file is absent, damaged, of another version, or does not fit the other.
        KernelError: the kernel is `native`, which cannot be built here, or does not compute this cell.
    """
    remedy = rerun("train")
    path = folder / CONFIG_NAME
    config = read_sealed_json(path, NetworkConfig, "train")
    if config.version != VERSION:
        raise FormatError(f"{path}: has version {config.version}; expected {VERSION}; {remedy}")
    path = folder / WEIGHTS_NAME
    check_seal(path, "train")
    if path.stat().st_size < _least_bytes(config):
        # Before anything of that size is made.
        raise FormatError(f"{path}: has {path.stat().st_size} bytes; expected {_least_bytes(config)} or more; {remedy}")
    try:
        arrays = load_file(path)
    except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: cannot be read ({error}); {remedy}") from error
    network = make_network(config, kernel)
    expected = {variable.path: tuple(variable.shape) for variable in network.trainable_variables}
    found = {name: array.shape for name, array in arrays.items()}
    if found != expected:
        raise FormatError(f"{path}: has weights {found}; expected {expected}; {remedy}")
    for variable in network.trainable_variables:
        variable.assign(arrays[variable.path])
    return network


def _least_bytes(config: NetworkConfig) -> int:
    """What the weights of a network take at least."""
    front_end = config.filters * config.kernel if config.front_end == "conv1d" else 0
    first = config.vocabulary_size * (config.embedding if config.input == "embedding" else 1)
    classes = math.prod(len(factor.classes) for factor in config.factors)
    each = first + front_end + config.layers * config.units**2 + classes * config.units
    return FLOAT_BYTES * config.ensemble * each


def _arrays(variables: Sequence[keras.Variable]) -> dict[str, np.ndarray]:
    return {variable.path: variable.numpy() for variable in variables}
