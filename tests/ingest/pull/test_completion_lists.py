"""Lists of stored chat completions, which are read as lists of responses are."""

from pathlib import Path

from runmart.ingest.pull.names import COMPLETIONS, list_name
from tests.support.pull import TestServer
from tests.support.responses_server import HOUR_AGO, add, pull_responses, state, stored
from tests.support.warehouse import query


def test_a_list_of_another_kind_is_read_to_its_end(server: TestServer, warehouse: Path) -> None:
    """What is on the pages does not matter for reading them: here responses, at the address of completions."""
    server.world()
    ids = add(server, 150, kind="completions")
    outcome = pull_responses(server, warehouse, "openai", records=[COMPLETIONS])
    assert (stored(warehouse), outcome.failures, server.requests()) == (ids, {}, 3)
    assert state(warehouse) == [("/chat/completions", "complete")]
    pull_responses(server, warehouse, "openai", records=[COMPLETIONS])
    assert server.requests() == 1


def test_completions_are_stored(server: TestServer, warehouse: Path) -> None:
    """All pages of `chat.completion` objects are read and stored once; a filter is sent; later pulls bring new ones."""
    server.world()
    given = [{"created": HOUR_AGO + 30 * number, "metadata": {"team": "ab"[number % 2]}} for number in range(260)]
    ids = [one["id"] for one in server.steer("completions", given=given)]
    name = list_name(COMPLETIONS, {"metadata[team]": "a"})
    outcome = pull_responses(server, warehouse, "openai", records=[name])
    assert not outcome.failures
    assert state(warehouse) == [("/chat/completions?metadata%5Bteam%5D=a", "complete")]
    paths = server.steer("log")["paths"]
    assert all("metadata%5Bteam%5D=a" in path for path in paths)
    in_order = "select run_id from runs where object = 'chat.completion' order by all"
    assert query(warehouse, in_order) == [(one,) for one in ids[::2]]
    assert query(warehouse, "select sum(skipped), sum(new_runs) from runmart.loads") == [(0, 130)]
    [later] = server.steer("completions", given=[{"created": HOUR_AGO + 9000, "metadata": {"team": "a"}}])
    outcome = pull_responses(server, warehouse, "openai", records=[name])
    assert (outcome.failures, server.requests()) == ({}, 1)
    assert query(warehouse, in_order) == [(one,) for one in [*ids[::2], later["id"]]]
