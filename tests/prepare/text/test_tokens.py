import os
import random
import re
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lengthwise.corpora.blogs.posts import read_posts
from lengthwise.errors import FormatError, ParamsError
from lengthwise.prepare import document_writer as documents_module
from lengthwise.prepare.text import by_rule, lexicon, spacy_tokenizer
from lengthwise.prepare.text.spacy_tokenizer import ChunkTokenizer
from lengthwise.prepare.text.store import TokenStore
from lengthwise.prepare.text.text_tokenizer import make_tokenizer
from lengthwise.prepare.text.tokens import tokenize

FRAGMENTS = st.sampled_from(
    [
        "a",
        "I",
        "9",
        ".",
        "!",
        "?",
        "'",
        "''",
        '"',
        "(",
        ")",
        ":",
        ";",
        "-",
        "/",
        ",",
        "’",
        "s",
        "s.",
        "a.m.",
        ":-)",
        "<3",
    ]
    + [" "] * 8
    + ["  ", "\n", "\t", "\xa0", "\u2003", "\x85", "\x1d", "\x00", "\u200b", "don't", "( ')", "'' ''", "urlLink", "。"]
)
TEXT = st.one_of(
    st.lists(FRAGMENTS, max_size=15).map("".join),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=15),
)


@pytest.fixture
def slices_of(monkeypatch):
    def set_rows(rows):
        monkeypatch.setattr(documents_module, "ROWS_PER_SLICE", rows)

    return set_rows


@pytest.fixture
def found_runs(monkeypatch):
    found = []
    find_runs = by_rule.find_runs

    def record(*arguments):
        runs = find_runs(*arguments)
        found.extend(runs.texts.take(runs.which).to_pylist())
        return runs

    monkeypatch.setattr(by_rule, "find_runs", record)
    return found


@pytest.fixture(scope="module")
def english():
    return ChunkTokenizer("en", None)


@pytest.fixture
def one_tokenizer(monkeypatch, english):
    # spaCy's language data takes longer to load than a short text to tokenize.
    monkeypatch.setattr(spacy_tokenizer, "ChunkTokenizer", lambda *_: english)


def files_of(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def flat(sentences):
    return [token for sentence in sentences for token in sentence]


def differences(texts, found, expected):
    return [(t, f, e) for t, f, e in zip(texts, found, expected, strict=True) if f != e]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("seed", range(4))
def test_tokenize_gives_what_spacy_gives_on_nasty_texts(
    tmp_path,
    monkeypatch,
    slices_of,
    found_runs,
    random_texts,
    reference,
    write_documents,
    read_sentences,
    options,
    seed,
):
    slices_of([64, 1000, 7, 399][seed])
    # Many small ranges of chunks, and one large one.
    monkeypatch.setattr(by_rule, "SAMPLED_EVERY", [3, 100, 1, 10][seed])
    monkeypatch.setattr(by_rule, "CHUNKS_PER_RANGE", [20, 20_000, 100, 300][seed])
    monkeypatch.setattr(by_rule, "TEXTS_AT_ONCE", [5, 512, 1, 133][seed])
    texts = random_texts(seed, 400)
    documents = write_documents(tmp_path / "documents.parquet", texts)
    counts = tokenize(documents, tmp_path / "tokens", options(), 1)
    found = read_sentences(tmp_path / "tokens", len(texts))
    expected = [reference(text) for text in texts]
    assert differences(texts, found, expected) == []
    # Chunk by chunk, some would have come out wrong: the runs did their work.
    alone = [[token for chunk in run.split(" ") for token in flat(reference(chunk))] for run in found_runs]
    assert sum(flat(reference(run)) != tokens for run, tokens in zip(found_runs, alone, strict=True)) > 5
    assert counts == {
        "chunks_cut": 0,
        "documents": len(texts),
        "documents_spaceless": 0,
        "sentences": sum(map(len, expected)),
        "tokens": sum(len(sentence) for text in expected for sentence in text),
        "distinct_tokens": len({token for text in expected for sentence in text for token in sentence}),
    }


@pytest.mark.sampled(1)
@pytest.mark.parametrize("language", ["de", "es", "ru", "xx"])
def test_tokenize_gives_what_spacy_gives_in_other_languages(
    tmp_path, random_texts, reference, write_documents, read_sentences, options, language
):
    source = random.Random(language)
    rules = list(spacy.blank(language).tokenizer.rules)
    texts = random_texts(9, 60) + [" ".join(source.choices(rules, k=12)) for _ in range(60 if rules else 0)]
    tokenize(write_documents(tmp_path / "documents.parquet", texts), tmp_path / "tokens", options(language), 1)
    found = read_sentences(tmp_path / "tokens", len(texts))
    assert differences(texts, found, [reference(text, language) for text in texts]) == []


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXT, min_size=1, max_size=6))
def test_tokenize_gives_what_spacy_gives_on_any_text(
    one_tokenizer, tmp_path_factory, reference, write_documents, read_sentences, options, texts
):
    folder = tmp_path_factory.mktemp("any")
    tokenize(write_documents(folder / "documents.parquet", texts), folder / "tokens", options(), 1)
    found = read_sentences(folder / "tokens", len(texts))
    assert differences(texts, found, [reference(text) for text in texts]) == []


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("He left. She did, too!", [["he", "left", "."], ["she", "did", ",", "too", "!"]]),
        ('"Stop!" he said.', [['"', "stop", "!", '"'], ["he", "said", "."]]),
        ("No way?!) Yes", [["no", "way", "?", "!", ")"], ["yes"]]),
        ("At 5p.m. I don't.", [["at", "<#>", "p.m.", "i", "do", "n't", "."]]),
        ("5 ten 3.14 x5", [["<#>", "<#>", "<#>", "x5"]]),
        ("He ( ') s", [["he", "(", "'", ")", "s"]]),
        ("One.\n\n  \nTwo", [["<#>", "."], ["<#>"]]),
        ("One. \n ) go", [["<#>", "."], [")", "go"]]),
        ("One. ) go", [["<#>", ".", ")"], ["go"]]),
        ("...", [["..."]]),
        (".", [["."]]),
        ("<#>", [["<", "#", ">"]]),
        (" \n ", []),
        ("", []),
    ],
)
def test_tokenize_splits_by_the_articles_rules(
    one_tokenizer, tmp_path, reference, write_documents, read_sentences, options, text, sentences
):
    assert reference(text) == sentences
    tokenize(write_documents(tmp_path / "documents.parquet", [text]), tmp_path / "tokens", options(), 1)
    assert read_sentences(tmp_path / "tokens", 1) == [sentences]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("texts", [[""], [" \n\t ", ""], ["", "a", ""], ["", "", "", "", "b"]])
@pytest.mark.parametrize("pipeline", [False, True])
def test_tokenize_takes_texts_without_tokens(
    tmp_path, slices_of, write_documents, read_sentences, options, texts, pipeline
):
    slices_of(2)
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "pipeline")
    chosen = options(sentences=str(tmp_path / "pipeline")) if pipeline else options()
    counts = tokenize(write_documents(tmp_path / "documents.parquet", texts), tmp_path / "tokens", chosen, 1)
    expected = [[[text]] if text.strip() else [] for text in texts]
    assert read_sentences(tmp_path / "tokens", len(texts)) == expected
    words = sum(map(bool, expected))
    assert counts == {
        **{"documents": len(texts), "sentences": words, "tokens": words, "distinct_tokens": min(1, words)},
        **{"chunks_cut": 0, "documents_spaceless": 0},
    }


LONG_TEXTS = [
    "a",
    "!" * 95 + " end",
    "",
    "so\n" + "xy." * 40 + "\t\t(" + "ab" * 30,
    "今天下雨了。我没有出去！",
    "’" * 25 + "b",
]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("collapse", [False, True])
@pytest.mark.parametrize("longest", [1, 7, 30, 1000, None])
@pytest.mark.parametrize("pipeline", [False, True])
def test_tokenize_cuts_long_chunks_counts_them_and_warns_once(
    tmp_path, capsys, reference, write_documents, read_sentences, options, pipeline, longest, collapse
):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "pipeline")
    named = {"sentences": str(tmp_path / "pipeline")} if pipeline else {}
    chosen = replace(options(**named, collapse_repeats=collapse, straighten_quotes=True), longest_chunk=longest)
    counts = tokenize(write_documents(tmp_path / "documents.parquet", LONG_TEXTS), tmp_path / "tokens", chosen, 1)
    clean = [re.sub(r"(.)\1{3,}", r"\1\1\1", text) if collapse else text for text in LONG_TEXTS]
    clean = [text.replace("’", "'") for text in clean]
    size = longest or 1000
    cut = [re.sub(r"\S+", lambda c: " ".join(re.findall(f".{{1,{size}}}", c[0])), text) for text in clean]
    found = read_sentences(tmp_path / "tokens", len(LONG_TEXTS))
    assert differences(LONG_TEXTS, found, [reference(text) for text in cut]) == []
    assert counts["chunks_cut"] == sum(len(chunk) > size for text in clean for chunk in text.split())
    assert counts["documents_spaceless"] == 1
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
    assert len(warnings) == 1 + (counts["chunks_cut"] > 0)
    if not pipeline:
        assert [*map(make_tokenizer(chosen), LONG_TEXTS)] == [*map(flat, found)]


def test_tokenize_writes_the_same_bytes_with_two_workers(tmp_path, random_texts, write_documents, options):
    # Spawned workers read the slice size themselves: two slices need more texts than one holds.
    texts = (random_texts(5, 500) * 17)[: documents_module.ROWS_PER_SLICE + 40]
    documents = write_documents(tmp_path / "documents.parquet", texts)
    counts = [tokenize(documents, tmp_path / f"tokens-{n}", options(), n) for n in (1, 2)]
    assert counts[0] == counts[1]
    assert files_of(tmp_path / "tokens-1") == files_of(tmp_path / "tokens-2")
    assert sorted(files_of(tmp_path / "tokens-1")) == [
        "index.json",
        "lexicon.parquet",
        "sentences/00000.parquet",
        "sentences/00001.parquet",
    ]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["documents.parquet", "tokens-1", "tokens-2"]


@pytest.mark.long
@pytest.mark.parametrize("sentences", ["sentencizer", "no_such_pipeline"])
def test_tokenize_refuses_wrong_params_in_the_same_way_with_two_workers(
    tmp_path, slices_of, write_documents, options, sentences
):
    slices_of(1)
    documents = write_documents(tmp_path / "documents.parquet", ["a", "b"])
    with pytest.raises(ParamsError, match=r"got 'no_such_pipeline'|got 'qq'"):
        tokenize(documents, tmp_path / "tokens", options("qq", sentences), 2)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("changes", [{}, {"straighten_quotes": True, "collapse_repeats": True, "link_word": "urlLink"}])
def test_make_tokenizer_gives_the_tokens_of_the_stage(
    tmp_path, random_texts, write_documents, read_sentences, options, changes
):
    texts = [*random_texts(9, 150), "", " ", "Don’t....... urlLink 5"]
    tokenize(write_documents(tmp_path / "documents.parquet", texts), tmp_path / "tokens", options(**changes), 1)
    expected = [flat(sentences) for sentences in read_sentences(tmp_path / "tokens", len(texts))]
    one_by_one = make_tokenizer(options(**changes))
    assert differences(texts, [one_by_one(text) for text in texts], expected) == []


def test_make_tokenizer_forgets_words_and_says_the_same(monkeypatch, random_texts, options):
    texts = random_texts(10, 60)
    expected = [*map(make_tokenizer(options()), texts)]
    made = []

    def make(language):
        made.append(language)
        return spacy.blank(language)

    monkeypatch.setattr("lengthwise.prepare.text.spacy_languages.rule_based_pipeline", make)
    monkeypatch.setattr("lengthwise.prepare.text.text_tokenizer.MOST_WORDS", 50)
    assert [*map(make_tokenizer(options()), texts)] == expected
    assert 2 < len(made) < len(texts)


def test_make_tokenizer_takes_a_pipeline_by_its_name_alone(tmp_path, monkeypatch, options):
    nlp = spacy.blank("de")
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "pipeline")
    for name in (str(tmp_path / "pipeline"), "no_such_one"):
        with pytest.raises(ParamsError, match=r"^tokens\.sentences: got .*; expected sentencizer or an installed"):
            make_tokenizer(options(sentences=name))
    monkeypatch.setattr(spacy.util, "get_installed_models", lambda: ["some_pipeline"])
    monkeypatch.setattr(spacy, "load", lambda name: {"some_pipeline": nlp}[name])
    assert make_tokenizer(options(sentences="some_pipeline"))("Z.B. so") == ["z.b.", "so"]


@pytest.mark.long
def test_tokenize_does_not_depend_on_the_slices_and_ranges(
    tmp_path, monkeypatch, slices_of, random_texts, write_documents, read_sentences, options
):
    texts = random_texts(6, 60)
    results = []
    for rows, every, size in ((1000, 100, 20_000), (1, 1, 10), (50, 2, 30)):
        slices_of(rows)
        monkeypatch.setattr(by_rule, "SAMPLED_EVERY", every)
        monkeypatch.setattr(by_rule, "CHUNKS_PER_RANGE", size)
        documents = write_documents(tmp_path / "documents.parquet", texts)
        counts = tokenize(documents, tmp_path / "tokens", options(), 1)
        files = files_of(tmp_path / "tokens")
        results.append((counts, files["lexicon.parquet"], read_sentences(tmp_path / "tokens", len(texts))))
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("by", ["words", "blanks"])
def test_tokenize_writes_the_same_bytes_however_many_tokens_are_merged_at_once(
    by, tmp_path, monkeypatch, slices_of, random_texts, write_documents, options
):
    slices_of(7)
    documents = write_documents(tmp_path / "documents.parquet", random_texts(3, 60))
    tokenize(documents, tmp_path / "whole", options(by=by), 1)
    monkeypatch.setattr(lexicon, "TOKENS_AT_ONCE", 20)
    monkeypatch.setattr(lexicon, "TOKENS_PER_SAMPLE", 3)
    tokenize(documents, tmp_path / "parts", options(by=by), 1)
    assert len(files_of(tmp_path / "whole")) == 2 + 9
    assert files_of(tmp_path / "parts") == files_of(tmp_path / "whole")


def test_tokenize_writes_a_lexicon_in_byte_order_of_what_occurs(tmp_path, random_texts, write_documents, options):
    texts = random_texts(7, 200)
    tokenize(write_documents(tmp_path / "documents.parquet", texts), tmp_path / "tokens", options(), 1)
    store = TokenStore(tmp_path / "tokens")
    tokens = store.lexicon()
    assert tokens == sorted(set(tokens), key=str.encode)
    used = [token for part in store for token in part.tokens.tolist()]
    assert set(used) == set(range(len(tokens)))
    assert len(used) == store.tokens
    assert all((part.offsets[1:] > part.offsets[:-1]).all() for part in store)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("changes", [{}, {"straighten_quotes": True, "collapse_repeats": True, "link_word": "urlLink"}])
def test_tokenize_gives_the_same_bytes_by_rule_and_by_the_same_rule_as_a_pipeline(
    tmp_path, slices_of, random_texts, write_documents, options, changes
):
    slices_of(60)
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "pipeline")
    documents = write_documents(tmp_path / "documents.parquet", random_texts(8, 200))
    rule = tokenize(documents, tmp_path / "rule", options(**changes), 1)
    # A named pipeline brings its own language.
    named = tokenize(documents, tmp_path / "named", options("no language", str(tmp_path / "pipeline"), **changes), 1)
    assert rule == named
    by_rule, by_pipeline = files_of(tmp_path / "rule"), files_of(tmp_path / "named")
    # The index says how the tokens were made.
    assert by_rule.pop("index.json") != by_pipeline.pop("index.json")
    assert by_rule == by_pipeline


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "see urllink . it ’s sooooo ! ! ! ! ! “ ok ” ‘ em wwww ....... urllink"),
        ({"link_word": "urlLink"}, "see <url> . it ’s sooooo ! ! ! ! ! “ ok ” ‘ em wwww ....... <url>"),
        ({"straighten_quotes": True}, "see urllink . it 's sooooo ! ! ! ! ! \" ok \" 'em wwww ....... urllink"),
        ({"collapse_repeats": True}, "see urllink . it ’s sooo ! ! ! “ ok ” ‘ em www ... urllink"),
    ],
)
@pytest.mark.parametrize("pipeline", [False, True])
def test_tokenize_applies_each_normalization_alone(
    tmp_path, write_documents, read_sentences, options, changes, sentence, pipeline
):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "pipeline")
    chosen = options(sentences=str(tmp_path / "pipeline"), **changes) if pipeline else options(**changes)
    texts = ["See urlLink. It’s sooooo!!!!! “OK” ‘em wwww ....... URLLINK"]
    tokenize(write_documents(tmp_path / "documents.parquet", texts), tmp_path / "tokens", chosen, 1)
    (found,) = read_sentences(tmp_path / "tokens", 1)
    assert " ".join(flat(found)) == sentence


@pytest.mark.sampled(1)
@pytest.mark.parametrize("pipeline", [False, True])
def test_tokenize_takes_a_text_of_more_than_a_million_characters(
    tmp_path, write_documents, read_sentences, options, pipeline
):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "pipeline")
    chosen = options(sentences=str(tmp_path / "pipeline")) if pipeline else options()
    word = "w" * 6000
    text = f"{word} " * 200 + "end."
    assert len(text) > 1_000_000
    tokenize(write_documents(tmp_path / "documents.parquet", ["a", text]), tmp_path / "tokens", chosen, 1)
    assert read_sentences(tmp_path / "tokens", 2) == [[["a"]], [[word] * 200 + ["end", "."]]]


def test_tokenize_uses_the_sentences_of_a_named_pipeline(tmp_path, write_documents, read_sentences, options):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer", config={"punct_chars": [";"]})
    nlp.to_disk(tmp_path / "pipeline")
    documents = write_documents(tmp_path / "documents.parquet", ["A. b; c"])
    tokenize(documents, tmp_path / "tokens", options(sentences=str(tmp_path / "pipeline")), 1)
    assert read_sentences(tmp_path / "tokens", 1) == [[["a.", "b", ";"], ["c"]]]


def refuse(tmp_path, write_documents, options, message):
    documents = write_documents(tmp_path / "documents.parquet", ["a"])
    with pytest.raises(ParamsError, match=message) as error:
        tokenize(documents, tmp_path / "tokens", options, 1)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "tokens").exists()


@pytest.mark.parametrize("language", ["qq", "english", "en_core_web_sm"])
def test_tokenize_refuses_an_unknown_language(tmp_path, write_documents, options, language):
    message = rf"^tokens\.language: got '{language}'; expected a language code of spaCy such as en"
    refuse(tmp_path, write_documents, options(language), message)


def test_tokenize_refuses_a_language_whose_tokenizer_does_not_work_by_rules(tmp_path, write_documents, options):
    refuse(tmp_path, write_documents, options("zh"), r"^tokens\.language: got 'zh'")


def test_tokenize_refuses_a_missing_pipeline(tmp_path, write_documents, options):
    message = r"^tokens\.sentences: got 'no_such_one'; expected .*install it with: python -m spacy download no_such_one"
    refuse(tmp_path, write_documents, options(sentences="no_such_one"), message)


def test_tokenize_refuses_a_pipeline_that_finds_no_sentences(tmp_path, write_documents, options):
    spacy.blank("en").to_disk(tmp_path / "pipeline")
    message = r"^tokens\.sentences: the pipeline '.*pipeline' finds no sentences; expected one with parser, senter or"
    refuse(tmp_path, write_documents, options(sentences=str(tmp_path / "pipeline")), message)


def test_tokenize_refuses_missing_documents_and_keeps_the_old_tokens(tmp_path, write_documents, options):
    documents = write_documents(tmp_path / "documents.parquet", ["old"])
    tokenize(documents, tmp_path / "tokens", options(), 1)
    before = files_of(tmp_path / "tokens")
    with pytest.raises(FormatError, match="run the stage ingest again"):
        tokenize(tmp_path / "nowhere.parquet", tmp_path / "tokens", options(), 1)
    with pytest.raises(ParamsError):
        tokenize(documents, tmp_path / "tokens", options("qq"), 1)
    assert files_of(tmp_path / "tokens") == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["documents.parquet", "tokens"]


def test_tokenize_leaves_the_old_tokens_after_an_error_in_the_last_map(
    tmp_path, monkeypatch, one_tokenizer, write_documents, options
):
    documents = write_documents(tmp_path / "documents.parquet", ["old"])
    tokenize(documents, tmp_path / "tokens", options(), 1)
    before = files_of(tmp_path / "tokens")

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(by_rule, "write_slice", fail)
    with pytest.raises(OSError, match="no space left"):
        tokenize(documents, tmp_path / "tokens", options(), 1)
    assert files_of(tmp_path / "tokens") == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["documents.parquet", "tokens"]


@pytest.mark.corpus
@pytest.mark.skipif("LENGTHWISE_CORPUS" not in os.environ, reason="LENGTHWISE_CORPUS names no zip of the corpus")
def test_tokenize_gives_what_spacy_gives_on_a_slice_of_the_corpus(
    tmp_path, found_runs, reference, write_documents, read_sentences, options
):
    texts: list[str] = []
    with zipfile.ZipFile(Path(os.environ["LENGTHWISE_CORPUS"])) as archive:
        for name in sorted(name for name in archive.namelist() if name.endswith(".xml")):
            if len(texts) < documents_module.ROWS_PER_SLICE:
                texts += [post.text for post in read_posts(archive.read(name), Counter())]
    texts = texts[: documents_module.ROWS_PER_SLICE]
    tokenize(write_documents(tmp_path / "documents.parquet", texts), tmp_path / "tokens", options(), 1)
    found = read_sentences(tmp_path / "tokens", len(texts))
    # Numbers of texts, not texts: none of them is to be shown.
    assert [i for i, text in enumerate(texts) if found[i] != reference(text)] == []
    assert len(found_runs) > 0
