"""Fields under other spellings and in flattened columns: understood, rejected, or kept; never lost in silence."""

import json
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runmart.ingest.decode.observations import ObservationBuilder
from runmart.models.records import RunRecord
from tests.support.outcome import Apart, outcome
from tests.support.payloads import Rows, decode, page, run

WHOLE: dict[str, Any] = {
    "id": "run_1",
    "object": "thread.run",
    "created_at": 1727259300,
    "thread_id": "thread_1",
    "assistant_id": "asst_1",
    "status": "requires_action",
    "required_action": {
        "type": "submit_tool_outputs",
        "submit_tool_outputs": {
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"topP": 1}'}}]
        },
    },
    "last_error": {"code": "server_error", "message": "no"},
    "expires_at": 1727259900,
    "started_at": 1727259301,
    "cancelled_at": 1727259302,
    "failed_at": 1727259303,
    "completed_at": 1727259304,
    "incomplete_details": {"reason": "max_prompt_tokens"},
    "model": "gpt-4o",
    "instructions": "Be kind.",
    "tools": [
        {
            "type": "function",
            "function": {"name": "f", "description": "d", "strict": True, "parameters": {"topP": {"type": "x"}}},
        }
    ],
    "metadata": {"team": "a"},
    "usage": {
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "total_tokens": 1100,
        "prompt_tokens_details": {"cached_tokens": 400},
        "completion_tokens_details": {"reasoning_tokens": 50},
    },
    "temperature": 0.5,
    "top_p": 0.25,
    "max_prompt_tokens": 5000,
    "max_completion_tokens": 500,
    "truncation_strategy": {"type": "last_messages", "last_messages": 7},
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
    "parallel_tool_calls": True,
}
"""A run with a value in each of its 27 fields; what is kept as text or JSON has names that stay as they are."""

TELLING = ("id", "object", "status")
"""The fields by which something is known to be a run."""

KEPT = {"metadata", "parameters", "schema", "arguments"}


def _camel(name: str) -> str:
    first, *words = name.split("_")
    return first + "".join(map(str.title, words))


SPELLINGS: dict[str, Callable[[str], str]] = {
    "camelCase": _camel,
    "PascalCase": lambda name: _camel(name)[0].upper() + _camel(name)[1:],
    "kebab-case": lambda name: name.replace("_", "-"),
    "UPPER_CASE": str.upper,
    "Blanks": lambda name: name.replace("_", " ").title(),
    "dots": lambda name: name.replace("_", "."),
    "doubled": lambda name: name.replace("_", "__") + " ",
}


def _spelt(value: Any, spell: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [_spelt(one, spell) for one in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    members = cast("dict[str, Any]", value).items()
    return {spell(name): one if name in KEPT else _spelt(one, spell) for name, one in members}


def test_the_run_has_all_fields() -> None:
    """The run that is spelt otherwise here has a value in each field of a run."""
    assert WHOLE.keys() == set(RunRecord.__struct_fields__) - {"agent_id"}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_field_is_found_under_every_spelling(spelling: str) -> None:
    """All fields, and the members in them, under another spelling give the rows of the run as the API writes it."""
    sent = _spelt({name: value for name, value in WHOLE.items() if name not in TELLING}, SPELLINGS[spelling])
    assert outcome(sent | {name: WHOLE[name] for name in TELLING}).rows == outcome(WHOLE).rows


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_tells_a_run_is_found_too(spelling: str) -> None:
    """The builder of runs finds id, object and status under other spellings."""
    text = json.dumps({SPELLINGS[spelling](name): WHOLE[name] for name in TELLING}).encode()
    record, extra = ObservationBuilder().check(text)
    assert {name: getattr(record, name) for name in TELLING} == {name: WHOLE[name] for name in TELLING}
    assert extra == []


@pytest.mark.parametrize("name", sorted(WHOLE.keys() - set(TELLING)))
def test_a_single_field_is_found(name: str) -> None:
    """Amid fields with their own names a single spelling is found as well."""
    sent = {_camel(one) if one == name else one: value for one, value in WHOLE.items()}
    if "_" not in name:
        sent = {name.title() if one == name else one: value for one, value in WHOLE.items()}
    assert outcome(sent).rows == outcome(WHOLE).rows


@pytest.mark.parametrize("warm", [True, False])
def test_the_quick_way_never_takes_a_spelling_for_an_unknown_field(warm: bool) -> None:
    """A decoder that has adopted unknown fields knows those of no spelling and of no column."""
    seen = decode(page(run(1, note=1), run(2, createdAt=5, **{"usage.prompt_tokens": 7})))
    assert [row["extra"] for row in seen.rows["runs"]] == ['{"note":1}', None]
    assert seen.rows["runs"][1]["created_at"].timestamp() == 5
    assert [row["prompt_tokens"] for row in seen.rows["usage"]] == [7]
    assert decode(page(run(2, createdAt=5)), decoder=None if warm else Apart()).rows["runs"][0]["extra"] is None


@pytest.mark.parametrize(
    ("sent", "created_at", "extra"),
    [
        ({"created_at": 5, "createdAt": 6}, 5, {"createdAt": 6}),
        ({"createdAt": 6, "CreatedAt": 7}, 7, {"createdAt": 6}),  # the first by name
        ({"created_at": None, "createdAt": 6}, 6, None),
        ({"created_at": "", "createdAt": 6}, 6, None),
        ({"created_at": {}, "createdAt": 6, "CreatedAt": None}, 6, None),
        ({"createdAt": 6, "CreatedAt": ""}, 6, {"CreatedAt": ""}),
        ({"created_at": "", "createdAt": None}, None, None),
        ({"CREATED_AT": None, "createdAt": 6}, 6, None),
        ({"CREATED_AT": 6, "createdAt": None}, 6, None),
        ({"CREATED_AT": None, "createdAt": None}, None, None),
        ({"created_at": 5, "createdAt": None}, 5, None),
        ({"created_at.$date": "1970-01-01T00:00:06Z"}, 6, None),
        ({"created_at": 5, "created_at.$date": 6000}, 5, {"created_at.$date": 6000}),
        ({"_created_at": 5}, None, {"_created_at": 5}),
        ({"$createdAt": 5, "@createdAt": 6}, None, {"$createdAt": 5, "@createdAt": 6}),
    ],
)
def test_the_field_itself_comes_before_its_spellings(
    sent: dict[str, Any], created_at: int | None, extra: dict[str, Any] | None
) -> None:
    """A field under its own name comes first, then the first spelling by name; what fills nothing is kept."""
    row = outcome(run(1, **sent)).run
    assert (row["created_at"] and row["created_at"].timestamp()) == created_at
    assert (row["extra"] and json.loads(row["extra"])) == extra


def _columns(value: Any, separator: str, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        found: dict[str, Any] = {}
        for name, one in cast("dict[str, Any]", value).items():
            found |= _columns(one, separator, f"{path}{separator}{name}" if path else name)
        return found
    if isinstance(value, list) and separator == ".":
        found = {}
        for number, one in enumerate(cast("list[Any]", value)):
            found |= _columns(one, separator, f"{path}.{number}")
        return found
    return {path: value}


def test_flattened_objects_are_put_together_again() -> None:
    """A run of which all objects and lists were flattened into dotted columns gives the rows of the run itself."""
    assert _parsed(outcome(_columns(WHOLE, ".")).rows) == _parsed(outcome(WHOLE).rows)


def _parsed(rows: Rows) -> Rows:
    """Rows with their JSON parsed: columns come in order of names."""
    for row in rows["runs"]:
        for name in ("required_action", "response_format", "tool_choice"):
            row[name] = json.loads(row[name])
        row["tools_digest"] = row["tools_digest"] is not None
    return rows


@pytest.mark.parametrize("separator", ["_", "__", "-", "/"])
def test_known_members_are_found_behind_any_separator(separator: str) -> None:
    """Columns that are joined otherwise are found where the member is known; metadata, tools and calls are not."""
    parts = {name: WHOLE[name] for name in ("usage", "last_error", "incomplete_details", "truncation_strategy")}
    whole = WHOLE | {"tool_choice": None, "response_format": None}
    sent = {name: value for name, value in whole.items() if name not in parts} | _columns(parts, separator)
    assert outcome(sent).rows == outcome(whole).rows


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        ({"usage[prompt_tokens]": 5}, {"usage": {"prompt_tokens": 5}}),
        ({"usage.prompt_tokens": 5.0, "usage.promptTokensDetails.cachedTokens": 3.0},
         {"usage": {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 3}}}),
        ({"Usage.PromptTokens": 5, "usage.x": 1}, {"usage": {"prompt_tokens": 5, "x": 1}}),
        ({"usage.prompt_tokens_details": None, "usage.prompt_tokens_details.cached_tokens": 3},
         {"usage": {"prompt_tokens_details": {"cached_tokens": 3}}}),
        ({"usage": None, "usage.prompt_tokens": 5}, {"usage": {"prompt_tokens": 5}}),
        ({"usage": {}, "usage.prompt_tokens": 5}, {"usage": {"prompt_tokens": 5}}),
        ({"usage": "", "Usage": {"promptTokens": 5}}, {"usage": {"prompt_tokens": 5}}),
        ({"usage": {"prompt_tokens": "", "promptTokens": 5}}, {"usage": {"prompt_tokens": 5}}),
        ({"metadata": {}, "metadata.team": None}, {"metadata": {}}),
        ({"usage.prompt_tokens": None, "usage.total_tokens": None}, {"usage": None}),
        ({"last_error.code": None, "last_error.message": None}, {"last_error": None}),
        ({"lastError.code": "x", "last_error.message": "y"}, {"last_error": {"code": "x", "message": "y"}}),
        ({"metadata.team": "a", "metadata.a.b": "c", "metadata.0": "d"},
         {"metadata": {"0": "d", "a.b": "c", "team": "a"}}),
        ({"metadata[team]": "a"}, {"metadata": {"team": "a"}}),
        ({"metadata.team": None}, {"metadata": None}),
        ({"tools[0].type": "mcp", "tools[1].type": "x"}, {"tools": [{"type": "mcp"}, {"type": "x"}]}),
        ({"tools.0.type": "mcp", "tools.1.type": None}, {"tools": [{"type": "mcp"}]}),
        ({"tools": [], "metadata": {}}, {"tools": [], "metadata": {}}),
    ],
)  # fmt: skip
def test_columns_are_regrouped_into_their_object(columns: dict[str, Any], field: dict[str, Any]) -> None:
    """Columns of a field give the rows of the field; if all are null, it is null."""
    found = outcome(run(1, **columns))
    assert found.rows == outcome(run(1, **field)).rows
    assert found.run["extra"] is None


@pytest.mark.parametrize(
    "sent",
    [
        {"usage": {"prompt_tokens": 1}, "usage.prompt_tokens": 2},
        {"metadata": {"a": "b"}, "metadata.a": "c"},
        {"usage.prompt_tokens": 1, "usage_prompt_tokens": 2},
        {"usage.prompt_tokens": 1, "usage.prompt_tokens.x": 2},
        {"last_error": {"code": "a"}, "lastError.code": "b"},
        {"model.name": "a"},
        {"usage_of_memory": 5},
        {"metadata_team": "a"},
        {"usage." + ".".join("a" * 20): 1},
        {"u" * 300: 1},
    ],
)
def test_what_has_no_place_is_kept(sent: dict[str, Any]) -> None:
    """Columns beside a value of their field, and names that are no columns, are kept in `extra`."""
    found = outcome(run(1, **sent))
    name = list(sent)[-1]
    assert json.loads(found.run["extra"])[name] == sent[name]


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ({"createdAt": "soon"}, "$.created_at"),
        ({"Usage": "much"}, "$.usage"),
        ({"usage.prompt_tokens": "many"}, "$.usage.prompt_tokens"),
        ({"usage": {"promptTokens": "many"}}, "$.usage.prompt_tokens"),
        ({"usage": {"prompt_tokens_details": {"cachedTokens": "many"}}}, "$.usage.prompt_tokens_details"),
        ({"usage": {"cached_tokens": "many"}}, "$.usage.cached_tokens"),
        ({"lastError": {"Code": 5}}, "$.last_error.code"),
        ({"tools.1.type": "mcp"}, "$.tools"),
        ({"metadata": "a text", "metadata.team": "a"}, "$.metadata"),
        ({"maxPromptTokens": 2.5}, "$.max_prompt_tokens"),
    ],
)
def test_a_spelling_with_a_bad_value_is_rejected(sent: dict[str, Any], path: str) -> None:
    """A value that is not understood is rejected under any spelling of its field, never kept in silence."""
    found = outcome(run(1, **sent))
    assert found.json_path is not None
    assert found.json_path.startswith(path)


@pytest.mark.parametrize(
    "text", [b'"usage": {"promptTokens": 1, "promptTokens": 2}', b'"lastError": {"Code": "a", "Code": "b"}']
)
def test_a_repeated_name_is_rejected(text: bytes) -> None:
    """A spelling that is there twice would lose one of its values."""
    found = outcome(b'{"id": "run_1", "object": "thread.run", "status": "queued", ' + text + b"}")
    assert found.reason is not None
    assert "is there twice" in found.reason


@settings(max_examples=60, deadline=None)
@given(
    names=st.dictionaries(
        st.sampled_from(sorted(WHOLE.keys() - {"id", "object", "status"})),
        st.sampled_from([*SPELLINGS.values(), str]),
    )
)
def test_any_mixture_of_spellings_gives_the_run(names: dict[str, Callable[[str], str]]) -> None:
    """Whatever is spelt otherwise, alone or in a page, one way or the other: the rows are those of the fields."""
    sent = {name: WHOLE[name] for name in ("id", "object", "status", *names)}
    spelt = {names[name](name) if name in names else name: value for name, value in sent.items()}
    assert outcome(spelt).rows == outcome(sent).rows
