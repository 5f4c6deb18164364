"""What an id of a thread or of a run is: a name that can stand in the path of a request and mean nothing else there."""

import re
from collections.abc import Callable

LONGEST = 256
"""Characters of the longest id; those of known servers have up to 64."""

_SHOWN = 60
"""Characters of a text that messages show."""

_ORDINARY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FAULTS: tuple[tuple[Callable[[str], bool], str], ...] = (
    (lambda text: not text, "it is empty"),
    (lambda text: text in {".", ".."}, "it is a step in a path"),
    (lambda text: "/" in text or "\\" in text, "it holds a slash"),
    (lambda text: text.split() != [text], "it holds a space"),
    (lambda text: not text.isprintable(), "it holds a character that cannot be seen"),
)


def is_id(text: str) -> bool:
    """Whether a text can be the id of a thread or of a run."""
    return fault(text) is None


def fault(text: str) -> str | None:
    """Why a text is no id, as the rest of a sentence that begins with it; None if it is one.

    Whatever a server may use as an id is one, except what changes the path of a request for some server or proxy (`.`,
    `..`, slashes), and what cannot be seen (white space, control and format characters, lone surrogates).
    """
    if _ORDINARY.fullmatch(text):
        return None
    if len(text) > LONGEST:
        return f"it has {len(text):,} characters, and an id at most {LONGEST}"
    return next((why for is_at_fault, why in _FAULTS if is_at_fault(text)), None)


def shown(text: str) -> str:
    """A text as messages show it: in quotes, on one line, its end cut off."""
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")
