import pkgutil
import random
import re._parser as regular

import pytest
import spacy
import spacy.lang

from lengthwise.prepare.text.spacy_languages import _finds_words_by_rule, rule_based_pipeline
from lengthwise.prepare.text.suffix_search import REACH, WIDE_SUFFIXES, search_at_end

MODULES = [module.name for module in pkgutil.iter_modules(spacy.lang.__path__) if module.ispkg]
WRITTEN = """
    ! ? . .. ... ...... , ; : ' '' " ’ ” ) ( ] } > < - -- … ☃ 😀 ' 's ’S n't a b é 1 23 km kg % $ € °C. K. a.m. :) :-)
    。 ！ http://a.b/ x@y.z ab cd. EF. e. 9. 9, 7' 5"
"""
PARTS = WRITTEN.split()


def widest(pattern: str) -> int:
    return regular.parse(pattern).getwidth()[1]


@pytest.mark.sampled(12)
@pytest.mark.parametrize("language", MODULES)
def test_suffixes_are_runs_of_dots_or_short_but_in_languages_that_are_named(language):
    if language not in {"en", "xx"} and not _finds_words_by_rule(language):
        pytest.skip("spaCy has no rules for its words")
    suffixes = spacy.util.get_lang_class(language).Defaults.suffixes
    wide = {suffix for suffix in suffixes if suffix != r"\.\.+" and widest(suffix) >= REACH}
    assert bool(wide) == (language in WIDE_SUFFIXES)


def test_search_at_end_finds_what_a_search_finds_at_any_length():
    pattern = spacy.blank("en").tokenizer.suffix_search.__self__
    source = random.Random(1)
    for reach in (8, REACH):
        search = search_at_end(pattern, reach)
        for _ in range(2000):
            text = "".join(source.choices(PARTS, k=source.choice([1, 3, 20]))) + source.choice(PARTS) * source.choice(
                [1, 40]
            )
            found, expected = search(text), pattern.search(text)
            assert (found and found.span()) == (expected and expected.span()), text


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "language", ["en", "fi", "xx", *(pytest.param(name, marks=pytest.mark.long) for name in ("fr", "ru", "bn", "el"))]
)
def test_long_chunks_have_the_tokens_that_spacy_gives_them(language):
    source, plain, quick = random.Random(language), spacy.blank(language), rule_based_pipeline(language)
    rules = [rule for rule in plain.tokenizer.rules if " " not in rule] or PARTS
    for size in (1, 2, 5, 30, 120):
        for _ in range(12):
            text = "".join(source.choices(PARTS, k=size)) + source.choice(["", "", source.choice(rules)])
            text += source.choice(PARTS) * source.choice([1, 1, 70])
            assert [token.text for token in quick(text)] == [token.text for token in plain(text)]


def test_suffixes_of_a_long_chunk_are_looked_for_at_its_end_alone():
    looked = []

    class Counting:
        def __init__(self, pattern):
            self.pattern = pattern

        def search(self, text, begin=0):
            looked.append(len(text) - begin)
            return self.pattern.search(text, begin)

    nlp = spacy.blank("en")
    nlp.tokenizer.suffix_search = search_at_end(Counting(nlp.tokenizer.suffix_search.__self__))
    looked.clear()
    assert len(nlp("!" * 3000)) == 3000
    # The whole rest each time would be 1,500 characters on average.
    assert len(looked) >= 1000
    assert max(looked) <= 4 * REACH
