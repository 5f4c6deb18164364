"""Threads as people name them: by id, or by an address of the API or of a web console, as a browser shows it."""

import re
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import parse_qsl, unquote, urlsplit

from runmart.ingest.pull.ids import fault, shown

PREFIX = "thread_"
"""How ids of threads begin, on most servers."""

_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_SECRET_PARTS = re.compile(r"(?<=//)[^/@]*@|[?#].*", re.DOTALL)
_SEPARATORS = re.compile(r"[\W_]")
_NULLS = frozenset({"null", "none", "nan", "undefined"})
"""What programs write for the id that is not there."""


def thread_id(text: str) -> str:
    """The id of the thread that a text names: the text itself, or the id in the path or the query of an address.

    Raises:
        ValueError: It names none. The message is the text, without what may be secret in an address, and the reason.
    """
    found, why = text, fault(text)
    if is_address(text):
        found, why = _in_address(text)
    elif text.casefold() in _NULLS:
        why = "it stands for nothing"
    if why is None:
        return found
    public = _SECRET_PARTS.sub("", text) if is_address(text) else text
    raise ValueError(f"{shown(public)} ({why})")


def is_address(text: str) -> bool:
    """Whether a text is an address on the web."""
    return _ADDRESS.match(text) is not None


def plain_name(text: str) -> str:
    """A name without case, separators and the s of a plural: `Thread IDs`, `threadId` and `thread_id` are one."""
    return _SEPARATORS.sub("", text.casefold()).removesuffix("s")


def _in_address(address: str) -> tuple[str, str | None]:
    """The id in an address, or "" and the reason that there is none."""
    if address.split() != [address]:
        return "", "it holds a space"
    try:
        parts = _parts(address)
    except ValueError:
        return "", "it is no valid address"
    named = dict.fromkeys(value for name, value in parts if plain_name(name) in {"thread", "threadid"})
    likely = dict.fromkeys(value for _, value in parts if value.startswith(PREFIX))
    found = list(named or likely)
    if not found:
        return "", "it is an address without a thread"
    if len(found) > 1:
        return "", "it is an address with several threads"
    why = fault(found[0])
    return found[0], why and f"in the id in the address, {why}"


def _parts(address: str) -> list[tuple[str, str]]:
    """The parts of an address, each with its name: the part of the path before it, or the key in the query.

    Raises:
        ValueError: It is no address, or its percent-encoding is damaged.
    """
    parts = urlsplit(address)
    place, _, query = parts.fragment.partition("?")  # consoles of one page have their path there
    return [*_steps(parts.path), *_pairs(parts.query), *_steps(place), *_pairs(query), *_pairs(place)]


def _steps(path: str) -> Iterator[tuple[str, str]]:
    """The steps of a path, without the `runs` of `threads/runs`, which creates a thread together with a run."""
    steps = [unquote(step, errors="strict") for step in path.split("/")]
    for before, step in pairwise(["", *steps]):
        if step and not (plain_name(before) == "thread" and step == "runs"):
            yield before, step


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, errors="strict")
