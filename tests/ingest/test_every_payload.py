"""Every recorded payload ends as runs, rows beside runs, counted skips or rejects: numbers by folder and kind."""

from collections import Counter
from typing import NamedTuple

import pytest

from tests.support.paths import RESPONSES
from tests.support.payloads import decode
from tests.support.recorded_responses import MANIFEST


class Ends(NamedTuple):
    """What the payloads of a folder and kind become."""

    files: int
    runs: int = 0
    """Observations of responses."""
    skipped: int = 0
    rejects: int = 0
    request_failures: int = 0
    webhook_events: int = 0
    organization_usage: int = 0


EXPECTED = {
    ("agent-framework", "conversation"): Ends(5, skipped=5),
    ("agent-framework", "error"): Ends(6, skipped=6),
    ("agent-framework", "item_list"): Ends(2, skipped=8),
    ("agent-framework", "response"): Ends(14, 14),
    ("agent-framework", "response_stream"): Ends(8, 24, skipped=769),
    ("llama-stack", "response"): Ends(2, 2),
    ("openai-dotnet", "batch"): Ends(6, skipped=6),
    ("openai-dotnet", "conversation"): Ends(8, skipped=8),
    ("openai-dotnet", "error"): Ends(4, skipped=4),
    ("openai-dotnet", "item_list"): Ends(52, skipped=104),
    ("openai-dotnet", "response"): Ends(34, 34),
    ("openai-dotnet", "response_compaction"): Ends(2, skipped=2),
    ("openai-dotnet", "response_stream"): Ends(10, 30, skipped=1443),
    ("openai-dotnet", "stored_completion_list"): Ends(12, 229),
    ("openai-openapi", "conversation"): Ends(2, skipped=2),
    ("openai-openapi", "item_list"): Ends(3, skipped=4),
    ("openai-openapi", "organization_page"): Ends(11, skipped=9, organization_usage=2),
    ("openai-openapi", "other"): Ends(5, skipped=1, webhook_events=4),
    ("openai-openapi", "response"): Ends(10, 9, skipped=1),
    ("openai-openapi", "response_compaction"): Ends(1, skipped=1),
    ("openai-openapi", "response_event"): Ends(6, 5, skipped=1),
    ("openai-openapi", "response_stream"): Ends(1, 3, skipped=6, rejects=1),
    ("openai-openapi", "stored_completion_list"): Ends(1, 1),
    ("openinference", "response"): Ends(13, 13),
    ("openinference", "response_stream"): Ends(2, 6, skipped=533),
    ("openllmetry", "response"): Ends(29, 29),
    ("openllmetry", "response_stream"): Ends(6, 18, skipped=410),
    ("openresponses", "response"): Ends(1, 1),
    ("pydantic-ai", "conversation"): Ends(5, skipped=5),
    ("pydantic-ai", "error"): Ends(7, skipped=7),
    ("pydantic-ai", "response"): Ends(125, 125),
    ("pydantic-ai", "response_compaction"): Ends(7, skipped=7),
    ("pydantic-ai", "response_stream"): Ends(26, 79, skipped=1079),
    ("ruby-openai", "batch"): Ends(3, skipped=3),
    ("ruby-openai", "conversation"): Ends(2, skipped=2),
    ("ruby-openai", "item_list"): Ends(2, skipped=2),
    ("ruby-openai", "organization_page"): Ends(8, skipped=13, organization_usage=3),
    ("ruby-openai", "response"): Ends(7, 7),
    ("ruby-openai", "response_stream"): Ends(2, 6, skipped=30),
}

OF_KIND = {
    "error": {"error": 17},
    "batch": {"batch": 9},
    "organization_page": {
        "bucket": 6,
        "organization.usage.audio_speeches.result": 2,
        "organization.usage.audio_transcriptions.result": 2,
        "organization.usage.code_interpreter_sessions.result": 1,
        "organization.usage.embeddings.result": 2,
        "organization.usage.file_searches.result": 1,
        "organization.usage.images.result": 2,
        "organization.usage.moderations.result": 2,
        "organization.usage.vector_stores.result": 3,
        "organization.usage.web_searches.result": 1,
    },
    "other": {"error": 1},
}
"""What is skipped in the payloads of some kinds, by what it says that it is."""


def ends(file: str) -> Ends:
    """What a payload becomes, which is something."""
    seen = decode((RESPONSES / file).read_bytes())
    found = Ends(1, len(seen.ids), seen.skipped.total(), len(seen.rejects), **seen.neighbours)
    assert any(found[1:]), file
    return found


def files_of(folder: str, kind: str) -> list[str]:
    """The files of a folder and kind."""
    return [row["file"] for row in MANIFEST if row["kind"] == kind and row["file"].startswith(f"{folder}/")]


@pytest.mark.parametrize(("folder", "kind"), EXPECTED)
def test_each_payload_ends_as_something(folder: str, kind: str) -> None:
    """Nothing is lost, whatever it is."""
    found = [ends(file) for file in files_of(folder, kind)]
    assert Ends(*map(sum, zip(*found, strict=True))) == EXPECTED[folder, kind]


def test_the_numbers_are_of_all_payloads() -> None:
    """450 files."""
    assert {(row["file"].partition("/")[0], row["kind"]) for row in MANIFEST} == EXPECTED.keys()
    assert sum(one.files for one in EXPECTED.values()) == len(MANIFEST) == 450


@pytest.mark.parametrize("kind", OF_KIND)
def test_what_is_skipped_is_counted_by_kind(kind: str) -> None:
    """Under the name that the object gives itself."""
    files = [RESPONSES / row["file"] for row in MANIFEST if row["kind"] == kind]
    skipped = sum((+decode(file.read_bytes()).skipped for file in files), Counter[str]())
    assert skipped == OF_KIND[kind]
