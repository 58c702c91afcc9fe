"""Parquet files of foreign origin, read by pieces that have a bound whatever the file says of itself."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.corpora.opened import MEBIBYTE, SourceFile
from lengthwise.errors import CorpusError

MAGIC = b"PAR1"
MOST_ROWS_AT_ONCE = 4096
BYTES_PER_VALUE = 8
# Of metadata, which Thrift counts in 31 bits.
MOST_THRIFT_BYTES = 2**31 - 1


@contextmanager
def open_parquet(file: SourceFile, max_bytes: int) -> Iterator[pq.ParquetFile]:
    """A file's table, by its metadata.

    Raises:
        CorpusError: it is no Parquet, or packed and larger than the limit.
    """
    with file.open() as stream:
        # What is packed cannot be read from its end.
        source = stream if stream.seekable() else io.BytesIO(stream.read())
        try:
            table = pq.ParquetFile(source, thrift_string_size_limit=min(max_bytes, MOST_THRIFT_BYTES))
        except (pa.ArrowException, OSError) as error:
            raise CorpusError(f"{file.place}: is no Parquet ({_in_a_line(error)}); get the file again") from None
        yield table


def row_batches(
    file: SourceFile, table: pq.ParquetFile, names: Sequence[str], max_bytes: int
) -> Iterator[pa.RecordBatch]:
    """Some columns of a table, by so many rows that they are expected to have less than the limit in memory.

    Raises:
        CorpusError: a row has more than the limit; or the file is damaged.
    """
    for number in range(table.num_row_groups):
        group = table.metadata.row_group(number)
        columns = [group.column(column) for column in range(group.num_columns)]
        chosen = [column for column in columns if column.path_in_schema.split(".")[0] in names]
        size = sum(column.num_values * BYTES_PER_VALUE + column.total_uncompressed_size for column in chosen)
        if size > max_bytes * max(1, group.num_rows):
            raise CorpusError(
                f"{file.place}: has rows of {size // max(1, group.num_rows) // MEBIBYTE} MiB; expected at most "
                f"{max_bytes // MEBIBYTE}; raise ingest.max_member_mb if the file is what it should be"
            )
        rows = max(1, min(MOST_ROWS_AT_ONCE, max_bytes * group.num_rows // max(1, size)))
        try:
            yield from table.iter_batches(rows, [number], columns=list(dict.fromkeys(names)))
        except (pa.ArrowException, OSError) as error:
            raise CorpusError(f"{file.place}: cannot be read ({_in_a_line(error)}); get the file again") from None


def _in_a_line(error: BaseException) -> str:
    return f"{' '.join(str(error).split()):.160}"
