"""The public way to a saved network as a Keras model."""

from pathlib import Path

from lengthwise.models.ensemble import Ensemble
from lengthwise.models.network import Network
from lengthwise.models.saved import load_network
from lengthwise.models.saved_folder import told_alone


def load_keras(folder: Path | str, kernel: str = "auto") -> Network | Ensemble:
    """Load a network that was trained and saved, to go on with it in Keras; to predict, `load` is enough and quicker.

    Where `folder` holds a classifier of six classes:

        >>> import lengthwise as lw
        >>> network = lw.load_keras(folder)
        >>> network.config.task, network.config.outputs
        ('classifier', 6)

    Args:
        folder: with `config.json`, `weights.safetensors` and, if it was trained on text, `vocabulary.tsv`.
        kernel: `native`, `keras` or `auto`, see `lengthwise.native.choice`.

    Returns:
        The network; called with inputs and states it makes logits float32 (P, C), see `lengthwise.models.network`.

    Raises:
        FormatError: a file is absent, damaged or of another version, or the files are not of one network.
        KernelError: the kernel is `native`, which cannot be built here, or does not compute the network's cell.
    """
    with told_alone():
        return load_network(Path(folder), kernel)
