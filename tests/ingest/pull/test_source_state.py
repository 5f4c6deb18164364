"""The stored state of a source: when it differs enough from an earlier one to be written to a lake."""

from dataclasses import replace

import pytest

from runmart.ingest.pull.source_state import FRESH_SECONDS, SourceState

BEFORE = SourceState(
    pulled=1_000_060.0, started=1_000_000.0, asked_until="thread_2", runs_manners='{"paging":"newest first"}'
)


@pytest.mark.parametrize(
    ("seconds", "changes", "is_news"),
    [
        (FRESH_SECONDS - 1, {}, False),
        (FRESH_SECONDS, {}, True),
        (1, {"asked_until": "thread_1"}, True),
        (1, {"list_state": "partial"}, True),
    ],
)
def test_times_alone_are_news_once_in_a_while(seconds: float, changes: dict[str, str], is_news: bool) -> None:
    """A later state is news where it differs in more than times, or these by a while."""
    assert BEFORE.started is not None
    after = replace(BEFORE, started=BEFORE.started + seconds, pulled=BEFORE.started + seconds + 5, **changes)
    assert after.is_news(BEFORE) == is_news
    assert after.is_news(SourceState())
