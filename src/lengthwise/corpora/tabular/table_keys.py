"""The keys that say how a table of texts is read."""

from typing import Annotated, Literal

from pydantic import Field

from lengthwise.corpora.corpus import Corpus
from lengthwise.corpora.tabular.row_files import TableFormat
from lengthwise.corpora.tabular.row_values import CleanUp
from lengthwise.corpora.tabular.table_dialect import TableDialect

Name = Annotated[str, Field(min_length=1)]
Sign = Annotated[str, Field(min_length=1, max_length=3)]


class TableKeys(Corpus):
    """The keys of a table of texts.

    Attributes:
        format: of its files; `auto` goes by their names and contents.
        files: which files of a folder or a zip are read, a pattern.
        text: the columns that make up the text, one after another.
        tokens: the column of ready tokens, a list or words between blanks, in place of a text.
        labels: the columns of labels: each is a factor of the joint class.
        several: whether each of these columns is a label of its own, yes or no; of a column of lists, such as those of
            fastText, each value that occurs is a label.
        rename: what values of labels are called.
        bins: the classes of a label that is a number, each with its ends, such as 13-17 or 18-; empty for none.
        numbers: the columns of numbers to predict.
        group: the column of what is held out together.
        split: the column that says which split a row is in, or `folder` and the like.
        separator: between columns, or empty to find it.
        header: whether the first row names the columns.
        quote: around values that hold separators; empty where quotes are characters like any others.
        escape: before a quote in a value; empty where it is doubled.
        encoding: of text.
        clean: what is done to texts.
        missing: what becomes of a row without a label, or with one outside the bins: `refuse` or `leave_out`.
        empty: what becomes of a row without text: `keep`, `refuse` or `leave_out`.
    """

    format: TableFormat
    files: Name
    text: list[Name]
    tokens: Name | None
    labels: list[Name]
    several: bool
    rename: dict[str, Name]
    bins: dict[str, Name]
    numbers: list[Name]
    group: Name | None
    split: Name | None
    separator: Sign | None
    header: bool
    quote: Sign | None
    escape: Sign | None
    encoding: Name
    clean: list[CleanUp]
    missing: Literal["refuse", "leave_out"]
    empty: Literal["keep", "refuse", "leave_out"]

    @property
    def dialect(self) -> TableDialect:
        """How text is written."""
        return TableDialect(self.separator, self.header, self.quote, self.escape, self.encoding)
