"""Wrappings: forms in which other programs write a number, an instant or an object; `quirks` has the rules."""

import re
from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec import Raw

from runmart.models.depth import MAX_DEPTH, is_deeper
from runmart.models.records import INSTANT_LIMIT

MILLISECONDS_FROM = 10**11  # as seconds, the year 5138

_RAW = msgspec.json.Decoder(Raw)
_LIST = msgspec.json.Decoder(list[Raw])
_TEXT = msgspec.json.Decoder(str)
_NUMBER = rb"-?(?:0|[1-9]\d{0,17})(?:\.\d+)?(?:[eE][+-]?\d{1,3})?"
_WHOLE_TEXT = re.compile(_NUMBER + rb"\Z")
_MONGO_NUMBER = re.compile(rb'\{\s*"\$number(?:Int|Long|Double|Decimal)"\s*:\s*"?(' + _NUMBER + rb')"?\s*\}\Z')
_MONGO_DATE = re.compile(rb'\{\s*"\$date"\s*:\s*(.+?)\s*\}\Z', re.DOTALL)
_MICROSOFT_DATE = re.compile(rb'"\\?/Date\((-?\d{1,18})(?:[+-]\d{4})?\)\\?/"\Z')
_DATE_IN_DIGITS = re.compile(rb'"(?:19|20)\d\d(?:(?:0[1-9]|1[0-2])(?:(?:0[1-9]|[12]\d|3[01])(?:\d{4}|\d{6})?)?)?"')
_FLATTENED = re.compile(r"\s*(?:@\{.*|System\.(?:Object|Collections|String|Management)\b.*)\Z", re.DOTALL)
_PYTHON = re.compile(r"\s*(?:\[\s*)?(?:\{\s*'.*|[A-Z]\w*\(\w+=.*\)\]?\s*\Z)", re.DOTALL)


def text_of(raw: bytes) -> str | None:
    """The text that some JSON is; None where it is another value, or the text cannot be decoded."""
    if raw[:1] != b'"':
        return None
    try:
        return _TEXT.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def milliseconds(raw: bytes) -> bool:
    """Whether this is a number that would lie too far in the future if it meant seconds."""
    return _WHOLE_TEXT.match(raw) is not None and MILLISECONDS_FROM <= float(raw) < INSTANT_LIMIT


def quoted_number(raw: bytes) -> bool:
    """Whether a text is the digits of a number."""
    return raw[:1] == b'"' and _WHOLE_TEXT.match(raw[1:-1]) is not None


def quoted_instant(raw: bytes) -> bool:
    """Whether a text is the digits of a number, and not those of a date: a year, month, day or time of day."""
    return quoted_number(raw) and not _DATE_IN_DIGITS.fullmatch(raw)


def unquoted(raw: bytes) -> bytes:
    """What stands between the quotes of a text without escapes."""
    return raw[1:-1]


def quoted_json(raw: bytes) -> bool:
    """Whether a text is a JSON object or list; one that is nested too deep is taken for one without a look."""
    text = (text_of(raw) or "").strip()
    if text[:1] + text[-1:] not in {"{}", "[]"}:
        return False
    encoded = text.encode()
    if is_deeper(encoded, MAX_DEPTH):
        return True
    try:
        _RAW.decode(encoded)
    except msgspec.DecodeError:
        return False
    return True


def unquoted_json(raw: bytes) -> bytes:
    """The JSON in a text."""
    return (text_of(raw) or "").strip().encode()


def whole_fraction(raw: bytes) -> bool:
    """Whether a number with a decimal point or an exponent is whole, and no larger than a BIGINT may be."""
    if not _WHOLE_TEXT.match(raw) or raw.lstrip(b"-").isdigit():
        return False
    number = Decimal(raw.decode())
    return number.adjusted() < 19 and number == number.to_integral_value()  # noqa: PLR2004 - digits of a BIGINT


def whole(raw: bytes) -> bytes:
    """A whole number, by its digits."""
    return str(int(Decimal(raw.decode()))).encode()


def mongo_number(raw: bytes) -> bool:
    """Whether this is a number in MongoDB's extended JSON."""
    return _MONGO_NUMBER.match(raw) is not None


def from_mongo_number(raw: bytes) -> bytes:
    """The number."""
    match = _MONGO_NUMBER.match(raw)
    return match[1] if match else raw


def mongo_date(raw: bytes) -> bool:
    """Whether this is an instant in MongoDB's extended JSON."""
    return _mongo_seconds(raw) is not None


def from_mongo_date(raw: bytes) -> bytes:
    """The instant."""
    return _mongo_seconds(raw) or raw


def _mongo_seconds(raw: bytes) -> bytes | None:
    match = _MONGO_DATE.match(raw)
    if match is None:
        return None
    date = from_mongo_number(match[1])
    if re.fullmatch(rb"-?\d{1,18}", date):
        return instant(int(date) / 1000)
    return from_rfc3339(date) if rfc3339(date) else None


def microsoft_date(raw: bytes) -> bool:
    """Whether this is a date as ASP.NET and Windows PowerShell write it."""
    return _MICROSOFT_DATE.match(raw) is not None


def from_microsoft_date(raw: bytes) -> bytes:
    """The instant; the offset behind it says in which zone it was written, and changes nothing."""
    match = _MICROSOFT_DATE.match(raw)
    return instant(int(match[1]) / 1000) if match else raw


def rfc3339(raw: bytes) -> bool:
    """Whether this is a date and time with an offset from UTC."""
    found = parsed_time(raw)
    return found is not None and found.tzinfo is not None


def from_rfc3339(raw: bytes) -> bytes:
    """The instant."""
    found = parsed_time(raw)
    return raw if found is None else instant(found.timestamp())


def parsed_time(raw: bytes) -> datetime | None:
    """The date and time in a text; None where it is none."""
    text = text_of(raw)
    if text is None or text.isdigit():
        return None
    try:
        return datetime.fromisoformat(text.upper().replace(" UTC", "+00:00"))
    except ValueError:
        return None


def instant(seconds: float) -> bytes:
    """Seconds since 1970, as servers send them: in milliseconds from where `quirks.microseconds` reads them so."""
    return repr(seconds if seconds < MILLISECONDS_FROM else seconds * 1000).encode()


def list_of_one(raw: bytes) -> bool:
    """Whether this is a list of at most one value, itself neither object nor list."""
    if raw[:1] != b"[":
        return False
    try:
        found = _LIST.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return len(found) < 2 and not any(bytes(one)[:1] in {b"{", b"["} for one in found)  # noqa: PLR2004 - of one


def only_one(raw: bytes) -> bytes:
    """The value in a list; null where it has none."""
    found = _LIST.decode(raw)
    return bytes(found[0]) if found else b"null"


def spoilt_by(raw: bytes) -> str | None:
    """What made a text of an object or list, so that it can't be read; None where nothing known did."""
    text = text_of(raw) or ""
    if _FLATTENED.match(text):
        return "PowerShell cut the nesting off here: write with `ConvertTo-Json -Depth 100`"
    if _PYTHON.match(text):
        return "this is Python's repr, not JSON: write runs with `model_dump_json()`, dicts with `json.dumps()`"
    return None
