"""The Blog Authorship Corpus: a zip or a folder with a file per author, or a CSV with a row per post.

J. Schler, M. Koppel, S. Argamon and J. Pennebaker, *Effects of Age and Gender on Blogging*, AAAI
Spring Symposium, 2006.
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from lengthwise.corpora.blogs.author_files import open_source, parse_member_name, read_member
from lengthwise.corpora.blogs.authors import FACTS, AgeBrackets
from lengthwise.corpora.blogs.csv_rows import read_csv_rows
from lengthwise.corpora.blogs.posts import is_utf8, is_well_formed, read_posts, repair_bytes
from lengthwise.corpora.corpus import Corpus, Extract, senseless
from lengthwise.corpora.membership import authors_of_part, refuse_second_appearance
from lengthwise.labels import LabelFactor
from lengthwise.prepare.documents import Document
from lengthwise.system.progress import Progress

AGES = re.compile(r"([0-9]{1,3}) *- *([0-9]{1,3})")
AGES_IN_WORDS = {"words": "the youngest and the oldest age, each from 0 to 150, such as 13-17"}


def _ages_from_text(value: object) -> object:
    """`13-17` means from 13 to 17: DVC's `-S` would drop the comment below a YAML list."""
    found = AGES.fullmatch(value) if isinstance(value, str) else None
    return [int(age) for age in found.groups()] if found else value


Age = Annotated[int, Field(ge=0, le=150)]
Ages = Annotated[
    list[Age], Field(min_length=2, max_length=2, json_schema_extra=AGES_IN_WORDS), BeforeValidator(_ages_from_text)
]


class Blogs(Corpus):
    """Blogs of authors whose gender and age are known.

    Attributes:
        age_brackets: the classes of the factor age bracket, each with its youngest and its oldest age in years.
    """

    age_brackets: Annotated[dict[str, Ages], Field(min_length=2)]

    looked_for = "<post> elements or rows"
    facts = FACTS
    counts = (
        "bytes",
        "bytes_outside_posts",
        "documents_cp1252",
        "documents_latin1",
        "documents_strict_parser",
        "documents_utf8",
        "files",
        "files_malformed",
        "files_not_utf8",
        "repaired_control_characters",
        "repaired_entities",
        "repaired_line_ends",
        "repaired_missing_dates",
        "repaired_unclosed_posts",
    )

    @field_validator("age_brackets")
    @classmethod
    def _disjoint(cls, brackets: dict[str, list[int]]) -> dict[str, list[int]]:
        spans = sorted(brackets.values())
        if any(low > high for low, high in spans):
            raise senseless("a bracket ends before it begins, so no age is in it", "write [youngest, oldest]")
        if any(later[0] <= earlier[1] for earlier, later in pairwise(spans)):
            raise senseless(
                "two brackets share an age, so its class is undecided", "let every age be in one bracket at most"
            )
        return brackets

    @property
    def brackets(self) -> AgeBrackets:
        """The age brackets, as names and rows of the corpus are read with them."""
        return AgeBrackets({name: (low, high) for name, (low, high) in self.age_brackets.items()})

    @property
    def factors(self) -> list[LabelFactor]:
        """Gender and age bracket, in the order of the article's `gender * 3 + bracket`."""
        return self.brackets.factors

    def documents(self, extract: Extract, counts: Counter[str]) -> Iterator[Document]:
        """The posts, see `Corpus.documents`.

        Raises:
            CorpusError: the corpus is not as described in `lengthwise.corpora.blogs.author_files`.
        """
        source = extract.source
        is_csv = source.suffix.lower() == ".csv" and source.is_file()
        return (_from_csv if is_csv else _from_members)(extract, self.brackets, counts)


def _from_members(extract: Extract, brackets: AgeBrackets, counts: Counter[str]) -> Iterator[Document]:
    source = open_source(extract.source)
    # All names are checked before the first file is read: a wrong one costs no half-done run.
    authors = [parse_member_name(member, brackets) for member in source.members]
    seen: set[str] = set()
    for author in authors:
        refuse_second_appearance(author.author_id, seen, extract.source)
    part = authors_of_part(seen, extract.most_authors)
    files = [(m, author) for m, author in zip(source.members, authors, strict=True) if author.author_id in part]
    with Progress("ingest", sum(member.size for member, _ in files), "bytes") as progress:
        for member, author in files:
            data = read_member(source, member, extract.max_bytes)
            well_formed, reached = is_well_formed(data)
            counts["files"] += 1
            counts["bytes"] += len(data)
            counts["files_malformed"] += not well_formed
            counts["files_not_utf8"] += not is_utf8(data)
            counts["documents_strict_parser"] += reached
            for post in read_posts(data, counts):
                yield author.document(post.date, post.text)
            progress.update(len(data), f"{counts['documents']} documents")


def _from_csv(extract: Extract, brackets: AgeBrackets, counts: Counter[str]) -> Iterator[Document]:
    path, most = extract.source, extract.most_authors
    size = path.stat().st_size
    # Who is in a part is known once all ids are: then the file is read twice.
    ids = () if most is None else (row.author.author_id for row in read_csv_rows(path, brackets, extract.max_bytes))
    part = authors_of_part(ids, most)
    counts["files"], counts["bytes"] = 1, size
    before = 0
    with Progress("ingest", size, "bytes") as progress:
        for row in read_csv_rows(path, brackets, extract.max_bytes):
            if most is not None and row.author.author_id not in part:
                continue
            counts["repaired_missing_dates"] += row.date is None
            yield row.author.document(row.date, repair_bytes(row.text, counts))
            progress.update(row.offset - before, f"{counts['documents']} documents")
            before = row.offset
        # What is no text: ids, dates, quotes.
        progress.update(size - before, f"{counts['documents']} documents")
