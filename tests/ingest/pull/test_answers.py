"""What is shown of a server's words: one line, without secrets."""

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

from runmart.ingest.pull.answers import LONGEST_WORDS, server_words
from tests.support.pull import KEY

SECRETS = (KEY, "team rocket/7", "blue")


def words(message: Any) -> str:
    """The words of an error with a message."""
    return server_words(json.dumps({"error": {"message": message}}).encode(), SECRETS)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"error": {"message": "m"}, "message": "other"}', "m"),
        (b'{"message": "m", "detail": "other"}', "m"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'{"detail": [{"loc": ["query", "limit"], "msg": "too large"}, {"msg": "and wrong"}]}', "too large"),
        (b'{"error": "m"}', "m"),
        (b'{"status": 403, "error": "Forbidden", "message": "m"}', "m"),
        (b'{"error": "Forbidden", "detail": "m"}', "m"),
        (b'{"error": {"message": 7}, "detail": "m"}', "m"),
        (b'{"error": {"message": "<html><body>m</body></html>"}}', ""),
        (b'{"error": {"message": "&lt;p&gt;m&lt;/p&gt;"}}', ""),
        (b"<html>m</html>", ""),
        (b'["m"]', ""),
        (b'"m"', ""),
        (b'{"message": "\xff"}', ""),
        (b"[" * 100_000, ""),
        (b"", ""),
    ],
)
def test_the_words_are_where_servers_put_them(body: bytes, expected: str) -> None:
    """`error.message`, `message`, `detail` and `error` are shown; HTML and what is no object are not."""
    found = server_words(body, SECRETS)
    assert (expected in found) if expected else (found == "")


def test_a_list_of_details_says_where() -> None:
    """FastAPI's list of details is shown with the place of each."""
    body = b'{"detail": [{"loc": ["query", "limit"], "msg": "too large"}, {"msg": "and wrong"}]}'
    assert server_words(body, ()) == "query.limit: too large; and wrong"


@pytest.mark.parametrize(
    "echo",
    [
        KEY,
        KEY.upper(),
        f"'{KEY}',",
        f"Bearer {KEY}",
        f"Authorization=Bearer%20{KEY}",
        quote(KEY, safe="").replace("-", "%2D"),
        "".join(f"%{ord(char):02x}" for char in KEY),
        "".join(f"&#{ord(char)};" for char in KEY),
        quote(quote(KEY).replace("-", "%2d")),
        base64.b64encode(KEY.encode()).decode(),
        f"{KEY[:5]}***{KEY[-2:]}",
        f"{KEY[:5]}…{KEY[-4:]}",
        f"{KEY[:7]}...",
        f"****{KEY[-4:]}",
        f"sk-xxxxxxxx{KEY[-3:]}",
        KEY[:9],
        KEY[4:14],
        KEY[-4:],
        f"{KEY[:10]}\n{KEY[10:]}",
        f"{KEY[:9]}\x1b[31m{KEY[9:]}",
        f"{KEY[:9]}\u200b{KEY[9:]}",
        "team rocket/7",
        "team%20rocket%2F7",
        "blue",
        "Bearer ya29.a0AfB_of-somebody-else",
    ],
)
def test_no_secret_is_shown(echo: str) -> None:
    """A key or the value of a header is hidden, whole, in part, masked by the server, encoded or broken up."""
    found = words(f"The credential {echo} was not accepted")
    plain = found.replace("[hidden]", "").casefold()
    assert "[hidden]" in found
    assert found.startswith("The credential ")
    assert found.endswith("was not accepted")
    parts = [KEY[place : place + 4] for place in range(len(KEY) - 3)]
    assert not any(part in plain for part in [*parts, KEY[-3:], "rocket", "blue", "somebody"])


@pytest.mark.parametrize(
    "text", ["No thread found with id 'thread_abc123'.", "token expired", "please wait... then retry", "a < b, c > d"]
)
def test_other_words_are_shown_as_they_are(text: str) -> None:
    """What is no secret stays, as it says what is wrong."""
    assert words(text) == text


def test_words_are_one_short_line_without_escapes() -> None:
    """Control characters, terminal escapes, marks of direction and line breaks are removed, and long texts are cut."""
    assert words("\x1b[1;31mred\x1b[0m\r\n a\x00b \x1b]0;title\x07c\u202ed\x9b2Je") == "red ab cde"
    found = words("word " * 100)
    assert len(found) <= LONGEST_WORDS
    assert found.endswith("…")


def test_a_cut_does_not_lay_a_part_of_a_secret_open() -> None:
    """Texts are cut after secrets were hidden."""
    for secret, part in ((KEY, KEY[:3]), ("blue", "bl")):
        for length in range(LONGEST_WORDS - 30, LONGEST_WORDS + 1):
            assert part not in words(f"{'.' * length} {secret}")
