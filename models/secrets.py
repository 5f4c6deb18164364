"""Secrets: members and headers that hold keys, by their names, and their values in texts, however they are quoted."""

import re

_NAMES = rb"(?:api[-_]?key(?:_?hash|_?auth)?|authorization|cookies?)"
_ANY_NAME = re.compile(_NAMES, re.IGNORECASE)
_NAME = re.compile(rf".*{_NAMES.decode()}\Z", re.IGNORECASE | re.DOTALL)

_QUOTE = rb"(\\*[\"'])"
_TEXT = rb"\2.*?(?:(?<!\\)\2|\Z)"
"""A text in quotes like those of the name; its end may have been cut off."""

_VALUES = (
    rb"(%s%s\s*:\s*)(?:%s|\[[^\]]*(?:\]|\Z))" % (_NAMES, _QUOTE, _TEXT),
    rb"(%s%s\s*,\s*(?:\2value\2\s*:\s*)?)%s" % (_NAMES, _QUOTE, _TEXT),
)
_JSON_VALUES = [re.compile(pattern, re.IGNORECASE | re.DOTALL) for pattern in _VALUES]
_PLAIN_VALUE = re.compile(rb"(authorization\s*[:=]\s*(?:\w+\s+)?)[^\s\"'\\,{}\[\]]+", re.IGNORECASE)


def is_secret(name: str) -> bool:
    """Whether the value of a member or a header is a secret."""
    return _NAME.match(name) is not None


def may_hold_secrets(text: bytes) -> bool:
    """Whether a text has such a name."""
    return _ANY_NAME.search(text) is not None


def without_secrets(text: bytes) -> bytes:
    """The text with null in place of each value that is a secret by its name.

    Names are those of members, of headers in lists (`{"name": …, "value": …}` and pairs), and of headers in plain
    lines.
    """
    if not may_hold_secrets(text):
        return text
    for pattern in _JSON_VALUES:
        text = pattern.sub(rb"\1null", text)
    return _PLAIN_VALUE.sub(rb"\1null", text)
