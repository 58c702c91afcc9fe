import random
from itertools import pairwise, product

import pytest
import spacy
from spacy.attrs import ORTH
from spacy.tokenizer import Tokenizer

from lengthwise.prepare.text.spacy_languages import rule_based_pipeline
from lengthwise.prepare.text.special_boundaries import SpecialBoundaries


def by_definition(tokenizer):
    """Whether two tokens may be neighbours within a special case: all that either may stand for, pair by pair."""
    plain = Tokenizer(
        tokenizer.vocab,
        prefix_search=tokenizer.prefix_search,
        suffix_search=tokenizer.suffix_search,
        infix_finditer=tokenizer.infix_finditer,
        token_match=tokenizer.token_match,
        url_match=tokenizer.url_match,
    )
    pairs, results = set(), []
    for text, substrings in tokenizer.rules.items():
        pattern = [token.text for token in plain(text)]
        pairs.update(pairwise(pattern))
        results.append((pattern, [entry[ORTH] for entry in substrings]))
    before = {left: {left} for left, _ in pairs}
    after = {right: {right} for _, right in pairs}
    lefts, rights = set(before), set(after)
    for pattern, result in results:
        if pattern[-1] in lefts:
            before.setdefault(result[-1], set()).add(pattern[-1])
        if pattern[0] in rights:
            after.setdefault(result[0], set()).add(pattern[0])
    return before, after, lambda left, right: not pairs.isdisjoint(product(before[left], after[right]))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("language", ["en", "de", "es", "fr", "hu", "it", "ru", "tr", "xx"])
def test_special_boundaries_have_the_table_of_their_definition(language):
    tokenizer = rule_based_pipeline(language).tokenizer
    boundaries = SpecialBoundaries(tokenizer)
    lefts, rights, joins = by_definition(tokenizer)
    assert (boundaries.last.keys(), boundaries.first.keys()) == (lefts.keys(), rights.keys())
    wrong = [
        (left, right)
        for left, right in product(lefts, rights)
        if boundaries.table[boundaries.last[left], boundaries.first[right]] != joins(left, right)
    ]
    assert wrong == []


@pytest.mark.long
def test_special_boundaries_of_sixteen_thousand_special_cases_are_those_of_their_definition():
    # Indonesian: all pairs of tokens are 100 million, so those are taken that occur, and others at random.
    tokenizer = rule_based_pipeline("id").tokenizer
    boundaries = SpecialBoundaries(tokenizer)
    lefts, rights, joins = by_definition(tokenizer)
    assert (boundaries.last.keys(), boundaries.first.keys()) == (lefts.keys(), rights.keys())
    assert len(lefts) * len(rights) > 100_000_000
    assert boundaries.table.size < 10_000
    source, known = random.Random(1), [sorted(lefts), sorted(rights)]
    some = [tuple(map(source.choice, known)) for _ in range(20_000)]
    some += [(left, right) for left, right in product(source.sample(known[0], 200), ["-", "'", ".", ")"])]
    found = [boundaries.table[boundaries.last[left], boundaries.first[right]] for left, right in some]
    assert found == [joins(left, right) for left, right in some]
    assert set(found) == {True, False}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("language", ["en", "de", "es"])
def test_special_boundaries_are_true_wherever_tokens_change_across_two_chunks(language):
    nlp = spacy.blank(language)
    boundaries = SpecialBoundaries(nlp.tokenizer)
    source = random.Random(language)
    cases = [part for case in nlp.tokenizer.rules for part in case.split()]
    short = [case for case in cases if not any(character.isalpha() for character in case)]

    def chunk():
        kind = source.randrange(4)
        if kind == 0:
            return "".join(source.choices(short, k=source.choice([1, 2, 3])))
        if kind == 1:
            return "".join(source.choices("'():;-", k=source.randint(1, 4)))
        case = source.choice(cases)
        cut = source.randrange(len(case))
        return case[cut:] if kind == 2 else case[: cut + 1]

    def texts(text):
        return [token.text for token in nlp.tokenizer(text)]

    missed, changed = [], 0
    for _ in range(8000):
        one, two = chunk(), chunk()
        left, right = texts(one), texts(two)
        if texts(f"{one} {two}") != left + right:
            changed += 1
            if not boundaries.table[boundaries.last.get(left[-1], 0), boundaries.first.get(right[0], 0)]:
                missed.append((one, two))
    assert missed == []
    assert changed > 20


def test_special_boundaries_have_no_neighbours_for_class_zero():
    boundaries = SpecialBoundaries(spacy.blank("en").tokenizer)
    table = boundaries.table
    assert not table[0].any()
    assert not table[:, 0].any()
    assert table.any()
    # Common words and ends are not joined: the fast way is the usual one.
    last, first = boundaries.last, boundaries.first
    assert not table[last["."], first["s"]]
    assert "the" not in last
    assert table[last[":"], first[")"]]
    assert table[list(last.values())][:, list(first.values())].mean() < 0.5
