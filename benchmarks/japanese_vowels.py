"""A bidirectional LSTM on Japanese Vowels: stock Keras on one padded array, and `lw.LSTM` through `fit_data`.

    python benchmarks/japanese_vowels.py japanese-vowels.zip

Kudo, Toyama and Shimbo (1999), UCI Machine Learning Repository, CC BY 4.0: nine speakers say two vowels; 270 sequences
of 12 features for training, 370 for test, 7 to 29 steps. 100 units, as in the well-known example of this data. Both
train from the same seeds, for the same epochs, on as many rows a batch; prints the share of right test sequences of
each seed, its mean, and the seconds of an epoch, the first, which is traced, left out.
"""

import argparse
import time
import zipfile
from pathlib import Path
from statistics import mean, median

import keras
import numpy as np

import lengthwise as lw

UNITS, SPEAKERS, FEATURES, ROWS, EPOCHS = 100, 9, 12, 27, 60


def read(path: Path, split: str) -> lw.Sequences:
    """The sequences of `TRAIN` or `TEST`: a line of a `.ts` file has a list for each feature, then the speaker."""
    with zipfile.ZipFile(path) as archive:
        lines = archive.read(f"JapaneseVowels_{split}.ts").decode().splitlines()
    rows = [line.split(":") for line in lines if line.strip() and line[0] not in "@#"]
    features = [np.array([values.split(",") for values in row[:-1]], np.float32).T for row in rows]
    return lw.from_arrays(per_step={"features": features}, labels=[int(row[-1]) - 1 for row in rows])


class Seconds(keras.callbacks.Callback):  # type: ignore[misc]
    """The time of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.of_epochs: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        """Start the clock."""
        self._begun = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        """Stop it."""
        self.of_epochs.append(time.perf_counter() - self._begun)


def network(recurrent: type[keras.layers.Layer]) -> keras.Model:
    """Padding is masked; `recurrent` is Keras's own layer, or ours of the same name."""
    layers = [keras.layers.Masking(), keras.layers.Bidirectional(recurrent(UNITS))]
    return keras.Sequential([keras.Input((None, FEATURES)), *layers, keras.layers.Dense(SPEAKERS, "softmax")])


def padded(sequences: lw.Sequences) -> np.ndarray:
    """All of them as Keras has them: float32 (S, T, F)."""
    rows = np.split(sequences["features"], sequences.offsets[1:-1])
    return np.asarray(keras.utils.pad_sequences(rows, dtype="float32", padding="post"))


def run(model: keras.Model, own: bool, train: lw.Sequences, test: lw.Sequences, seed: int) -> tuple[float, float]:
    """Train and test once: the accuracy, and the median seconds of an epoch."""
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    seconds = Seconds()
    fit = {"epochs": EPOCHS, "verbose": 0, "callbacks": [seconds]}
    if own:
        model.fit(lw.fit_data(train, lw.Padded(ROWS), inputs=("features",), seed=seed), shuffle=False, **fit)
        outputs = lw.predict(model, test, inputs=("features",))
    else:
        model.fit(padded(train), train["label"], batch_size=ROWS, **fit)
        outputs = model.predict(padded(test), verbose=0)
    return float((outputs.argmax(axis=1) == test["label"]).mean()), median(seconds.of_epochs[1:])


def main() -> None:
    """Run all seeds, one way after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="ZIP")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    train, test = read(arguments.data, "TRAIN"), read(arguments.data, "TEST")
    found: dict[str, list[tuple[float, float]]] = {"keras": [], "lengthwise": []}
    for seed in range(arguments.seeds):
        for way, recurrent in {"keras": keras.layers.LSTM, "lengthwise": lw.LSTM}.items():
            keras.utils.set_random_seed(seed)
            found[way].append(run(network(recurrent), way == "lengthwise", train, test, seed))
    for way, runs in found.items():
        accuracies, seconds = zip(*runs, strict=True)
        shown = " ".join(f"{accuracy:.4f}" for accuracy in accuracies)
        print(f"{way:12} accuracy {mean(accuracies):.4f} ({shown})  {1000 * median(seconds):.0f} ms an epoch")


if __name__ == "__main__":
    main()
