"""What files of sequences are understood as: their form, columns, classes and lengths, and the keys that read them."""

import io
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from lengthwise.core.names import Split
from lengthwise.corpora.looked import MOST_LOOKED_AT, LookedColumn, LookedCorpus, examples_of, lengths_of
from lengthwise.corpora.opened import SourceFile, files_of
from lengthwise.corpora.steps.conll import NAMES, LineForm
from lengthwise.corpora.steps.file_forms import READERS, FileForm, form_of
from lengthwise.corpora.steps.number_archives import LENGTHS, OFFSETS, array_names, read_array
from lengthwise.corpora.steps.parquet_files import open_parquet
from lengthwise.corpora.steps.raw import RawSequence, WantedColumns
from lengthwise.corpora.steps.text_lines import lines_of
from lengthwise.corpora.steps.ts_files import FEATURES, read_header
from lengthwise.errors import CorpusError

# What stands in the names of files of a split, the longest first.
IN_NAMES: dict[Split, str] = {"train": "training|train|trn", "validation": "validation|valid|val|dev", "test": "test"}
LINES_LOOKED_AT = 2000
# A column with more strings is no column of tags, nor one of labels.
MOST_TAGS = 200
CONLL_ENDS = (".conll", ".conllu", ".conllx", ".bio", ".iob", ".iob2")


class Proposed(NamedTuple):
    """The columns of a file, and which of them are what."""

    columns: tuple[LookedColumn, ...]
    keys: dict[str, object]


def look_at_steps(source: Path, max_bytes: int) -> LookedCorpus | None:
    """What a source of sequences is understood as; None, if it is none.

    Args:
        source: a file, a folder or a zip.
        max_bytes: what may be unpacked.

    Raises:
        CorpusError: there is nothing there, or a file is damaged.
    """
    files = files_of(source, max_bytes)
    form = _form_of_all(files)
    if form is None:
        return None
    proposed = PROPOSALS[form](files[0], max_bytes)
    if proposed is None:
        return None
    keys = {**proposed.keys, **_splits([file.name for file in files])}
    looked = list(islice(_sequences(files, form, _wanted(proposed.keys), max_bytes), MOST_LOOKED_AT + 1))
    is_whole, looked = len(looked) <= MOST_LOOKED_AT, looked[:MOST_LOOKED_AT]
    labels: dict[str, Counter[str]] = {}
    for sequence in looked:
        if sequence.label is not None:
            labels.setdefault(str(keys["label"]), Counter())[sequence.label] += 1
        for name, tags in sequence.tags.items():
            labels.setdefault(name, Counter()).update(tags)
    groups = {sequence.group for sequence in looked} if "group" in keys else None
    return LookedCorpus(
        source=str(source),
        corpus="steps",
        format=form,
        files=tuple(file.name for file in files),
        columns=proposed.columns,
        looked_at=len(looked),
        is_whole=is_whole,
        lengths=lengths_of([sequence.steps for sequence in looked]),
        labels={name: dict(classes) for name, classes in labels.items()},
        groups=None if groups is None else len(groups),
        keys=keys,
    )


def _form_of_all(files: list[SourceFile]) -> FileForm | None:
    """The one form that files have, if they are sequences at all."""
    forms: set[FileForm] = set()
    for file in files:
        try:
            forms.add(form_of(file, is_long=False))
        except CorpusError:
            return None
    return forms.pop() if len(forms) == 1 else None


def _sequences(
    files: Iterable[SourceFile], form: FileForm, wanted: WantedColumns, max_bytes: int
) -> Iterable[RawSequence]:
    for file in files:
        with closing(READERS[form](file, wanted, max_bytes, Counter())) as sequences:
            yield from sequences


def _wanted(keys: dict[str, Any]) -> WantedColumns:
    tags, features, numbers = (tuple(keys.get(name, ())) for name in ("tags", "features", "numbers"))
    return WantedColumns(keys.get("tokens"), tags, features, keys.get("label"), numbers, keys.get("group"))


def _splits(names: list[str]) -> dict[str, object]:
    """Patterns of the files of each split, if names tell them all."""
    found: dict[Split, str] = {}
    of_split: dict[str, set[Split]] = {name: set() for name in names}
    for split, words in IN_NAMES.items():
        for name in names:
            if word := re.search(words, Path(name).name, re.IGNORECASE):
                found.setdefault(split, f"*{word[0]}*")
                of_split[name].add(split)
    is_told = all(len(splits) == 1 for splits in of_split.values())
    return dict(found.items()) if is_told and {"train", "test"} <= found.keys() else {}


def _of_ts(file: SourceFile, max_bytes: int) -> Proposed:
    del max_bytes
    with file.open() as stream:
        header = read_header(file, lines_of(file, stream))
    size = "" if header.dimensions is None else f" of {header.dimensions}"
    columns = [LookedColumn(FEATURES, f"features{size}")]
    keys: dict[str, object] = {}
    if header.classes is not None:
        columns.append(LookedColumn("label", "class", examples_of(header.classes)))
        keys["label"] = "label"
    if header.has_target:
        columns.append(LookedColumn("target", "number"))
        keys["numbers"] = ["target"]
    return Proposed(tuple(columns), keys)


def _of_conll(file: SourceFile, max_bytes: int) -> Proposed | None:
    del max_bytes
    with file.open() as stream:
        lines = [line for _, line in islice(lines_of(file, stream), LINES_LOOKED_AT)]
    tokens = [line for line in lines if line.strip() and not line.startswith(("#", "-DOCSTART-"))]
    form = LineForm.of(tokens[0])
    rows = [cells for line in tokens if len(cells := form.cells(line)) == form.columns]
    is_named = file.name.lower().endswith(CONLL_ENDS)
    # A table of texts has lines without empty ones between, and blanks in its texts.
    if not is_named and not form.has_ids and (all(lines) or any(" " in cell for cells in rows for cell in cells)):
        return None
    names = NAMES if form.has_ids else tuple(str(number) for number in range(1, form.columns + 1))
    columns = [
        LookedColumn(name, "strings", examples_of(cells[place] for cells in rows)) for place, name in enumerate(names)
    ]
    keys: dict[str, object] = {"tokens": "form", "tags": ["upos"]} if form.has_ids else {"tokens": "1"}
    if not form.has_ids and len({cells[-1] for cells in rows}) <= MOST_TAGS and form.columns > 1:
        keys["tags"] = [names[-1]]
    if any(re.match("# *newdoc", line) or line.startswith("-DOCSTART-") for line in lines):
        keys["group"] = "newdoc"
    return Proposed(tuple(columns), keys)


def _of_parquet(file: SourceFile, max_bytes: int) -> Proposed | None:
    with open_parquet(file, max_bytes) as table:
        schema = table.schema_arrow
        if not any(_is_list(kind) for kind in schema.types):
            return None
        rows = next(table.iter_batches(64), None)
    columns, keys = [], _Keys()
    for field in schema:
        values = [] if rows is None else rows[field.name].to_pylist()
        if _is_list(field.type):
            steps = [value for row in values for value in row or ()]
            item = field.type.value_type
            is_named = b"ClassLabel" in (schema.metadata or {}).get(b"huggingface", b"") and pa.types.is_integer(item)
            keys.add_step(field.name, "text" if _is_text(item) or is_named else "number", steps)
        else:
            keys.add_sequence(field.name, "number" if pa.types.is_floating(field.type) else "text", values)
            steps = values
        columns.append(LookedColumn(field.name, str(field.type), examples_of(steps)))
    return Proposed(tuple(columns), keys.made) if keys.made else None


def _of_numpy(file: SourceFile, max_bytes: int) -> Proposed | None:
    with file.open() as stream:
        content = io.BytesIO(stream.read())
    columns, keys = [], _Keys()
    try:
        with zipfile.ZipFile(content) as archive:
            names = array_names(archive)
            arrays = {name: read_array(file.place, archive, name, max_bytes) for name in names}
    except (zipfile.BadZipFile, ValueError, OSError, EOFError):
        return None
    count = len(arrays[LENGTHS]) if LENGTHS in arrays else len(arrays[OFFSETS]) - 1 if OFFSETS in arrays else None
    for name, array in arrays.items():
        columns.append(LookedColumn(name, f"{array.dtype} {array.shape}", examples_of(array.reshape(-1)[:9].tolist())))
        if name in (LENGTHS, OFFSETS) or not array.ndim:
            continue
        kind = "number" if array.dtype.kind == "f" else "text"
        if array.ndim == 1 and (count is None or len(array) == count):
            keys.add_sequence(name, kind, array.tolist())
        else:
            is_vector = array.ndim == 3 or (array.ndim == 2 and count is not None and len(array) != count)
            keys.add_step(name, "number" if is_vector else kind, array.reshape(-1)[: MOST_TAGS * 10].tolist())
    return Proposed(tuple(columns), keys.made) if keys.made else None


class _Keys:
    """Which columns are what, by what is in them."""

    def __init__(self) -> None:
        self.made: dict[str, object] = {}

    def add_step(self, name: str, kind: str, values: list[object]) -> None:
        """A column with a value for each step."""
        if kind == "number":
            self._append("features", name)
        elif "tokens" not in self.made and not _are_classes(values):
            self.made["tokens"] = name
        else:
            self._append("tags", name)

    def add_sequence(self, name: str, kind: str, values: list[object]) -> None:
        """A column with a value for each sequence: one of few strings is the label."""
        if kind != "number" and "label" not in self.made and _are_classes(values):
            self.made["label"] = name

    def _append(self, key: str, name: str) -> None:
        named = self.made.setdefault(key, [])
        assert isinstance(named, list)
        named.append(name)


def _are_classes(values: list[object]) -> bool:
    """Whether values come again and again: at most a third of them, and not too many, differ."""
    distinct = {str(value) for value in values}
    return 0 < len(distinct) <= min(MOST_TAGS, max(2, len(values) // 3))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind))


PROPOSALS: dict[FileForm, Callable[[SourceFile, int], Proposed | None]] = {
    "ts": _of_ts,
    "conll": _of_conll,
    "parquet": _of_parquet,
    "numpy": _of_numpy,
}
