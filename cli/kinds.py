"""Kinds of skipped items in words: what servers call them is data, and is shown as such."""

from collections import Counter
from collections.abc import Mapping

SHOWN_KINDS = 6
_LONGEST = 40

_WORDS: dict[str, tuple[str, str]] = {
    "assistant": ("assistant", "assistants"),
    "batch": ("batch", "batches"),
    "bucket": ("empty usage bucket", "empty usage buckets"),
    "chat.completion": ("chat completion", "chat completions"),
    "chat.completion.chunk": ("chunk of a chat completion", "chunks of chat completions"),
    "comment": ("comment", "comments"),
    "container": ("container", "containers"),
    "container.file": ("container file", "container files"),
    "conversation": ("conversation", "conversations"),
    "conversation.item": ("conversation item", "conversation items"),
    "done": ("end mark", "end marks"),
    "error": ("error response", "error responses"),
    "eval": ("evaluation", "evaluations"),
    "eval.run": ("evaluation run", "evaluation runs"),
    "eval.run.output_item": ("output item of an evaluation", "output items of evaluations"),
    "file": ("file", "files"),
    "fine_tuning.job": ("fine-tuning job", "fine-tuning jobs"),
    "model": ("model", "models"),
    "project": ("project", "projects"),
    "response": ("response", "responses"),
    "thread": ("thread", "threads"),
    "thread.message": ("message", "messages"),
    "thread.message.delta": ("message delta", "message deltas"),
    "thread.run": ("run", "runs"),
    "thread.run.step": ("step", "steps"),
    "thread.run.step.delta": ("step delta", "step deltas"),
    "unknown": ("object that does not say what it is", "objects that do not say what they are"),
    "upload": ("upload", "uploads"),
    "webhook": ("event that refers to a response", "events that refer to responses"),
    "vector_store": ("vector store", "vector stores"),
    "vector_store.file": ("file of a vector store", "files of vector stores"),
}
"""One and several of a kind."""

NEIGHBOUR_WORDS: dict[str, tuple[str, str]] = {
    "request_failures": ("failed request", "failed requests"),
    "webhook_events": ("webhook event", "webhook events"),
    "organization_usage": ("usage or cost result", "usage or cost results"),
}
"""One and several rows of the tables beside runs."""

_EVENTS = {
    "thread.message.": ("message event", "message events"),
    "thread.run.step.": ("step event", "step events"),
    "thread.run.": ("run event", "run events"),
    "thread.": ("thread event", "thread events"),
}
"""Of names that begin so and are none of the above; the longest comes first."""


def in_words(kinds: Mapping[str, int]) -> str:
    """Counts by kind, such as "59 conversation items, 4 evaluations": the most frequent ones, and how many others."""
    counts = Counter[tuple[str, str]]()
    for kind, count in kinds.items():
        counts[_words(kind)] += count
    found = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = found if len(found) == SHOWN_KINDS + 1 else found[:SHOWN_KINDS]
    texts = [number(count, *words) for words, count in shown]
    others = sum(count for _, count in found[len(shown) :])
    return ", ".join(texts) + (f" and {number(others, 'other', 'others')}" if others else "")


def counted(totals: object, words: Mapping[str, tuple[str, str]]) -> str:
    """Those of some counts that are not 0, in words, such as "2 steps, 1 webhook event"."""
    counts = {name: getattr(totals, name) for name in words}
    return ", ".join(number(count, *words[name]) for name, count in counts.items() if count)


def number(count: int, one: str, several: str) -> str:
    """A count with its word."""
    return f"{count:,} {one if count == 1 else several}"


def printable(text: str, longest: int = _LONGEST) -> str:
    """A text of a server, or a path, as it can be shown: no control characters, and cut off where it is long."""
    seen = "".join(character if character.isprintable() else "\ufffd" for character in text[: longest + 1])
    return seen if len(text) <= longest else f"{seen[: longest - 1]}…"


def _words(kind: str) -> tuple[str, str]:
    kind = kind or "unknown"
    if kind in _WORDS:
        return _WORDS[kind]
    for beginning, words in _EVENTS.items():
        if kind.startswith(beginning):
            return words
    name = printable(kind)
    return f'"{name}" object', f'"{name}" objects'
