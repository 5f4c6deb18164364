"""Quoting: a short piece of a text in a message, with what cannot be seen made visible."""


def quoted(text: bytes, limit: int = 40) -> str:
    """The beginning of a text in backquotes; control and invisible characters are escaped."""
    shown = text[: 4 * limit].decode(errors="replace")[:limit]
    return "`" + "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in shown) + "`"
