"""Which split a sequence belongs to: by a hash of its author's, document's or own id, and nothing else.

So a unit's split never depends on which other units there are: a corpus that grows moves nobody. The price: the
shares are met in expectation, within every joint class alike, not to the unit. The shares that came out are
metrics, class by class.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.bounds import Seed, Share, Within, check_fields
from lengthwise.errors import CorpusError, FormatError
from lengthwise.labels import joint_class_names
from lengthwise.names import SPLITS
from lengthwise.prepare.documents import DocumentTable, read_document_ids, read_document_table
from lengthwise.prepare.text.store import TokenStore
from lengthwise.system.progress import Progress
from lengthwise.system.seals import SEAL_KEY, UNSEALED, check_seal, rerun, sealed_file

TRAIN = SPLITS.index("train")
SCHEMA = pa.schema([pa.field("split", pa.int8(), nullable=False, metadata={"doc": "0 train, 1 validation, 2 test"})])
SPAN = 2**64


@dataclass(frozen=True)
class SplitShares:
    """The shares of what is held out; the rest is for training.

    Attributes:
        validation: in [0, 1).
        test: in (0, 1), less than 1 together with `validation`.
        seed: another one gives another split.

    Raises:
        ArgumentError: one of them is out of range; it is a `ValueError`.
    """

    validation: Share
    test: Annotated[float, Within(above=0.0, below=1.0)]
    seed: Seed

    def __post_init__(self) -> None:
        check_fields(self)

    def assign(self, ids: Iterable[str]) -> np.ndarray:
        """The split of each id, an index into `SPLITS`: int8 (N,).

        The hash is BLAKE2b, keyed by the seed, as a number in [0, 1): below `test` is test, the next
        `validation` are for validation.
        """
        key = str(self.seed).encode()
        digests = b"".join(blake2b(name.encode(), digest_size=8, key=key).digest() for name in ids)
        place = np.frombuffer(digests, "<u8") / SPAN
        return np.where(place < self.test, 2, np.where(place < self.test + self.validation, 1, 0)).astype(np.int8)


def split_sentences(documents: Path, tokens: Path, out: Path, by: str, shares: SplitShares) -> dict[str, int]:
    """The stage split: write the split of every sentence.

    Args:
        documents: the table of documents.
        tokens: the folder of tokens.
        out: a Parquet file with one int8 column `split`, a row a sentence, a row group a slice.
        by: the unit that is never in two splits: `author`, `document` or `sentence`.
        shares: how much is held out.

    Returns:
        Per split the sentences, and the documents and authors that have any; of authors also per joint class; and
        how many authors and documents are in more than one split, which is the leak.

    Raises:
        FormatError: an input is absent or of another version.
        CorpusError: nothing is left in a split that has a share.
    """
    table = read_document_table(documents)
    store = TokenStore(tokens)
    ids = _document_units(documents, table, by)
    of_document = None if by == "sentence" else shares.assign(ids)
    seen = np.zeros((len(SPLITS), len(table.author)), bool)
    sentences = np.zeros(len(SPLITS), np.int64)
    with (
        sealed_file(out) as beside,
        pq.ParquetWriter(beside, SCHEMA, compression="zstd") as writer,
        Progress("split", store.sentences, "sentences") as progress,
    ):
        writer.add_key_value_metadata({SEAL_KEY: UNSEALED})
        for document in store.sentence_documents():
            split = of_document[document] if of_document is not None else shares.assign(_sentence_ids(ids, document))
            seen[split, document] = True
            sentences += np.bincount(split, minlength=len(SPLITS))
            writer.write_table(pa.table([pa.array(split)], schema=SCHEMA), row_group_size=max(1, len(split)))
            progress.update(len(document))
        _refuse_empty(sentences, shares)
    return _counts(sentences, seen, table)


def read_splits(path: Path) -> Iterator[np.ndarray]:
    """The split of each sentence, slice by slice: int8, indices into `SPLITS`.

    Raises:
        FormatError: the file is absent or damaged.
    """
    check_seal(path, "split")
    try:
        file = pq.ParquetFile(path)
        if not file.schema_arrow.equals(SCHEMA):
            found = [*map(str, file.schema_arrow)]
            raise FormatError(f"{path}: has columns {found}; expected {[*map(str, SCHEMA)]}; {rerun('split')}")
        for number in range(file.num_row_groups):
            yield file.read_row_group(number)["split"].to_numpy()
    except (OSError, pa.ArrowException) as error:
        raise FormatError(f"{path}: cannot be read ({error}); {rerun('split')}") from error


def _document_units(documents: Path, table: DocumentTable, by: str) -> list[str]:
    """What is hashed for each document: its author's id or its own."""
    if by == "author":
        return [table.author_ids[author] for author in table.author.tolist()]
    return list(read_document_ids(documents))


def _sentence_ids(ids: list[str], document: np.ndarray) -> Iterator[str]:
    """`document_id/number`: a slice begins with a document, so its sentences number themselves."""
    begins = np.flatnonzero(np.diff(document, prepend=-1))
    number = np.arange(len(document)) - np.repeat(begins, np.diff(begins, append=len(document)))
    return (f"{ids[row]}/{place}" for row, place in zip(document.tolist(), number.tolist(), strict=True))


def _refuse_empty(sentences: np.ndarray, shares: SplitShares) -> None:
    wanted = {"train": 1.0, "validation": shares.validation, "test": shares.test}
    for name, count in zip(SPLITS, sentences, strict=True):
        if wanted[name] > 0 and not count:
            raise CorpusError(
                f"split: no sentence fell to {name}; expected some; raise its share, change split.seed, "
                "or take a larger corpus"
            )


def _counts(sentences: np.ndarray, seen: np.ndarray, table: DocumentTable) -> dict[str, int]:
    authors = np.zeros((len(SPLITS), len(table.author_ids)), bool)
    for split in range(len(SPLITS)):
        authors[split, table.author[seen[split]]] = True
    label = np.zeros(len(table.author_ids), np.int64)
    label[table.author] = table.label
    counts = {
        "authors_in_several_splits": int((authors.sum(0) > 1).sum()),
        "documents_in_several_splits": int((seen.sum(0) > 1).sum()),
    }
    names = joint_class_names(table.factors)
    for split, name in enumerate(SPLITS):
        counts[f"{name}_sentences"] = int(sentences[split])
        counts[f"{name}_documents"] = int(seen[split].sum())
        counts[f"{name}_authors"] = int(authors[split].sum())
        classes = np.bincount(label[authors[split]], minlength=len(names))
        for label_name, count in zip(names, classes, strict=True):
            counts[f"{name}_authors_{label_name.replace(' ', '_')}"] = int(count)
    return counts
