"""Reasons and places of rejects keep nothing of the text, and stay as helpful as they can."""

import pytest

from runmart.ingest.parse import reasons
from runmart.ingest.transform.redact_reasons import path_without_names, reason_without_content

WORD = "Zanzibar"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("Expected `int | null`, got `str`", "Expected `int | null`, got `str`"),
        (f'Expected an object or null, got `"{WORD}"`', "Expected an object or null, got something else"),
        (f"not JSON: invalid character `{WORD[:4]}` (byte 3)", "not JSON: invalid character `…` (byte 3)"),
        ("the key `prompt_tokens` is there twice", "the key `prompt_tokens` is there twice"),
        (f"the key `{WORD}` is there twice", "the key `…` is there twice"),
        (f"`usage.{WORD}` is `usage` by another name", "`…` is `usage` by another name"),
        (
            f"it speaks of a run at `$.data.{WORD}`, and none could be read; cut them out, perhaps by: jq .{WORD}",
            "it speaks of a run at `$.data.*`, and none could be read",
        ),
        ("write runs with `model_dump_json()`", "write runs with `model_dump_json()`"),
        (reasons.TOO_DEEP, reasons.TOO_DEEP),
    ],
)
def test_a_reason_says_nothing_of_the_text(reason: str, expected: str) -> None:
    """Types, known names and advice stay; quotes, names that nobody knows and commands with such names go."""
    assert reason_without_content(reason) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.data[12].created_at", "$.data[12].created_at"),
        ("$.usage.promptTokens", "$.usage.promptTokens"),
        (f"$.{WORD}.runs[0].thread_id", "$.*.runs[0].thread_id"),
        (f"$['{WORD}@mail.x'].tools[]", "$[*].tools[]"),
        ("$", "$"),
    ],
)
def test_a_path_keeps_known_names_only(path: str, expected: str) -> None:
    """Keys that no server has may be people's data."""
    assert path_without_names(path) == expected
