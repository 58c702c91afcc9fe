"""The languages and pipelines that spaCy has, and what to do about those that it does not."""

import re
from collections.abc import Callable

import spacy
from spacy.language import Language
from spacy.tokenizer import Tokenizer
from spacy.util import compile_infix_regex, compile_prefix_regex, compile_suffix_regex

from lengthwise.errors import ParamsError
from lengthwise.prepare.text.suffix_search import WIDE_SUFFIXES, search_at_end

BY_RULE = {"nlp": {"tokenizer": {"@tokenizers": "lengthwise.by_rule.v1"}}}
# What to run and what to name then, for the languages whose words spaCy finds with the help of other packages.
FOLDER = "python -c \"import spacy; nlp = spacy.blank('{0}'); nlp.add_pipe('sentencizer'); nlp.to_disk('{0}_words')\""
TO_RUN = {
    "ja": ("pip install sudachipy sudachidict_core && python -m spacy download ja_core_news_sm", "ja_core_news_sm"),
    "ko": ("python -m spacy download ko_core_news_sm", "ko_core_news_sm"),
    "th": (f"pip install pythainlp && {FOLDER.format('th')}", "th_words"),
    "vi": (f"pip install pyvi && {FOLDER.format('vi')}", "vi_words"),
    "zh": (
        f"python -m spacy download zh_core_web_sm (words), or {FOLDER.format('zh')} (characters)",
        "zh_core_web_sm, or to zh_words",
    ),
}


def rule_based_pipeline(language: str) -> Language:
    """SpaCy's tokenizer for a language, without any model; the suffixes of long chunks are found sooner.

    Raises:
        ParamsError: spaCy does not know the language, or finds its words otherwise than by rules and white space: then
            the message says what to run, and what to name in `tokens.sentences`.
    """
    if language in TO_RUN:
        commands, name = TO_RUN[language]
        raise ParamsError(
            f"tokens.language: got {language!r}, whose words spaCy does not find by rules; expected another language, "
            f"or a pipeline for it in tokens.sentences; run: {commands}, and set tokens.sentences to {name}"
        )
    try:
        by_rule = _finds_words_by_rule(language)
        nlp = spacy.blank(language, config=BY_RULE if by_rule else {})
    except (AttributeError, ImportError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ParamsError(
            f"tokens.language: got {language!r}; expected a language code of spaCy such as en ({reason}); change it"
        ) from error
    if not by_rule:
        raise ParamsError(
            f"tokens.language: got {language!r}, whose words spaCy does not find by rules; expected another language, "
            "or a pipeline for it in tokens.sentences; install one and name it there"
        )
    return nlp


def _finds_words_by_rule(language: str) -> bool:
    name: str = spacy.util.get_lang_class(language).default_config["nlp"]["tokenizer"]["@tokenizers"]
    return name == "spacy.Tokenizer.v1"


def _make_rules() -> Callable[[Language], Tokenizer]:
    """What spaCy makes of a language's rules, with `search_at_end` for its suffixes.

    To change the suffixes of a tokenizer that is there makes spaCy read all its special cases again.
    """

    def make(nlp: Language) -> Tokenizer:
        rules = nlp.Defaults
        suffixes = compile_suffix_regex(rules.suffixes) if rules.suffixes else None
        quick = search_at_end if nlp.lang not in WIDE_SUFFIXES else _search
        return Tokenizer(
            nlp.vocab,
            rules=rules.tokenizer_exceptions,
            prefix_search=compile_prefix_regex(rules.prefixes).search if rules.prefixes else None,
            suffix_search=quick(suffixes) if suffixes else None,
            infix_finditer=compile_infix_regex(rules.infixes).finditer if rules.infixes else None,
            token_match=rules.token_match,
            url_match=rules.url_match,
        )

    return make


spacy.registry.tokenizers("lengthwise.by_rule.v1", func=_make_rules)


def _search(pattern: re.Pattern[str]) -> Callable[[str], re.Match[str] | None]:
    return pattern.search


def installed_pipeline(name: str) -> Language:
    """The same from a name alone: whatever else spaCy would load, a folder or another package, is not looked at.

    Raises:
        ParamsError: see `named_pipeline`.
    """
    if name not in spacy.util.get_installed_models():
        raise ParamsError(
            f"tokens.sentences: got {name!r}; expected sentencizer or an installed spaCy pipeline; install it"
        )
    return named_pipeline(name)


def named_pipeline(name: str) -> Language:
    """An installed spaCy pipeline that finds sentences.

    Raises:
        ParamsError: it is not installed, or it finds no sentences.
    """
    try:
        nlp = spacy.load(name)
    except OSError as error:
        raise ParamsError(
            f"tokens.sentences: got {name!r}; expected sentencizer or an installed spaCy pipeline; "
            f"install it with: python -m spacy download {name}"
        ) from error
    if not {"parser", "senter", "sentencizer"} & set(nlp.pipe_factories.values()):
        raise ParamsError(
            f"tokens.sentences: the pipeline {name!r} finds no sentences; expected one with parser, senter or "
            "sentencizer; choose another"
        )
    # The limit guards the memory of parsers; no document may abort the run.
    nlp.max_length = 2**30
    return nlp
