"""Redaction: responses and columns are redacted alike, and nothing of the content is left."""

import json
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runmart.ingest.parse.blocks import Block
from runmart.ingest.transform.admission import JSONS, TEXTS, AdmissionFilter
from runmart.ingest.transform.convert import Converted, Converter
from runmart.ingest.transform.redact import Redactor
from runmart.ingest.transform.redact_reasons import reason_without_content
from runmart.models.columns import JSON, VARCHAR
from runmart.models.redaction_policy import CONTENT_FIELDS, RULES, ContentField, RedactionPolicy, Rule
from runmart.models.tables.all import ALL_TABLES
from tests.support.generated import WRITERS, Writer, as_page, runs
from tests.support.payloads import ORIGIN, Rows, page, rows_of, run
from tests.support.sensitive_run import SECRET, SECRETIVE

KEY = b"0123456789abcdef"
NO_CONTENT = {
    "runs": {"run_id", "source", "object", "thread_id", "assistant_id", "status", "model", "truncation_type"}
    | {"previous_run_id", "assistant_version", "service_tier", "latency_source"}
    | {"tools_digest"},  # made of what is left
    "usage": {"run_id", "reported_cost_currency"},
    "tools": {"run_id", "type", "name"},
    "errors": {"run_id", "kind", "code"},
    "steps": {"step_id", "source", "run_id", "thread_id", "assistant_id", "type", "status", "tool_types", "error_code"}
    | {"item_id", "name"},
}
"""Columns of texts that are never hidden."""


def _rules(rule: Rule) -> dict[ContentField, Rule]:
    return dict.fromkeys(CONTENT_FIELDS, rule)


def _converted(data: bytes, admission: AdmissionFilter | None = None) -> Converted:
    return Converter().convert([(Block(data), ORIGIN)], admission or AdmissionFilter())


def _rows(data: bytes, admission: AdmissionFilter | None = None) -> Rows:
    return rows_of(_converted(data, admission).batches)


def test_each_column_of_texts_is_content_or_not() -> None:
    """Each text column is declared as content or as no content, so that a new one has to be decided."""
    for table in ALL_TABLES:
        texts = {column.name for column in table.columns if column.type in {VARCHAR, JSON}}
        content = {column for name, column in (*TEXTS, *JSONS) if name == table.name}
        assert texts == content | NO_CONTENT[table.name]


@pytest.mark.parametrize("rule", ["hash", "drop"])
def test_nothing_of_the_content_is_left(rule: Rule) -> None:
    """No content is left in columns and in saved responses; everything else stays."""
    admission = AdmissionFilter(RedactionPolicy(_rules(rule), KEY))
    sent = page(run(1, **SECRETIVE))
    rows = _rows(sent, admission)
    assert SECRET in repr(_rows(sent))
    assert SECRET not in repr(rows)
    document = admission.document(sent)
    assert document is not None
    assert SECRET.encode() not in document
    assert _rows(document) == rows
    assert [tool["name"] for tool in rows["tools"]] == ["f", "m", "o", "a"]
    assert rows["errors"][0]["code"] == "server_error"
    assert rows["usage"][0]["cached_prompt_tokens"] == 1
    call = json.loads(rows["runs"][0]["required_action"])["submit_tool_outputs"]["tool_calls"][0]
    assert (call["id"], call["function"]["name"]) == ("c", "f")


@pytest.mark.parametrize("field", CONTENT_FIELDS)
def test_a_field_is_redacted_alone(field: ContentField) -> None:
    """The rule of one field leaves all other fields as they are."""
    plain, redacted = (
        _rows(page(run(1, **SECRETIVE)), admission)
        for admission in (None, AdmissionFilter(RedactionPolicy({field: "drop"})))
    )
    changed = {
        (table, column)
        for table, rows in plain.items()
        for before, after in zip(rows, redacted[table], strict=True)
        for column in before
        if before[column] != after[column]
    }
    places = {place for place, of in TEXTS.items() if of == field} | {p for p, (_, of) in JSONS.items() if of == field}
    places -= {("steps", "error_message"), ("request_failures", "message")}  # no rows of these here
    if field == "tools":
        places.add(("runs", "tools_digest"))
    assert places <= changed
    assert changed - places <= {("runs", "extra")}  # errors may be kept there whole


@settings(max_examples=100, deadline=None)
@given(
    found=st.lists(runs(), max_size=3, unique_by=lambda one: one["id"]),
    rules=st.dictionaries(st.sampled_from(CONTENT_FIELDS), st.sampled_from(RULES)),
    write=WRITERS,
)
def test_what_is_saved_gives_the_tables_that_were_loaded(
    found: list[dict[str, Any]], rules: dict[ContentField, Rule], write: Writer
) -> None:
    """Loading a redacted response gives the redacted columns, any number of times."""
    admission = AdmissionFilter(RedactionPolicy(rules, KEY))
    sent = write(as_page(found))
    assume(b"Infinity" not in sent)  # which is no JSON
    saved = admission.document(sent)
    assert saved is not None
    rows = _parsed(_rows(sent, admission))
    assert _parsed(_rows(saved)) == rows
    assert _parsed(_rows(saved, admission)) == rows


def test_equal_texts_have_equal_hashes_and_another_key_has_others() -> None:
    """Equal texts have equal hashes under one key, and different ones under another."""
    content, other = RedactionPolicy(_rules("hash"), KEY), RedactionPolicy(_rules("hash"), KEY[::-1])
    first, again = (Redactor(content).text("instructions", "You are kind.") for _ in range(2))
    assert first == again
    assert first is not None
    assert first.startswith("hash:")
    assert first != Redactor(content).text("instructions", "You are kind")
    assert first != Redactor(other).text("instructions", "You are kind.")
    assert Redactor(content).text("instructions", first) == first
    assert repr(KEY) not in repr(content)


def test_a_reject_keeps_no_content() -> None:
    """The text of a reject is redacted, or discarded if it cannot be parsed; its reason quotes nothing."""
    bad = run(1, created_at="soon", instructions=SECRET, metadata=SECRET)
    admission = AdmissionFilter(RedactionPolicy(_rules("hash"), KEY))
    data = b"\n".join([json.dumps(bad).encode(), b'{"id":"run_2","instructions":"%s' % SECRET.encode()])
    [[first, second]] = _converted(data, admission).rejects
    assert SECRET.encode() not in first.raw + second.raw
    assert SECRET not in first.reason + second.reason
    assert (first.is_withheld, second.is_withheld) == (False, True)
    assert json.loads(first.raw)["created_at"] == "soon"
    assert "got something else" in reason_without_content('Expected an object or null, got `"Zanzibar"`')
    assert reason_without_content("Expected `int`, got `str`") == "Expected `int`, got `str`"


def _camel(value: Any) -> Any:
    """A value with all names in camelCase."""
    if isinstance(value, list):
        return [_camel(one) for one in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    return {_camel_name(name): _camel(one) for name, one in cast("dict[str, Any]", value).items()}


def _camel_name(name: str) -> str:
    first, *words = name.split("_")
    return first + "".join(map(str.title, words))


def _columns(value: Any, path: str = "") -> dict[str, Any]:
    """The columns into which a data frame flattens an object."""
    if isinstance(value, list):
        value = dict(enumerate(cast("list[Any]", value)))
    if not isinstance(value, dict):
        return {path: value}
    found: dict[str, Any] = {}
    for name, one in cast("dict[str, Any]", value).items():
        found |= _columns(one, f"{path}.{name}" if path else str(name))
    return found


def _listed(value: Any) -> Any:
    """A value with each single value in a list of its own."""
    if isinstance(value, list):
        return [_listed(one) if isinstance(one, dict) else one for one in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return [value]
    return {name: _listed(one) for name, one in cast("dict[str, Any]", value).items()}


SPELLINGS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "camelCase": _camel,
    "columns": _columns,
    "JSON in quotes": lambda sent: {
        name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in sent.items()
    },
    "lists of one": lambda sent: cast("dict[str, Any]", _listed(sent)),
}


@pytest.mark.parametrize("field", [*CONTENT_FIELDS, None])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_content_is_redacted_whatever_it_is_called(spelling: str, field: ContentField | None) -> None:
    """Neither columns nor rejects hold a field's content under another spelling; `None` stands for all fields."""
    rules = RedactionPolicy({field: "drop"} if field else _rules("drop"), KEY)
    words = {
        name: json.loads(json.dumps(value).replace(SECRET, f"{SECRET}_{name}")) for name, value in SECRETIVE.items()
    }
    sent = SPELLINGS[spelling](words)
    for one in (run(1), run(1, last_error={"code": "a"}, note=1), run(1, created_at="soon")):
        found = _converted(page(one | sent), AdmissionFilter(rules))
        assert bool(found.rejects[0]) == ("created_at" in one)
        left = repr(rows_of(found.batches)) + repr(found.rejects)
        assert left.count(SECRET) == 0 or field is not None
        for name in CONTENT_OF.get(field or "", ()):
            assert f"{SECRET}_{name}" not in left


CONTENT_OF = {
    "instructions": ["instructions"],
    "metadata": ["metadata"],
    "tools": ["tools"],
    "response_format": ["response_format"],
    "required_action": ["required_action"],
    "error_messages": ["last_error", "incomplete_details"],
    "extra": ["note", "reasoning"],
}
"""The fields of a run that hold the content of a field of the policy."""


def test_pruned_runs_and_old_content_stay_out() -> None:
    """Pruned runs are removed from a batch with their child rows, and counted; observations are renumbered."""
    old, new = run(1, created_at=1_000, **SECRETIVE), run(2, created_at=3_000, **SECRETIVE)
    unknown = run(3, created_at=None, **SECRETIVE)
    found = _converted(page(old, new, unknown), AdmissionFilter(runs_from=2_000_000_000))
    assert found.pruned == 1
    rows = rows_of(found.batches)
    alone = _rows(page(new, unknown))
    for table in rows:
        assert _placeless(rows[table]) == _placeless(alone[table])
    of_content = _rows(page(old, new), AdmissionFilter(content_from=2_000_000_000))
    assert [SECRET in repr(row) for row in of_content["runs"]] == [False, True]
    assert [SECRET in repr(row) for row in of_content["tools"]] == [False] * 4 + [True] * 4
    assert of_content["runs"][1:] == _rows(page(old, new))["runs"][1:]


def _placeless(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "observed_position"} for row in rows]


def _parsed(rows: Rows) -> Rows:
    """Rows with their JSON parsed, without digests of texts, which depend on whitespace and escapes."""
    for row in rows["runs"]:
        row["tools_digest"] = row["tools_digest"] is not None
    for table, column in JSONS:
        for row in rows[table]:
            if row[column] is not None:
                row[column] = json.loads(row[column], parse_float=str, parse_int=str)
    return rows
