"""Tables of threads: one id a line, or CSV with commas, semicolons or tabs, with or without a heading."""

import csv
import json
import re
import string
from collections.abc import Iterator, Sequence
from io import StringIO
from typing import NamedTuple

from runmart.ingest.pull.ids import shown
from runmart.ingest.pull.thread_addresses import is_address
from runmart.ingest.pull.thread_columns import Named, column, is_generated, is_likely, is_thread_name

_DELIMITERS = ("\t", ";", ",")
_EMPTY = "".join(_DELIMITERS) + string.whitespace
_JSON_STRING = re.compile(r'\s*("(?:[^"\\]|\\.)*+")\s*,?\s*')


class _Row(NamedTuple):
    line: int
    cells: list[str]
    """Without white space and quotes around them, up to the last one that is not empty."""


def lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a text with their numbers, from 1."""
    yield from enumerate(StringIO(text, newline=""), 1)


def is_skipped(line: str) -> bool:
    """Whether a line is blank, a comment, or a row of empty cells."""
    return not line.strip(_EMPTY) or line.lstrip().startswith("#")


def table(text: str) -> Iterator[Named]:
    """The threads that a table names.

    Raises:
        ValueError: It is not clear which column names them, or the table is damaged.
    """
    rows = [row for row in _rows(text) if row.cells]
    if not rows:
        return
    names, data = _headed(rows)
    place = _column(names, data, rows[0].line)
    for line, cells in data:
        if len(cells) > len(names):
            raise ValueError(
                f"line {line:,} has {len(cells)} columns, but line {rows[0].line:,} has {len(names)}; put values with "
                "commas, semicolons or tabs in quotes"
            )
        cell = cells[place] if place < len(cells) else ""
        if any(mark in cell for mark in ",;\"'") and not is_address(cell):
            raise ValueError(f"line {line:,} is no thread id: {shown(cell)} (it holds a comma, a semicolon or a quote)")
        yield Named(f"line {line:,}", cell)


def _rows(text: str) -> Iterator[_Row]:
    """The rows of a table, empty ones included.

    Raises:
        ValueError: A quote is not closed, or something follows a closing one.
    """
    first = next((line for _, line in lines(text) if not is_skipped(line)), "")
    is_inside, start = False, 0

    def source() -> Iterator[str]:
        nonlocal is_inside, start
        for number, line in lines(text):
            if is_inside or not is_skipped(line):
                is_inside, start = True, start if is_inside else number
                yield _without_escapes(line)

    try:
        for cells in csv.reader(source(), delimiter=_delimiter(first), strict=True):
            is_inside = False
            yield _Row(start, _trimmed(cells))
    except csv.Error as error:
        raise ValueError(f"line {start:,} is no row of a table: {shown(str(error))}; check its quotes") from None


def _delimiter(line: str) -> str:
    """What separates the columns, by the first line: what gives it a column for threads, else most columns."""

    def evidence(delimiter: str) -> tuple[bool, int]:
        cells = next(csv.reader([line], delimiter=delimiter), [""])
        return any(is_thread_name(cell) or is_likely(cell) for cell in _trimmed(cells)), len(cells)

    return max(_DELIMITERS, key=evidence)


def _without_escapes(line: str) -> str:
    """A line that is one JSON string with escapes as CSV; other lines as they are: without escapes, the two are one."""
    if "\\" in line and (found := _JSON_STRING.fullmatch(line)):
        try:
            decoded = str(json.loads(found[1]))
        except ValueError:
            return line
        return '"' + decoded.replace('"', '""') + '"\n'
    return line


def _trimmed(cells: Sequence[str]) -> list[str]:
    found = [_unquoted(cell.strip()) for cell in cells]
    while found and not found[-1]:
        found.pop()
    return found


def _unquoted(cell: str) -> str:
    is_quoted = len(cell) > 1 and cell[0] == cell[-1] == "'"
    return cell[1:-1].strip() if is_quoted else cell


def _headed(rows: Sequence[_Row]) -> tuple[list[str], Sequence[_Row]]:
    """The names of the columns and the rows below; without a heading, the first row stands for the names.

    Raises:
        ValueError: The only column begins with what may be its name or an id.
    """
    head, below = rows[0].cells, rows[1:]
    if any(map(is_thread_name, head)):
        return head, below
    if any(map(is_generated, head)) or not below:
        return head, rows
    is_heading = any(
        all(is_generated(row.cells[place]) for row in below if place < len(row.cells) and row.cells[place])
        for place in range(len(head))
    )
    if is_heading and len(head) == 1:
        raise ValueError(
            f"line {rows[0].line:,} may be a heading or an id: {shown(head[0])}; if it is a heading, call it "
            "thread_id, else put a line with thread_id before it"
        )
    return head, below if is_heading else rows


def _column(names: Sequence[str], data: Sequence[_Row], line: int) -> int:
    """The place of the column that names the threads.

    Raises:
        ValueError: No column does, or several may.
    """
    values = [[row.cells[place] for row in data if place < len(row.cells)] for place in range(len(names))]
    likely = [place for place, cells in enumerate(values) if any(cells) and all(is_likely(one) for one in cells if one)]
    place = column(names, likely)
    if place is None and len(names) > 1:
        known = ", ".join(map(shown, names))
        raise ValueError(f"line {line:,}: none of the columns {known} is called thread_id, thread or id")
    return place or 0
