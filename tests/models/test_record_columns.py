"""Record columns: sent and missing values."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from runmart.ingest.parse.repeated_keys import columns_may_repeat_key
from runmart.models.quirks import microseconds
from runmart.models.record_columns import RecordColumns, instants
from runmart.models.records import INSTANT_LIMIT, YEAR_ONE, RunRecord

FIELDS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"id": st.text(min_size=1, max_size=5), "status": st.just("queued")},
    optional={
        "model": st.one_of(st.none(), st.text(max_size=9)),
        "created_at": st.one_of(st.none(), st.integers(YEAR_ONE, INSTANT_LIMIT - 1), st.floats(YEAR_ONE, 1e12)),
        "started_at": st.one_of(st.none(), st.integers(1, 2 * 10**9)),
        "temperature": st.one_of(st.none(), st.floats(0, 2)),
        "parallel_tool_calls": st.one_of(st.none(), st.booleans()),
        "max_prompt_tokens": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
        "metadata": st.one_of(st.none(), st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2)),
        "instructions": st.one_of(st.none(), st.text(max_size=20)),
    },
)


def _sent(groups: list[list[dict[str, Any]]], indent: int | None) -> tuple[RecordColumns, list[bytes]]:
    texts = [json.dumps(run, indent=indent).encode() for runs in groups for run in runs]
    records = [msgspec.json.decode(text, type=RunRecord) for text in texts]
    sent, start = RecordColumns(RunRecord, common={"model"}, long={"instructions"}), 0
    for runs in groups:
        sent.add(records[start : start + len(runs)])
        start += len(runs)
    return sent, texts


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(FIELDS, min_size=1, max_size=4), min_size=1, max_size=4), st.sampled_from([None, 1]))
def test_columns_hold_what_was_sent(groups: list[list[dict[str, Any]]], indent: int | None) -> None:
    """Each column has a value per record: null where nothing was sent, JSON byte for byte."""
    sent, texts = _sent(groups, indent)
    runs = [run for group in groups for run in group]
    assert len(runs) == sent.count
    for name in ("id", "status", "model", "temperature", "parallel_tool_calls", "max_prompt_tokens"):
        assert sent.array(name).to_pylist() == [run.get(name) for run in runs]
    for name in ("metadata", "instructions", "tools"):
        found = [msgspec.json.decode(text) if text else UNSET for text in sent.texts(name).to_pylist()]
        assert found == [run.get(name, UNSET) for run in runs]
        assert all(text in whole for text, whole in zip(sent.texts(name).to_pylist(), texts, strict=True))
        assert sent.is_sent(name) is any(name in run for run in runs)
    encoded = sent.encoded("model")
    assert encoded.array.dictionary_decode().to_pylist() == [run.get("model") for run in runs]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(FIELDS, min_size=1, max_size=4), min_size=1, max_size=3))
def test_colons_are_all_explained(groups: list[list[dict[str, Any]]]) -> None:
    """The colons behind keys, in JSON and in texts are all colons of the runs, unless one was escaped."""
    sent, texts = _sent(groups, None)
    assert not columns_may_repeat_key(texts, sent)


@settings(max_examples=150, deadline=None)
@given(st.lists(FIELDS, min_size=1, max_size=5))
def test_a_column_of_instants_is_one_of_microseconds(runs: list[dict[str, Any]]) -> None:
    """Instants are converted as single ones are: seconds or milliseconds, integer or float; 0 is null."""
    sent, _ = _sent([runs], None)
    for name in ("created_at", "started_at", "failed_at"):
        assert instants(sent, name).to_pylist() == [microseconds(run.get(name)) for run in runs]
