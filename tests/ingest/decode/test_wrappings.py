"""Wrappings: runs within other objects, arrays and texts are found, wherever they are."""

import base64
import json
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from runmart.ingest.decode.decoder import Decoder
from tests.fuzz.law import Cut, check_all
from tests.support.payloads import decode, page, run

ONE, TWO = run(1, assistant_id="a"), run(2, assistant_id="a")
PAGE = json.loads(page(ONE, TWO))


def _text(value: Any) -> str:
    return json.dumps(value)


WRAPPINGS: dict[str, Any] = {
    "a list under another name": {"runs": [ONE, TWO]},
    "OData and Cosmos DB": {"value": [ONE, TWO], "_count": 2},
    "items": {"items": [ONE, TWO], "next": None},
    "results": {"results": [ONE, TWO]},
    "data within data": {"data": {"data": [ONE, TWO]}},
    "runs by id": {"run_1": ONE, "run_2": TWO},
    "runs by thread": {"thread_1": [ONE], "thread_2": [TWO]},
    "arrays in arrays": [[ONE], [[TWO]]],
    "a page in an object": {"response": {"body": PAGE}},
    "hits of Elasticsearch": {
        "hits": {"total": 2, "hits": [{"_id": "1", "_source": ONE}, {"_id": "2", "_source": TWO}]}
    },
    "a HAR file": {"log": {"entries": [{"request": {"url": "x"}, "response": {"content": {"text": _text(PAGE)}}}]}},
    "a VCR cassette as JSON": {
        "interactions": [{"request": {"body": ""}, "response": {"body": {"string": _text(PAGE)}}}]
    },
    "a Postman response": {"name": "runs", "response": [{"code": 200, "body": _text(PAGE)}]},
    "CloudWatch": [{"timestamp": 1, "message": _text(ONE)}, {"timestamp": 2, "message": f"INFO {_text(TWO)}"}],
    "a text in quotes": _text([ONE, TWO]),
    "a text in quotes in quotes": _text(_text([ONE, TWO])),
    "events of Rust": [{"ThreadRunCreated": ONE}, {"ThreadRunQueued": TWO}],
    "events": [
        {"event": "thread.run.created", "data": ONE},
        {"event": "thread.run.queued", "data": _text(TWO), "id": "x"},
    ],
    "tuples": [["thread.run.created", ONE, None], ["thread.run.queued", TWO, None]],
    "batch output": {"custom_id": "a", "response": {"status_code": 200, "body": PAGE}, "error": None},
}


@pytest.mark.parametrize("block", [40, 1 << 20])
@pytest.mark.parametrize("name", WRAPPINGS)
def test_runs_in_a_wrapping_are_read(name: str, block: int) -> None:
    """Runs in an object of no known kind are read, and nothing else of it is counted."""
    for indent in (None, 1):
        seen = decode(json.dumps(WRAPPINGS[name], indent=indent).encode(), block=block)
        assert (seen.ids, seen.rejects, seen.skipped) == (["run_1", "run_2"], [], {})


@pytest.mark.parametrize(
    "sent",
    [
        {"object": "thread", "id": "t", "runs": [ONE, TWO]},
        {"object": "assistant", "id": "a", "last": {"run": ONE}, "first": {"run": TWO}},
        {"object": "conversation", "id": "c", "runs": {"object": "list", "data": [ONE, TWO]}},
    ],
)
def test_an_object_that_is_skipped_gives_up_its_runs(sent: dict[str, Any]) -> None:
    """An object of a known kind is counted, and the runs in it are read."""
    seen = decode(page(sent))
    assert (sorted(seen.ids), seen.rejects, seen.skipped) == (["run_1", "run_2"], [], {sent["object"]: 1})


LATE = ONE | {"created_at": "2024-09-25T10:15:00"}
UNFIT = {"id": 7, "object": "thread.run", "status": "completed"}
STEP = {"object": "thread.run.step", "id": "s", "run_id": "r", "status": "completed"}
PARTLY: dict[str, tuple[Any, list[str], dict[str, int], int]] = {
    "a text with a run without an offset": ({"log": _text(LATE)}, [], {}, 1),
    "a text that ends amid a run": ({"log": _text(ONE)[:-3]}, [], {}, 1),
    "a skipped object with a run that cannot be stored": ({"object": "thread", "x": [UNFIT]}, [], {"thread": 1}, 1),
    "objects by id, one without a status": ({"a": ONE, "b": {"object": "thread.run"}}, ["run_1"], {}, 1),
    "one of two texts": ({"a": [{"text": _text(ONE)}, {"text": _text(TWO)[:-9]}]}, ["run_1"], {}, 1),
    "an error, and the run": ({"error": "timeout", "body": _text(ONE)}, ["run_1"], {"error": 1}, 0),
    "a type that is none of an item": ({"type": "api_call", "response": _text(ONE)}, ["run_1"], {}, 0),
    "a thread with its runs as a text": ({"object": "thread", "runs": _text([ONE])}, ["run_1"], {"thread": 1}, 0),
    "a thread with texts of runs": ({"object": "thread", "runs": [_text(ONE)]}, ["run_1"], {"thread": 1}, 0),
    "a response with a body": ({"object": "response", "body": _text(ONE)}, ["run_1"], {"response": 1}, 0),
    "an item of DynamoDB": ({"Item": {"id": {"S": "run_1"}, "status": {"S": "done"}}}, [], {}, 1),
    "a message without a role": ({"type": "message", "data": _text(ONE)}, ["run_1"], {}, 0),
    "a kind that is spelled otherwise": (ONE | {"object": "thread.runs"}, ["run_1"], {}, 0),
    "a kind with a space": (ONE | {"object": "thread.run "}, ["run_1"], {}, 0),
    "a server's own object": ({"object": "delivery", "body": _text(ONE)}, ["run_1"], {"delivery": 1}, 0),
    "a page whose list is a text": ({"object": "list", "data": _text([ONE])}, ["run_1"], {"list": 1}, 0),
    "beside the data of an event": ({"event": "log", "data": {}, "result": ONE}, ["run_1"], {"log": 1}, 0),
    "beside a run, in an event": ({"event": "thread.run.queued", "data": ONE, "x": TWO}, ["run_1", "run_2"], {}, 0),
    "a text beside the list of a page": ({"data": [], "raw": _text(ONE)}, ["run_1"], {}, 0),
    "beside the list of a page, in other words": ({"data": [], "x": {"object": {"S": "thread.run"}}}, [], {}, 1),
    "an object of a run's thread": ({"id": "j", "status": "done", "thread_id": "t", "run": ONE}, ["run_1"], {}, 0),
    "runs of a thread": ({"thread_id": "t", "runs": [ONE, TWO]}, ["run_1", "run_2"], {}, 0),
    "a key that is there twice": (Raw(b'{"a": {"run": %b, "run": null}}' % _text(ONE).encode()), [], {}, 1),
    "a tuple with a text": (["x", {"a": 1}, _text(ONE)], ["run_1"], {"unknown": 1}, 1),
    "an event with a text": ({"event": "x", "data": {"body": _text(ONE)}}, ["run_1"], {}, 0),
    "a step in a wrapping": ({"steps": [STEP]}, [], {"thread.run.step": 1}, 0),
}


@pytest.mark.parametrize("name", PARTLY)
def test_no_part_of_a_wrapping_is_lost(name: str) -> None:
    """What shows a run is read or rejected, whatever is around it and whatever is beside it."""
    sent, ids, skipped, rejected = PARTLY[name]
    [seen] = check_all([Cut(msgspec.json.encode(sent), 20, 7)])
    assert (seen.ids, +seen.skipped, len(seen.rejects)) == (ids, skipped, rejected)


@pytest.mark.parametrize(
    ("sent", "cause"),
    [
        ({"object": "list", "data": "System.Object[]", "has_more": True}, "PowerShell"),
        ({"runs": "@{id=run_1; object=thread.run}"}, "PowerShell"),
        ({"object": "list", "data": "[{'id': 'run_1'}]"}, "Python"),
        ({"object": "page", "Data": "two runs"}, "expected a list for `Data`"),
    ],
)
def test_a_text_in_the_place_of_a_list_is_rejected(sent: dict[str, Any], cause: str) -> None:
    """A page whose list became a text is no object to skip."""
    [seen] = check_all([Cut(msgspec.json.encode(sent), 20, 7)])
    assert (seen.ids, +seen.skipped, [cause in reject.reason for reject in seen.rejects]) == ([], {}, [True])


def test_a_list_that_was_cut_short_gives_up_the_run_before_it() -> None:
    """A run in the frame of a page is read, too, where the page was cut short within a damaged run."""
    text = b'{"latest": %b, "data": [%b, {"id": "run_3", "obj' % (_text(ONE).encode(), _text(TWO).encode())
    [seen] = check_all([Cut(text, 20, 7)])
    assert (sorted(seen.ids), len(seen.rejects)) == (["run_1", "run_2"], 1)


@pytest.mark.parametrize(
    ("beside", "ids", "rejected"),
    [
        (ONE, ["run_2", "run_1"], 0),
        (_text(ONE), ["run_2", "run_1"], 0),
        ({"object": {"S": "thread.run"}}, ["run_2"], 1),
    ],
)
def test_a_member_of_pages_that_is_known_is_still_looked_into(beside: Any, ids: list[str], rejected: int) -> None:
    """What is beside the list of a page is looked into, also once the decoder knows a member of that name."""
    decoder = Decoder()
    for value in ("x", 1, None, "y"):
        decode(json.dumps({"data": [TWO], "beside": value}).encode(), decoder=decoder)
    seen = decode(json.dumps({"data": [TWO], "beside": beside}).encode(), decoder=decoder)
    assert (seen.ids, len(seen.rejects)) == (ids, rejected)


def test_a_step_gives_up_its_run() -> None:
    """A run within a step is read beside the step."""
    step = {"object": "thread.run.step", "id": "step_1", "status": "completed", "run_id": "run_1", "run": ONE}
    seen = decode(json.dumps(step).encode())
    assert (seen.ids, seen.rejects, seen.skipped) == (["run_1"], [], {"thread.run.step": 1})


def test_texts_of_messages_are_not_read() -> None:
    """What people write to each other is no data, even if it is a run."""
    message = {"object": "thread.message", "id": "m", "content": [{"text": {"value": _text(ONE)}}]}
    item = {"type": "message", "id": "m", "role": "user", "content": [{"text": _text(ONE)}]}
    for sent in (message, item):
        seen = decode(json.dumps(sent).encode())
        assert (seen.ids, seen.rejects, seen.skipped.total()) == ([], [], 1)


def test_a_bad_run_in_a_wrapping_is_rejected_with_its_path() -> None:
    """A run in a wrapping that cannot be stored is a reject that says where it is."""
    bad = {**ONE, "temperature": "hot"}
    seen = decode(json.dumps({"hits": {"hits": [{"_source": bad}, {"_source": TWO}]}}).encode())
    assert seen.ids == ["run_2"]
    assert [reject.json_path for reject in seen.rejects] == ["$.hits.hits[0]._source.temperature"]
    assert json.loads(seen.rejects[0].raw) == bad
    lacking = {"assistant_id": "a", "status": "queued"}
    seen = decode(json.dumps({"runs": [ONE, lacking]}).encode())
    assert (seen.ids, [reject.json_path for reject in seen.rejects]) == (["run_1"], ["$.runs[1]"])


def test_members_of_runs_are_no_wrappings() -> None:
    """A run within a run stays in its column `extra`."""
    [row] = decode(json.dumps({**ONE, "previous": TWO}).encode()).rows["runs"]
    assert json.loads(row["extra"]) == {"previous": TWO}


def test_a_wrapping_that_is_cut_short_gives_what_it_has() -> None:
    """Whole runs of a truncated wrapping are read; its frame, and the run that was cut, are rejects."""
    whole = json.dumps({"runs": [ONE, TWO], "n": 2}).encode()
    for block in (40, 1 << 20):
        seen = decode(whole[: whole.index(b"run_2")], block=block)
        assert seen.ids == ["run_1"]
        assert [reject.raw for reject in seen.rejects] == [json.dumps(TWO).encode()[:8]]


def test_runs_beside_the_list_of_a_page_are_read() -> None:
    """Members of a page other than its list are searched for runs, on both ways of decoding."""
    for more in ({"included": [TWO]}, {"first_id": TWO}):
        seen = decode(page(ONE, **more))
        assert (seen.ids, seen.rejects, seen.pages) == (["run_1", "run_2"], [], 1)


def test_a_run_that_is_a_page_too_is_rejected() -> None:
    """A page that has an id and a status is a run, which must not vanish as the frame of its list."""
    sent = {"object": "thread.run", "data": [TWO], "id": "run_1", "status": "queued"}
    seen = decode(json.dumps(sent).encode())
    assert seen.ids == ["run_2"]
    assert [json.loads(reject.raw) for reject in seen.rejects] == [{**sent, "data": []}]


def test_unreadable_content_is_counted() -> None:
    """What holds no run that can be seen is skipped and counted."""
    packed = base64.b64encode(page(ONE)).decode()
    assert decode(json.dumps({"content": packed}).encode()).skipped == {"unknown": 1}
