"""An invented corpus in the form of the Blog Authorship Corpus, so that everything runs without the real one.

Nobody wrote any of it. A seeded generator makes pseudo-words out of syllables and puts them into phrases of common
English words. What authors like to write depends on their gender and age bracket, so that there is something to
learn, and on themselves, so that there is something to leak. Then files are damaged as the real ones are: see
`DEFECTS`.

    python -m lengthwise.corpora.blogs.sample data/sample/blogs.zip
"""

import argparse
import re
import zipfile
from collections.abc import Callable, Sequence
from datetime import date
from itertools import accumulate
from math import exp, fsum
from pathlib import Path
from random import Random

from lengthwise.system.files import replacing_file

# The first with which the default split puts, of either gender, at least eight, seven and five authors of the three
# brackets into test, and two of each into validation: by chance there would be about two of the third.
SEED = 3613
# Authors of each gender, in about the real corpus's shares.
AUTHORS = {"10s": 69, "20s": 67, "30s": 24}
GENDERS = ("male", "female")
AGES = (range(13, 18), range(23, 28), range(33, 49))
INDUSTRIES = "indUnk indUnk Student Student Technology Arts Education Communications-Media Non-Profit"
SIGNS = "Aries Taurus Gemini Cancer Leo Virgo Libra Scorpio Sagittarius Capricorn Aquarius Pisces"
MONTHS = "January February March April May June July August September October November December"
FRENCH = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"

WORDS = 4000
ONSETS = "b br d dr f g h k kl l m n r s t tr v w z"
VOWELS, CODAS = "aeiou", ("", "", "", "l", "n", "r", "m")
# Where a pseudo-word goes there is a star.
PHRASES = """
i * the * | it was so * | you have to * it | we * to the * | the * of the * | i don't * that | she was * with me
he * all of the * | this is my * | there is a * in it | they're not * | i'm * now | my * and i * | it's a *
what a * * | that was the * | i can't * you | you * me | we had a * * | at the * of my * | for a * or two
his * is * | i want to * | i have no * | who will * it | how do you * | as * as the * | in this * we *
some * are * | if only i could * | her * was * | not a * at all | i * at 10 | by 6:20 the * | ten of the *
which is to * | on the * | i've been * | you should * the * | there were * | from * to * | i think it's *
"""
CONNECTORS = ", and|and|but|because|so|, then|or|, but|when|, which|while|, so|and then|if|,|...|that|until"
ADVERBS = "just really never still always even too again"
OPENINGS = "well|so|ok|now|today|anyway|yes|oh|haha|lol|hmm|yeah"
ENDINGS = ".|!|?|...|!!|. :-)|?!|. ^_^|!!!|! :-)|..|. :("

# Log-odds by which a gender, a bracket and one author (a standard deviation) prefer one thing to another; of content
# words the classes' part is smaller by a factor.
GENDER_LEANING, BRACKET_LEANING, AUTHOR_LEANING, CONTENT_FACTOR = 1.1, 1.9, 0.3, 0.4
# The share of authors who write like any class; an author's favourite words, and how often each stands for another.
STRAYS, FAVOURITES, FAVOUR = 0.12, 8, 0.03


class Habit:
    """What an author chooses from, and how often."""

    def __init__(self, items: Sequence[str], voice: tuple[int, int], rng: Random, content: bool = False) -> None:
        (gender, bracket), factor, zipf = voice, CONTENT_FACTOR if content else 1.0, 1.0 if content else 0.5
        weights = []
        for rank in range(len(items)):
            # Of three neighbours one is of either gender and one of none; of four triples one is of each bracket.
            lean = GENDER_LEANING * (0, 1, -1)[rank % 3] * (2 * gender - 1)
            lean += BRACKET_LEANING * ((rank // 3 % 4 == bracket) - (rank // 3 % 4 != 3) / 3)
            weights.append(exp(factor * lean + rng.gauss(0, AUTHOR_LEANING)) / (rank + 3) ** zipf)
        favour = FAVOUR * fsum(weights)
        for rank in rng.sample(range(len(items)), FAVOURITES if content else 0):
            weights[rank] += favour
        self._items, self._cumulative = items, list(accumulate(weights))

    def draw(self, rng: Random) -> str:
        """One of the items."""
        return rng.choices(self._items, cum_weights=self._cumulative)[0]


class InventedAuthor:
    """Who writes one file, and how."""

    def __init__(self, number: int, gender: int, bracket: int, words: Sequence[str], rng: Random) -> None:
        age, industry, sign = rng.choice(AGES[bracket]), rng.choice(INDUSTRIES.split()), rng.choice(SIGNS.split())
        self.member_name = f"blogs/{number}.{GENDERS[gender]}.{age}.{industry}.{sign}.xml"
        voice = (gender, bracket) if rng.random() > STRAYS else (rng.randrange(2), rng.randrange(3))
        self._rng = rng
        self._words = Habit(words, voice, rng, content=True)
        self._phrases, self._connectors, self._endings, self._openings = (
            Habit(re.split(r"\s*[|\n]\s*", text.strip()), voice, rng)
            for text in (PHRASES, CONNECTORS, ENDINGS, OPENINGS)
        )
        # The same words in another order: only who reads in order can tell.
        self._adverb_early, self._opening_early = (0.2, 0.8)[voice[0]], (0.1, 0.5, 0.9)[voice[1]]
        self._capitals = rng.random() < (0.5, 0.7, 0.9)[voice[1]]
        self._months = FRENCH if rng.random() < 0.05 else MONTHS

    def _phrase(self) -> list[str]:
        rng = self._rng
        phrase = [self._words.draw(rng) if word == "*" else word for word in self._phrases.draw(rng).split()]
        if rng.random() < 0.3:
            phrase.insert(1 if rng.random() < self._adverb_early else len(phrase), rng.choice(ADVERBS.split()))
        return phrase

    def _sentence(self) -> str:
        rng = self._rng
        tokens = min(56.0, rng.lognormvariate(2.3, 0.55))
        words = self._phrase() if tokens > 3 else []
        while len(words) + 4 < tokens:
            words += [self._connectors.draw(rng), *self._phrase()]
        if not words or rng.random() < 0.35:
            early = rng.random() < self._opening_early
            words = [self._openings.draw(rng), *words] if early else [*words, self._openings.draw(rng)]
        text = " ".join(words).replace(" ,", ",").replace(" ...", "...")
        if self._capitals:
            text = re.sub(r"\bi\b", "I", text[0].upper() + text[1:])
        return text + self._endings.draw(rng)

    def _entry(self, day: int) -> bytes:
        rng, when = self._rng, date.fromordinal(day)
        text = self._sentence()
        for _ in range(int(rng.expovariate(1 / 8))):
            text += rng.choices((" ", "\r\n", "  \r\n\r\n  "), (12, 1, 1))[0] + self._sentence()
        head = f"<date>{when.day:02d},{self._months.split()[when.month - 1]},{when.year}</date>\r\n<post>"
        return f"{head}\r\n\r\n\r\n\t \r\n      {text}\r\n     \r\n    \r\n</post>\r\n\r\n\r\n".encode()

    def blog(self) -> bytes:
        """The author's file before anything is damaged."""
        days = [self._rng.expovariate(1 / 9) + 1 for _ in range(5 + int(self._rng.expovariate(1 / 3)))]
        entries = (self._entry(date(2004, 1, 1).toordinal() + int(day)) for day in accumulate(days))
        return b"<Blog>\r\n\r\n\r\n\r\n" + b"".join(entries) + b"</Blog>\r\n"


Defect = Callable[[bytes, Random], bytes]
GAP = re.compile(rb"(?<=[a-z]) (?=[a-z])")
TEXT = re.compile(rb"(?<=\t \r\n      ).*?(?=\r\n     \r\n    \r\n</post>)", re.DOTALL)
ASCII_TEXT = re.compile(TEXT.pattern.replace(b".", rb"[\x00-\x7f]"))
ENTRY = re.compile(rb"<date>[^<]*</date>\r\n<post>.*?</post>\s*", re.DOTALL)
CHAIN_LETTER = b"send this to ten of you and it will all be so so good!!! don't keep it to yourself."


def _between_words(*pieces: bytes) -> Defect:
    """A few blanks become one of `pieces`."""

    def defect(data: bytes, rng: Random) -> bytes:
        for _ in range(rng.randint(1, 4)):
            gap = rng.choice(list(GAP.finditer(data)))
            data = data[: gap.start()] + rng.choice(pieces) + data[gap.end() :]
        return data

    return defect


def _in_one(pattern: re.Pattern[bytes], change: Callable[[bytes], bytes]) -> Defect:
    """One of the matches of `pattern` is changed, if there are any, and the last only if there is no other."""

    def defect(data: bytes, rng: Random) -> bytes:
        found = list(pattern.finditer(data))
        for match in rng.sample(found[:-1] or found, min(1, len(found))):
            data = data[: match.start()] + change(match[0]) + data[match.end() :]
        return data

    return defect


def _curly(encoding: str) -> Callable[[bytes], bytes]:
    return lambda text: f"“{text.decode().replace(chr(39), '’')}”".encode(encoding)


# Each defect and the share of the files that have it, in the order in which they are applied: bytes that are no
# UTF-8 come late, into posts that are still ASCII, as a post has one encoding; broken mark-up comes last.
DEFECTS: dict[str, tuple[Defect, float]] = {
    "bare ampersands": (_between_words(b" & ", b"&"), 0.25),
    "undeclared entities": (_between_words(b"&nbsp;", b" &nbsp; ", b"&nbsp;&nbsp;", b" &eacute; "), 0.25),
    "declared entities": (_between_words(b" &amp; ", b" &quot;", b" &lt; ", b"&#151;"), 0.2),
    "angle brackets": (_between_words(b" <3 ", b" < ", b" <> "), 0.15),
    "control characters": (_between_words(b" \x01", b"\x0b", b"\x1f ", b"\x07"), 0.05),
    "C1 characters": (_between_words(b"\xc2\x92 ", b" \xc2\x96 "), 0.05),
    "replacement characters": (_between_words(b"\xef\xbf\xbd", b"\xef\xbf\xbd "), 0.05),
    "non-breaking spaces": (_between_words(b"\xc2\xa0", b" \xc2\xa0"), 0.1),
    "tabs and several blanks": (_between_words(b"  ", b"\t", b"   "), 0.3),
    "links": (_between_words(b" urlLink ", b"  urlLink "), 0.2),
    "repeats": (_between_words(b" soooooo ", b"....... ", b"!!!!! ", b" nooooo, "), 0.3),
    "no white space": (_between_words(b" " + b"ha" * 200 + b" ", b" " + b"=-" * 300 + b" "), 0.03),
    "curly quotes": (_in_one(TEXT, _curly("utf-8")), 0.2),
    "very long posts": (_in_one(TEXT, lambda text: (text + b" ") * (20_000 // len(text) + 1)), 0.006),
    "Windows-1252": (_in_one(ASCII_TEXT, _curly("cp1252")), 0.012),
    "Latin-1": (_in_one(ASCII_TEXT, lambda text: text + b" \x81"), 0.012),
    "empty posts": (_in_one(ENTRY, lambda entry: entry + TEXT.sub(b"", entry)), 0.15),
    "posts twice": (_in_one(ENTRY, lambda entry: entry + entry), 0.1),
    "chain letters": (_in_one(ENTRY, lambda entry: entry + TEXT.sub(CHAIN_LETTER, entry)), 0.06),
    "missing dates": (_in_one(re.compile(rb"<date>[^<]*</date>"), lambda _: b""), 0.05),
    "posts closed twice": (_in_one(re.compile(rb"</post>"), lambda tag: tag + b" " + tag), 0.03),
    "posts never closed": (_in_one(re.compile(rb"</post>"), lambda _: b""), 0.06),
    "no end": (_in_one(re.compile(rb"</Blog>"), lambda _: b""), 0.03),
}


def _random(*names: object) -> Random:
    """Numbers that depend on `names` alone, so that no part of the sample changes another."""
    return Random(" ".join(map(str, names)))  # noqa: S311


def pseudo_words(rng: Random) -> list[str]:
    """Distinct words that mean nothing, the frequent ones short."""
    words: dict[str, None] = {}
    while len(words) < WORDS:
        syllables = 2 + (rng.random() < len(words) / WORDS)
        drawn = (rng.choice(ONSETS.split()) + rng.choice(VOWELS) + rng.choice(CODAS) for _ in range(syllables))
        words.setdefault("".join(drawn))
    return list(words)


def draw_authors(seed: int) -> list[tuple[int, int, int]]:
    """Number, gender and bracket of the authors, as many of each joint class as `AUTHORS` says."""
    classes = [(gender, b) for gender in range(len(GENDERS)) for b, n in enumerate(AUTHORS.values()) for _ in range(n)]
    numbers = _random(seed, "authors").sample(range(5_000, 4_400_000), len(classes))
    return [(number, *codes) for number, codes in zip(numbers, classes, strict=True)]


def generate(seed: int) -> dict[str, bytes]:
    """Make the sample.

    Args:
        seed: another one gives another language, other authors and other texts.

    Returns:
        The bytes of each file by its name, sorted by name.
    """
    words = pseudo_words(_random(seed, "words"))
    files = {}
    for number, gender, bracket in draw_authors(seed):
        rng = _random(seed, number)
        author = InventedAuthor(number, gender, bracket, words, rng)
        data = author.blog()
        for defect, share in DEFECTS.values():
            if rng.random() < share:
                data = defect(data, rng)
        files[author.member_name] = data
    return dict(sorted(files.items()))


def write_sample(path: Path, seed: int = SEED) -> None:
    """Write the sample as a zip whose bytes depend on the seed and the version of zlib alone."""
    with replacing_file(path) as beside, zipfile.ZipFile(beside, "w") as archive:
        for name, data in generate(seed).items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            archive.writestr(info, data, compresslevel=9)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Write the sample corpus, all of it invented, as a zip.")
    parser.add_argument("path", type=Path, help="the zip to write")
    parser.add_argument("--seed", type=int, default=SEED, help="another seed, another corpus (default: %(default)s)")
    options = parser.parse_args(arguments)
    write_sample(options.path, options.seed)


if __name__ == "__main__":
    main()
