import random

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.pipeline import Sentencizer

from lengthwise.errors import ParamsError
from lengthwise.prepare.text.chunks import ENDS_SENTENCE, IS_PUNCTUATION
from lengthwise.prepare.text.spacy_tokenizer import (
    ChunkTokenizer,
    SpecialBoundaries,
    named_pipeline,
    rule_based_pipeline,
)

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


@settings(max_examples=200, deadline=None)
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


def test_special_boundaries_have_no_neighbours_for_class_zero(english):
    table = english.boundaries.table
    assert not table[0].any()
    assert not table[:, 0].any()
    assert table.any()
    # Common words and ends are not joined: the fast way is the usual one.
    last, first = english.boundaries.last, english.boundaries.first
    assert not table[last["."], first["s"]]
    assert "the" not in last
    assert table[last[":"], first[")"]]
    assert np.mean(table) < 0.5


@pytest.mark.parametrize("language", ["qq", "", "english", "../en", "zz_ZZ"])
def test_rule_based_pipeline_refuses_an_unknown_language(language):
    with pytest.raises(ParamsError, match=rf"^tokens\.language: got '{language}'; expected a language code"):
        rule_based_pipeline(language)


def test_rule_based_pipeline_refuses_a_language_without_rules():
    with pytest.raises(ParamsError, match=r"^tokens\.language: got 'zh', .*expected another language"):
        rule_based_pipeline("zh")


@pytest.mark.parametrize("language", ["lex_attrs", "tokenizer_exceptions", "en.examples", "__init__", "..os", ""])
def test_rule_based_pipeline_refuses_what_else_spacy_has_beside_its_languages(language):
    with pytest.raises(ParamsError, match=rf"^tokens\.language: got {language!r}; expected a language code"):
        rule_based_pipeline(language)


def test_named_pipeline_refuses_what_is_not_there_or_finds_no_sentences(tmp_path):
    with pytest.raises(ParamsError, match=r"^tokens\.sentences: got 'no_such_one'; .*install it with"):
        named_pipeline("no_such_one")
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ParamsError, match=r"^tokens\.sentences: the pipeline .* finds no sentences; .*choose another"):
        named_pipeline(str(tmp_path / "blank"))


@pytest.mark.parametrize("component", ["sentencizer", "senter", "parser"])
def test_named_pipeline_takes_any_component_that_finds_sentences(tmp_path, component):
    nlp = spacy.blank("en")
    nlp.add_pipe(component)
    nlp.to_disk(tmp_path / "pipeline")
    loaded = named_pipeline(str(tmp_path / "pipeline"))
    assert loaded.pipe_names == [component]
    assert loaded.max_length > 1_000_000_000
