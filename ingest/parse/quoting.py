"""Quoting: pieces of a text in messages for people."""


def quoted(text: bytes, limit: int = 40) -> str:
    r"""The first characters of a text between backticks; what nobody could see is escaped, such as `\ufeff`."""
    start = text[: 4 * limit].decode(errors="backslashreplace")[:limit]
    return "`" + "".join(one if one.isprintable() else _escaped(one) for one in start) + "`"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
