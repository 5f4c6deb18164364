"""Masks secrets in texts of others: whole, in part, encoded, or masked in part by whoever wrote the text."""

import base64
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

HIDDEN = "[hidden]"

_SHARED = 6
"""So many characters in a row that are in a secret too show a part of it."""
_END = 3
"""So many characters that begin or end a secret show a part of it, as in "the key that ends in d5e"."""

_WORD = re.compile(r"""[^\s"'`<>(){}\[\],;]+""")
_SCHEME = re.compile(r"\b(bearer|basic|apikey|api-key|token)([ :=]+)(\S+)", re.IGNORECASE)
_MASK = re.compile(r"\w(?:\*{2,}|[•●·]{2,}|…|\.{2,}|[xX]{3,}|#{3,})\w|\*{3,}\w|\w\*{3,}")
"""Characters that stand for others in the middle of a word, or stars at an end of it."""
_LONG_VALUE = 16


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text with each word hidden that shows a secret or a part of one.

    Args:
        text: One line.
        secrets: The secrets; a server may have repeated them percent-encoded, in Base64, or masked in part.
    """
    shapes = sorted({shape for secret in secrets for shape in _shapes(secret)}, key=len, reverse=True)
    for shape in shapes:
        text = re.sub(_bounded(shape), HIDDEN, text, flags=re.IGNORECASE)
    text = _SCHEME.sub(_without_value, text)
    return _WORD.sub(lambda word: HIDDEN if _shows(word[0], shapes) else word[0], text)


def _shapes(secret: str) -> Iterator[str]:
    """The secret, and what it is in Base64."""
    plain = secret.strip()
    if plain:
        yield plain
        yield base64.b64encode(plain.encode()).decode().rstrip("=")


def _bounded(shape: str) -> str:
    """A pattern of the shape; a short one is hidden as a word, not within words."""
    pattern = re.escape(shape)
    return pattern if len(shape) >= _SHARED else rf"(?<!\w){pattern}(?!\w)"


def _without_value(found: re.Match[str]) -> str:
    """`Bearer …` without its value; "token expired" is no value."""
    scheme, between, value = found.groups()
    is_value = len(value) >= _LONG_VALUE or any(char.isdigit() for char in value) or HIDDEN in value
    return f"{scheme}{between}{HIDDEN}" if is_value else found[0]


def _shows(word: str, shapes: Iterable[str]) -> bool:
    """Whether a word shows a part of a secret, as it is or decoded, or is masked in part."""
    readings = {word.casefold(), unquote(unquote(word)).casefold()}
    folded = [shape.casefold() for shape in shapes]
    return bool(_MASK.search(word)) or any(_shares(reading, shape) for reading in readings for shape in folded)


def _shares(word: str, secret: str) -> bool:
    """Whether a word has a part in common with a secret that is too long, or too telling, for chance."""
    bare = word.strip(".:!?*•…")
    if len(secret) < _SHARED:
        return bare == secret
    if len(bare) >= _END and (secret.startswith(bare) or secret.endswith(bare)):
        return True
    places = range(len(secret) - _SHARED + 1)
    return any(secret[place : place + _SHARED] in word for place in places)
