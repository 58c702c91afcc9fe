"""Who wrote a document: what a file's name or a row of a CSV says, and the classes that follow from it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from lengthwise.core.labels import LabelFactor
from lengthwise.errors import CorpusError
from lengthwise.prepare.forms.document_form import Document, DocumentForm, Fact

GENDERS = ("male", "female")


class OutsideBracketsError(CorpusError):
    """An author's age is in no bracket."""


@dataclass(frozen=True)
class AgeBrackets:
    """The classes of the factor age bracket: name to (youngest, oldest), in years."""

    bounds: dict[str, tuple[int, int]]

    @property
    def factors(self) -> list[LabelFactor]:
        """The two label factors of the corpus, in the order of the article's `gender * 3 + bracket`."""
        return [LabelFactor("gender", GENDERS), LabelFactor("age_bracket", tuple(self.bounds))]

    @property
    def form(self) -> DocumentForm:
        """What all documents of the corpus are like."""
        return DocumentForm(factors=tuple(self.factors), facts=FACTS, group="author")

    def code(self, age: int, place: str) -> int:
        """The class of an age.

        Raises:
            OutsideBracketsError: the age is in no bracket.
        """
        for code, (youngest, oldest) in enumerate(self.bounds.values()):
            if youngest <= age <= oldest:
                return code
        known = ", ".join(f"{name} {low}-{high}" for name, (low, high) in self.bounds.items())
        raise OutsideBracketsError(
            f"{place}: age {age} is in no bracket; expected one of {known}; "
            "widen ingest.blogs.age_brackets, or set ingest.blogs.outside to leave_out"
        )


FACTS = (
    Fact("age", pa.int16(), "the author's age in years"),
    Fact("industry", pa.string(), "as the author gave it"),
    Fact("sign", pa.string(), "of the zodiac, as the author gave it"),
    Fact("date", pa.string(), "as written in the file; null where there was none"),
)


@dataclass(frozen=True, slots=True)
class Author:
    """What a file's name, or a row of a CSV, says of its author; a CSV may have no industry and no sign."""

    author_id: str
    codes: tuple[int, ...]
    age: int
    industry: str | None
    sign: str | None

    def document(self, date: str | None, text: str) -> Document:
        """A document by this author."""
        return Document(self.author_id, self.codes, text, (self.age, self.industry, self.sign, date))


def parse_author(fields: Sequence[str], brackets: AgeBrackets, place: str) -> Author:
    """The author from id, gender (in any case), age, industry and sign; the latter two may be empty.

    Raises:
        CorpusError: the gender is unknown, or the age no number.
        OutsideBracketsError: it is in no bracket.
    """
    author_id, gender, age, industry, sign = fields
    if gender.lower() not in GENDERS:
        raise CorpusError(f"{place}: gender {gender!r}; expected male or female; rename it or take it out")
    if not (age.isascii() and age.isdigit()):
        raise CorpusError(f"{place}: age {age!r}; expected a whole number of years; mend it or take it out")
    codes = (GENDERS.index(gender.lower()), brackets.code(int(age), place))
    return Author(author_id, codes, int(age), industry or None, sign or None)
