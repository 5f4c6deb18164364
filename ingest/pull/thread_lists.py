"""Lists of threads as people have them: lines, tables (CSV), JSON Lines or JSON, with ids or addresses of threads.

Blank lines and lines that begin with # are skipped. What a list names is found by evidence, and what could be meant in
two ways is an error: an id that is not there is never made up, and one that is there is never left out.
"""

import codecs
from collections.abc import Iterable, Iterator

from runmart.ingest.errors import SettingsError
from runmart.ingest.pull.thread_addresses import thread_id
from runmart.ingest.pull.thread_documents import documents
from runmart.ingest.pull.thread_tables import is_skipped, lines, table

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, with which it begins
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def parse(data: bytes, name: str) -> list[str]:
    """The ids in a list of threads, in its order, as often as they are there.

    Args:
        data: The list: UTF-8, or another encoding of Unicode with a byte order mark.
        name: The name of the list, for messages.

    Raises:
        SettingsError: It holds something that is no thread id, or it is not clear where the ids are.
    """
    try:
        text = _decoded(data)
        first = next((line for _, line in lines(text) if not is_skipped(line)), "")
        named = documents(text) if first.lstrip().startswith(("{", "[")) else table(text)
        return [_checked(one.place, one.text) for one in named]
    except ValueError as error:
        raise SettingsError(f"{name}: {error}") from None


def checked(values: Iterable[str | None], name: str) -> Iterator[str]:
    """The ids in a column of a query; NULL, which is in the rows of what has no thread, is skipped.

    Args:
        values: The values of the column.
        name: The name of the query, for messages.

    Raises:
        SettingsError: A value is no thread id.
    """
    for row, value in enumerate(values, 1):
        if value is None:
            continue
        try:
            yield _checked(f"row {row:,}", value)
        except ValueError as error:
            raise SettingsError(f"{name}: {error}") from None


def _checked(place: str, text: str) -> str:
    try:
        return thread_id(text)
    except ValueError as error:
        raise ValueError(f"{place} is no thread id: {error}; correct it or take it out") from None


def _decoded(data: bytes) -> str:
    """The text of a list, without its byte order mark."""
    mark, encoding = next(((mark, encoding) for mark, encoding in _MARKS if data.startswith(mark)), (b"", "utf-8"))
    try:
        return data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].decode(encoding, errors="replace").count("\n") + 1
        raise ValueError(
            f"line {line:,} is no {encoding.upper()} text; save spreadsheets as CSV UTF-8, and read Parquet files with "
            "--threads-sql"
        ) from None
