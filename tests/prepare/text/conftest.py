import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import spacy
from spacy.language import Language

from lengthwise.core.labels import LabelFactor
from lengthwise.core.names import TokenUnit
from lengthwise.prepare.document_writer import DocumentWriter
from lengthwise.prepare.forms.document_form import Document, DocumentForm
from lengthwise.prepare.forms.tokenizer_options import SENTENCIZER, TokenizerOptions
from lengthwise.prepare.text.store import TokenStore

FACTORS = [LabelFactor("gender", ("male", "female"))]
BLANKS = [" "] * 12 + [
    "",
    "",
    "  ",
    "   ",
    "\n",
    " \n",
    "\n ",
    "\n\n",
    "\t",
    "\r\n",
    "\xa0",
    " \xa0",
    "\u2003",
    "\u2028",
]
BLANKS += ["\u3000", "\x85", "\x1c", "\x1f ", "\x0b", "\u200b", "\ufeff", "\u180e"]
# Between blanks.
WRITTEN = """
    a I he dogs café Über 你好 don't Don’t can't've I'm we'll o'clock y'all 's 'em rock'n'roll
    a.m. p.m. 5p.m. 10a.m. e.g. i.e. U.S. Ph.D. Mr. St. vs. etc. Jan. D.C.
    1 2,000 3.14 1/2 1st ten Million 5km 10$ $5 £3 50% -1 ~7 ½ Ⅳ
    http://a.b/c?d=e&f=(g) www.x.org a@b.com urlLink URLLINK (urlLink) urlLink. x.com/y.
    . ! ? ... .. ?! .) ." !’ 。 ！ … ¿ ; : , - -- — / * ~ _ & # @ % ^ = + | \\ < > [ ] { } ( ) ` ´
    ' '' " “ ” ‘ ’ '' `` « » ('( ') (" s( '( ;) . :- :( -) <3 </3 <space> < 3 8 ) ): 8-) xD :D :-P ^_^ (-_-) o.O
    ¯\\(ツ)/¯ ಠ_ಠ ）╯ (╯°□°）╯︵┻━┻
    aaaa!!!! ....... word.Word word,word word...word (word) "word" 'word' word's' -word- word/word x:y
"""
PIECES = [*WRITTEN.split(), "\x00", "\x07", "\u0301", "\u202e", "\N{GRINNING FACE}", "\N{VARIATION SELECTOR-16}"]


@pytest.fixture(scope="session")
def random_texts() -> Callable[[int, int], list[str]]:
    # What chunk by chunk tokenization could get wrong: special cases cut in two, and emoticons side by side, of which
    # spaCy leaves some unjoined because a longer one would begin with them and end in the next chunk.
    cases = [case for case in spacy.blank("en").tokenizer.rules if len(case) > 1 and not case.isalpha()]
    emoticons = [case for case in cases if not any(character.isalpha() for character in case)]

    def piece(source: random.Random) -> str:
        kind = source.random()
        if kind < 0.5:
            return source.choice(PIECES)
        if kind < 0.65:
            case = source.choice(cases)
            cut = source.randrange(len(case) + 1)
            return case[:cut] + source.choice([" ", " ", " ", "", "  ", "\n"]) + case[cut:]
        if kind < 0.8:
            return "".join(source.choices(emoticons, k=source.choice([1, 2, 3])))
        return "".join(source.choices("'():;-", k=source.randint(1, 4)))

    def build(seed: int, count: int) -> list[str]:
        source = random.Random(seed)
        sizes = [source.choice([0, 1, 2, 3, 5, 8, 30]) for _ in range(count)]
        return ["".join(piece(source) + source.choice(BLANKS) for _ in range(size)) for size in sizes]

    return build


@pytest.fixture(scope="session")
def reference() -> Callable[..., list[list[str]]]:
    pipelines: dict[str, Language] = {}

    def pipeline(language: str) -> Language:
        if language not in pipelines:
            pipelines[language] = spacy.blank(language)
            pipelines[language].add_pipe("sentencizer")
            pipelines[language].max_length = 1 << 30
        return pipelines[language]

    def sentences(text: str, language: str = "en") -> list[list[str]]:
        found = [
            ["<#>" if token.like_num else token.lower_ for token in sentence if not token.is_space]
            for sentence in pipeline(language)(text).sents
        ]
        return [sentence for sentence in found if sentence]

    return sentences


@pytest.fixture(scope="session")
def write_documents() -> Callable[[Path, Sequence[str]], Path]:
    def write(path: Path, texts: Sequence[str]) -> Path:
        with DocumentWriter(path, DocumentForm(factors=tuple(FACTORS))) as writer:
            for text in texts:
                writer.write(Document("7", (0,), text))
        return path

    return write


@pytest.fixture(scope="session")
def read_sentences() -> Callable[[Path, int], list[list[list[str]]]]:
    def slices(folder: Path) -> Iterator[tuple[int, list[str]]]:
        store = TokenStore(folder)
        lexicon = store.lexicon()
        for part in store:
            tokens = [lexicon[token] for token in part.tokens.tolist()]
            for i, document in enumerate(part.document.tolist()):
                yield document, tokens[part.offsets[i] : part.offsets[i + 1]]

    def read(folder: Path, count: int) -> list[list[list[str]]]:
        texts: list[list[list[str]]] = [[] for _ in range(count)]
        for document, sentence in slices(folder):
            texts[document].append(sentence)
        return texts

    return read


@pytest.fixture(scope="session")
def options() -> Callable[..., TokenizerOptions]:
    def build(
        language: str = "en",
        sentences: str = SENTENCIZER,
        straighten_quotes: bool = False,
        collapse_repeats: bool = False,
        link_word: str | None = None,
        by: TokenUnit = "words",
    ) -> TokenizerOptions:
        return TokenizerOptions(by, language, sentences, straighten_quotes, collapse_repeats, link_word)

    return build
