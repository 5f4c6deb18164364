"""What kind of object a text holds: a record of a known kind, a page, or another object of the same APIs."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from runmart.ingest.parse.json_object import UnfitError, object_members
from runmart.models.record_spec import SPECS, RecordSpec
from runmart.models.records import ABSENT

OTHER_OBJECTS = frozenset(
    {"assistant", "batch", "chat.completion", "conversation", "file", "fine_tuning.job", "model", "project"}
    | {"response", "thread", "upload", "vector_store", "vector_store.file"}
)
"""Objects of the same APIs that are no runs, though some have an id and a status. So are all that begin with `thread.`,
such as steps and messages; a server's own word for a run is taken for one. Kinds that have a spec may be among them."""

API_ERROR = "error"


class Peek(Struct):
    """The members that tell the kind."""

    object: Raw = ABSENT
    id: Raw = ABSENT
    status: Raw = ABSENT
    data: Raw = ABSENT
    error: Raw = ABSENT


PEEK = msgspec.json.Decoder(Peek)
PEEKS = msgspec.json.Decoder(list[Peek])


class Classifier:
    """Tells records of the kinds in `specs` from each other and from other objects."""

    def __init__(self, specs: Sequence[RecordSpec] = SPECS) -> None:
        self._specs = specs
        self._spec_by_object = {spec.object: spec for spec in specs}
        self._encoded_object_names = frozenset(map(msgspec.json.encode, self._spec_by_object))

    def spec_of(self, name: str | UnsetType | None) -> RecordSpec | None:
        """The kind of a record that says that it is a `name`, or says nothing; None when it is no record."""
        if name is None or name is UNSET:
            return self._specs[0]
        if name in self._spec_by_object:
            return self._spec_by_object[name]
        return None if name.startswith("thread.") or name in OTHER_OBJECTS else self._specs[0]

    def spec_of_event(self, name: str) -> RecordSpec | None:
        """The kind of the record that an event of a stream carries; None when its name promises none."""
        return next((spec for spec in self._specs if spec.events.match(name)), None)

    def says_record(self, sent: Raw) -> bool:
        """Whether the `object` member of something says that it is a record of a known kind."""
        return bytes(sent) in self._encoded_object_names

    def is_page(self, peek: Peek) -> bool:
        """Whether the object is a page: a list under `data`, and no record around it."""
        return bytes(peek.data)[:1] == b"[" and peek.status is ABSENT and not self.says_record(peek.object)

    def kind(self, text: bytes) -> RecordSpec | str:
        """What a JSON object that is no page is: a record of a known kind, or the name of another kind of object.

        Raises:
            UnfitError: It is neither, or has a repeated key.
            msgspec.DecodeError: `text` is no JSON object.
        """
        peek = PEEK.decode(text)
        found = self._kind(peek)
        if isinstance(found, RecordSpec) and peek.id is ABSENT and peek.status is ABSENT:
            object_members(text)
            raise UnfitError(
                "a page within the runs of a page"
                if self.is_page(peek)
                else "neither a run nor a page: it has no `id` and no `status`, and no list `data`"
            )
        return found

    def record_spec(self, peek: Peek) -> RecordSpec | None:
        """The kind of an object that is a record without any doubt; None when it is not."""
        found = self._kind(peek)
        has_both = peek.id is not ABSENT and peek.status is not ABSENT
        return found if has_both and isinstance(found, RecordSpec) else None

    def is_record(self, text: bytes) -> bool:
        """Whether `text` is a record without any doubt."""
        try:
            return self.record_spec(PEEK.decode(text)) is not None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False

    def _kind(self, peek: Peek) -> RecordSpec | str:
        sent = peek.object
        name = msgspec.json.decode(sent, type=str) if bytes(sent)[:1] == b'"' else None
        spec = self.spec_of(name)
        if spec is None:
            return name or ""
        if peek.id is ABSENT and peek.status is ABSENT and bytes(peek.error)[:1] in {b"{", b'"'}:
            return API_ERROR
        return spec
