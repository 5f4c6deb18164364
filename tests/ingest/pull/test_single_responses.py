"""Responses by their ids, for servers that list none: read once, and again until they have ended."""

import time
from pathlib import Path
from typing import Any

import pytest

from runmart.ingest.errors import SettingsError
from runmart.ingest.maintenance.prune import prune
from runmart.ingest.pull.errors import PullError
from runmart.ingest.pull.names import given_ids, listed_ids
from runmart.ingest.pull.request import Outcome
from runmart.ingest.pull.schedule import Selection
from runmart.ingest.warehouse.connection import open_for_writing
from tests.support.pull import TestServer
from tests.support.responses_server import HOUR_AGO, add, pull_responses, state, stored
from tests.support.warehouse import query


def pull_named(server: TestServer, warehouse: Path, *ids: str, **changes: Any) -> Outcome:
    """Pull responses by their ids from a server of the profile openai."""
    return pull_responses(server, warehouse, "openai", records=given_ids(ids), **changes)


def test_a_response_that_has_ended_is_requested_once(server: TestServer, warehouse: Path) -> None:
    """Its second mention costs no request; --full requests it again."""
    server.world()
    ids = add(server, 3)
    outcome = pull_named(server, warehouse, *ids)
    assert (outcome.totals.new_runs, outcome.unit, server.requests()) == (3, "responses", 3)
    assert stored(warehouse) == ids
    outcome = pull_named(server, warehouse, *ids)
    assert (outcome.ended, outcome.threads, server.requests()) == (3, 0, 0)
    assert pull_named(server, warehouse, *ids, full=True).threads == 3
    assert server.requests() == 3


def test_an_open_response_is_looked_up_again_without_being_named(server: TestServer, warehouse: Path) -> None:
    """Each later pull of responses of the source asks for it until it has ended."""
    server.world()
    [opened] = add(server, 1, status="queued")
    [other] = add(server, 1)
    pull_named(server, warehouse, opened)
    assert state(warehouse) == [(f"/responses/{opened}", "partial")]
    server.requests()
    pull_named(server, warehouse, other)
    assert server.requests() == 2
    server.steer("change_response", id=opened, status="completed", completed_at=HOUR_AGO + 9)
    assert pull_named(server, warehouse, other).totals.updated_runs == 1
    assert query(warehouse, f"select status from runs where run_id = '{opened}'") == [("completed",)]
    server.requests()
    pull_named(server, warehouse, other)
    assert server.requests() == 0


def test_a_response_that_is_not_there_is_named_once(server: TestServer, warehouse: Path) -> None:
    """It is a failure with its id, and then asked for again only after a while, without a failure."""
    server.world()
    [there] = add(server, 1)
    outcome = pull_named(server, warehouse, "resp_none", there)
    assert outcome.first_failure == 'response resp_none: 404: the server does not know it, saying "No such record"'
    assert state(warehouse) == [(f"/responses/{there}", "complete"), ("/responses/resp_none", "gone")]
    server.requests()
    outcome = pull_named(server, warehouse, "resp_none", there)
    assert (server.requests(), outcome.gone, outcome.failures) == (0, 1, {})


def test_many_unknown_ids_alone_are_the_server(server: TestServer, warehouse: Path) -> None:
    """Where nothing of what was asked for is known, the address is in doubt, and nothing is taken for deleted."""
    server.world()
    with pytest.raises(PullError, match="knows nothing of what was asked for"):
        pull_named(server, warehouse, *(f"resp_{number}" for number in range(12)))


def test_a_stale_response_is_abandoned(server: TestServer, warehouse: Path) -> None:
    """An open response is looked up for 30 days after its creation, and then recorded as given up."""
    server.world()
    [old] = add(server, 1, int(time.time()) - 31 * 86_400, status="in_progress")
    pull_named(server, warehouse, old)
    assert pull_named(server, warehouse, old).given_up == 1
    assert query(warehouse, "select run_id, reason from runmart.given_up_runs") == [
        (old, "still in_progress 30 days after it was created")
    ]
    server.requests()
    pull_named(server, warehouse, old)
    assert server.requests() == 0


def test_a_pruned_response_is_not_stored_again(server: TestServer, warehouse: Path) -> None:
    """It is neither asked for nor stored once it was pruned; one that was never asked for is skipped as pruned."""
    server.world()
    first, second = add(server, 2, HOUR_AGO - 90 * 86_400)
    pull_named(server, warehouse, first)
    with open_for_writing(warehouse, 0) as writer:
        prune(writer, int((time.time() - 30 * 86_400) * 1e6), content_only=False)
    server.requests()
    outcome = pull_named(server, warehouse, first, second)
    assert (outcome.totals.pruned, outcome.totals.new_runs, server.requests()) == (1, 0, 1)
    assert stored(warehouse) == []


def test_a_query_names_responses(server: TestServer, warehouse: Path) -> None:
    """The first column of a query holds ids; null is skipped, and an empty text is an error before any request."""
    server.world()
    ids = add(server, 2)
    sql = f"select * from (values ('{ids[0]}'), (null), ('{ids[1]}'))"
    pull_responses(server, warehouse, "openai", records=(), responses_sql=sql)
    assert stored(warehouse) == ids
    server.requests()
    with pytest.raises(SettingsError, match="--responses-sql: row 1 is no response id: '' \\(it is empty\\)"):
        pull_responses(server, warehouse, "openai", records=(), responses_sql="select ''")
    assert server.requests() == 0


def test_what_answers_with_something_else_is_named(server: TestServer, warehouse: Path) -> None:
    """An answer that is no response is a failure, and is asked for again."""
    server.world(malformed=["resp_00000001"])
    [there] = add(server, 1)
    outcome = pull_named(server, warehouse, there)
    assert outcome.first_failure is not None
    assert outcome.first_failure.startswith(f"response {there}: ")
    server.steer("settings", malformed=[])
    assert pull_named(server, warehouse, there).totals.new_runs == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("resp_1\nresp 2\n", "x: line 2 is no response id: 'resp 2' (it holds a space)"),
        ("response_id\nresp_1\n", "x: line 1 is no response id: 'response_id'; give one id a line"),
        ("# all\nresp_1,resp_2\n", "x: line 2 is no response id: 'resp_1,resp_2'; give one id a line"),
        ("a/b\n", "x: line 1 is no response id: 'a/b' (it holds a slash)"),
    ],
)
def test_a_list_holds_one_id_a_line(text: str, words: str) -> None:
    """What is no id is named with its line."""
    with pytest.raises(SettingsError) as caught:
        listed_ids(text.encode(), "x")
    assert words in str(caught.value)


def test_blank_lines_and_comments_are_no_ids() -> None:
    """They are skipped, and so is a byte order mark."""
    assert listed_ids(b"\xef\xbb\xbfresp_1\n\n# why\n resp_2 \r\n", "x") == ["/responses/resp_1", "/responses/resp_2"]


def test_known_has_open_responses(server: TestServer, warehouse: Path) -> None:
    """`--known` looks up the source's open responses, and those that could not be read, without a name."""
    server.world()
    [opened] = add(server, 1, status="in_progress")
    [ended] = add(server, 1)
    pull_named(server, warehouse, opened, ended)
    server.requests()
    server.steer("change_response", id=opened, status="failed", completed_at=None)
    outcome = pull_responses(server, warehouse, "openai", records=(), selection=Selection(known=True))
    assert (outcome.totals.updated_runs, outcome.failures, server.requests()) == (1, {}, 1)
    assert query(warehouse, f"select status from runs where run_id = '{opened}'") == [("failed",)]
