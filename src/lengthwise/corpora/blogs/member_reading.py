"""The posts of many authors' files, read by workers: a batch of files is a task."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lengthwise.corpora.blogs.author_files import AuthorFile, FilesSource, read_member
from lengthwise.corpora.blogs.blog_source import open_blogs
from lengthwise.corpora.blogs.decoding import is_unknown
from lengthwise.corpora.blogs.posts import is_utf8, is_well_formed, read_posts
from lengthwise.errors import CorpusError
from lengthwise.system.parallel import Workers

# Of files. What a worker hands over is about as large, and few batches wait at a time.
BATCH_BYTES = 2 << 20
# Less than this, and reading it takes no longer than other processes take to start.
ALONE_BYTES = 24 << 20


@dataclass(frozen=True)
class MembersRead:
    """What a batch of files has.

    Attributes:
        posts: of each file, the date and the text of each: plain tuples, since objects cost other processes more.
        sizes: of each file, in bytes.
        counts: of all that was repaired in them.
    """

    posts: list[list[tuple[str | None, str]]]
    sizes: list[int]
    counts: Counter[str]


_source: FilesSource
_max_bytes: int


def start_reader(path: Path, max_bytes: int) -> None:
    """Make this process a reader of the files at a place.

    Raises:
        CorpusError: see `open_blogs`.
    """
    global _source, _max_bytes
    found = open_blogs(path)
    if not isinstance(found, FilesSource):
        raise CorpusError(f"ingest.source: {path} is another file than it was; leave it until the stage ends")
    _source, _max_bytes = found, max_bytes


def read_members(path: Path, max_bytes: int, members: Sequence[AuthorFile], workers: int) -> Iterator[MembersRead]:
    """The posts of files in their order, whatever the number of workers.

    Args:
        path: of the folder or the zip.
        max_bytes: of a file.
        members: its files to read.
        workers: processes to use, where that pays.

    Raises:
        CorpusError: a file cannot be read, or is larger than `max_bytes`.
    """
    batches = list(_batches(members))
    count = min(workers, len(batches)) if sum(member.size for member in members) > ALONE_BYTES else 1
    with Workers(max(1, count), start_reader, path, max_bytes) as pool:
        yield from pool.in_turn(_read_batch, batches)


def _batches(members: Sequence[AuthorFile]) -> Iterator[list[AuthorFile]]:
    batch: list[AuthorFile] = []
    size = 0
    for member in members:
        if batch and size + member.size > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(member)
        size += member.size
    if batch:
        yield batch


def _read_batch(members: Sequence[AuthorFile]) -> MembersRead:
    read = MembersRead([], [], Counter())
    for member in members:
        data = read_member(_source, member, _max_bytes)
        _count_file(data, read.counts)
        read.posts.append([(post.date, post.text) for post in read_posts(data, read.counts)])
        read.sizes.append(len(data))
    return read


def _count_file(data: bytes, counts: Counter[str]) -> None:
    """Count a file, and what it would have been to a reader that is strict."""
    well_formed, reached = is_well_formed(data)
    counts["files"] += 1
    counts["bytes"] += len(data)
    counts["files_malformed"] += not well_formed
    counts["files_not_utf8"] += not is_utf8(data)
    counts["files_unknown_encoding"] += is_unknown(data)
    counts["documents_strict_parser"] += reached
