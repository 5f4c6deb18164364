"""What the object around a response says of it: that it came out of a batch, and how long its request took."""

import json
from typing import Any

import pytest

from runmart.ingest.decode.decoder import Decoder
from runmart.ingest.decode.envelopes import OTHER_DURATION, UNREAD_DURATION
from runmart.ingest.decode.lenient import LenientDecoder
from runmart.ingest.parse.blocks import Block
from runmart.ingest.transform.flatten import flatten
from tests.support.payloads import ORIGIN, Seen, decode

CREATED = 1_800_000_000


def response(response_id: str = "resp_1", status: str = "completed", **fields: Any) -> dict[str, Any]:
    """A response, which took the server four seconds by its own whole seconds."""
    of_end = {"completed_at": CREATED + 4} if status == "completed" else {}
    return {"id": response_id, "object": "response", "status": status, "created_at": CREATED} | of_end | fields


def timed(**envelope: Any) -> tuple[float | None, str | None]:
    """The duration and its source of a response in an envelope, which is all that is in the input."""
    return found(decode(json.dumps(envelope).encode()))


def found(seen: Seen) -> tuple[float | None, str | None]:
    """The duration and its source of the only response; nothing else was found."""
    assert (seen.rejects, seen.skipped) == ([], {})
    [row] = seen.rows["runs"]
    assert row["is_batch"] is None
    return row["duration_seconds"], row["latency_source"]


def test_lines_of_a_batch_say_so() -> None:
    """A response in a line of a batch's output is one of a batch, and keeps the id that the caller gave the line."""
    lines = [
        {"id": f"batch_req_{number}", "custom_id": f"order {number}", "response": answer, "error": None}
        for number in range(3)
        for answer in [{"status_code": 200, "request_id": "req_1", "body": response(f"resp_{number}", store=True)}]
    ]
    seen = decode("\n".join(map(json.dumps, lines)).encode())
    assert (seen.rejects, seen.skipped) == ([], {})
    kept = [
        (row["run_id"], row["is_batch"], row["duration_seconds"], json.loads(row["extra"])) for row in seen.rows["runs"]
    ]
    extras = [{"custom_id": f"order {number}", "store": True} for number in range(3)]
    assert kept == [(f"resp_{number}", True, None, extras[number]) for number in range(3)]


def batch_line(number: int, **fields: Any) -> dict[str, Any]:
    """A line of a batch's output."""
    body = response(f"resp_{number}", **fields)
    answer = {"status_code": 200, "request_id": f"req_{number}", "body": body}
    return {"id": f"batch_req_{number}", "custom_id": f"order: {number}", "response": answer, "error": None}


def test_lines_of_a_batch_are_decoded_by_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that all hold a response go the fast way, and give what they give one by one."""
    lines = [json.dumps(batch_line(number, store=True, unheard_of={"a": number})).encode() for number in range(20)]
    fast = b"\n".join(lines)
    assert Decoder().parse(Block(fast), ORIGIN).whole is not None
    failed = json.dumps({"custom_id": "20", "response": None, "error": {"code": "batch_expired"}}).encode()
    slow = b"\n".join([*lines, failed])
    assert Decoder().parse(Block(slow), ORIGIN).whole is None
    assert decode(fast).rows == decode(slow).rows
    assert [row["is_batch"] for row in decode(fast).rows["runs"]] == [True] * 20
    monkeypatch.setattr(LenientDecoder, "decode", None)
    assert len(decode(fast).ids) == 20


def test_lines_with_and_without_a_batch_are_told_apart() -> None:
    """Blocks of responses in lines of a batch and of bare ones may follow each other."""
    blocks = [batch_line(1), response("resp_2"), batch_line(3)]
    parts = [(Block(json.dumps(one).encode()), ORIGIN) for one in blocks]
    found = [flatten(one).runs.to_pylist() for one in Decoder().decode(parts).observations]
    rows = [(row["run_id"], row["is_batch"], row["extra"]) for some in found for row in some]
    extras = [json.dumps({"custom_id": f"order: {number}"}, separators=(",", ":")) for number in (1, 3)]
    assert sorted(rows) == [("resp_1", True, extras[0]), ("resp_2", None, None), ("resp_3", True, extras[1])]


@pytest.mark.parametrize(
    "line",
    [
        {**batch_line(1), "id": {"object": "thread.run", "id": "run_1", "status": "queued"}},
        {**batch_line(1), "custom_id": {"a": 1}},
        {**batch_line(1), "custom_id": 7},
        {**batch_line(1), "further": "b"},
        {**batch_line(1), "error": {"code": "x"}},
        batch_line(1, custom_id="its own"),
    ],
)
def test_lines_of_another_form_are_decoded_one_by_one(line: dict[str, Any]) -> None:
    """Nothing that a line of a batch usually lacks is lost."""
    text = json.dumps(line).encode()
    assert Decoder().parse(Block(text), ORIGIN).whole is None
    seen = decode(text)
    assert ("resp_1", True) in [(row["run_id"], row["is_batch"]) for row in seen.rows["runs"]]
    assert ("run_1" in seen.ids) == isinstance(line["id"], dict)
    own = line["response"]["body"].get("custom_id", line["custom_id"])
    assert own in [json.loads(row["extra"] or "{}").get("custom_id") for row in seen.rows["runs"]]


def test_a_repeated_key_in_a_line_of_a_batch_is_refused() -> None:
    """One of its values would be lost."""
    text = json.dumps(batch_line(1)).replace('"status_code": 200', '"status_code": 200, "status_code": 500')
    assert [row["is_batch"] for row in decode(text.encode()).rows["runs"]] == [True]
    text = json.dumps(batch_line(1)).replace('"completed_at"', '"created_at": 5, "completed_at"')
    assert (decode(text.encode()).ids, len(decode(text.encode()).rejects)) == ([], 1)


def test_no_envelope_says_nothing() -> None:
    """Whether a response is one of a batch, and how long it took, is unknown without an envelope."""
    assert found(decode(json.dumps(response()).encode())) == (None, None)


HEADERS = {"OpenAI-Processing-MS": "3950", "x-request-id": "req_1"}


@pytest.mark.parametrize(
    ("envelope", "expected"),
    [
        ({"duration_ms": 4321}, (4.321, "collector")),
        ({"durationMs": "4321"}, (4.321, "collector")),
        ({"latency_seconds": 4.5}, (4.5, "collector")),
        ({"started_at": CREATED - 0.25, "ended_at": CREATED + 4.5}, (4.75, "collector")),
        ({"startedAt": (CREATED * 1000) - 250, "receivedAt": (CREATED * 1000) + 4500}, (4.75, "collector")),
        ({"started_at": "2027-01-15T08:00:00.1Z", "received_at": "2027-01-15T09:00:04.3+01:00"}, (4.2, "collector")),
        ({"started_at": CREATED, "ended_at": CREATED + 5}, (5.0, "collector_seconds")),
        ({"headers": HEADERS}, (3.95, "header")),
        ({"headers": [{"name": "openai-processing-ms", "value": "3950"}]}, (3.95, "header")),
        ({"response_headers": [["openai-processing-ms", "3950"]]}, (3.95, "header")),
        ({"headers": {"openai-processing-ms": ["3950"]}}, (3.95, "header")),
        ({"headers": HEADERS, "duration_ms": 4321}, (4.321, "collector")),
        ({"method": "POST", "status_code": 200, "duration_ms": 4321}, (4.321, "collector")),
        # what tells nothing
        ({"started_at": CREATED}, (None, None)),
        ({"duration_ms": None, "headers": {"x-request-id": "req_1"}}, (None, None)),
        ({"duration_ms": 0}, (None, None)),
        ({"received_at": CREATED + 9}, (None, None)),
        # requests that did not make the response
        ({"duration_ms": 4321, "method": "GET"}, (None, None)),
        ({"duration_ms": 4321, "request": {"method": "get"}, "headers": HEADERS}, (None, None)),
        ({"duration_ms": 4321, "url": "https://api.example/v1/responses/resp_1/cancel?a=b"}, (None, None)),
    ],
)
def test_an_envelope_times_its_response(envelope: dict[str, Any], expected: tuple[float | None, str | None]) -> None:
    """The collector's clock counts, and without it the server's header, whatever the names are written like."""
    assert timed(**envelope, body=response()) == expected
    assert timed(**envelope, body=json.dumps(response())) == expected
    assert found(decode(json.dumps({**envelope, "body": response()}).encode(), block=30)) == expected


@pytest.mark.parametrize(
    ("envelope", "kind"),
    [
        ({"duration_ms": "soon"}, UNREAD_DURATION),
        ({"duration_ms": -1}, UNREAD_DURATION),
        ({"duration_ms": 90_000_000}, UNREAD_DURATION),
        ({"duration_ms": {"a": 1}}, UNREAD_DURATION),
        ({"latency": 1.5}, UNREAD_DURATION),
        ({"started_at": CREATED + 5, "ended_at": CREATED}, UNREAD_DURATION),
        ({"started_at": "2027-01-15T08:00:00", "ended_at": "2027-01-15T08:00:04"}, UNREAD_DURATION),
        ({"headers": {"openai-processing-ms": "many"}}, UNREAD_DURATION),
        ({"duration_ms": 80}, OTHER_DURATION),
        ({"headers": {"openai-processing-ms": "3"}, "started_at": CREATED + 900}, OTHER_DURATION),
        ({"duration_ms": 4321, "started_at": CREATED + 900}, OTHER_DURATION),
        ({"duration_ms": 4321, "ended_at": CREATED + 900}, OTHER_DURATION),
    ],
)
def test_what_is_no_duration_of_the_response_is_counted(envelope: dict[str, Any], kind: str) -> None:
    """A duration that cannot be read, or cannot be the response's, is null and counted; the response is stored."""
    seen = decode(json.dumps({**envelope, "body": response()}).encode())
    [row] = seen.rows["runs"]
    assert (row["duration_seconds"], row["latency_source"], seen.rejects) == (None, None, [])
    assert seen.skipped == {kind: 1}


def test_an_archive_of_http_times_its_entries() -> None:
    """Entries of a HAR file count milliseconds; those that retrieve a response do not time it."""

    def entry(method: str, content: str, **headers: str) -> dict[str, Any]:
        named = [{"name": name, "value": value} for name, value in headers.items()]
        return {
            "startedDateTime": "2027-01-15T08:00:00.100Z",
            "time": 4100.5,
            "request": {"method": method, "url": "https://api.example/v1/responses", "headers": []},
            "response": {"status": 200, "headers": named, "content": {"text": content}},
        }

    entries = [
        entry("POST", json.dumps(response("a")), **{"openai-processing-ms": "4000"}),
        entry("GET", json.dumps(response("b")), **{"openai-processing-ms": "4000"}),
    ]
    seen = decode(json.dumps({"log": {"version": "1.2", "entries": entries}}).encode())
    rows = [(row["run_id"], row["duration_seconds"], row["latency_source"]) for row in seen.rows["runs"]]
    assert rows == [("a", 4.1005, "collector"), ("b", None, None)]


def test_the_closest_clock_counts() -> None:
    """Of envelopes within each other the inner one's clock is the request's; a header does not replace it."""
    inner = {"duration_ms": 4321, "body": response()}
    assert timed(duration_ms=9000, attempt=inner) == (4.321, "collector")
    assert timed(headers=HEADERS, attempt=inner) == (4.321, "collector")
    assert timed(duration_ms=4321, attempt={"headers": HEADERS, "body": response()}) == (4.321, "collector")


def test_an_open_response_is_not_timed() -> None:
    """A request that leaves the response open took no time that says anything of it."""
    assert timed(duration_ms=300, body=response(status="queued", background=True)) == (None, None)
    assert timed(duration_ms=4300, body=response(background=True)) == (None, None)
    assert timed(duration_ms=4300, method="POST", body=response(background=True)) == (4.3, "collector")


def transcript(*statuses: str) -> str:
    """The events of a stream of one response."""
    events = [{"type": f"response.{status}", "response": response(status=status)} for status in statuses]
    return "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events)


def test_a_stream_is_timed_at_its_end() -> None:
    """The last event of a stream has the duration of its envelope; a header tells the time to its beginning only."""
    body = transcript("in_progress", "completed")
    seen = decode(json.dumps({"duration_ms": 4321, "body": body}).encode())
    rows = [(row["status"], row["duration_seconds"]) for row in seen.rows["runs"]]
    assert rows == [("in_progress", None), ("completed", 4.321)]
    stream = {**HEADERS, "Content-Type": "text/event-stream; charset=utf-8"}
    for one, headers in ((body, HEADERS), (transcript("completed"), stream)):
        seen = decode(json.dumps({"headers": headers, "body": one}).encode())
        assert {row["duration_seconds"] for row in seen.rows["runs"]} == {None}


def test_what_holds_several_responses_times_none() -> None:
    """The time of a list, or of a session, is not that of a response in it."""
    page = {"object": "list", "data": [response()]}
    for inner in (page, [response()], {"calls": [{"body": response()}]}, [response("a"), response("b")]):
        seen = decode(json.dumps({"duration_ms": 4321, "body": inner}).encode())
        assert {row["duration_seconds"] for row in seen.rows["runs"]} == {None}
    session = {"duration_ms": 60_000, "calls": [{"duration_ms": 4321, "body": response()}]}
    assert timed(**session) == (4.321, "collector")


def test_runs_are_not_timed() -> None:
    """The instants of a run are its own: a request that starts or retrieves one ends at another time."""
    run = {"id": "run_1", "object": "thread.run", "status": "completed"}
    assert timed(duration_ms=4321, body=run) == (None, None)


def test_an_envelope_invents_no_instant() -> None:
    """A response without instants has none, whatever was measured around it."""
    body = {"id": "resp_1", "object": "response", "status": "completed"}
    sent = {"started_at": CREATED + 0.5, "ended_at": CREATED + 1, "body": body}
    [row] = decode(json.dumps(sent).encode()).rows["runs"]
    instants = [row[name] for name in ("created_at", "started_at", "completed_at", "expires_at")]
    assert (instants, row["duration_seconds"]) == ([None] * 4, 0.5)
