import pytest
import spacy
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.pipeline import Sentencizer

from lengthwise.prepare.text.chunks import ENDS_SENTENCE, IS_PUNCTUATION
from lengthwise.prepare.text.spacy_tokenizer import ChunkTokenizer

CHUNK = st.one_of(
    st.lists(
        st.sampled_from(["a", "I", "don't", "a.m.", ":", "(", ")", "'", ".", "-", "8", "<3", "urlLink", "é"]),
        min_size=1,
        max_size=5,
    ).map("".join),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6),
).filter(lambda chunk: not any(character.isspace() for character in chunk))


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


@pytest.fixture(scope="module")
def english():
    return ChunkTokenizer("en", None)


@settings(max_examples=up_to(200), deadline=None)
@given(st.lists(CHUNK, max_size=8))
def test_chunk_tokenizer_gives_the_tokens_that_each_chunk_has_alone(nlp, english, chunks):
    tokens = english(chunks)
    docs = [list(nlp(chunk)) for chunk in chunks]
    strings = tokens.strings.to_pylist()
    assert tokens.counts.tolist() == [len(doc) for doc in docs]
    assert [strings[token] for token in tokens.tokens.tolist()] == [
        "<#>" if token.like_num else token.lower_ for doc in docs for token in doc
    ]
    enders = Sentencizer.default_punct_chars
    assert tokens.flags.tolist() == [
        ENDS_SENTENCE * (token.text in enders) + IS_PUNCTUATION * token.is_punct for doc in docs for token in doc
    ]
    assert tokens.first.tolist() == [english.boundaries.first.get(doc[0].text, 0) for doc in docs]
    assert tokens.last.tolist() == [english.boundaries.last.get(doc[-1].text, 0) for doc in docs]
    assert len(set(strings)) == len(strings)


def test_chunk_tokenizer_has_every_end_of_a_sentence(english):
    enders = Sentencizer.default_punct_chars
    tokens = english(enders)
    assert [i for i, flag in enumerate(tokens.flags.tolist()) if not flag & ENDS_SENTENCE] == []


def test_chunk_tokenizer_replaces_links_in_any_case_and_nothing_else():
    tokens = ChunkTokenizer("en", "urlLink")(["urlLink", "(URLLINK)", "urlLinks", "http://a.b"])
    strings = tokens.strings.to_pylist()
    assert [strings[token] for token in tokens.tokens.tolist()] == [
        "<url>", "(", "<url>", ")", "urllinks", "http://a.b",
    ]  # fmt: skip


def test_chunk_tokenizer_tokenizes_a_run_of_chunks_as_one_text(nlp, english):
    runs = [": )", "( ')", "'' ''", "); -:("]
    tokens = english(runs)
    strings = tokens.strings.to_pylist()
    assert tokens.counts.tolist() == [len(nlp(run)) for run in runs]
    assert [strings[token] for token in tokens.tokens.tolist()] == [token.lower_ for run in runs for token in nlp(run)]


def test_chunk_tokenizer_leaves_other_pipelines_as_they_are(english):
    doc = spacy.blank("en")("A   b 3 , http://x.y")
    assert [token.is_space for token in doc] == [False, True, False, False, False, False]
    assert doc[-1].like_url
    assert doc[0].is_title
