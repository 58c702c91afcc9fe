"""The pretrained vectors of a run: from a file, or from the table of an installed spaCy package."""

import hashlib
import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lengthwise.core.sequences import UNK_ID
from lengthwise.errors import ArgumentError, VectorsError
from lengthwise.models.vectors import begin_with, check_vectors, read_vectors, start_vectors
from lengthwise.models.wanted_vectors import NO_VECTORS, VectorsWanted
from lengthwise.prepare.vocabulary import Vocabulary
from lengthwise.system.files import file_digest

if TYPE_CHECKING:
    from lengthwise.models.ensemble import Ensemble
    from lengthwise.models.network import Network

SPACY_FILES = ("key2row", "strings.json", "vectors", "vectors.cfg")


def check_wanted(wanted: VectorsWanted, size: int) -> None:
    """Check that the vectors are there and have a size, without reading all of a file.

    Raises:
        VectorsError: there is no such file or package, or it has no vectors.
        ArgumentError: they have another size; the argument is `embedding`.
    """
    if wanted.package:
        _package_table(wanted.package, size)
    elif wanted.source != NO_VECTORS:
        check_vectors(Path(wanted.file), size)


def wanted_digest(wanted: VectorsWanted, digest_of: Callable[[Path], str] = file_digest) -> str:
    """A digest of the vectors that a run begins with; empty where it begins with none.

    Args:
        wanted: which vectors.
        digest_of: that of one file.

    Raises:
        VectorsError: there is no such package.
        OSError: the file cannot be read; or what `digest_of` raises.
    """
    if wanted.source == NO_VECTORS:
        return ""
    if not wanted.package:
        return digest_of(Path(wanted.file))
    folder = _package_folder(wanted.package)
    there = [folder / name for name in SPACY_FILES if (folder / name).exists()]
    return hashlib.sha256("".join(map(digest_of, there)).encode()).hexdigest()


def begin_with_wanted(
    network: "Network | Ensemble", wanted: VectorsWanted, vocabulary: Vocabulary
) -> tuple[dict[str, np.ndarray], dict[str, float | int | str]]:
    """Give a network the vectors that it is to begin with.

    Args:
        network: with the weights that it begins with else.
        wanted: which vectors.
        vocabulary: of the sequences.

    Returns:
        The rows that training leaves as they are, see `UpdateRule`: none unless they are frozen. And figures: entries
        of the vocabulary with a vector, those of them that have it in another case, those without, and the share of
        the tokens in training that have one.

    Raises:
        VectorsError: see `read_vectors`; or there is no such package; or there are no tokens that could have a vector.
        ArgumentError: they have another size than the embedding; the argument is `embedding`.
    """
    if wanted.source == NO_VECTORS:
        return {}, {}
    if not network.config.tokens:
        raise VectorsError(
            f"train.model.vectors: got {wanted.source!r}, and the sequences have no tokens; expected none"
        )
    # The entries before stand for no token.
    first, size = UNK_ID + 1, network.config.embedding
    tokens = vocabulary.tokens[first:]
    if wanted.package:
        found = _package_table(wanted.package, size)
    else:
        found = read_vectors(Path(wanted.file), tokens, size).get
    made = start_vectors(tokens, found)
    vectors = replace(made, ids=made.ids + first)
    rows = begin_with(network, vectors)
    counts = np.array(vocabulary.counts, np.float64)
    return rows if wanted.frozen else {}, {
        "vectors_found": len(vectors.ids),
        "vectors_in_other_case": vectors.other_case,
        "vectors_missing": len(tokens) - len(vectors.ids),
        "vectors_token_share": float(counts[vectors.ids].sum() / max(1.0, counts.sum())),
    }


def _package_table(name: str, size: int) -> Callable[[str], np.ndarray | None]:
    """The vector of a token, by the table of a package; none of its code is run."""
    from spacy.vocab import Vocab

    folder = _package_folder(name)
    try:
        vocab = Vocab().from_disk(folder, exclude=("lookups",))
    except (OSError, ValueError, KeyError) as error:
        raise VectorsError(f"train.model.vectors: the package {name!r} cannot be read ({error}); install it") from error
    if not vocab.vectors_length:
        raise VectorsError(
            f"train.model.vectors: the package {name!r} has no vectors; expected one that has, as those in _md or _lg "
            "have; choose another"
        )
    if vocab.vectors_length != size:
        problem = f"got {size}; expected {vocab.vectors_length}, the numbers of each vector of {name}"
        raise ArgumentError("embedding", problem, "set it to that, or take other vectors")
    return lambda token: np.asarray(vocab.get_vector(token)) if vocab.has_vector(token) else None


def _package_folder(name: str) -> Path:
    """The folder of a package's words and vectors, as `python -m spacy download` installs it."""
    # Of a dotted name, Python would import the first package.
    found = importlib.util.find_spec(name) if name.isidentifier() else None
    places = list(found.submodule_search_locations or ()) if found else []
    for place in map(Path, places):
        try:
            meta = json.loads((place / "meta.json").read_text(encoding="utf-8"))
            folder = place / f"{meta['lang']}_{meta['name']}-{meta['version']}" / "vocab"
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if folder.is_dir():
            return folder
    raise VectorsError(
        f"train.model.vectors: got {name!r}; expected none, file or an installed spaCy package; install it with: "
        f"python -m spacy download {name}"
    )
