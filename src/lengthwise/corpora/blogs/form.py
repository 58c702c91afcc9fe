"""The Blog Authorship Corpus: a zip or a folder with a file per author, or a CSV with a row per post.

J. Schler, M. Koppel, S. Argamon and J. Pennebaker, *Effects of Age and Gender on Blogging*, AAAI
Spring Symposium, 2006.
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from lengthwise.corpora.blogs.author_files import FilesSource, name_parts, refuse_copies
from lengthwise.corpora.blogs.authors import AgeBrackets, OutsideBracketsError, parse_author
from lengthwise.corpora.blogs.blog_source import CsvFile, open_blogs
from lengthwise.corpora.blogs.csv_rows import QuoteStyle, RowReading, read_csv_rows
from lengthwise.corpora.blogs.decoding import NAMES
from lengthwise.corpora.blogs.member_reading import read_members
from lengthwise.corpora.blogs.posts import repair_bytes
from lengthwise.corpora.corpus import Corpus, Extract, senseless
from lengthwise.corpora.membership import groups_of_part
from lengthwise.prepare.forms.document_form import Document, DocumentForm
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
        outside: what becomes of an author whose age is in no bracket.
        quotes: how a CSV writes a quote within a quoted text.
    """

    age_brackets: Annotated[dict[str, Ages], Field(min_length=2)]
    outside: Literal["refuse", "leave_out"]
    quotes: QuoteStyle

    looked_for = "<post> elements or rows"
    # files = with posts + without posts; all files there are = files + passed over + outside + not drawn; rows of a CSV
    # = documents + documents outside + documents not drawn; documents = the sum over encodings.
    counts = (
        "authors_outside",
        "bytes",
        "bytes_outside_posts",
        *(f"documents_{name}" for name in NAMES),
        "documents_not_drawn",
        "documents_outside",
        "documents_strict_parser",
        "files",
        "files_malformed",
        "files_not_drawn",
        "files_not_utf8",
        "files_outside",
        "files_passed_over",
        "files_unknown_encoding",
        "files_without_posts",
        "repaired_cdata",
        "repaired_control_characters",
        "repaired_entities",
        "repaired_line_ends",
        "repaired_missing_dates",
        "repaired_unclosed_posts",
        "rows",
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
    def outline(self) -> DocumentForm:
        """All of it."""
        return self.brackets.form

    def form(self, extract: Extract) -> DocumentForm:
        """Posts of authors, with gender and age bracket in the order of the article's `gender * 3 + bracket`."""
        return self.brackets.form

    def documents(self, extract: Extract, form: DocumentForm, counts: Counter[str]) -> Iterator[Document]:
        """The posts, see `Corpus.documents`.

        Raises:
            CorpusError: the corpus is not as described in `author_files` or `csv_rows`.
        """
        source = open_blogs(extract.source)
        if isinstance(source, CsvFile):
            return self._from_csv(source, extract, counts)
        return self._from_members(source, extract, counts)

    def _from_members(self, source: FilesSource, extract: Extract, counts: Counter[str]) -> Iterator[Document]:
        counts["files_passed_over"] = source.passed_over
        # All names are checked before the first file is read: a wrong one costs no half-done run.
        parts = [name_parts(member) for member in source.members]
        refuse_copies(source.members, [author_id for author_id, *_ in parts])
        authors = {}
        for member, names in zip(source.members, parts, strict=True):
            try:
                authors[member] = parse_author(names, self.brackets, member.place)
            except OutsideBracketsError:
                if self.outside == "refuse":
                    raise
        counts["files_outside"] = counts["authors_outside"] = len(parts) - len(authors)
        part = groups_of_part((author.author_id for author in authors.values()), extract.most_groups)
        files = [(member, author) for member, author in authors.items() if author.author_id in part]
        counts["files_not_drawn"] = len(authors) - len(files)
        with Progress("ingest", sum(member.size for member, _ in files), "bytes") as progress:
            drawn, writers = [member for member, _ in files], iter([author for _, author in files])
            for read in read_members(extract.source, extract.max_bytes, drawn, extract.workers):
                counts.update(read.counts)
                for posts, size in zip(read.posts, read.sizes, strict=True):
                    author = next(writers)
                    for date, text in posts:
                        yield author.document(date, text)
                    counts["files_without_posts"] += not posts
                    progress.update(size, f"{counts['documents']} documents")

    def _from_csv(self, file: CsvFile, extract: Extract, counts: Counter[str]) -> Iterator[Document]:
        most = extract.most_groups
        reading = RowReading(self.brackets, extract.max_bytes, self.quotes, self.outside == "leave_out")
        # Who is in a part is known once all ids are: then the file is read twice.
        ids = () if most is None else (row.author_id for row in read_csv_rows(file, reading) if row.author)
        part = groups_of_part(ids, most)
        outside: set[str] = set()
        before = 0
        counts["files"], counts["bytes"], counts["files_passed_over"] = 1, file.size, file.passed_over
        with Progress("ingest", file.size, "bytes") as progress:
            for row in read_csv_rows(file, reading):
                counts["rows"] += 1
                if row.author is None:
                    outside.add(row.author_id)
                    counts["authors_outside"] = len(outside)
                    counts["documents_outside"] += 1
                elif most is not None and row.author_id not in part:
                    counts["documents_not_drawn"] += 1
                else:
                    counts["repaired_missing_dates"] += row.date is None
                    yield row.author.document(row.date, repair_bytes(row.text, counts, row.source))
                progress.update(row.position - before, f"{counts['documents']} documents")
                before = row.position
