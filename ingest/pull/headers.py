"""Headers that a server needs beside the key, such as a workspace. Their values are secrets, from the environment."""

import os
import re
from collections.abc import Iterable, Mapping

from runmart.ingest.errors import SettingsError

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_RESERVED = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "expect", "host", "keep-alive"}
    | {"proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Set by the HTTP client."""


def from_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The values of headers.

    Args:
        variables: For each header, the environment variable that holds its value.

    Raises:
        SettingsError: A name is no header's or reserved, or a variable is missing or holds what no header can carry.
            The message holds neither values nor names of variables, since one may have been given for the other.
    """
    found: dict[str, str] = {}
    for name, variable in variables.items():
        _check_name(name)
        if name.lower() in found:
            raise SettingsError(f"the header {name} is given twice (--header)")
        found[name.lower()] = _value(name, variable)
    return found


def parse(texts: Iterable[str]) -> dict[str, str]:
    """The environment variables of headers, from texts such as NAME=VARIABLE.

    Raises:
        SettingsError: A text has another form, or names a header again; the message does not repeat it, as it may hold
            a secret.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, separator, variable = (part.strip() for part in text.partition("="))
        if not (separator and name and variable):
            raise SettingsError(
                "--header must be NAME=VARIABLE: a header, and the environment variable that holds its value"
            )
        _check_name(name)
        if name in found:
            raise SettingsError(f"the header {name} is given twice (--header)")
        found[name] = variable
    return found


def _check_name(name: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise SettingsError("--header: a header's name is made of letters, digits and hyphens, such as X-Workspace")
    if name.lower() in {"authorization", "api-key"}:
        raise SettingsError(f"--header cannot set {name}; give the key with --api-key-env, --api-key-file or the like")
    if name.lower() in _RESERVED:
        raise SettingsError(f"--header cannot set {name}, which belongs to the connection")


def _value(name: str, variable: str) -> str:
    value = os.environ.get(variable, "").strip()
    if not value:
        raise SettingsError(
            f"the environment variable for the header {name} is not set or empty; --header takes the name of a "
            "variable, not the value"
        )
    if not (value.isascii() and value.isprintable()):
        raise SettingsError(f"the environment variable for the header {name} holds characters that no header can carry")
    return value
