"""A network as files: `config.json` and `weights.safetensors`."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from lengthwise.errors import FormatError
from lengthwise.files import replacing_folder, write_json
from lengthwise.models.network import VERSION, Network, NetworkConfig

CONFIG_NAME, WEIGHTS_NAME = "config.json", "weights.safetensors"


def save_network(network: Network, folder: Path) -> None:
    """Write a network as `config.json` and `weights.safetensors`: no code, no pickle, no time stamp."""
    with replacing_folder(folder) as out:
        (out / WEIGHTS_NAME).write_bytes(save(_arrays(network.trainable_variables)))
        write_json(out / CONFIG_NAME, asdict(network.config))


def load_network(folder: Path, kernel: str = "auto") -> Network:
    """Read a network back, to be computed by a kernel.

    Raises:
        FormatError: a file is absent, damaged, of another version, or does not fit the other.
        KernelError: the kernel is `native`, which cannot be built here, or does not compute this cell.
    """
    remedy = "run the stage train again"
    path = folder / CONFIG_NAME
    try:
        config = TypeAdapter(NetworkConfig).validate_json(path.read_bytes())
    except OSError as error:
        raise FormatError(f"{folder}: is no saved network ({error}); {remedy}") from error
    except ValidationError as error:
        raise FormatError(f"{path}: is damaged ({error.errors()[0]['msg']}); {remedy}") from None
    if config.version != VERSION:
        raise FormatError(f"{path}: has version {config.version}; expected {VERSION}; {remedy}")
    path = folder / WEIGHTS_NAME
    try:
        arrays = load_file(path)
    except (OSError, SafetensorError) as error:
        raise FormatError(f"{path}: cannot be read ({error}); {remedy}") from error
    network = Network(config, kernel)
    expected = {variable.path: tuple(variable.shape) for variable in network.trainable_variables}
    found = {name: array.shape for name, array in arrays.items()}
    if found != expected:
        raise FormatError(f"{path}: has weights {found}; expected {expected}; {remedy}")
    for variable in network.trainable_variables:
        variable.assign(arrays[variable.path])
    return network


def _arrays(variables: Sequence[keras.Variable]) -> dict[str, np.ndarray]:
    return {variable.path: variable.numpy() for variable in variables}
