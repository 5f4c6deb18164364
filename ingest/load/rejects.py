"""Rows of `runmart.rejects`: the text of a reject is stored as text, in Base64 when it is not UTF-8.

Those of a pack, and large ones, are stored as Base64 of their zstd.
"""

import base64
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from runmart.models.observations import Reject

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WITHHELD = "withheld"
"""The encoding of a reject whose text was not stored, since it could not be redacted."""

LARGE_BYTES = 1 << 20

PACKED = "zstd"
"""The encoding of a pack, and of a text larger than `LARGE_BYTES`."""

PARTLY_WITHHELD = "partly withheld"
"""The encoding of a pack without those of its texts that could not be redacted; else as `PACKED`."""

STORED_REJECTS = """(
    select * replace (coalesce(items, 1) as items)
    from (
        select * from runmart.rejects
        union all by name
        select cast(null as bigint) as items, cast(null as bigint) as last_position, cast(null as bigint) as last_line
        where false))"""
"""The rejects of a warehouse that is only read and may have been written by an earlier version, which packed none."""


def count_items(connection: "DuckDBPyConnection") -> int:
    """The number of items that are rejects."""
    return connection.execute(f"select cast(coalesce(sum(items), 0) as bigint) from {STORED_REJECTS}").fetchall()[0][0]


def reject_row(reject_id: int, load_id: int, address: str, reject: Reject) -> tuple[Any, ...]:
    """The row of a reject; `address` is that of its input."""
    origin = reject.origin
    where = (origin.source, address, reject.position, reject.line, origin.observed_at)
    is_pack = reject.items > 1
    last = (reject.last_position, reject.last_line) if is_pack else (None, None)
    text = _packed(reject) if is_pack or len(reject.raw) > LARGE_BYTES else _readable(reject)
    return (reject_id, load_id, *where, reject.reason, reject.json_path, *text, reject.items, *last)


def _readable(reject: Reject) -> tuple[str | None, str | None]:
    """The text and its encoding; None twice when the input could not be read at all."""
    if reject.is_withheld:
        return None, WITHHELD
    return text_of(reject.raw) if reject.raw else (None, None)


def _packed(reject: Reject) -> tuple[str | None, str]:
    if reject.is_withheld and not reject.raw:
        return None, WITHHELD
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(reject.raw)
    text = base64.b64encode(sink.getvalue()).decode()
    return text, PARTLY_WITHHELD if reject.is_withheld else PACKED


def text_of(raw: bytes) -> tuple[str, str]:
    """Bytes as a text, and its encoding."""
    try:
        return raw.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode(), "base64"


def is_packed(encoding: str | None) -> bool:
    """Whether the text of a stored reject is compressed."""
    return encoding in {PACKED, PARTLY_WITHHELD}


def delete_outgrown(connection: "DuckDBPyConnection", address: str, pack: Reject) -> None:
    """Delete the stored rejects that a pack of the same input begins with: the input has grown since.

    Those whose texts were withheld are told by their place alone.
    """
    stored = connection.execute(
        """
        select reject_id, raw, raw_encoding from runmart.rejects
        where source = ? and input = ? and position = ? and items < ? and raw_encoding is not null""",
        [pack.origin.source, address, pack.position, pack.items],
    ).fetchall()
    for reject_id, raw, encoding in stored:
        if pack.raw.startswith(b"" if raw is None else raw_bytes(raw, encoding)):
            connection.execute("delete from runmart.rejects where reject_id = ?", [reject_id])


def raw_bytes(text: str, encoding: str) -> bytes:
    """The bytes of a stored reject; of a pack, the texts in order, a line each or more."""
    if is_packed(encoding):
        with pa.CompressedInputStream(pa.BufferReader(base64.b64decode(text)), "zstd") as stream:
            return stream.read()
    return base64.b64decode(text) if encoding == "base64" else text.encode()
