"""What files of rows are understood as: their dialect, columns, classes and lengths, and the keys that read them."""

import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from lengthwise.corpora.looked import MOST_LOOKED_AT, LookedColumn, LookedCorpus, examples_of, lengths_of
from lengthwise.corpora.opened import SourceFile, files_of
from lengthwise.corpora.tabular.row_files import TableFormat, format_of, read_rows
from lengthwise.corpora.tabular.row_values import SPLIT_NAMES, is_missing, text_of_value
from lengthwise.corpora.tabular.table_dialect import TableDialect
from lengthwise.errors import CorpusError

DEFAULT = TableDialect(separator=None, header=True, quote='"', escape=None, encoding="utf-8")
# In turn: how a table of text may be written.
TRIED = tuple(
    replace(DEFAULT, encoding=encoding, quote=quote, escape=escape)
    for encoding in ("utf-8", "cp1252")
    for quote, escape in (('"', None), ('"', "\\"), (None, None))
)
# Of all values, where quotes stand around values and are not characters like any others.
QUOTED_SHARE = 0.05
TABLES = (".csv", ".tsv", ".tab")
LABELS = (
    "label",
    "labels",
    "class",
    "class index",
    "category",
    "target",
    "sentiment",
    "v1",
    "stars",
    "rating",
)
TEXTS = ("text", "sms", "document", "phrase", "sentence", "title", "description", "tweet", "content", "review", "v2")
GROUPS = ("author", "author_id", "user", "userid", "user_id", "sentenceid", "speaker", "group")
MOST_CLASSES = 100
LONGEST_LABEL = 40
ValuesByColumn = dict[str, list[object]]
# What names of columns do not have.
NO_NAME = re.compile(r"[\"!?;]|\.$")


def look_at_table(source: Path, max_bytes: int) -> LookedCorpus | None:
    """What a source of rows is understood as; None, if it is none.

    Args:
        source: a file, a folder or a zip.
        max_bytes: what may be unpacked.

    Raises:
        CorpusError: there is nothing there, or no file of it can be read.
    """
    files = files_of(source, max_bytes)
    form = _form_of_all(files, source)
    read = _FirstRows.of(files, form, max_bytes)
    if read is None and files[0].name.lower().endswith(TABLES):
        # It was to be a table: what is wrong with it is told.
        deque(_rows(files, form, DEFAULT, max_bytes), maxlen=0)
    if read is None or not read.rows:
        return None
    columns = {name: [row.get(name) for row in read.rows] for name in dict.fromkeys(chain(*read.rows))}
    proposed = _proposal(columns, form)
    if "text" not in proposed and "tokens" not in proposed:
        return None
    if not proposed["labels"] and form == "csv" and len(columns) == 1:
        return None
    keys = {**({"format": "folder"} if form == "folder" else {}), **read.changed, **proposed}
    labels = {name: _counted(columns[name]) for name in proposed["labels"]}
    texts = zip(*(columns[name] for name in proposed.get("text") or [proposed["tokens"]]), strict=True)
    return LookedCorpus(
        source=str(source),
        corpus="table",
        format=form,
        files=tuple(file.name for file in files),
        columns=tuple(LookedColumn(name, _kind(values), examples_of(values)) for name, values in columns.items()),
        looked_at=len(read.rows),
        is_whole=read.is_whole,
        lengths=lengths_of([sum(len(_written(part)) for part in parts) for parts in texts]),
        unit="characters",
        labels=labels,
        groups=len(set(map(str, columns[proposed["group"]]))) if "group" in proposed else None,
        keys=keys,
    )


def _form_of_all(files: Sequence[SourceFile], source: Path) -> TableFormat:
    """The form of a file, or of all files; a folder of texts is one table of them."""
    forms = {format_of(file) for file in files}
    in_folders = len(files) > 1 and all("/" in file.name for file in files)
    if len(forms) == 1 and not (in_folders and forms == {"csv"}):
        return forms.pop()
    if in_folders:
        return "folder"
    raise CorpusError(
        f"{source}: has files of the forms {', '.join(sorted(forms))}; expected one; choose them by a pattern"
    )


@dataclass(frozen=True)
class _FirstRows:
    """The first rows, and the keys of the dialect that they are read with."""

    rows: list[dict[str, object]]
    is_whole: bool
    changed: dict[str, object]

    @classmethod
    def of(cls, files: Sequence[SourceFile], form: TableFormat, max_bytes: int) -> "_FirstRows | None":
        """The rows in the first dialect that fits; None if none does."""
        if form != "csv":
            return cls._read(files, form, DEFAULT, max_bytes)
        found: _FirstRows | None = None
        for tried in TRIED:
            # Where quotes are not closed, a value goes on over the lines of others: rows are lost without an error.
            if found is not None and (tried.quote is not None or tried.encoding != "utf-8" or found.quoted_share):
                continue
            try:
                header = _has_header(files[0], tried, max_bytes)
                read = cls._read(files, form, replace(tried, header=header), max_bytes)
            except CorpusError:
                continue
            if found is None or (len(read.rows) > len(found.rows) and read.quoted_share < QUOTED_SHARE):
                found = read
        return found

    @classmethod
    def _read(
        cls, files: Sequence[SourceFile], form: TableFormat, dialect: TableDialect, max_bytes: int
    ) -> "_FirstRows":
        rows = list(islice(_rows(files, form, dialect, max_bytes), MOST_LOOKED_AT + 1))
        changed = {key: value for key, value in vars(dialect).items() if value != getattr(DEFAULT, key)}
        return cls(rows[:MOST_LOOKED_AT], len(rows) <= MOST_LOOKED_AT, changed)

    @property
    def quoted_share(self) -> float:
        """How many values have quotes around them, of all."""
        values = [str(value) for row in self.rows for value in row.values()]
        return sum(len(value) > 1 and value[0] == value[-1] == '"' for value in values) / max(1, len(values))


def _rows(
    files: Sequence[SourceFile], form: TableFormat, dialect: TableDialect, max_bytes: int
) -> Iterator[dict[str, object]]:
    for file in files:
        for row in read_rows(file, form, dialect, max_bytes):
            yield dict(row.values)


def _has_header(file: SourceFile, dialect: TableDialect, max_bytes: int) -> bool:
    """Whether the first row names columns: no number, no long text, and nothing that stands below it too."""
    rows = [*islice(_rows([file], "csv", replace(dialect, header=False), max_bytes), 1000)]
    first = {name: str(value) for name, value in rows[0].items()} if rows else {}
    below = {name: {str(row[name]) for row in rows[1:]} for name in first}
    return not any(
        _is_number(value) or len(value) > LONGEST_LABEL or NO_NAME.search(value) or (value and value in below[name])
        for name, value in first.items()
    )


def _proposal(columns: ValuesByColumn, form: TableFormat) -> dict[str, Any]:
    """Which column is what: by its name, or by what is in it."""
    if form in ("folder", "fasttext"):
        return _proposal_of_texts(columns)
    by_name = {name: name.strip().lower() for name in columns}
    lists = [name for name, values in columns.items() if _kind(values) == "lists"]
    few = [name for name in columns if name not in lists and _are_few(columns[name])]
    split = [name for name in few if _are_splits(columns[name])]
    named = [name for name in columns if by_name[name] in LABELS and name not in lists]
    labels = [name for name in named or few if name not in split][:1]
    groups = [name for name in columns if by_name[name] in GROUPS and name not in labels]
    rest = [name for name in columns if name not in (*labels, *split, *lists, *groups)]
    texts = [name for name in rest if by_name[name] in TEXTS]
    longest = sorted((name for name in rest if _kind(columns[name]) == "text"), key=lambda name: -_mean(columns[name]))
    keys: dict[str, Any] = {"text": texts or longest[:1]} if texts or longest else {}
    if not keys and lists:
        keys["tokens"] = lists[0]
    keys["labels"] = labels
    if split:
        keys["split"] = split[0]
    if groups and len(set(map(str, columns[groups[0]]))) < len(columns[groups[0]]):
        keys["group"] = groups[0]
    return keys


def _proposal_of_texts(columns: ValuesByColumn) -> dict[str, Any]:
    """That of files of text in folders, and of fastText: they have names of their own for all."""
    folders = [name for name in columns if name.startswith("folder") and len(set(columns[name])) > 1]
    splits = [name for name in folders if _are_splits(columns[name])]
    labels = [name for name in ("labels", *folders) if name in columns and name not in splits][:1]
    return {"text": ["text"], "labels": labels, **({"split": splits[0]} if splits else {})}


def _are_splits(values: Sequence[object]) -> bool:
    return {text_of_value(value).lower() for value in values} <= SPLIT_NAMES.keys()


def _kind(values: Sequence[object]) -> str:
    """What a column holds."""
    said = [value for value in values if not is_missing(value)]
    if not said:
        return "empty"
    if any(isinstance(value, list) for value in said):
        return "lists"
    return "numbers" if all(_is_number(str(value)) for value in said) else "text"


def _are_few(values: Sequence[object]) -> bool:
    """Whether values are classes: they come again, and are short."""
    said = [text_of_value(value) for value in values if not is_missing(value)]
    distinct = set(said)
    return 1 < len(distinct) <= min(MOST_CLASSES, len(said) // 2) and max(map(len, distinct)) <= LONGEST_LABEL


def _counted(values: Sequence[object]) -> dict[str, int]:
    return dict(Counter("(none)" if is_missing(value) else text_of_value(value) for value in values))


def _mean(values: Sequence[object]) -> float:
    return sum(len(_written(value)) for value in values) / len(values)


def _written(value: object) -> str:
    return "" if value is None else text_of_value(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
