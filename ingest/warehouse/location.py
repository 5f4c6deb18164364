"""Places: where a warehouse is, a DuckDB file or a DuckLake with its catalog in PostgreSQL, as commands name it."""

import re
from dataclasses import dataclass
from pathlib import Path

from runmart.ingest.errors import WarehouseError

LAKE = "ducklake:"
_POSTGRES = f"{LAKE}postgres:"

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
class DuckLake:
    """A DuckLake: who keeps its catalog, and, when it is to be made, where its files go."""

    catalog: str
    """How libpq connects; it may hold a password, so it is never shown."""
    data: str | None = None
    """The folder of its files, wherever a command runs; needed once, the catalog remembers it."""

    @property
    def address(self) -> str:
        """What `place` made it of, password and all."""
        return f"{_POSTGRES}{self.catalog}"

    def __str__(self) -> str:
        """The address as it may be shown."""
        return without_password(self.address)

    __repr__ = __str__


Location = Path | DuckLake
"""A DuckDB file, or a DuckLake."""


def parse_location(text: str, data: str | None = None) -> Location:
    """What the text of --warehouse names, and --data beside it.

    Raises:
        WarehouseError: It is an address of a DuckLake that keeps its catalog elsewhere, or a file that needs no --data.
    """
    if text.startswith(_POSTGRES):
        return DuckLake(text.removeprefix(_POSTGRES), absolute(data))
    if text.startswith(LAKE):
        raise WarehouseError(
            f"{without_password(text)}: the catalog of a shared warehouse is kept by PostgreSQL; "
            f"name it so: {_POSTGRES}dbname=NAME host=HOST user=USER"
        )
    return Path(text)


def absolute(data: str | None) -> str | None:
    """Where files go, whatever the folder that a command runs in; addresses such as s3:// stay as they are."""
    return data if data is None or is_remote(data) else str(Path(data).absolute())


def is_remote(data: str) -> bool:
    """Whether files lie elsewhere than in a folder."""
    return "://" in data


def without_password(text: str) -> str:
    """The text of an address in which passwords are left out; all that follows one, where it is not as libpq has it."""
    if "://" not in text and not _PAIRS.fullmatch(text):
        return _REST.sub(rf"\g<name>{_REDACTED}", text)
    for pattern in (_SETTING, _PARAMETER, _USER_INFO):
        text = pattern.sub(rf"\g<name>{_REDACTED}", text)
    return text


def refusal(text: str) -> str:
    """What libpq says when it cannot connect, as a sentence; its words about an address may quote a password."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["no reason given"]
    if any(words in lines[0] for words in _OF_ADDRESSES):
        return (
            "the address is not as PostgreSQL has it: dbname=NAME host=HOST user=USER, and values with spaces in quotes"
        )
    return f"PostgreSQL cannot be used: {lines[0]}; check the address, and PGPASSWORD or ~/.pgpass"
