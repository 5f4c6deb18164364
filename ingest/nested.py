"""The objects inside a run (usage, errors, truncation), decoded column by column.

A batch's values of one field are joined to one JSON array and decoded in one call. Only when that call or the ledger
objects is each value looked at on its own.
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec
from msgspec import Raw, Struct

from runmart.ingest.ledger import Ledger, is_complete
from runmart.ingest.members import UnaccountedError, UnfitError, json_object, object_members, unfit
from runmart.models.getters import compact
from runmart.models.observations import Usage
from runmart.models.quirks import NOTHING
from runmart.models.records import (
    ABSENT,
    CompletionUsage,
    IncompleteDetails,
    LastError,
    RequiredAction,
    TokensDetails,
    TruncationObject,
)

Nested = TypeVar("Nested", bound=Struct)

_DETAILS = msgspec.json.Decoder(TokensDetails)
_ACTIONS = msgspec.json.Decoder(list[RequiredAction])


class NestedDecoder(Generic[Nested]):
    """Decodes one object-valued field of many runs."""

    def __init__(self, field: str, record: type[Nested]) -> None:
        self.field = field
        self._known = {field.encode_name for field in msgspec.structs.fields(record)}
        self._record = msgspec.json.Decoder(record)
        self._records = msgspec.json.Decoder(list[record])
        self._ledger = Ledger(record)
        self._empty = record()

    def decode(self, raws: Sequence[Raw]) -> list[Nested | None]:
        """The records of a column of values (shape: n, n); None for each spelling of null.

        Raises:
            msgspec.DecodeError: A value does not fit.
            UnaccountedError: A value holds an unknown or a repeated key.
        """
        texts = [bytes(raw) for raw in raws]
        present = [index for index, text in enumerate(texts) if text and text not in NOTHING]
        found: list[Nested | None] = [None] * len(texts)
        if not present:
            return found
        joined = b"[" + b",".join([texts[index] for index in present]) + b"]"
        records = self._records.decode(joined)
        if not is_complete(joined, self._ledger.colons(records)):
            raise UnaccountedError
        for index, record in zip(present, records, strict=True):
            found[index] = record
        if self._empty in records:  # `{ }`, with whitespace
            return [None if record == self._empty else record for record in found]
        return found

    def decode_known(self, raw: Raw) -> tuple[Nested | None, list[tuple[str, bytes]]]:
        """One value's record, and the members that the record does not know.

        Raises:
            UnfitError: The value does not fit, or holds a repeated key.
        """
        text = bytes(raw)
        if not text or text in NOTHING:
            return None, []
        path = f"$.{self.field}"
        try:
            members = object_members(text, path)
            known = json_object([(name, bytes(value)) for name, value in members.items() if name in self._known])
            record = self._record.decode(known or b"{}")
        except msgspec.DecodeError as error:
            raise unfit(error, path) from None
        if not members:
            return None, []
        return record, [(name, bytes(value)) for name, value in members.items() if name not in self._known]


USAGES = NestedDecoder("usage", CompletionUsage)
LAST_ERRORS = NestedDecoder("last_error", LastError)
INCOMPLETE = NestedDecoder("incomplete_details", IncompleteDetails)
TRUNCATIONS = NestedDecoder("truncation_strategy", TruncationObject)


def usage(tokens: CompletionUsage | None, unknown: Sequence[tuple[str, bytes]] = ()) -> Usage | None:
    """The usage with its details taken apart; `unknown` members join them.

    Raises:
        UnfitError: A detail does not fit.
    """
    if tokens is None:
        return None
    sent: list[tuple[str, bytes]] = list(unknown)
    cached = reasoning = None
    for name in ("prompt_tokens_details", "prompt_token_details", "input_tokens_details"):
        raw = getattr(tokens, name)
        if raw is not ABSENT:
            details = _details(sent, name, raw)
            cached = details.cached_tokens if cached is None else cached
    for name in ("completion_tokens_details", "output_tokens_details"):
        raw = getattr(tokens, name)
        if raw is not ABSENT:
            details = _details(sent, name, raw)
            reasoning = details.reasoning_tokens if reasoning is None else reasoning
    for name, other in (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens")):
        value = getattr(tokens, name)
        if isinstance(value, int) and isinstance(getattr(tokens, other), int):
            sent.append((name, str(value).encode()))  # both names are there: today's fills the column
    details_json = json_object(sent) if sent else None
    return Usage(tokens, cached, reasoning, details_json)


_NO_DETAILS = TokensDetails()


def _details(sent: list[tuple[str, bytes]], name: str, raw: Raw) -> TokensDetails:
    text = bytes(raw)
    if text in NOTHING:
        return _NO_DETAILS
    sent.append((name, compact(text)))
    try:
        return _DETAILS.decode(text)
    except msgspec.DecodeError as error:
        raise unfit(error, f"$.usage.{name}") from None


def check_actions(raws: Sequence[Raw]) -> None:
    """See that each required action has the shape that SQL over it will rely on.

    Raises:
        UnfitError: One has not.
    """
    present = [text for text in map(bytes, raws) if text and text not in NOTHING]
    if present:
        try:
            _ACTIONS.decode(b"[" + b",".join(present) + b"]")
        except msgspec.DecodeError as error:
            problem = unfit(error)
            where = problem.json_path.partition("]")[2]
            raise UnfitError(problem.reason, f"$.required_action{where}") from None
