"""What a file, a folder or an archive is understood as, before anything runs."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from lengthwise.corpora.looked import LookedCorpus, lengths_of
from lengthwise.corpora.opened import SourceFile, files_of
from lengthwise.corpora.steps.file_forms import ZIP
from lengthwise.corpora.steps.looking import look_at_steps
from lengthwise.corpora.tabular.table_look import look_at_table
from lengthwise.errors import CorpusError

# The files of the blog corpus, and the columns of its CSV.
BLOG = re.compile(r"\d+\.(male|female)\.\d+\..+\.(xml|txt)", re.IGNORECASE)
BLOG_COLUMNS = frozenset({"gender", "age", "topic", "sign", "text"})


def look_at(source: Path, max_bytes: int) -> LookedCorpus:
    """What a source is understood as.

    Args:
        source: a file, a folder or a zip.
        max_bytes: what a member of an archive or a compressed file may unpack to.

    Raises:
        CorpusError: there is nothing there, a file is damaged, or it is nothing that can be read.
    """
    files = files_of(source, max_bytes)
    blogs = [file for file in files if BLOG.fullmatch(PurePosixPath(file.name).name)]
    if 2 * len(blogs) > len(files):
        return LookedCorpus(str(source), "blogs", "blogs", tuple(file.name for file in files), looked_at=len(files))
    looks: Sequence[Callable[[Path, int], LookedCorpus | None]] = (look_at_steps, look_at_table)
    for look in looks:
        if (looked := look(source, max_bytes)) is not None:
            is_blogs = {column.name.lower() for column in looked.columns} >= BLOG_COLUMNS
            return LookedCorpus(**{**vars(looked), "corpus": "blogs", "keys": {}}) if is_blogs else looked
    return _look_at_text(source, files)


def _look_at_text(source: Path, files: list[SourceFile]) -> LookedCorpus:
    lengths = []
    for file in files:
        with file.open() as stream:
            data = stream.read()
            if data.startswith(ZIP):
                raise CorpusError(
                    f"{file.place}: is an archive in a folder or an archive; expected files; name it itself"
                )
            try:
                lengths.append(len(data.decode("utf-8-sig")))
            except UnicodeDecodeError as error:
                raise CorpusError(
                    f"{file.place}: is no form that is known, and no UTF-8 (byte {error.start}); expected a table, "
                    "sequences or text; see docs/corpora_steps.md, or set ingest.plain.encoding"
                ) from None
    return LookedCorpus(
        source=str(source),
        corpus="plain",
        format="text",
        files=tuple(file.name for file in files),
        looked_at=len(files),
        lengths=lengths_of(lengths),
        unit="characters",
    )
