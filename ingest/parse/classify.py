"""What kind of object a text holds: a run, a page, or something else of the same APIs."""

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from runmart.ingest.parse.json_object import UnfitError, object_members
from runmart.models.records import ABSENT
from runmart.models.statuses import RUN_OBJECT

OTHER_OBJECTS = frozenset(
    {"assistant", "batch", "chat.completion", "conversation", "file", "fine_tuning.job", "model", "project"}
    | {"response", "thread", "upload", "vector_store", "vector_store.file"}
)
"""Objects of the same APIs that are no runs, though some have an id and a status. So are all that begin with `thread.`,
such as steps and messages; a server's own word for a run is taken for one."""

RUN = "run"
API_ERROR = "error"
_OBJECT_OF_RUN = msgspec.json.encode(RUN_OBJECT)


class Peek(Struct):
    """The members that tell the kind."""

    object: Raw = ABSENT
    id: Raw = ABSENT
    status: Raw = ABSENT
    data: Raw = ABSENT
    error: Raw = ABSENT


PEEK = msgspec.json.Decoder(Peek)
PEEKS = msgspec.json.Decoder(list[Peek])


def is_page(peek: Peek) -> bool:
    """Whether the object is a page: a list under `data`, and no run around it."""
    return bytes(peek.data)[:1] == b"[" and peek.status is ABSENT and not says_run(peek.object)


def says_run(sent: Raw) -> bool:
    """Whether the `object` member of something says that it is a run."""
    return bytes(sent) == _OBJECT_OF_RUN


def kind(text: bytes) -> str:
    """What a JSON object that is no page is: a run, or an object of another kind.

    Raises:
        UnfitError: It is neither, or has a key twice.
        msgspec.DecodeError: `text` is no JSON object.
    """
    peek = PEEK.decode(text)
    other = other_kind(peek)
    if other is None and peek.id is ABSENT and peek.status is ABSENT:
        object_members(text)
        raise UnfitError(
            "a page within the runs of a page"
            if is_page(peek)
            else "neither a run nor a page: it has no `id` and no `status`, and no list `data`"
        )
    return other or RUN


def holds_run(text: bytes) -> bool:
    """Whether `text` is a run without any doubt."""
    try:
        return is_run(PEEK.decode(text))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def other_kind(peek: Peek) -> str | None:
    """The kind of an object that is known not to be a run, else None."""
    name = _text(peek.object)
    if not is_run_object(name):
        return name
    if peek.id is ABSENT and peek.status is ABSENT and bytes(peek.error)[:1] in {b"{", b'"'}:
        return API_ERROR
    return None


def is_run_object(name: str | UnsetType | None) -> bool:
    """Whether an object that says that it is a `name`, or says nothing, may be a run."""
    if name is None or name is UNSET or name == RUN_OBJECT:
        return True
    return not name.startswith("thread.") and name not in OTHER_OBJECTS


def is_run(peek: Peek) -> bool:
    """Whether the object is a run without any doubt."""
    return peek.id is not ABSENT and peek.status is not ABSENT and other_kind(peek) is None


def _text(raw: Raw) -> str | None:
    return msgspec.json.decode(raw, type=str) if bytes(raw)[:1] == b'"' else None
