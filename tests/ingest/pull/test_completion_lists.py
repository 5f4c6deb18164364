"""Lists of stored chat completions, which are read as lists of responses are."""

from pathlib import Path

from runmart.ingest.pull.names import COMPLETIONS, list_name
from runmart.models.record_specs import SPECS
from tests.support.pull import TestServer
from tests.support.responses_server import HOUR_AGO, add, pull_responses, state, stored
from tests.support.warehouse import query

IS_STORED = any(spec.object == "chat.completion" for spec in SPECS)
"""Whether completions have a record spec; without one they are skipped, and counted by kind."""


def test_a_list_of_another_kind_is_read_to_its_end(server: TestServer, warehouse: Path) -> None:
    """What is on the pages does not matter for reading them: here responses, at the address of completions."""
    server.world()
    ids = add(server, 150, kind="completions")
    outcome = pull_responses(server, warehouse, "openai", records=[COMPLETIONS])
    assert (stored(warehouse), outcome.failures, server.requests()) == (ids, {}, 3)
    assert state(warehouse) == [("/chat/completions", "complete")]
    pull_responses(server, warehouse, "openai", records=[COMPLETIONS])
    assert server.requests() == 1


def test_completions_are_stored_or_counted(server: TestServer, warehouse: Path) -> None:
    """All pages of `chat.completion` objects are read, also as long as the kind is not stored; a filter is sent."""
    server.world()
    given = [{"created": HOUR_AGO + 30 * number, "metadata": {"team": "ab"[number % 2]}} for number in range(260)]
    ids = [one["id"] for one in server.steer("completions", given=given)]
    name = list_name(COMPLETIONS, {"metadata[team]": "a"})
    outcome = pull_responses(server, warehouse, "openai", records=[name])
    assert not outcome.failures
    assert state(warehouse) == [("/chat/completions?metadata%5Bteam%5D=a", "complete")]
    paths = server.steer("log")["paths"]
    assert all("metadata%5Bteam%5D=a" in path for path in paths)
    found = query(warehouse, "select run_id from runs where object = 'chat.completion' order by all")
    assert found == ([(one,) for one in ids[::2]] if IS_STORED else [])
    [(skipped,)] = query(warehouse, "select sum(skipped) from runmart.loads")
    assert skipped == 0 if IS_STORED else skipped >= 130
