"""What the test of a run has in common with its training: groups, copies, near copies, and what models gain by them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lengthwise.core.names import SPLITS
from lengthwise.evaluation.item_table import ITEMS_NAME, LevelScores, read_item_scores
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.evaluation.scoring.registry import metric_of
from lengthwise.pipeline.leaks.near_copies import nearest, signatures_of
from lengthwise.prepare.documents import DocumentTable, read_document_table
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.prepare.splits import read_splits
from lengthwise.prepare.text.store import TokenStore

TRAIN, TEST = SPLITS.index("train"), SPLITS.index("test")
DOCUMENTS, TOKENS, SPLIT, SHARDS = (
    Path("data") / name for name in ("documents.parquet", "tokens", "split.parquet", "shards")
)
ITEMS = (Path("data/figures/evaluate"), Path("data/figures/baselines/tables"))


@dataclass(frozen=True)
class Gain:
    """What a model's figure owes to test items that it knows something of.

    Attributes:
        model: its name.
        metric: which figure.
        whole: of all test items.
        clean: of those alone that have nothing in common with training.
        low: where the interval of `whole - clean` begins.
        high: where it ends.
    """

    model: str
    metric: str
    whole: float
    clean: float
    low: float
    high: float


@dataclass(frozen=True)
class SplitAudit:
    """What was found.

    Attributes:
        items: the corpus's word for documents.
        groups: its word for what is held out together; empty where each document stands for itself.
        test: documents of the test.
        groups_on_both_sides: groups with documents in training and in the test.
        of_known_groups: documents of the test whose group is in training.
        copies: documents of the test that are in training, token for token.
        near_copies: those that are nearly in training, the copies among them.
        near: how alike two documents have to be for that, a share of their triples of tokens.
        clean: documents of the test with nothing of all that.
        gains: of each model, where its test items are at hand.
    """

    items: str
    groups: str
    test: int
    groups_on_both_sides: int
    of_known_groups: int
    copies: int
    near_copies: int
    near: float
    clean: int
    gains: Sequence[Gain]

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)

    def to_text(self) -> str:
        """For a terminal."""
        rows = [(f"{self.items} of the test", self.test, 0)]
        if self.groups:
            rows.append((f"{self.groups} on both sides", self.groups_on_both_sides, 0))
            rows.append((f"{self.items} of {self.groups} that training has", self.of_known_groups, self.test))
        rows += [
            ("copies of what training has", self.copies, self.test),
            (f"copies and near copies, alike to {self.near:g}", self.near_copies, self.test),
            ("with none of that", self.clean, self.test),
        ]
        width = max(len(name) for name, *_ in rows)
        lines = [f"{name:<{width}}  {number:>9,}{f'  {number / of:6.1%}' if of else ''}" for name, number, of in rows]
        if self.gains:
            lines += ["", f"{'model':<24}  {'figure':<10}  {'all':>7}  {'clean':>7}  all less clean"]
            lines += [
                f"{gain.model:<24}  {gain.metric:<10}  {gain.whole:7.4f}  {gain.clean:7.4f}  "
                f"{gain.whole - gain.clean:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
                for gain in self.gains
            ]
        elif self.clean == self.test:
            lines += ["", "nothing leaks: no figure owes anything to it"]
        return "\n".join(lines) + "\n"


def audit_split(project: Path, near: float, bootstrap: Bootstrap) -> SplitAudit:
    """Compare the two sides of a run's split.

    Args:
        project: the folder of the run.
        near: how alike documents have to be, a share in (0.5, 1].
        bootstrap: how intervals are made.

    Raises:
        FormatError: documents, tokens, split or shards are absent or damaged.
    """
    table = read_document_table(project / DOCUMENTS)
    store = TokenStore(project / TOKENS)
    in_train, in_test = _sides(store, project / SPLIT, len(table.group))
    known_group = np.zeros(len(table.group_ids), bool)
    known_group[table.group[in_train]] = True
    of_known = known_group[table.group] & in_test
    signatures = signatures_of(store)
    asked, among = (np.flatnonzero(side[signatures.document]) for side in (in_test, in_train))
    alike = np.zeros(len(table.group))
    # Of a very long document there are several signatures, one of each slice that it is in.
    np.maximum.at(alike, signatures.document[asked], nearest(signatures, asked, among))
    # A document that is on both sides itself, as when sentences are split, is known.
    alike[in_train & in_test] = 1.0
    if not table.form.group:
        of_known = np.zeros_like(of_known)
    clean = in_test & ~of_known & (alike < near)
    gains = [] if clean.sum() == in_test.sum() else _gains(project, clean, bootstrap)
    return SplitAudit(
        items=table.form.items,
        groups=table.form.groups if table.form.group else "",
        test=int(in_test.sum()),
        groups_on_both_sides=_on_both_sides(table, in_train, in_test) if table.form.group else 0,
        of_known_groups=int(of_known.sum()),
        copies=int((in_test & (alike == 1)).sum()),
        near_copies=int((in_test & (alike >= near)).sum()),
        near=near,
        clean=int(clean.sum()),
        gains=gains,
    )


def _sides(store: TokenStore, splits: Path, documents: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each document, whether a sentence of it is in training, and whether one is in the test."""
    sides = np.zeros((2, documents), bool)
    for document, split in zip(store.sentence_documents(), read_splits(splits), strict=True):
        for side, wanted in enumerate((TRAIN, TEST)):
            sides[side, document[split == wanted]] = True
    return sides[0], sides[1]


def _on_both_sides(table: DocumentTable, in_train: np.ndarray, in_test: np.ndarray) -> int:
    return len(np.intersect1d(table.group[in_train], table.group[in_test]))


def _gains(project: Path, clean: np.ndarray, bootstrap: Bootstrap) -> list[Gain]:
    """Of each model whose items are documents, and at hand."""
    index = read_index(project / SHARDS)
    documents = np.unique(read_split(project / SHARDS, index, "test")["document"])
    level = index.form.words.get("document", "")
    found = []
    for folder in ITEMS:
        for path in sorted((project / folder).glob(f"*/{ITEMS_NAME}")):
            by_name = {of.name: of for of in read_item_scores(path, str(path))}
            if level in by_name and len(by_name[level].group) == len(documents):
                found += _gains_of(path.parent.name, by_name[level], clean[documents], bootstrap)
    return found


def _gains_of(model: str, items: LevelScores, clean: np.ndarray, bootstrap: Bootstrap) -> list[Gain]:
    first = next((name for name in items.scores if metric_of(name)), None)
    if first is None or not clean.any():
        return []
    scores = items.scores[first]
    _, group = np.unique(items.group, return_inverse=True)
    ones = np.ones(len(scores))
    sums = np.stack([np.bincount(group, column) for column in (scores, ones, scores * clean, ones * clean)], axis=1)
    resampled = bootstrap.resampled(sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        differences = resampled[:, :1] / resampled[:, 1:2] - resampled[:, 2:3] / resampled[:, 3:4]
    low, high = bootstrap.ends(differences)
    return [Gain(model, first, float(scores.mean()), float(scores[clean].mean()), float(low[0]), float(high[0]))]
