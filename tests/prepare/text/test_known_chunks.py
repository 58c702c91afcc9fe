"""Many texts at once have the tokens that each has by itself."""

import functools
from dataclasses import replace

import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.prepare.forms.tokenizer_options import SENTENCIZER, TokenizerOptions
from lengthwise.prepare.text import known_chunks, text_tokenizer
from lengthwise.prepare.text.known_chunks import KnownChunks
from lengthwise.prepare.text.text_tokenizer import make_tokenizer, make_tokenizer_of_many, normalization_of

ODD = [
    *("", " ", "see :  ) and : ) a.m .\n\nyes", "Don’t....... urlLink 5", "x" * 40 + " no"),
    *(
        "i 'm . m . ( ' ) s( ')",
        "\x1ca\x85b",
        "it left\r\n",
        "\r",
        " \u3000\u200b",
        "ไม่มีช่องว่าง 你好。再见 ಠ_ಠ",
        "na" * 9_000,
    ),
]


@functools.cache
def one_and_many():
    # They are the same for all examples, so that what is known has a past.
    options = TokenizerOptions("words", "en", SENTENCIZER, False, False, None, 12)
    return make_tokenizer(options), KnownChunks("en", None, normalization_of(options))


# What special cases are made of, what is cut, and what separates or only looks as if.
PARTS = st.sampled_from(
    [
        *("s(", "')", "it", "I'm", "don't", "5", "http://a.b", "loooooooooooong", "é", "你好", "<PAD>", "\r\n", "  "),
        *"am.:;)('-\x00 \t\r\n\x0b\x1c\x85\xa0\u2028\u3000\u200b\ufeff",
    ]
)


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
    assert many(texts[:2]).lists() == expected[:2]
    assert many(texts).lists() == expected
    monkeypatch.setattr(known_chunks, "MOST_WORDS", 10)
    assert many(texts[::-1]).lists() == expected[::-1]


@settings(max_examples=up_to(200), deadline=None)
@given(st.lists(st.lists(PARTS, max_size=12).map("".join), max_size=5))
def test_many_odd_texts_have_the_tokens_of_each(texts):
    one, many = one_and_many()
    assert many(texts).lists() == [one(text) for text in texts]


def test_long_chunks_are_cut_among_many_texts_too(monkeypatch, options):
    monkeypatch.setattr(text_tokenizer, "MANY", 0)
    chosen = replace(options(), longest_chunk=7)
    one = make_tokenizer(chosen)
    texts = ["abcdefghij it left", "it left", *ODD]
    assert make_tokenizer_of_many(chosen, one)(texts).lists() == [one(text) for text in texts]


def test_texts_keep_their_tokens_when_more_come_and_when_all_is_forgotten(monkeypatch, options):
    many = KnownChunks("en", None, normalization_of(options()))
    before = many(["it left . : )", "again"])
    lists = before.lists()
    lexicon = [*before.lexicon]
    after = many(["nobody missed it again"])
    assert after.lexicon is before.lexicon
    assert before.lexicon[: len(lexicon)] == lexicon
    assert before.lists() == lists
    monkeypatch.setattr(known_chunks, "MOST_WORDS", 3)
    anew = many(["and it left"])
    assert anew.lexicon is not before.lexicon
    assert (before.lists(), anew.lists()) == (lists, [["and", "it", "left"]])


def test_spacy_sees_each_distinct_chunk_once(monkeypatch, options):
    seen = []
    tokenize = known_chunks.ChunkTokenizer.__call__

    def watched(self, chunks):
        seen.extend(chunks)
        return tokenize(self, chunks)

    monkeypatch.setattr(known_chunks.ChunkTokenizer, "__call__", watched)
    many = KnownChunks("en", None, normalization_of(options()))
    for _ in range(3):
        assert many(["it left : ) it", "left\n", " it : )"]).lists()[0][:2] == ["it", "left"]
    assert sorted(seen) == sorted({"it", "left", ":", ")", ": )"})
