"""Lists of responses: complete or named, resumable and polite, as for the runs of threads."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from runmart.ingest.errors import SettingsError
from runmart.ingest.pull.names import RESPONSES, list_name
from runmart.ingest.pull.providers import ProfileName
from tests.support.pull import TestServer, pulled
from tests.support.responses_server import HOUR_AGO, add, pull_responses, state, stored
from tests.support.warehouse import query


@pytest.mark.parametrize("profile", ["foundry-v2", "llama-stack"])
def test_all_responses_of_all_pages_are_there(server: TestServer, warehouse: Path, profile: ProfileName) -> None:
    """Each page is read once, and the end once more; conversation, agent, usage and output items are stored."""
    server.world()
    ids = add(server, 250)
    outcome = pull_responses(server, warehouse, profile)
    assert (outcome.totals.new_runs, outcome.failures, server.requests()) == (250, {}, 4)
    assert stored(warehouse) == ids
    assert state(warehouse) == [("/responses", "complete")]
    [row] = query(
        warehouse, "select thread_id, assistant_id, assistant_version from runs where run_id = 'resp_00000009'"
    )
    assert row == ("conv_2", "agent_1", "3")
    [tokens] = query(warehouse, "select prompt_tokens from usage where run_id = 'resp_00000009'")
    assert tokens == (9,)
    assert query(warehouse, "select count(*), count(distinct step_id) from steps") == [(250, 250)]


def test_a_second_pull_costs_one_request_and_writes_nothing(server: TestServer, warehouse: Path) -> None:
    """Without new responses the first page tells; with new ones, so many pages as they are on, and no more."""
    server.world()
    ids = add(server, 1000, HOUR_AGO - 30_000)
    pull_responses(server, warehouse)
    assert server.requests() == 12
    outcome = pull_responses(server, warehouse)
    assert (server.requests(), outcome.totals.observations, outcome.load_id) == (1, 0, None)
    ids += add(server, 150, HOUR_AGO)
    outcome = pull_responses(server, warehouse)
    assert (server.requests(), outcome.totals.new_runs) == (2, 150)
    assert stored(warehouse) == ids


def test_an_open_response_is_looked_up_until_it_ends(server: TestServer, warehouse: Path) -> None:
    """An open response far down the list costs one request by its id in each pull, until it has ended."""
    server.world()
    [opened] = add(server, 1, HOUR_AGO - 50_000, status="in_progress")
    add(server, 300, HOUR_AGO - 20_000)
    pull_responses(server, warehouse)
    server.requests()
    pull_responses(server, warehouse)
    assert server.requests() == 2
    server.steer("change_response", id=opened, status="completed", completed_at=HOUR_AGO)
    outcome = pull_responses(server, warehouse)
    assert (server.requests(), outcome.totals.updated_runs) == (2, 1)
    assert query(warehouse, f"select status from runs where run_id = '{opened}'") == [("completed",)]
    pull_responses(server, warehouse)
    assert server.requests() == 1


@pytest.mark.parametrize("status", [404, 400])
def test_an_open_response_that_was_deleted_is_given_up(server: TestServer, warehouse: Path, status: int) -> None:
    """It is neither on the server nor in the list, which is read down to its time alone; it is named, once."""
    server.world(unknown_status=status)
    add(server, 900, HOUR_AGO - 100_000, apart=60)
    [opened] = add(server, 1, HOUR_AGO - 30_000, status="in_progress")
    add(server, 300, HOUR_AGO - 29_000)
    pull_responses(server, warehouse)
    server.requests()
    server.steer("delete_response", id=opened)
    outcome = pull_responses(server, warehouse)
    assert (outcome.given_up, outcome.failures) == (1, {})
    assert server.requests() == 6
    [(reason,)] = query(warehouse, "select reason from runmart.given_up_runs")
    assert f"it is not on the server any more: {status}: " in reason
    assert pull_responses(server, warehouse).given_up == 0
    assert server.requests() == 1


ODD: dict[str, dict[str, Any]] = {
    "order ignored": {"ascending": True},
    "after ignored": {"after": "ignored", "page_cap": 1000},
    "after compares times": {"after": "by time"},
    "after means later": {"after": "later"},
    "has_more lies": {"lying_has_more": 1.0},
    "has_more always": {"always_more": True},
    "no paging": {"bare": True},
    "small pages": {"page_cap": 20},
    "throttled": {"throttled": 0.3, "retry_after": "0.05"},
    "a storm": {"storm": 30, "retry_after": "0.02"},
    "broken": {"broken": 0.3},
    "cut off": {"truncated": 0.3},
}


@pytest.mark.parametrize("manners", ODD.values(), ids=ODD.keys())
def test_odd_servers_hide_nothing(server: TestServer, warehouse: Path, manners: dict[str, Any]) -> None:
    """Whatever a server makes of `order`, `after` and `has_more`, and however it fails: all responses are stored."""
    server.world(seed=5, **manners)
    ids = add(server, 130, HOUR_AGO - 20_000, apart=100)
    outcome = pull_responses(server, warehouse)
    assert (outcome.failures, stored(warehouse)) == ({}, ids)
    ids += add(server, 30, HOUR_AGO, apart=60)
    outcome = pull_responses(server, warehouse)
    assert (outcome.failures, stored(warehouse)) == ({}, ids)


def test_a_list_that_cannot_be_read_to_its_end_is_named(server: TestServer, warehouse: Path) -> None:
    """Where no way leads to the end, what was found is stored, and the list is a failure that says so."""
    server.world(after="ignored", page_cap=100)
    add(server, 300)
    outcome = pull_responses(server, warehouse)
    assert (outcome.totals.new_runs >= 100, outcome.is_complete) == (True, False)
    assert outcome.first_failure is not None
    assert outcome.first_failure.startswith("the list of responses: the server's pages do not lead to the end of the")
    assert state(warehouse) == [("/responses", "partial")]


def test_a_deadline_leaves_a_gap_that_the_next_pull_closes(server: TestServer, warehouse: Path) -> None:
    """What was read is stored, and the next pull goes on behind it without reading it again."""
    server.world()
    ids = add(server, 1500, HOUR_AGO - 50_000)
    server.steer("settings", delay_seconds=0.4)
    outcome = pull_responses(server, warehouse, deadline_seconds=2.5)
    assert outcome.deadline_reached
    got = len(stored(warehouse))
    assert 100 <= got < 1500
    server.steer("settings", delay_seconds=0)
    new = add(server, 5, HOUR_AGO)
    server.requests()
    outcome = pull_responses(server, warehouse)
    assert (outcome.is_complete, stored(warehouse)) == (True, ids + new)
    assert server.requests() <= 15 - got // 100 + 3


def test_a_pause_that_the_server_asks_for_is_kept(server: TestServer, warehouse: Path) -> None:
    """After status 429 nothing is requested for as long as `Retry-After` says."""
    server.world(storm=1, retry_after="1")
    ids = add(server, 5)
    outcome = pull_responses(server, warehouse)
    assert (outcome.counters.throttled, server.requests(), stored(warehouse)) == (1, 3, ids)
    assert outcome.seconds >= 1


def test_a_server_that_fails_half_way_is_named_and_gone_on_with(server: TestServer, warehouse: Path) -> None:
    """Pages that came before status 500 are stored, the list is a failure, and the next pull reads the rest."""
    server.world(delay_seconds=0.3)
    ids = add(server, 1500, HOUR_AGO - 50_000)
    with ThreadPoolExecutor() as pool:
        pull = pool.submit(pull_responses, server, warehouse)
        server.wait_for_requests(4)
        server.steer("settings", storm=100_000, storm_status=500)
        outcome = pull.result()
    assert outcome.first_failure == 'the list of responses: status 500, saying "Too many requests", after 8 attempts'
    got = len(stored(warehouse))
    assert 200 <= got < 1500
    server.steer("settings", storm=0, delay_seconds=0)
    server.requests()
    assert pull_responses(server, warehouse).is_complete
    assert stored(warehouse) == ids
    assert server.requests() <= 16 - got // 100 + 3


def test_a_list_that_the_server_does_not_have_is_said(server: TestServer, warehouse: Path) -> None:
    """A server without a list of responses is a sentence with what to do, and not an empty result."""
    server.world(lists_threads=False)
    with pytest.raises(SettingsError, match=r"lists no responses \(405: .*name them: --response, --responses"):
        pull_responses(server, warehouse, "llama-stack")


def test_a_filter_is_another_list(server: TestServer, warehouse: Path) -> None:
    """Each filter has a watermark of its own, so that the whole list is not taken for read after a part of it."""
    server.world()
    ids = add(server, 200, HOUR_AGO - 30_000, apart=100)
    name = list_name(RESPONSES, {"agent_name": "agent_1"})
    pull_responses(server, warehouse, records=[name])
    assert stored(warehouse) == ids[::2]
    pull_responses(server, warehouse)
    assert stored(warehouse) == ids
    assert state(warehouse) == [("/responses", "complete"), ("/responses?agent_name=agent_1", "complete")]


def test_since_skips_older_responses_until_it_is_lifted(server: TestServer, warehouse: Path) -> None:
    """`--since` leaves older pages unread, and a later pull without it reads them."""
    server.world()
    ids = add(server, 600, HOUR_AGO - 60_000, apart=100)
    pull_responses(server, warehouse, since=time.time() - 10_000)
    assert server.requests() <= 2
    pull_responses(server, warehouse)
    assert stored(warehouse) == ids


def test_an_idle_list_is_asked_each_time(server: TestServer, warehouse: Path) -> None:
    """A list is no thread: it is asked also when nothing was new for weeks."""
    server.world()
    add(server, 3, HOUR_AGO - 40 * 86_400)
    pull_responses(server, warehouse)
    pull_responses(server, warehouse)
    [new] = add(server, 1)
    pull_responses(server, warehouse)
    assert new in stored(warehouse)


def test_known_threads_are_those_of_runs(server: TestServer, warehouse: Path) -> None:
    """Conversations of responses, lists and single responses are no threads to ask a server of runs for."""
    server.world(threads=2, runs=20)
    add(server, 20)
    pull_responses(server, warehouse)
    assert not pulled(server, warehouse).failures
    server.requests()
    outcome = pulled(server, warehouse, list_threads=False)
    assert (outcome.threads, outcome.failures, server.requests()) == (2, {}, 2)
