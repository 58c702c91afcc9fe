"""The weights that a saved network has, by name: what its settings alone say, before anything is made of them."""

from lengthwise.core.affixes import BUCKETS, PER_TOKEN
from lengthwise.models.config import NetworkConfig
from lengthwise.models.step_widths import affix_width, step_width

Shape = tuple[int, ...]

# Blocks of gate inputs, and state vectors, by the end of a cell's name.
GATES = {"gru": 3, "lstm": 4, "simple": 1}
STATES = {"gru": 1, "lstm": 2, "simple": 1}


def kind_of(cell: str) -> str:
    """Which of `GATES` a cell is a variant of.

    >>> kind_of("layer_norm_lstm")
    'lstm'
    """
    return cell.rpartition("_")[2]


def weight_shapes(config: NetworkConfig) -> dict[str, Shape]:
    """The shape of every weight of a network, or of the networks of an ensemble, by its name in the folder."""
    if config.ensemble == 1:
        return _of_member(config, "network", "")
    shapes = {}
    for number in range(config.ensemble):
        name = f"network_{number}"
        shapes.update(_of_member(config, name, f"{name}/"))
    return shapes


def _of_member(config: NetworkConfig, name: str, prefix: str) -> dict[str, Shape]:
    """Those of one network; what Keras makes outside of a call has no name before its own but the prefix."""
    shapes: dict[str, Shape] = {}
    if config.tokens and config.input == "embedding":
        shapes[f"{name}/embedding/embeddings"] = (config.vocabulary_size, config.embedding)
    if config.affixes is not None:
        shapes[f"{prefix}affixes/embeddings"] = (BUCKETS, affix_width(config) // PER_TOKEN)
    width = step_width(config)
    if config.front_end == "conv1d":
        shapes[f"{name}/front_end/kernel"] = (config.kernel, width, config.filters)
        shapes[f"{name}/front_end/bias"] = (config.filters,)
        width = config.filters
    directions = ("forward", "backward") if config.bidirectional else ("forward",)
    made = config.units * len(directions)
    for direction in directions:
        for layer in range(config.layers):
            shapes |= _of_layer(config, f"{name}/{direction}_{layer}", made if layer else width)
    if config.attends:
        matrices = ("", "gate_") if config.readout == "gated" else ("",)
        shapes |= {f"{name}/readout/{gate}kernel": (made, made) for gate in matrices}
        shapes |= {f"{name}/readout/{gate}bias": (made,) for gate in matrices}
        shapes[f"{name}/readout/context"] = (made, 1)
    shapes[f"{name}/softmax/kernel"] = (config.read_features, config.outputs)
    shapes[f"{name}/softmax/bias"] = (config.outputs,)
    scales = {"scale": config.features, "target_scale": len(config.numbers) if config.task == "regressor" else 0}
    for scale, size in scales.items():
        if size:
            shapes |= {f"{prefix}{scale}/{part}": (size,) for part in ("mean", "spread")}
    return shapes


def _of_layer(config: NetworkConfig, name: str, features: int) -> dict[str, Shape]:
    kind, units = kind_of(config.cell), config.units
    width = GATES[kind] * units
    cell: dict[str, Shape] = {
        "kernel": (features, width),
        "recurrent_kernel": (units, width),
        "bias": (2, width) if kind == "gru" else (width,),
    }
    if config.cell == "peephole_lstm":
        cell["peepholes"] = (3, units)
    for normalization, size in _normalizations(config.cell, units).items():
        cell |= {f"{normalization}/gamma": (size,), f"{normalization}/beta": (size,)}
    shapes = {f"{name}/cell/{weight}": shape for weight, shape in cell.items()}
    if config.initial_state == "learned":
        shapes |= {f"{name}/initial_state_{state}/state": (1, units) for state in range(STATES[kind])}
    return shapes


def _normalizations(cell: str, units: int) -> dict[str, int]:
    """The layer normalizations of a cell and their features."""
    if cell == "layer_norm_simple":
        return {"normalization": units}
    if cell == "layer_norm_lstm":
        return {"input_normalization": 4 * units, "state_normalization": 4 * units, "memory_normalization": units}
    if cell == "layer_norm_gru":
        parts = {"gates": 2 * units, "candidate": units}
        return {f"{of}_{part}": size for of in ("input", "state") for part, size in parts.items()}
    return {}
