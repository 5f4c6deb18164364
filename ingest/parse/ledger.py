"""The proof that decoding lost nothing: every key of the text is accounted for.

A JSON parser that meets a key twice keeps the last value and says nothing. Here each colon of the text must be one that
the decoded records explain (`Sent.colons`): one per field that was set, and those inside their texts and their raw
JSON. One colon more, and a key was there twice. Counting bytes in columns costs a small part of decoding; looking at
each key would cost a multiple of it.
"""

_ESCAPED_COLON = b"\\u003"  # the start of \u003a, a colon that would be counted after decoding only


def is_complete(text: bytes, explained: int) -> bool:
    """Whether `explained` colons are all that `text` has."""
    return text.count(b":") == explained and may_be_counted(text)


def may_be_counted(text: bytes) -> bool:
    """Whether no colon of `text` is escaped."""
    return b"\\" not in text or _ESCAPED_COLON not in text
