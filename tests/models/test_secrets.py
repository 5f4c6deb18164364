"""Values that are secrets by their names are found in any text."""

import json
from typing import Any

import pytest

from runmart.models.secrets import without_secrets

SECRET = "Bearer sk-5f2c0aa1"  # noqa: S105 - it is none


@pytest.mark.parametrize(
    "sent",
    [
        {"Authorization": SECRET, "next": "left"},
        {"api-key": SECRET, "next": "left"},
        {"user_api_key_hash": SECRET, "next": "left"},
        {"apiKey": SECRET, "next": "left"},
        {"Set-Cookie": [SECRET, SECRET], "next": "left"},
        {"cookies": [{"name": "a", "value": SECRET}], "next": "left"},
        {"headers": [{"name": "Authorization", "value": SECRET}], "next": "left"},
        {"headers": [["x-api-key", SECRET]], "next": "left"},
        {"x-api-key": 'with " and \\ ' + SECRET, "next": "left"},
    ],
)
@pytest.mark.parametrize("levels", [0, 1, 2])
def test_a_value_is_null_at_any_level_of_quoting(sent: dict[str, Any], levels: int) -> None:
    """What is left is JSON, with all else in it."""
    text: Any = sent
    for _ in range(levels):
        text = json.dumps(text)
    found = without_secrets(json.dumps({"log": text}).encode())
    assert b"5f2c0aa1" not in found
    left = json.loads(found)["log"]
    for _ in range(levels):
        left = json.loads(left)
    assert left["next"] == "left"
    assert left.keys() == sent.keys()


@pytest.mark.parametrize(
    "text",
    [
        '{"headers": {"Authorization": "Bearer sk-5f2c0aa1',
        "{'user_api_key': 'sk-5f2c0aa1', 'next': 1}",
        "2026-01-01 POST Authorization: Bearer sk-5f2c0aa1",
        '{"Cookie": ["sk-5f2c0aa1',
    ],
)
def test_a_value_is_found_in_what_is_no_json(text: str) -> None:
    """Of texts that were cut off, of Python's repr, and of headers in lines."""
    assert b"5f2c0aa1" not in without_secrets(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        '{"user_api_key_alias": "billing-bot", "cookie_policy": "none"}',
        '{"parameters": {"properties": {"api_key": {"type": "string"}}}}',
        "the api_key, the cookie and the authorization",
    ],
)
def test_all_else_is_left_as_it_is(text: str) -> None:
    """Names that only begin like those, definitions of parameters, and words."""
    assert without_secrets(text.encode()) == text.encode()
