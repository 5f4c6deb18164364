"""Secrets in texts: values of members and headers that hold keys, however they are quoted."""

import re

_NAMES = rb"(?:api[-_]?key(?:_?hash|_?auth)?|authorization|cookies?)"
_QUOTE = rb"(\\*[\"'])"
_TEXT = rb"\2.*?(?:(?<!\\)\2|\Z)"
"""A text in quotes like those of the name; its end may have been cut off."""

_ANY_NAME = re.compile(_NAMES, re.IGNORECASE)
_VALUES = (
    rb"(%s%s\s*:\s*)(?:%s|\[[^\]]*(?:\]|\Z))" % (_NAMES, _QUOTE, _TEXT),
    rb"(%s%s\s*,\s*(?:\2value\2\s*:\s*)?)%s" % (_NAMES, _QUOTE, _TEXT),
)
_JSON_VALUES = [re.compile(pattern, re.IGNORECASE | re.DOTALL) for pattern in _VALUES]
_PLAIN_VALUE = re.compile(rb"(authorization\s*[:=]\s*(?:\w+\s+)?)[^\s\"'\\,{}\[\]]+", re.IGNORECASE)


def without_secrets(text: bytes) -> bytes:
    """The text with null in place of each value that is a secret by its name.

    Names are those of members, of headers in lists (`{"name": …, "value": …}` and pairs), and of headers in plain
    lines.
    """
    if not _ANY_NAME.search(text):
        return text
    for pattern in _JSON_VALUES:
        text = pattern.sub(rb"\1null", text)
    return _PLAIN_VALUE.sub(rb"\1null", text)
