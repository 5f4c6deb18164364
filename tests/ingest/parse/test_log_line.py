"""Log lines: JSON values amid text."""

import json

import pytest

from tests.support.payloads import decode, run

RUN = json.dumps(run(1))
BLOCKS = pytest.mark.parametrize("block", [30, 1 << 20])


@BLOCKS
@pytest.mark.parametrize(
    "line",
    [
        f"[INFO] {RUN}",
        f"2024-09-25 10:15:12,345 INFO runs: {RUN}",
        f"level=info run={RUN}",
        f"2024-09-25T10:15:12Z stdout F {RUN}",
        f"[2024-09-25 10:15:12] {RUN} took 5 ms",
        f"(worker-1) [{RUN}]",
        f"'{RUN}'",
        f"<13>1 2024-09-25T10:15:12Z host app - - - {RUN}",
    ],
)
def test_a_run_behind_a_prefix_is_found(line: str, block: int) -> None:
    """A value in a line of text is read; the words around it mean nothing."""
    seen = decode(f"{line}\n{line}\n".encode(), block=block)
    assert (seen.ids, seen.rejects, seen.skipped) == (["run_1", "run_1"], [], {})


@BLOCKS
def test_what_cannot_be_read_is_rejected_line_by_line(block: int) -> None:
    """Lines without a value are rejects of their own, whole."""
    lines = ["started", f"[1] run {RUN}", "[12:00] {oops", "1, 2, 3", "{'id': 'run_1'}", f"bye {RUN[:30]}"]
    seen = decode("\n".join(lines).encode(), block=block)
    assert seen.ids == ["run_1"]
    assert [(reject.line, reject.raw.decode()) for reject in seen.rejects] == [
        (number, line) for number, line in enumerate(lines, 1) if number != 2
    ]


@BLOCKS
def test_a_run_in_another_notation_is_no_words(block: int) -> None:
    """A line whose words speak of a run is a reject, even where there is another value in it."""
    line = """INFO ctx={"a": 1} Run(id='run_1', object='thread.run', status='completed')"""
    seen = decode(line.encode(), block=block)
    assert [reject.raw.decode() for reject in seen.rejects] == [line]


@BLOCKS
def test_pieces_of_values_around_a_value_are_rejected(block: int) -> None:
    """What looks like a piece of JSON beside a run is a reject, not words."""
    seen = decode(f':"run_0","status":"queued"}},{RUN}],"has_more":false}}'.encode(), block=block)
    assert seen.ids == ["run_1"]
    assert [reject.raw for reject in seen.rejects] == [b':"run_0","status":"queued"},', b'"has_more":false}']


@BLOCKS
def test_a_value_that_goes_on_behind_its_line_is_read(block: int) -> None:
    """Words before a value over several lines are a reject, and the value is read."""
    seen = decode(f"the run: {json.dumps(run(1), indent=1)}\n{RUN}".encode(), block=block)
    assert seen.ids == ["run_1", "run_1"]
    assert [reject.raw for reject in seen.rejects] == [b"the run:"]


@pytest.mark.parametrize("block", [1 << 16, 8 << 20])
def test_a_line_of_many_mebibytes_is_read_as_far_as_its_first_value(block: int) -> None:
    """A line beyond a mebibyte is cut at the first object in it, so that runs behind it are found."""
    words = "x" * (3 << 20)
    seen = decode(f"{words} {RUN}, {RUN}\n{RUN}".encode(), block=block)
    assert seen.ids == ["run_1"] * 3
    assert b"".join(reject.raw for reject in seen.rejects).decode() == words


def test_other_values_in_lines_are_counted() -> None:
    """A value in a line that is no run is skipped and counted by kind."""
    seen = decode(b'INFO request {"path": "/v1"}\nINFO got {"object": "thread", "id": "t"}')
    assert (seen.rejects, seen.skipped) == ([], {"unknown": 1, "thread": 1})
