"""A network written to a folder, and read back; see `lengthwise.models.saved_folder`."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import keras
import numpy as np
from safetensors.numpy import save

from lengthwise.models.ensemble import Ensemble, make_network
from lengthwise.models.network import Network
from lengthwise.models.saved_folder import (
    CONFIG_NAME,
    VERSION,
    VOCABULARY_NAME,
    WEIGHTS_NAME,
    read_arrays,
    read_config,
)
from lengthwise.system.files import file_digest, replacing_folder
from lengthwise.system.seals import SEAL_KEY, UNSEALED, seal, write_sealed_json


class TextFiles(Protocol):
    """How text becomes the ids of a network: what its folder keeps of it, and never looks into."""

    @property
    def options(self) -> Mapping[str, str | bool]:
        """How text becomes tokens, by name."""
        ...

    def write(self, path: Path) -> None:
        """Write the table of tokens, with a seal."""
        ...


def save_network(network: Network | Ensemble, folder: Path, text: TextFiles | None = None) -> None:
    """Write a network: no code, no pickle, no time stamp.

    Args:
        network: trained.
        folder: to write.
        text: how text becomes its ids; none where it was trained on something else.
    """
    arrays = arrays_of(network)
    with replacing_folder(folder) as out:
        (out / WEIGHTS_NAME).write_bytes(save(arrays, {SEAL_KEY: UNSEALED}))
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
    network = make_network(config, kernel)
    variables = named_variables(network)
    arrays = read_arrays(folder, {name: tuple(variable.shape) for name, variable in variables.items()})
    for name, variable in variables.items():
        variable.assign(arrays[name])
    return network


def arrays_of(network: Network | Ensemble) -> dict[str, np.ndarray]:
    """The weights by the names that they have in the folder."""
    return {name: variable.numpy() for name, variable in named_variables(network).items()}


def named_variables(network: Network | Ensemble) -> dict[str, keras.Variable]:
    """All that a network's predictions depend on, by the name that it has in the folder.

    Keras names what is made outside of a call by itself; in an ensemble each member's own has the member's name before.
    """
    named = {}
    for member in network.members:
        for variable in member.saved_variables:
            alone = len(network.members) == 1 or variable.path.startswith(f"{member.name}/")
            named[variable.path if alone else f"{member.name}/{variable.path}"] = variable
    return named
