"""Entities in tags of the schemes IOB, BIO, BIOES and BILOU, read as the shared tasks of CoNLL read them.

A tag is `O`, or where in an entity a step is and the entity's type, such as `B-PER`. Tags that make no sense together,
which a model may well predict, are read all the same: `I-PER` after `O` begins an entity, and so does another type
(Tjong Kim Sang and De Meulder, 2003).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TAG = re.compile(r"([BIELSU])-(.+)")
OUTSIDE = "O"
# Places at which an entity begins whatever was before, and those after which it is over.
ALWAYS_FIRST, ALWAYS_LAST = "BSU", "ELSU"


@dataclass(frozen=True)
class FoundEntities:
    """E entities in N steps, in their order.

    Attributes:
        begins: int64 (E,), the first step of each.
        ends: int64 (E,), the step after its last.
        types: int64 (E,), the number of its type.
    """

    begins: np.ndarray
    ends: np.ndarray
    types: np.ndarray


@dataclass(frozen=True)
class EntityScheme:
    """What tags mean.

    >>> import numpy as np
    >>> scheme = EntityScheme.of(("O", "B-PER", "I-PER", "B-LOC"))
    >>> found = scheme.entities(np.array([1, 2, 0, 2, 3]), np.array([0, 5]))
    >>> found.begins.tolist(), found.ends.tolist(), [scheme.types[number] for number in found.types]
    ([0, 3, 4], [2, 4, 5], ['PER', 'PER', 'LOC'])

    Attributes:
        types: of entities, sorted.
        first: bool (C,), whether a tag always begins an entity.
        last: bool (C,), whether an entity is over after it.
        type_of: int64 (C,), the number of its type; -1 outside of entities.
    """

    types: tuple[str, ...]
    first: np.ndarray
    last: np.ndarray
    type_of: np.ndarray

    @classmethod
    def of(cls, classes: Sequence[str]) -> "EntityScheme | None":
        """The scheme of tags of these names; None if they are tags of another kind, such as parts of speech."""
        found = [TAG.fullmatch(name) for name in classes]
        if not any(found) or any(not tag and name != OUTSIDE for tag, name in zip(found, classes, strict=True)):
            return None
        types = sorted({tag[2] for tag in found if tag})
        places = [tag[1] if tag else "" for tag in found]
        return cls(
            tuple(types),
            np.array([place != "" and place in ALWAYS_FIRST for place in places]),
            np.array([place != "" and place in ALWAYS_LAST for place in places]),
            np.array([types.index(tag[2]) if tag else -1 for tag in found]),
        )

    def entities(self, tags: np.ndarray, offsets: np.ndarray) -> FoundEntities:
        """The entities of sequences.

        Args:
            tags: int (N,).
            offsets: int64 (S + 1,), where sequences begin; no entity goes on in the next one.
        """
        kind = self.type_of[tags]
        within = kind >= 0
        opens = np.zeros(len(tags), bool)
        opens[offsets[:-1][offsets[:-1] < len(tags)]] = True
        opens[1:] |= ~within[:-1] | self.last[tags[:-1]] | (kind[1:] != kind[:-1])
        opens = within & (opens | self.first[tags])
        begins = np.flatnonzero(opens)
        # An entity ends where the next begins, or at the first step outside, or with its sequence.
        stops = np.union1d(np.flatnonzero(opens | ~within), offsets)
        return FoundEntities(begins, stops[np.searchsorted(stops, begins, side="right")], kind[begins])

    def counts(self, actual: np.ndarray, predicted: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """How many entities of each type each sequence has, of those that are there and those that are predicted.

        An entity is right if another one has its first step, its last and its type.

        Args:
            actual: int (N,), the right tags.
            predicted: int (N,), others.
            offsets: int64 (S + 1,).

        Returns:
            int64 (3, S, E): right, there, predicted; E types.
        """
        there, said = self.entities(actual, offsets), self.entities(predicted, offsets)
        # By first step, what a prediction that begins there has: its end and its type.
        end, kind = np.full((2, len(actual)), -1)
        end[said.begins], kind[said.begins] = said.ends, said.types
        right = (end[there.begins] == there.ends) & (kind[there.begins] == there.types)
        shape = (len(offsets) - 1, len(self.types))

        def counted(found: FoundEntities, of: np.ndarray | slice) -> np.ndarray:
            row = np.searchsorted(offsets, found.begins[of], side="right") - 1
            cells = np.bincount(row * shape[1] + found.types[of], minlength=shape[0] * shape[1])
            return cells.reshape(shape)

        return np.stack([counted(there, right), counted(there, slice(None)), counted(said, slice(None))])
