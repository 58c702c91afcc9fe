"""Which split a sequence belongs to: by a hash of its group's, document's or own id, and nothing else.

So a unit's split never depends on which other units there are: a corpus that grows moves nobody. The price: the
shares are met in expectation, within every joint class alike, not to the unit. The shares that came out are
metrics, class by class.

With folds the same number, in [0, 1), is cut into equal parts, each the test of one fold: so over all folds every unit
is tested once, and no unit changes its fold when the corpus grows.

Two other ways: documents that say which split they are in are there; and `place` cuts each document, so that a network
that reads one long text is tested on its end.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.bounds import Seed, Share, Within, check_fields
from lengthwise.core.labels import joint_class_names
from lengthwise.core.names import SPLITS, SplitBy
from lengthwise.core.ragged import places_in_runs
from lengthwise.errors import ArgumentError, CorpusError, FormatError
from lengthwise.prepare.documents import DocumentTable, read_document_ids, read_document_table
from lengthwise.prepare.text.store import TokenStore
from lengthwise.system.progress import Progress
from lengthwise.system.seals import SEAL_KEY, UNSEALED, check_seal, rerun, sealed_file

TRAIN = SPLITS.index("train")
SCHEMA = pa.schema([pa.field("split", pa.int8(), nullable=False, metadata={"doc": "0 train, 1 validation, 2 test"})])
SPAN = 2**64
MOST_FOLDS = 100
# Of more classes the metrics do not tell each.
MOST_CLASSES_COUNTED = 100


@dataclass(frozen=True)
class SplitShares:
    """The shares of what is held out; the rest is for training.

    >>> ids = [f"author {number}" for number in range(6)]
    >>> for fold in range(3):
    ...     print(SplitShares(validation=0.0, test=0.1, seed=0, folds=3, fold=fold).assign(ids).tolist())
    [2, 0, 0, 0, 2, 0]
    [0, 2, 2, 0, 0, 0]
    [0, 0, 0, 2, 0, 2]

    Attributes:
        validation: in [0, 1).
        test: in (0, 1), less than 1 together with `validation`.
        seed: another one gives another split.
        folds: of a cross-validation, or None; with it the test is of the share `1 / folds`, and `test` is not used.
        fold: which of them is the test, from 0; not used without `folds`.

    Raises:
        ArgumentError: one of them is out of range; it is a `ValueError`.
    """

    validation: Share
    test: Annotated[float, Within(above=0.0, below=1.0)]
    seed: Seed
    folds: Annotated[int, Within(2, MOST_FOLDS)] | None = None
    fold: Annotated[int, Within(0, MOST_FOLDS - 1)] = 0

    def __post_init__(self) -> None:
        check_fields(self)
        if self.folds is not None and self.fold >= self.folds:
            raise ArgumentError("fold", f"got {self.fold}; expected a whole number from 0 below folds, {self.folds}")

    @property
    def tested(self) -> float:
        """The share of the test."""
        return self.test if self.folds is None else 1 / self.folds

    def assign(self, ids: Iterable[str]) -> np.ndarray:
        """The split of each id, an index into `SPLITS`: int8 (N,).

        The hash is BLAKE2b, keyed by the seed, as a number in [0, 1): below `test` is test, the next
        `validation` are for validation. Fold `f` of `k` is what is from `f / k` below `(f + 1) / k`; what
        follows is for validation, and 0 follows 1.
        """
        key = str(self.seed).encode()
        digests = b"".join(blake2b(name.encode(), digest_size=8, key=key).digest() for name in ids)
        place = np.frombuffer(digests, "<u8") / SPAN
        if self.folds is None:
            is_test, end = place < self.test, self.test
        else:
            edges = np.arange(self.folds + 1) / self.folds
            # Of the inner edges: a number that is rounded up to 1 is of the last fold.
            is_test = np.searchsorted(edges[1:-1], place, side="right") == self.fold
            place, end = place + (place < edges[self.fold]), edges[self.fold + 1]
        return np.where(is_test, 2, np.where(place < end + self.validation, 1, 0)).astype(np.int8)

    def places(self, before: np.ndarray, total: np.ndarray) -> np.ndarray:
        """The split of each sentence by its place: the last `test` of a document's steps, before them `validation`.

        Args:
            before: int (S,), how many steps of its document stand before each sentence.
            total: int (S,), how many steps its document has.

        Returns:
            int8 (S,), indices into `SPLITS`.
        """
        place = before / total
        held_out = 1 - self.test
        return np.where(place >= held_out, 2, np.where(place >= held_out - self.validation, 1, 0)).astype(np.int8)


def split_sentences(documents: Path, tokens: Path, out: Path, by: SplitBy, shares: SplitShares) -> dict[str, int]:
    """The stage split: write the split of every sentence.

    Args:
        documents: the table of documents.
        tokens: the folder of tokens.
        out: a Parquet file with one int8 column `split`, a row a sentence, a row group a slice.
        by: the unit that is never in two splits; or `place`.
        shares: how much is held out. Where documents say which split they are in, that of the test counts nothing, and
            that of validation only if none is there: it is taken from what is for training.

    Returns:
        Per split the sentences, and the documents and groups that have any, under the corpus's own words; of the
        coarser of the two also per joint class; and how many of them are in more than one split, which is the leak.

    Raises:
        FormatError: an input is absent or of another version.
        CorpusError: nothing is left in a split that has a share, or there are to be folds of documents that say which
            split they are in.
    """
    table = read_document_table(documents)
    if table.split is not None and shares.folds is not None:
        raise CorpusError(
            f"split.folds: got {shares.folds}; expected null, since documents say which split they are in; set it to "
            "null, or read the corpus without its splits"
        )
    store = TokenStore(tokens)
    assign = _by_hash(documents, table, by, shares) if by != "place" else _by_place(store, len(table.group), shares)
    seen = np.zeros((len(SPLITS), len(table.group)), bool)
    sentences = np.zeros(len(SPLITS), np.int64)
    with (
        sealed_file(out) as beside,
        pq.ParquetWriter(beside, SCHEMA, compression="zstd") as writer,
        Progress("split", store.sentences, "sentences") as progress,
    ):
        writer.add_key_value_metadata({SEAL_KEY: UNSEALED})
        for document, lengths in store.sentence_lengths():
            split = assign(document, lengths)
            seen[split, document] = True
            sentences += np.bincount(split, minlength=len(SPLITS))
            writer.write_table(pa.table([pa.array(split)], schema=SCHEMA), row_group_size=max(1, len(split)))
            progress.update(len(document))
        if missing := _missing(sentences, shares):
            help_ = _what_helps(_units(documents, table, by), shares)
            raise CorpusError(f"split: no sentence fell to {missing}; expected some; {help_}")
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


def _by_hash(
    documents: Path, table: DocumentTable, by: SplitBy, shares: SplitShares
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """What gives each sentence its split, from its document and its length."""
    if by == "sentence" and table.split is None:
        ids = list(read_document_ids(documents))
        counts = np.zeros(len(ids), np.int64)
        return lambda document, _: shares.assign(_sentence_ids(ids, document, counts))
    if by == "group":
        of_group = shares.assign(table.group_ids)
        of_document = of_group[table.group]
    else:
        of_document = shares.assign(read_document_ids(documents))
    if table.split is not None:
        of_document = _as_said(table.split, of_document)
    return lambda document, _: of_document[document]


def _by_place(store: TokenStore, documents: int, shares: SplitShares) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The same by the place of a sentence in its document, which may have begun in a slice before."""
    total, read = (np.zeros(documents, np.int64) for _ in range(2))
    for document, lengths in store.sentence_lengths():
        np.add.at(total, document, lengths)

    def assign(document: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        begins = np.flatnonzero(np.diff(document, prepend=-1))
        before = np.cumsum(lengths) - lengths
        before = before - np.repeat(before[begins], np.diff(begins, append=len(document))) + read[document]
        np.add.at(read, document, lengths)
        return shares.places(before, total[document])

    return assign


def _as_said(said: np.ndarray, by_hash: np.ndarray) -> np.ndarray:
    """The split of each document, where documents say it: int8 (N,). Who says nothing is for training."""
    validation = SPLITS.index("validation")
    split = np.where(said < 0, TRAIN, said)
    if not (split == validation).any():
        split[(split == TRAIN) & (by_hash == validation)] = validation
    return split.astype(np.int8)


def _sentence_ids(ids: list[str], document: np.ndarray, counts: np.ndarray) -> Iterator[str]:
    """`document_id/number`; of each document, `counts` has the sentences that came before, these among them then."""
    number = counts[document] + places_in_runs(document)
    np.add.at(counts, document, 1)
    return (f"{ids[row]}/{place}" for row, place in zip(document.tolist(), number.tolist(), strict=True))


def _missing(counts: np.ndarray, shares: SplitShares) -> str:
    """The first split that has a share and nothing in it; empty if there is none."""
    wanted = {"train": 1.0, "validation": shares.validation, "test": shares.tested}
    return next((name for name, count in zip(SPLITS, counts, strict=True) if wanted[name] > 0 and not count), "")


def _units(documents: Path, table: DocumentTable, by: SplitBy) -> Sequence[str]:
    """The ids that a split is drawn by, where they are few enough to try others; else none."""
    if table.split is not None or by not in ("group", "document"):
        return []
    return table.group_ids if by == "group" else list(read_document_ids(documents))


def _what_helps(ids: Sequence[str], shares: SplitShares) -> str:
    """The least shares, in twentieths, that leave something in each split; or what else there is to do."""
    otherwise = "change split.seed, or take a larger corpus"
    if shares.folds is not None:
        return f"lower split.folds or raise split.validation, {otherwise}"
    grid = [step / 20 for step in range(1, 20)]
    tried = [
        replace(shares, validation=validation, test=test)
        for validation in (grid if shares.validation else [0.0])
        for test in grid
        if validation + test < 1
    ]
    for other in sorted(tried, key=lambda of: of.validation + of.test) if ids else ():
        if not _missing(np.bincount(other.assign(ids), minlength=len(SPLITS)), other):
            return f"set split.validation to {other.validation:g} and split.test to {other.test:g}, {otherwise}"
    return f"raise its share, {otherwise}"


def _counts(sentences: np.ndarray, seen: np.ndarray, table: DocumentTable) -> dict[str, int]:
    form = table.form
    kinds = {form.items: (np.arange(seen.shape[1]), seen.shape[1])}
    if form.group:
        kinds = {form.groups: (table.group, len(table.group_ids)), **kinds}
    present: dict[str, np.ndarray] = {}
    for kind, (rank, count) in kinds.items():
        present[kind] = np.zeros((len(SPLITS), count), bool)
        for split in range(len(SPLITS)):
            present[kind][split, rank[seen[split]]] = True
    counts = {f"{kind}_in_several_splits": int((of.sum(0) > 1).sum()) for kind, of in present.items()}
    coarsest = next(iter(kinds))
    rank, count = kinds[coarsest]
    label = np.zeros(count, np.int64)
    label[rank] = table.label
    names = joint_class_names(form.factors) if form.factors and not form.several else []
    for split, name in enumerate(SPLITS):
        counts[f"{name}_sentences"] = int(sentences[split])
        for kind in reversed(kinds):
            counts[f"{name}_{kind}"] = int(present[kind][split].sum())
        if len(names) > MOST_CLASSES_COUNTED:
            continue
        classes = np.bincount(label[present[coarsest][split]], minlength=len(names))
        for label_name, of_class in zip(names, classes.tolist(), strict=bool(names)):
            counts[f"{name}_{coarsest}_{label_name.replace(' ', '_')}"] = of_class
    return counts
