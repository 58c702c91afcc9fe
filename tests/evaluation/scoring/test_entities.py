import itertools

import numpy as np
import pytest
from spacy.scorer import PRFScore
from spacy.training.iob_utils import iob_to_biluo, tags_to_entities

from lengthwise.core.ragged import offsets_of
from lengthwise.evaluation.scoring.entities import EntityScheme


def read_by_rules(tags):
    """Entities as the evaluation script of CoNLL-2000 reads tags: by the places before and after each boundary."""
    found, begin = [], 0
    before, its_type = "O", ""
    for place, tag in enumerate([*tags, "O"]):
        here, _, type_here = tag.partition("-")
        ends = before in "ESLU" or (before in "BI" and here in "BSUO") or (before != "O" and its_type != type_here)
        starts = here in "BSU" or (before in "ESLUO" and here in "EIL") or (here != "O" and its_type != type_here)
        if ends and before != "O":
            found.append((begin, place, its_type))
        if starts and here != "O":
            begin = place
        before, its_type = here, type_here
    return found


def found_by(scheme, sequences, classes):
    lengths = [len(tags) for tags in sequences]
    codes = np.array([classes.index(tag) for tags in sequences for tag in tags], int)
    offsets = offsets_of(np.array(lengths))
    entities = scheme.entities(codes, offsets)
    found = [[] for _ in sequences]
    for begin, end, kind in zip(entities.begins, entities.ends, entities.types, strict=True):
        row = np.searchsorted(offsets, begin, side="right") - 1
        found[row].append((begin - offsets[row], end - offsets[row], scheme.types[kind]))
    return found


@pytest.mark.parametrize("places", ["BI", "I", "BIES", "BILU"])
@pytest.mark.parametrize("seed", range(20))
def test_entities_are_those_of_the_rules_for_any_tags_however_senseless(seed, places):
    rng = np.random.default_rng(seed)
    classes = ["O", *(f"{place}-{kind}" for place in places for kind in ("PER", "LOC"))]
    rng.shuffle(classes)
    sequences = [rng.choice(classes, int(rng.integers(0, 9))).tolist() for _ in range(30)]
    scheme = EntityScheme.of(classes)
    assert found_by(scheme, sequences, classes) == [read_by_rules(tags) for tags in sequences]


def test_entities_are_those_of_the_rules_for_all_sequences_of_three():
    classes = ["O", "B-A", "I-A", "E-A", "S-A", "B-B", "I-B"]
    sequences = [list(tags) for tags in itertools.product(classes, repeat=3)]
    assert found_by(EntityScheme.of(classes), sequences, classes) == [read_by_rules(tags) for tags in sequences]


@pytest.mark.parametrize("seed", range(20))
def test_entities_are_those_that_spacy_reads_in_tags_that_make_sense(seed):
    rng = np.random.default_rng(seed)
    sequences = []
    for _ in range(20):
        tags = []
        while len(tags) < 12:
            kind, length = rng.choice(["PER", "LOC"]), int(rng.integers(1, 4))
            tags += ["O"] * int(rng.integers(0, 3)) + [f"B-{kind}"] + [f"I-{kind}"] * (length - 1)
        sequences.append(tags)
    for write in (list, iob_to_biluo):
        written = [write(tags) for tags in sequences]
        classes = sorted({tag for tags in written for tag in tags} | {"O"})
        expected = [
            [(begin, end + 1, kind) for kind, begin, end in tags_to_entities(iob_to_biluo(tags))] for tags in sequences
        ]
        assert found_by(EntityScheme.of(classes), written, classes) == expected


@pytest.mark.parametrize("seed", range(20))
def test_counts_of_entities_give_the_scores_of_spacy(seed):
    rng = np.random.default_rng(seed)
    classes = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    lengths = rng.integers(0, 8, 25)
    offsets = offsets_of(lengths)
    actual = rng.integers(0, 5, offsets[-1])
    predicted = np.where(rng.random(len(actual)) < 0.7, actual, rng.integers(0, 5, len(actual)))
    scheme = EntityScheme.of(classes)
    counts = scheme.counts(actual, predicted, offsets)
    score = PRFScore()
    for row, (start, stop) in enumerate(itertools.pairwise(offsets)):
        there, said = ({*read_by_rules([classes[code] for code in codes[start:stop]])} for codes in (actual, predicted))
        score.score_set(said, there)
        for number, kind in enumerate(scheme.types):
            of_kind = [[entity for entity in entities if entity[2] == kind] for entities in (there & said, there, said)]
            assert counts[:, row, number].tolist() == [len(entities) for entities in of_kind]
    right, there, said = counts.sum(axis=(1, 2))
    assert (right / said, right / there) == pytest.approx((score.precision, score.recall))
    assert 2 * right / (there + said) == pytest.approx(score.fscore)


@pytest.mark.parametrize("classes", [("NOUN", "VERB"), ("O",), ("O", "B-PER", "VERB"), ("B-", "O"), ("X-PER", "O")])
def test_tags_of_another_kind_have_no_entities(classes):
    assert EntityScheme.of(classes) is None


def test_types_may_have_hyphens():
    assert EntityScheme.of(("O", "B-work-of-art")).types == ("work-of-art",)
