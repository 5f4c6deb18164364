"""The four tables: every column of one fully populated run in which every field has a different value."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from runmart.ingest.decode.decoder import Decoder
from runmart.ingest.parse.blocks import Block
from runmart.ingest.transform.flatten import declared, flatten
from runmart.models.batches import OBSERVATION, POSITION, Batches, shift
from runmart.models.columns import duckdb_type
from runmart.models.observations import Origin
from runmart.models.records import RunRecord
from runmart.models.tables.all import TABLES

ORIGIN = Origin("the-source", 1_700_000_000_000_001, 31)

FULL: dict[str, Any] = {
    "id": "the-id",
    "object": "thread.run",
    "created_at": 1_700_000_002,
    "thread_id": "the-thread",
    "assistant_id": "the-assistant",
    "status": "the-status",
    "required_action": {"type": "the-action"},
    "last_error": {"code": "the-code", "message": "the-message"},
    "expires_at": 1_700_000_003,
    "started_at": 1_700_000_004,
    "cancelled_at": 1_700_000_005,
    "failed_at": 1_700_000_006,
    "completed_at": 1_700_000_007,
    "incomplete_details": {"reason": "the-reason"},
    "model": "the-model",
    "instructions": "the-instructions",
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "the-name",
                "description": "the-description",
                "strict": True,
                "parameters": {"the": "parameters"},
            },
            "the": "config",
        },
        {"type": "the-type"},
    ],
    "metadata": {"the": "metadata"},
    "usage": {
        "prompt_tokens": 8,
        "completion_tokens": 9,
        "total_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 11, "cache_write_tokens": 13},
        "completion_tokens_details": {"reasoning_tokens": 12},
    },
    "temperature": 0.13,
    "top_p": 0.14,
    "max_prompt_tokens": 15,
    "max_completion_tokens": 16,
    "truncation_strategy": {"type": "the-truncation", "last_messages": 17},
    "tool_choice": "the-choice",
    "response_format": {"the": "format"},
    "parallel_tool_calls": False,
    "the-extra": "extra",
}


def _at(seconds: int, microsecond: int = 0) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=microsecond)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


_DEFINITION = (_md5('{"the":"parameters"}'), _md5('{"the":"config"}'))

OF_RESPONSES = dict.fromkeys(
    (
        *("previous_run_id", "assistant_version", "service_tier", "background", "waits_for_client"),
        *("is_batch", "duration_seconds", "latency_source"),
    )
)

EXPECTED: dict[str, list[dict[str, Any]]] = {
    "runs": [
        {
            "observation": 0,
            "run_id": "the-id",
            "source": "the-source",
            "object": "thread.run",
            **OF_RESPONSES,
            "thread_id": "the-thread",
            "assistant_id": "the-assistant",
            "status": "the-status",
            "model": "the-model",
            "instructions": "the-instructions",
            "created_at": _at(1_700_000_002),
            "started_at": _at(1_700_000_004),
            "expires_at": _at(1_700_000_003),
            "completed_at": _at(1_700_000_007),
            "failed_at": _at(1_700_000_006),
            "cancelled_at": _at(1_700_000_005),
            "temperature": 0.13,
            "top_p": 0.14,
            "max_prompt_tokens": 15,
            "max_completion_tokens": 16,
            "truncation_type": "the-truncation",
            "truncation_last_messages": 17,
            "tool_choice": '"the-choice"',
            "response_format": '{"the":"format"}',
            "parallel_tool_calls": False,
            "tool_count": 2,
            "tools_digest": _md5(
                ",".join(
                    (
                        "|".join(["true", *map(_md5, ("function", "the-name", "the-description")), *_DEFINITION]),
                        f"-|{_md5('the-type')}|-|-|-|-",
                    )
                )
            ),
            "metadata": '{"the":"metadata"}',
            "required_action": '{"type":"the-action"}',
            "extra": '{"the-extra":"extra"}',
            "observed_at": _at(1_700_000_000, 1),
            "observed_position": 18,
            "load_id": 31,
        }
    ],
    "usage": [
        {
            "observation": 0,
            "run_id": "the-id",
            "run_created_at": _at(1_700_000_002),
            "prompt_tokens": 8,
            "cached_prompt_tokens": 11,
            "cache_write_tokens": 13,
            "completion_tokens": 9,
            "reasoning_tokens": 12,
            "total_tokens": 10,
            "reported_cost": None,
            "reported_cost_currency": None,
            "details": '{"completion_tokens_details":{"reasoning_tokens":12},'
            '"prompt_tokens_details":{"cached_tokens":11,"cache_write_tokens":13}}',
        }
    ],
    "tools": [
        {
            "observation": 0,
            "run_id": "the-id",
            "run_created_at": _at(1_700_000_002),
            "position": 0,
            "type": "function",
            "name": "the-name",
            "description": "the-description",
            "strict": True,
            "parameters": '{"the":"parameters"}',
            "config": '{"the":"config"}',
        },
        {
            "observation": 0,
            "run_id": "the-id",
            "run_created_at": _at(1_700_000_002),
            "position": 1,
            "type": "the-type",
            **dict.fromkeys(["name", "description", "strict", "parameters", "config"]),
        },
    ],
    "errors": [
        {
            "observation": 0,
            "run_id": "the-id",
            "run_created_at": _at(1_700_000_002),
            "kind": "last_error",
            "code": "the-code",
            "message": "the-message",
            "occurred_at": _at(1_700_000_006),
        },
        {
            "observation": 0,
            "run_id": "the-id",
            "run_created_at": _at(1_700_000_002),
            "kind": "incomplete_details",
            "code": "the-reason",
            "message": None,
            "occurred_at": _at(1_700_000_006),
        },
    ],
}


def _batches(*runs: dict[str, Any]) -> Batches:
    data = json.dumps({"data": runs}, separators=(",", ":")).encode()
    decoded = Decoder().decode([(Block(data), ORIGIN)])
    assert decoded.rejects == [[]]
    [observations] = decoded.observations
    return declared(shift(flatten(observations), 18, POSITION))


def test_every_column_holds_its_own_field() -> None:
    """Each column holds the value of its own field, in a run whose values all differ."""
    batches = _batches(FULL)
    assert {name: batch.to_pylist() for name, batch in batches._asdict().items()} == EXPECTED


def test_the_run_has_every_field() -> None:
    """The populated run has all 27 fields, with different values."""
    assert set(FULL) - {"the-extra"} == set(RunRecord.__struct_encode_fields__) - {"agent_id"}
    assert len(FULL) - 1 == 27
    values = [value for row in EXPECTED["runs"] for name, value in row.items() if name not in OF_RESPONSES]
    assert len(set(map(repr, values))) == len(values)


def test_a_column_exists_with_its_type_even_when_every_value_is_null() -> None:
    """Batches have the declared columns and types, even if all values are null."""
    for batches in (_batches(FULL), _batches({"id": "run_a", "status": "b"})):
        for table, batch in zip(TABLES, batches, strict=True):
            assert batch.schema.names == [OBSERVATION, *(column.name for column in table.columns)]
            assert batch.schema.types[1:] == [column.type for column in table.columns]


def test_a_run_of_id_and_status_has_nothing_else() -> None:
    """A run of `id` and `status` only has null in all other fields, and no child rows."""
    batches = _batches({"id": "run_a", "status": "b"})
    [row] = batches.runs.to_pylist()
    printed = {name for name, value in row.items() if value is not None}
    origin = {"source", "observed_at", "observed_position", "load_id"}
    assert printed == {OBSERVATION, "run_id", "status", "tool_count", *origin}
    assert row["tool_count"] == 0
    assert (batches.usage.num_rows, batches.tools.num_rows, batches.errors.num_rows) == (0, 0, 0)


def test_every_row_knows_its_observation() -> None:
    """Child rows belong to the right observation, even if a run occurs twice in a batch."""
    batches = _batches({"id": "run_a", "status": "b"}, FULL, FULL)
    assert batches.runs.column(OBSERVATION).to_pylist() == [0, 1, 2]
    assert batches.usage.column(OBSERVATION).to_pylist() == [1, 2]
    assert batches.tools.column(OBSERVATION).to_pylist() == [1, 1, 2, 2]
    assert batches.errors.column(OBSERVATION).to_pylist() == [1, 1, 2, 2]


def test_every_column_says_what_it_means() -> None:
    """Each table and column has a description, and the types of the public schema."""
    assert [table.name for table in TABLES] == ["runs", "usage", "tools", "errors"]
    for table in TABLES:
        assert table.purpose
        assert table.grain
        names = [column.name for column in table.columns]
        assert len(set(names)) == len(names)
        assert names[0] == "run_id"
        assert all(column.meaning for column in table.columns)
        assert {duckdb_type(column.type) for column in table.columns} <= {
            "VARCHAR",
            "BIGINT",
            "INTEGER",
            "DOUBLE",
            "BOOLEAN",
            "TIMESTAMP WITH TIME ZONE",
            "JSON",
        }
