"""Word vectors of the sample corpus, as a file in the form of GloVe: what `train.model.vectors_file` names at first.

    python -m lengthwise.corpora.blogs.sample_vectors data/sample/blogs.zip data/sample/vectors.txt.gz

They are made of the sample's own texts and know nothing of any label: how much oftener two words stand near each other
than chance would have it (positive pointwise mutual information), reduced to few numbers by its singular vectors (Levy,
Goldberg and Dagan, 2015). So they are as invented as the sample is. Vectors for a real corpus come from much more text.
"""

import argparse
import gzip
import re
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.linalg import svds

from lengthwise.system.files import replacing_file

SIZE = 64
# Occurrences of the rarest word, and words on each side that count as near.
RAREST, NEAR = 12, 4
DECIMALS = 2
_MARKUP = re.compile(r"<[^>]*>|&\w+;")
_WORD = re.compile(r"[^\W\d_]+|[^\w\s]")


def words_of_sample(archive: Path) -> list[list[str]]:
    """The words of each file, small, with punctuation."""
    with zipfile.ZipFile(archive) as members:
        texts = [members.read(name).decode("utf-8", "replace") for name in sorted(members.namelist())]
    return [_WORD.findall(_MARKUP.sub(" ", text).lower()) for text in texts]


def word_vectors(texts: list[list[str]]) -> dict[str, np.ndarray]:
    """The vector of each word that is not too rare: float64 (64,), by word, the most frequent first."""
    counts = Counter(word for text in texts for word in text)
    known = sorted((word for word, count in counts.items() if count >= RAREST), key=lambda w: (-counts[w], w))
    numbers = {word: number for number, word in enumerate(known)}
    pairs: Counter[tuple[int, int]] = Counter()
    for text in texts:
        ids = [numbers.get(word, -1) for word in text]
        for distance in range(1, NEAR + 1):
            pairs.update((a, b) for a, b in zip(ids, ids[distance:], strict=False) if a >= 0 <= b)
    rows, columns = np.array([*pairs], np.int64).T
    near = coo_array((np.array([*pairs.values()], float), (rows, columns)), shape=(len(known), len(known)))
    both = (near + near.T).tocoo()
    of_word = np.asarray(both.sum(axis=1)).ravel()
    information = np.log(both.data * of_word.sum() / (of_word[both.coords[0]] * of_word[both.coords[1]]))
    kept = coo_array((np.maximum(information, 0.0), both.coords), shape=both.shape).tocsr()
    left, strength, _ = svds(kept, k=SIZE, v0=np.ones(len(known)), solver="arpack")
    # The sign of a singular vector is nobody's choice: the largest number is positive.
    left = left * np.sign(left[np.abs(left).argmax(axis=0), np.arange(SIZE)])
    order = np.argsort(-strength)
    return dict(zip(known, (left * np.sqrt(strength))[:, order], strict=True))


def main() -> None:
    """Read the sample, write its vectors."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("sample", type=Path)
    parser.add_argument("vectors", type=Path)
    arguments = parser.parse_args()
    lines = [
        " ".join([word, *(f"{number + 0.0:.{DECIMALS}f}" for number in np.round(vector, DECIMALS))])
        for word, vector in word_vectors(words_of_sample(arguments.sample)).items()
    ]
    with replacing_file(arguments.vectors) as beside:
        beside.write_bytes(gzip.compress("".join(line + "\n" for line in lines).encode(), mtime=0))


if __name__ == "__main__":
    main()
