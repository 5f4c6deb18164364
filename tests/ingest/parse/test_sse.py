"""Server-sent events: the transcript of an assistant stream."""

import json

import pytest

from runmart.ingest.parse.json_scanner import IncompleteError
from runmart.ingest.parse.sse import event_end, is_event, items
from tests.support.payloads import decode, run

RUN = json.dumps(run(1)).encode()
DEEP = b'{"id": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"


def _event(name: str, data: bytes, end: bytes = b"\n") -> bytes:
    return end.join([b"event: " + name.encode(), b"data: " + data, b"", b""])


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("block", [100, 1 << 20])
def test_run_events_are_observations_in_order(end: bytes, block: int) -> None:
    """Every `thread.run.*` event is an observation; steps, messages and [DONE] are counted and skipped."""
    names = ["created", "queued", "in_progress", "completed"]
    stream = b"".join(
        [
            _event("thread.created", b'{"id": "thread_1", "object": "thread"}', end),
            *(_event(f"thread.run.{name}", json.dumps(run(1, status=name)).encode(), end) for name in names),
            _event("thread.run.step.completed", b'{"id": "step_1", "object": "thread.run.step"}', end),
            _event("thread.message.delta", b'{"id": "msg_1", "object": "thread.message.delta"}', end),
            _event("done", b"[DONE]", end),
        ]
    )
    seen = decode(stream, block=block)
    assert [row["status"] for row in seen.rows["runs"]] == names
    assert [row["observed_position"] for row in seen.rows["runs"]] == [1, 2, 3, 4]
    assert seen.rejects == []
    assert seen.skipped == {"thread.created": 1, "thread.run.step.completed": 1, "thread.message.delta": 1, "done": 1}


def test_a_stream_without_names_is_read_by_content() -> None:
    """An event without a name is classified by its data."""
    seen = decode(b"data: " + RUN + b'\n\ndata: {"id": "msg_1", "object": "thread.message"}\n\ndata: [DONE]\n\n')
    assert (seen.ids, seen.rejects, seen.skipped) == (["run_1"], [], {"thread.message": 1, "done": 1})


def test_a_run_under_another_name_is_a_run() -> None:
    """An event with an unknown name is a run if its data are one, and is skipped otherwise."""
    seen = decode(_event("message", RUN) + _event("ping", b'{"type": "ping"}') + _event("error", b"oops"))
    assert (seen.ids, seen.rejects, seen.skipped) == (["run_1"], [], {"ping": 1, "error": 1})


def test_a_comment_may_stand_between_lines_of_data() -> None:
    """A server that keeps a connection alive sends comments at any time."""
    seen = decode(b'data: {"id": "run_1",\n: ping\ndata: "object": "thread.run", "status": "queued"}\n\n')
    assert (seen.ids, seen.rejects, seen.skipped) == (["run_1"], [], {"comment": 1})


def test_an_event_whose_data_are_cut_off_is_rejected() -> None:
    """What an unfinished value would have been is not known, whatever the name of its event."""
    seen = decode(_event("ping", b'{"id": "1",'))
    assert ([reject.raw for reject in seen.rejects], seen.skipped) == ([b'{"id": "1",'], {})


def test_a_truncated_stream_ends_in_a_reject() -> None:
    """A stream that ends within a run gives a reject; the events before it are loaded."""
    whole = _event("thread.run.created", RUN)
    seen = decode(whole + whole[:50])
    assert seen.ids == ["run_1"]
    assert [(reject.reason, reject.line, reject.raw) for reject in seen.rejects] == [
        (
            "the text ends in the middle of a value: a truncated download?",
            5,
            RUN[: 50 - len(b"event: thread.run.created\ndata: ")],
        )
    ]
    seen = decode(whole + b"event: thread.run.completed\n")
    assert [reject.reason for reject in seen.rejects] == ["the event has no data: a truncated stream?"]


@pytest.mark.parametrize("data", [RUN[:-1] + b"]}", RUN.replace(b"run_1", b"run_\xff"), DEEP, b"nothing"])
def test_a_damaged_event_costs_itself_only(data: bytes) -> None:
    """A bad event becomes a reject with its whole text; all other events are loaded."""
    seen = decode(_event("thread.run.created", data) + _event("thread.run.completed", RUN))
    assert seen.ids == ["run_1"]
    assert [reject.raw for reject in seen.rejects] == [data]


def test_lines_whose_prefix_was_forgotten_are_data() -> None:
    """Events without `data:`, or folded over several lines, are read, as the API's documentation has them."""
    folded = json.dumps(run(1), indent=2).encode()
    seen = decode(b"event: thread.run.created\n" + RUN + b"\n\nevent: thread.run.completed\ndata: " + folded + b"\n\n")
    assert (seen.ids, seen.rejects) == (["run_1", "run_1"], [])


@pytest.mark.parametrize("block", [50, 1 << 20])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_empty_lines_may_be_lost(end: bytes, block: int) -> None:
    """An `event:` line after data, or data after a whole value, begins a new event."""
    lines = [
        b"event: thread.run.created",
        b"data: " + RUN,
        b"event: thread.run.queued",
        b"data: " + RUN,
        b"data: " + RUN,
    ]
    seen = decode(end.join([*lines, b"event: done", b"data: [DONE]"]), block=block)
    assert (seen.ids, seen.rejects, seen.skipped) == (["run_1"] * 3, [], {"done": 1})


@pytest.mark.parametrize("block", [50, 1 << 20])
def test_a_line_that_is_no_part_of_a_stream_is_rejected_whole(block: int) -> None:
    """Lines that are neither fields nor comments, such as those of a client's log, are rejects of their own."""
    stream = b"< HTTP/1.1 200 OK\n" + _event("thread.run.created", RUN) + b"curl: (18) closed\n"
    seen = decode(stream, block=block)
    assert seen.ids == ["run_1"]
    assert [(reject.line, reject.raw) for reject in seen.rejects] == [
        (1, b"< HTTP/1.1 200 OK"),
        (5, b"curl: (18) closed"),
    ]


def test_a_run_is_taken_whatever_its_event_is_called() -> None:
    """Data with a run are never skipped because of the event's name; a name says what data without `object` are."""
    bare = b'{"id": "a", "status": "queued", "x": 1}'
    seen = decode(_event("thread.message.delta", RUN) + _event("thread.run.queued", bare) + _event("message", bare))
    assert (seen.ids, seen.rejects, seen.skipped) == (["run_1", "a"], [], {"message": 1})
    damaged = RUN[:-1]
    assert [reject.raw for reject in decode(_event("error", damaged)).rejects] == [damaged]


def test_comments_are_counted() -> None:
    """Comments are skipped and counted; what begins with a colon and looks like JSON is no comment."""
    seen = decode(b": OPENROUTER PROCESSING\n\n" + _event("thread.run.created", RUN) + b":\n")
    assert (seen.ids, seen.rejects, seen.skipped) == (["run_1"], [], {"comment": 2})
    assert [reject.raw for reject in decode(b':"x",{"a":').rejects] == [b':"x",{"a":']


def test_what_yields_no_event_is_no_stream() -> None:
    """Lines with the names of fields but without an event are rejected whole."""
    seen = decode(b"id: run_1\nretry: 5\n\nevent_: x")
    assert [reject.raw for reject in seen.rejects] == [b"id: run_1\nretry: 5", b"event_: x"]


def test_the_standard_is_kept() -> None:
    """Ids and retries are ignored, data lines are joined, and the last event may be unclosed."""
    stream = b": hi\nevent: a\nid: 1\nretry: 2\ndata: x\ndata: y\n: z\n\n\n\ndata:z"
    assert event_end(stream, 0, True) == stream.index(b"\n\n\ndata:z") + 1
    assert list(items(stream[:-9])) == [(b"", 0, "", "comment"), (b"", 6, "", "comment"), (b"x\ny", 4, "a", "")]
    assert list(items(b"data:z")) == [(b"z", 0, "", "")]
    with pytest.raises(IncompleteError):
        event_end(b"data:z\n", 0, False)


@pytest.mark.parametrize("start", [b"event: a", b"data: {", b": comment", b"id: 1", b"retry: 1"])
def test_an_event_is_recognised_by_its_first_line(start: bytes) -> None:
    """Events are distinguished from other text by the fields of their lines."""
    assert is_event(start, 0)


@pytest.mark.parametrize("start", [b'{"event": 1}', b"hello: world", b':"a"', b'id: {"id": "run_1"}', b":[1"])
def test_other_lines_are_no_events(start: bytes) -> None:
    """What may hold a value elsewhere than in its data is no event."""
    assert not is_event(start, 0)


@pytest.mark.parametrize("block", [5, 1 << 20])
def test_a_name_may_stand_behind_its_data(block: int) -> None:
    """An `event:` line between data and an empty line names these data, as the standard has it."""
    text = b"".join(b'data: {"id": "run_%d", "status": "queued"}\nevent: thread.run.queued\n\n' % n for n in range(3))
    seen = decode(text, block=block, chunk=block)
    assert (seen.ids, seen.rejects) == (["run_0", "run_1", "run_2"], [])
