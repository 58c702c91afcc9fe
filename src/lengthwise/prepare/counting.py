"""The stage vocabulary: the tokens of the training split, counted."""

from pathlib import Path

import numpy as np

from lengthwise.core.sequences import UNK_ID
from lengthwise.prepare.splits import TRAIN, read_splits
from lengthwise.prepare.text.store import TokenStore
from lengthwise.prepare.vocabulary import count_vocabulary, write_vocabulary
from lengthwise.system.progress import Progress


def build_vocabulary(tokens: Path, split: Path, out: Path, size: int) -> dict[str, float | int]:
    """The stage vocabulary: count the training split and write the table; an empty one, where steps have no tokens.

    Returns:
        Entries, distinct tokens and tokens of the training split, and the share of it that is unknown.

    Raises:
        FormatError: an input is absent or of another version.
    """
    store = TokenStore(tokens)
    lexicon = store.lexicon_strings()
    counts = np.zeros(len(lexicon), np.int64)
    with Progress("vocabulary", store.tokens, "tokens") as progress:
        for sentences, splits in zip(store, read_splits(split), strict=True):
            if sentences.tokens is not None:
                in_train = np.repeat(splits == TRAIN, np.diff(sentences.offsets))
                counts += np.bincount(sentences.tokens[in_train], minlength=len(lexicon))
            progress.update(int(sentences.offsets[-1]))
    vocabulary = count_vocabulary(lexicon, counts, size)
    write_vocabulary(out, vocabulary)
    total = int(counts.sum())
    return {
        "entries": len(vocabulary),
        "train_distinct_tokens": int((counts > 0).sum()),
        "train_tokens": total,
        "train_unknown_share": vocabulary.counts[UNK_ID] / max(1, total),
    }
