"""What the body of an error answer says, as one short line that is safe to show."""

import html
import re
import unicodedata
from collections.abc import Iterable
from typing import Any, cast

import msgspec

from runmart.ingest.pull.masking import masked

LONGEST_WORDS = 200
"""Characters of a server's words that are shown."""

_LONGEST_BODY = 1 << 20
_SHOWN_ITEMS = 3
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours and movements of the cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f]).*?(?:\x07|\x1b\\|\x9c|$)"  # titles, links, commands to the terminal
    r"|\x1b[ -/]*[0-~]",
    re.DOTALL,
)
_TAG = re.compile(r"<(?:!doctype|!--|/?[a-z][a-z0-9]*)(?:\s[^<>]*)?/?>", re.IGNORECASE)


def server_words(body: bytes, secrets: Iterable[str]) -> str:
    """What a server says in the body of an error, in one line without secrets; "" where it says nothing to show.

    Args:
        body: The first text among `error.message`, `message`, `detail` and `error` of a JSON object is taken; as a
            text, `error` often is but the name of the status. HTML is for browsers, and not shown.
        secrets: What must not be shown, however the server repeats it.
    """
    text = _in_one_line(html.unescape(_message(body)))
    return "" if _TAG.search(text) else _cut(masked(text, secrets))


def _message(body: bytes) -> str:
    try:
        given: Any = msgspec.json.decode(body) if len(body) <= _LONGEST_BODY else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    if not isinstance(given, dict):
        return ""
    fields = cast("dict[str, Any]", given)
    error: Any = fields.get("error")
    inner: Any = cast("dict[str, Any]", error).get("message") if isinstance(error, dict) else None
    texts: list[Any] = [inner, fields.get("message"), _detail(fields.get("detail")), error]
    for value in texts:
        if isinstance(value, str) and value.strip():
            return value
    return ""


def _detail(value: Any) -> Any:
    """The text of FastAPI's `detail`: a string, or a list of what is wrong and where."""
    if not isinstance(value, list):
        return value
    found: list[str] = []
    for one in cast("list[Any]", value)[:_SHOWN_ITEMS]:
        if isinstance(one, dict):
            fields = cast("dict[str, Any]", one)
            place = fields.get("loc")
            where = ".".join(map(str, cast("list[Any]", place))) if isinstance(place, list) else ""
            found.append(f"{where}: {fields.get('msg')}" if where else f"{fields.get('msg')}")
    return "; ".join(found)


def _in_one_line(text: str) -> str:
    """The text without terminal escapes, control and invisible characters, and line breaks."""
    plain = _ESCAPES.sub("", text)
    kept = (" " if char.isspace() else char for char in plain if char.isspace() or unicodedata.category(char)[0] != "C")
    return " ".join("".join(kept).split())


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_WORDS else f"{text[: LONGEST_WORDS - 1].rstrip()}…"
