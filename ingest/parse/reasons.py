"""Reasons of rejects: what is wrong with a text that is no JSON, in words for people, and a likely cause."""

import re

import msgspec
from msgspec import DecodeError, Raw

from runmart.ingest.parse.quoting import quoted
from runmart.models.depth import MAX_DEPTH, MAX_LEVELS, is_deeper

_VALUE = msgspec.json.Decoder(Raw)
_BYTE = re.compile(r"\(byte (\d+)\)")
_HALF_PAIR = re.compile(rb'\\u[dD][89abAB][0-9a-fA-F]{2}[^"]{0,5}"')
_NO_NUMBER = re.compile(rb"-?(?:NaN|Infinity|Inf)\b")
_PYTHON = re.compile(rb"""\{\s*'|None\b|True\b|False\b|\w+\(\w+=""")

TRUNCATED = "the text ends in the middle of a value: a truncated download?"
TOO_DEEP = f"nested too deep, more than {MAX_DEPTH} levels"
NO_DATA = "the event has no data: a truncated stream?"
UNEXPLAINED = "a part of the text that was not understood"

_HALF = "not JSON: half of a surrogate pair (such as \\ud83d without its other half)"
_REPR = "Python's own notation, not JSON: write runs with `run.model_dump_json()` or `json.dumps`, not with `print`"


def problem(text: bytes) -> str:
    """What is wrong with a text that should be one JSON value."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return not_utf8(error)
    try:
        _VALUE.decode(text)
    except RecursionError:
        return TOO_DEEP
    except DecodeError as error:
        return explain(str(error), text)
    return TOO_DEEP if is_deeper(text, MAX_LEVELS) else TRUNCATED


def explain(message: str, text: bytes) -> str:
    """The reason of a reject, from a decoder's message about `text`."""
    found = _BYTE.search(message)
    at = int(found[1]) if found else 0
    if text[:1] not in {b"{", b"["} or message.startswith("Expected `object`"):
        return not_json(text)
    if "truncated" in message:
        return _HALF if _HALF_PAIR.search(text[-16:]) else TRUNCATED
    if "surrogate" in message:
        return _HALF
    return _explained_at(at, text) if found else "not JSON: " + message.removeprefix("JSON is malformed: ")


def _explained_at(at: int, text: bytes) -> str:
    """Why a text is no JSON at one of its bytes."""
    if word := _NO_NUMBER.match(text, at):
        return (
            f"not JSON: {word[0].decode()} at byte {at}, as pandas and Python's json write a missing number; write "
            "null instead (pandas: `to_json`, or `where(frame.notna(), None)`)"
        )
    if text[at : at + 1] == b"'" or _PYTHON.match(text, at):
        return f"not JSON at byte {at}: {_REPR}"
    return f"not JSON: invalid character {quoted(text[at : at + 4])} (byte {at})"


def not_utf8(error: UnicodeDecodeError) -> str:
    """Why a text with bytes that mean nothing in UTF-8 is rejected."""
    return f"not UTF-8 at byte {error.start}: {error.reason}"


def not_json(text: bytes) -> str:
    """Why a text that does not begin as JSON objects do is rejected."""
    if _PYTHON.search(text[:200]):
        return _REPR
    return f"expected a run or a page, that is a JSON object, got {quoted(text)}"
