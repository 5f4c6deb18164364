"""Address of a DuckLake: how it reaches its catalog in PostgreSQL, and how it is shown without passwords."""

import re
from dataclasses import dataclass
from pathlib import Path

PREFIX = "ducklake:postgres:"

_REDACTED = "…"
_SETTING = re.compile(
    r"(?<![?&\w])(?P<name>(?:ssl)?password\s*=\s*)(?:'(?:[^'\\]|\\.)*'?|(?:\\.|[^\s\\])+)", re.IGNORECASE | re.DOTALL
)
_PAIRS = re.compile(r"(?:\s*[\w:]+\s*=\s*(?:'(?:[^'\\]|\\.)*'|(?:\\.|[^\s\\'])*))*\s*", re.DOTALL)
_REST = re.compile(r"(?P<name>password\s*=?\s*).*", re.IGNORECASE | re.DOTALL)
_PARAMETER = re.compile(r"(?P<name>[?&](?:ssl)?password=)[^&\s]*", re.IGNORECASE)
_USER_INFO = re.compile(r"(?P<name>://[^/\s@:]*:)[^/\s]*(?=@)")

_OF_ADDRESSES = ("connection info string", "connection option", "connection string", "URI")


@dataclass(frozen=True, slots=True, repr=False)
class DuckLakeAddress:
    """Where the catalog of a DuckLake is, and, for a new one, where its files go."""

    catalog: str
    """The connection string for libpq; it may hold a password, so it is never shown."""
    data: str | None = None
    """The absolute path or URL of its files; needed once, the catalog remembers it."""

    @property
    def address(self) -> str:
        """The location as it was given, with its password."""
        return f"{PREFIX}{self.catalog}"

    def __str__(self) -> str:
        """The location without its password."""
        return without_password(self.address)

    __repr__ = __str__


def absolute(data: str) -> str:
    """The absolute path of a folder; URLs such as s3:// stay as they are."""
    return data if is_remote(data) else str(Path(data).absolute())


def is_remote(data: str) -> bool:
    """Whether it is a URL rather than a folder."""
    return "://" in data


def without_password(text: str) -> str:
    """The text of an address without passwords; where it is malformed, also without all that follows a password."""
    if "://" not in text and not _PAIRS.fullmatch(text):
        return _REST.sub(rf"\g<name>{_REDACTED}", text)
    for pattern in (_SETTING, _PARAMETER, _USER_INFO):
        text = pattern.sub(rf"\g<name>{_REDACTED}", text)
    return text


def connection_error(text: str) -> str:
    """Libpq's message about a failed connection, as a sentence; without its quotes of an address or a password."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["no reason given"]
    if any(words in lines[0] for words in _OF_ADDRESSES):
        return (
            "the address is not as PostgreSQL has it: dbname=NAME host=HOST user=USER, and values with spaces in quotes"
        )
    return f"PostgreSQL cannot be used: {lines[0]}; check the address, and PGPASSWORD or ~/.pgpass"
