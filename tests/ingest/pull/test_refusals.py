"""Refusals: of one thread, of the list, or of all that is asked for; and redirects to other servers."""

import json
from pathlib import Path
from typing import Any

import pytest

from runmart.ingest.errors import RunmartError
from runmart.ingest.pull.errors import PullError
from runmart.ingest.pull.providers import Server
from runmart.ingest.pull.refusals import REPEATED
from runmart.ingest.pull.schedule import Selection
from tests.support.pull import KEY, TestServer, assert_equals_truth, pulled
from tests.support.warehouse import query

ELSEWHERE = "/agents/threads/{thread_id}/runs"


def said(message: str) -> str:
    """The body of an error with a message."""
    return json.dumps({"error": {"message": message}})


def names(count: int) -> dict[str, Any]:
    """A pull of some threads by name."""
    return {"selection": Selection([f"thread_{number:06}" for number in range(count)]), "list_threads": False}


@pytest.mark.parametrize(
    ("status", "message", "words"),
    [
        (
            403,
            "this key may not read project lab",
            r'403: .*lets the key from \$TEST_KEY read nothing.*"this key may not',
        ),
        (400, "You must set a beta header", r'400: .*accepts no request, saying "You must set.*--base-url, --profile'),
        (422, "limit: too large", r'422: .*accepts no request, saying "limit: too large"'),
        (405, "Method Not Allowed", r"405: .*knows nothing.*--base-url, --profile, --runs-path"),
        (401, "Incorrect API key provided: GIVEN", r"401: .*\$TEST_KEY, saying .*provided: \[hidden\]\"; check"),
        (400, "API version not supported", r"400: .*the API version 2025-05-01, saying .*--api-version"),
        (404, "Unsupported api-version", r"404: .*the API version 2025-05-01, saying .*--api-version"),
    ],
)
def test_a_server_that_refuses_all_ends_the_pull_in_its_own_words(
    server: TestServer, warehouse: Path, status: int, message: str, words: str
) -> None:
    """Where nothing could be read, the pull fails with the server's words and advice that fits."""
    server.world(threads=3, runs=9, refusal=said(message), refusal_status=status, refuses_list=False)
    with pytest.raises(PullError, match=words) as caught:
        pulled(server, warehouse)
    assert KEY not in str(caught.value)
    assert query(warehouse, "select count(*) from runmart.threads where error like '%sk-test%'") == [(0,)]


@pytest.mark.parametrize("status", [403, 404])
def test_a_server_that_refuses_all_is_not_asked_for_all(server: TestServer, warehouse: Path, status: int) -> None:
    """After ten refusals with the same words, and nothing besides, the pull ends; once it answers, all is there."""
    server.world(threads=50, runs=60, refusal=said("no"), refusal_status=status, refuses_list=False)
    server.requests()
    with pytest.raises(PullError, match=f"{status}: "):
        pulled(server, warehouse, concurrency=4)
    assert server.requests() < REPEATED + 10
    server.steer("settings", refusal="")
    assert pulled(server, warehouse).totals.new_runs == 60


def test_refusals_of_some_threads_are_theirs(server: TestServer, warehouse: Path) -> None:
    """Twenty forbidden threads among others cost these threads, and each says what the server said."""
    forbidden = [f"thread_{number:06}" for number in range(5, 25)]
    server.world(threads=30, runs=300, forbidden=forbidden)
    outcome = pulled(server, warehouse, concurrency=1)
    assert outcome.failures == {"status 403": 20}
    assert query(warehouse, "select distinct error from runmart.threads where error is not null") == [
        ('403: the key may not read it, saying "Not yours"',)
    ]


def test_a_wrong_address_deletes_no_thread(server: TestServer, warehouse: Path, tmp_path: Path) -> None:
    """Threads that are unknown at a wrong address are read once the address is right, known or new ones."""
    server.world(threads=3, runs=9)
    pulled(server, warehouse, **names(1))
    wrong = Server(f"{server.url}/wrong", "azure-foundry")
    for _ in range(2):
        outcome = pulled(server, warehouse, server=wrong, **names(3))
        assert outcome.failures == {"404: the server does not know it": 3}
    outcome = pulled(server, warehouse, **names(3))
    assert (outcome.threads, outcome.gone) == (3, 0)
    assert_equals_truth(server, warehouse, tmp_path)


def test_a_quiet_source_with_one_refused_thread_is_no_failure(server: TestServer, warehouse: Path) -> None:
    """When the other threads are skipped as idle, the refusal of the only thread that is due is its own."""
    server.world(threads=2)
    server.steer("run", thread_id="thread_000000", status="completed", created_at=1_700_000_000)
    pulled(server, warehouse)
    server.steer("settings", forbidden=["thread_000001"])
    outcome = pulled(server, warehouse, **names(2))
    assert (outcome.idle, outcome.failures) == (1, {"status 403": 1})


@pytest.mark.parametrize(
    ("status", "words", "code"),
    [(403, r"refuses the list of threads: 403: .*saying \"no\".*--threads", 1), (404, r"lists no threads .404", 2)],
)
def test_a_refused_list_has_its_own_sentence(
    server: TestServer, warehouse: Path, status: int, words: str, code: int
) -> None:
    """A list that the key may not read is no missing list."""
    server.world(threads=3, runs=9, refusal=said("no"), refusal_status=status)
    with pytest.raises(RunmartError, match=words) as caught:
        pulled(server, warehouse)
    assert caught.value.exit_code == code


def test_a_redirect_to_another_host_costs_its_thread(server: TestServer, warehouse: Path) -> None:
    """The other threads are loaded, and the message names the host and what to do."""
    target = f"http://{KEY}.example:81"
    server.world(threads=5, runs=50, redirect_to=target, redirected=["thread_000002"])
    outcome = pulled(server, warehouse)
    assert outcome.failures.total() == 1
    assert outcome.first_failure
    assert "thread thread_000002: 127.0.0.1 redirects to http://[hidden]" in outcome.first_failure
    assert "the key was not sent there" in outcome.first_failure
    assert "--base-url" in outcome.first_failure
    assert KEY not in outcome.first_failure
    assert query(warehouse, "select count(distinct thread_id) from runs") == [(4,)]


@pytest.mark.parametrize("location", ["http://x:port", "http://x:99999"])
def test_a_redirect_to_what_is_no_address_costs_its_thread(server: TestServer, warehouse: Path, location: str) -> None:
    """A `Location` that cannot be read is an error of the thread."""
    server.world(threads=2, runs=9, redirect_to=location, redirected=["thread_000001"])
    assert "no address" in str(pulled(server, warehouse).first_failure)


def test_runs_are_found_elsewhere(server: TestServer, warehouse: Path, tmp_path: Path) -> None:
    """`runs_path` says where runs, single runs and steps are; without it the message names it."""
    server.world(threads=10, runs=12)
    base = f"{server.url}/elsewhere"
    with pytest.raises(PullError, match=r"404: .*--runs-path"):
        pulled(server, warehouse, server=Server(base, "compatible"))
    elsewhere = Server(base, "compatible", runs_path=ELSEWHERE)
    run = server.truth()[0]
    place = [(run["thread_id"], run["id"])]
    pulled(server, warehouse, server=elsewhere, runs=place, steps=True)
    assert_equals_truth(server, warehouse, tmp_path)
    assert query(warehouse, "select count(*) from steps") == [(24,)]


def test_headers_are_sent_and_never_shown(server: TestServer, warehouse: Path) -> None:
    """More headers come with each request, not after a redirect; they are in no message and no representation."""
    secret = "blue-team-4711"  # noqa: S105 - of nobody
    base = Server(f"{server.url}/foundry", "azure-foundry", headers={"x-workspace": secret})
    server.world(threads=3, runs=9)
    server.steer("log")
    pulled(server, warehouse, server=base)
    assert {headers.get("x-workspace") for headers in server.steer("log")["headers"]} == {secret}
    assert secret not in repr(base)
    server.steer("settings", refusal=said(f"workspace {secret} is closed"), refusal_status=403)
    with pytest.raises(PullError, match=r"workspace \[hidden\] is closed"):
        pulled(server, warehouse, server=base, full=True)
    server.steer("settings", refusal="", redirect_to=server.url.replace("127.0.0.1", "localhost"))
    server.steer("log")
    with pytest.raises(PullError, match="redirects to http://localhost"):
        pulled(server, warehouse, server=base, full=True, **names(3))
    assert all(headers["host"].startswith("127.0.0.1") for headers in server.steer("log")["headers"])
