"""Names of members, and the fields of a run that they stand for."""

import pytest

from runmart.models.quirks import field_of


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("created_at", "created_at"),
        ("createdAt", "created_at"),
        ("CreatedAt", "created_at"),
        ("created-at", "created_at"),
        ("CREATED_AT", "created_at"),
        ("Created At", "created_at"),
        ("agentId", "agent_id"),
        ("Id", "id"),
        ("usage.prompt_tokens", "usage"),
        ("lastError.code", "last_error"),
        ("metadata.team", "metadata"),
        ("tools[0].type", "tools"),
        ("created_at.$date", "created_at"),
        ("_id", None),
        ("$id", None),
        ("@id", None),
        ("model.name", None),
        ("cached_at", None),
        ("idé", None),
        (".usage", None),
        ("", None),
    ],
)
def test_a_name_stands_for_the_field_that_it_spells(name: str, field: str | None) -> None:
    """Other spellings and flattened columns stand for a field; names of databases and serialisers do not."""
    assert field_of(name) == field
