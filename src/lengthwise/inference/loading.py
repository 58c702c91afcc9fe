"""The public way to a saved network."""

from pathlib import Path

from lengthwise.inference.forward import ForwardNetwork
from lengthwise.models.saved_folder import told_alone


def load(folder: Path | str) -> ForwardNetwork:
    """Load a network that was trained and saved, such as `models/classifier` of the pipeline, to predict with it.

    Where `folder` holds a classifier of six classes:

        >>> import lengthwise as lw
        >>> network = lw.load(folder)
        >>> network.predict(lw.from_arrays([[4, 2, 7], [5]])).shape
        (2, 6)

    TensorFlow is not imported; `load_keras` gives the network as a Keras model, to train it further. Nothing in the
    folder is run: it holds numbers, a table of words and JSON.

    Args:
        folder: with `config.json`, `weights.safetensors` and, if it was trained on text, `vocabulary.tsv`.

    Returns:
        The network; its `predict` makes of S sequences probabilities, or numbers, float32 (S, C).

    Raises:
        FormatError: a file is absent, damaged or of another version, or the files are not of one network.
    """
    with told_alone():
        return ForwardNetwork.load(Path(folder))
