"""Fields of small objects that are no records: decoded with the quirks of fields of runs that are like them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from runmart.ingest.decode.instants import explained
from runmart.ingest.parse.json_object import json_object, unfit
from runmart.models.quirks import normalise

INSTANT, COUNT, NUMBER, FLAG = "created_at", "max_prompt_tokens", "top_p", "parallel_tool_calls"
"""Fields of runs, by whose quirks others are normalised."""


def decode(decoder: msgspec.json.Decoder[Any], sent: Mapping[str, bytes], likes: Mapping[str, str]) -> Any:
    """A Struct of fields.

    Args:
        decoder: The decoder of the Struct.
        sent: Name to value as sent.
        likes: The field of runs that a field is like, of those that have quirks.

    Raises:
        UnfitError: A value is of a wrong type, or one is missing.
    """
    known = {name: normalise(likes[name], value) if name in likes else value for name, value in sent.items()}
    try:
        return decoder.decode(json_object(list(known.items())) or b"{}")
    except msgspec.DecodeError as error:
        instants = {name for name, like in likes.items() if like == INSTANT}
        raise explained(unfit(error), sent, instants) from None
