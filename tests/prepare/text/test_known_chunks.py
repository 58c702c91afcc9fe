"""Many texts at once have the tokens that each has by itself."""

from dataclasses import replace

import pytest

from lengthwise.prepare.text import known_chunks, text_tokenizer
from lengthwise.prepare.text.text_tokenizer import make_tokenizer, make_tokenizer_of_many

ODD = [
    *("", " ", "see :  ) and : ) a.m .\n\nyes", "Don’t....... urlLink 5", "x" * 40 + " no"),
    *("i 'm . m . ( ' ) s( ')", "\x1ca\x85b"),
]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("changes", [{}, {"straighten_quotes": True, "collapse_repeats": True, "link_word": "urlLink"}])
def test_many_texts_have_the_tokens_of_each(monkeypatch, random_texts, options, language, changes):
    monkeypatch.setattr(text_tokenizer, "MANY", 100)
    chosen = options(language, **changes)
    texts = [*random_texts(12, 120), *ODD]
    one = make_tokenizer(chosen)
    many = make_tokenizer_of_many(chosen, one)
    expected = [one(text) for text in texts]
    assert many(texts[:2]) == expected[:2]
    assert many(texts) == expected
    monkeypatch.setattr(known_chunks, "MOST_WORDS", 10)
    assert many(texts[::-1]) == expected[::-1]


def test_long_chunks_are_cut_among_many_texts_too(monkeypatch, options):
    monkeypatch.setattr(text_tokenizer, "MANY", 0)
    chosen = replace(options(), longest_chunk=7)
    one = make_tokenizer(chosen)
    texts = ["abcdefghij it left", "it left", *ODD]
    assert make_tokenizer_of_many(chosen, one)(texts) == [one(text) for text in texts]
