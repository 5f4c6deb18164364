"""What is skipped, in words."""

import json
from collections import Counter
from pathlib import Path

import pytest

from runmart.cli.ingest import echo_summary, summary
from runmart.cli.kinds import in_words, printable
from runmart.cli.options import Options
from runmart.ingest.load.buffer import ReadInput
from runmart.ingest.pipeline import loading
from runmart.ingest.warehouse.connection import open_for_writing
from runmart.ingest.warehouse.file_backend import DuckDBFile
from tests.support.command import command
from tests.support.warehouse import page, run, write

SOME = {"conversation.item": 59, "eval.run": 4, "batch": 1}


def test_kinds_are_counted_in_words() -> None:
    """Known kinds have words of their own, for one and for several; others are called as the server calls them."""
    assert in_words(SOME) == "59 conversation items, 4 evaluation runs, 1 batch"
    assert in_words({"batch": 2000, "eval.run": 1}) == "2,000 batches, 1 evaluation run"
    assert in_words({"foo": 3, "bar.baz": 1}) == '3 "foo" objects, 1 "bar.baz" object'
    assert in_words({"unknown": 1, "": 1}) == "2 objects that do not say what they are"


def test_events_of_a_family_are_counted_together() -> None:
    """The events of a stream have many names that say little."""
    found = {"thread.message.created": 1, "thread.message.completed": 2, "thread.run.step.created": 5, "done": 1}
    assert in_words({**found, "thread.message.delta": 9, "thread.created": 1, "thread.run.unheard": 1}) == (
        "9 message deltas, 5 step events, 3 message events, 1 end mark, 1 run event, 1 thread event"
    )


def test_the_most_frequent_kinds_come_first_and_the_rest_is_counted() -> None:
    """Six kinds are named, and how many items are of others."""
    kinds = {f"kind_{number}": number for number in range(1, 10)}
    assert in_words(kinds) == ", ".join(f'{n} "kind_{n}" objects' for n in range(9, 3, -1)) + " and 6 others"
    seven = {name: count for name, count in kinds.items() if count > 2}
    assert "others" not in in_words(seven), "one kind alone is named"
    assert in_words(dict.fromkeys("abcdefgh", 1)).endswith(" and 2 others")
    del kinds["kind_2"]
    assert in_words(kinds).endswith(" and 4 others")


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("\x1b[2J\x07evil", "�[2J�evil"),
        ("a\nb\u202ec\ud800", "a�b�c�"),
        ("x" * 41, "x" * 39 + "…"),
        ("x" * 40, "x" * 40),
    ],
)
def test_names_of_servers_are_shown_as_data(kind: str, shown: str) -> None:
    """A name reaches the terminal without control characters, and not at any length."""
    assert printable(kind) == shown
    assert in_words({kind: 2}) == f'2 "{shown}" objects'


def test_steps_and_what_is_skipped_are_on_the_screen(warehouse: Path, pages: Path) -> None:
    """Both are said, and not only by --json; a load of runs alone says neither."""
    path = write(pages / "runs.json", page(run("a")))
    assert len(command("ingest", path, "-w", warehouse).stdout.splitlines()) == 1
    step = {"id": "s", "object": "thread.run.step", "run_id": "a", "status": "completed", "created_at": 1}
    messages = [{"id": name, "object": "thread.message"} for name in "abc"]
    lines = [step, *messages, {"id": "x", "object": "thread.\x1b[31mred"}, run("b")]
    write(pages / "lines.jsonl", "\n".join(map(json.dumps, lines)).encode())
    done = command("ingest", pages, "-w", warehouse)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert "1 new runs" in first
    assert second == "1 step; skipped 3 messages, 1 thread event"


def _shown(
    warehouse: Path, capsys: pytest.CaptureFixture[str], *inputs: tuple[str, dict[str, int]], **counts: int
) -> tuple[str, int]:
    """What is said of a load of inputs that held what was skipped, and how many are said to hold nothing else."""
    options = Options(warehouse=DuckDBFile(warehouse))
    with open_for_writing(warehouse, 0) as writer, loading(writer, "ingest", "") as load:
        for address, skipped in inputs:
            given = {"observations": 0, "rejected": 0, "steps": 0, **counts}
            load.finish_input(ReadInput(address, 1, "", 0, skipped=Counter(skipped), **given))
    capsys.readouterr()
    echo_summary(load, options, quiet=False)
    return capsys.readouterr().err, summary(load, options)["inputs_without_runs"]


NEEDED = (
    '; runmart loads runs ("object": "thread.run") and responses ("response"), and pages, arrays, JSON Lines or event '
    "streams of them\n"
)


def test_an_input_without_runs_is_named(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line says what was in inputs that held nothing but what was skipped, and what is needed."""
    one = ("/x/conversation.json", {"conversation.item": 59})
    assert _shown(warehouse, capsys, one) == (
        "runmart: conversation.json holds no runs but 59 conversation items" + NEEDED,
        1,
    )
    many = [(f"https://host/{number}.json", {"batch": number}) for number in range(1, 16)]
    assert _shown(warehouse, capsys, one, *many) == (
        "runmart: conversation.json holds no runs but 59 conversation items, 1.json 1 batch, 2.json 2 batches, "
        "and 13 more inputs" + NEEDED,
        16,
    )
    assert "runmart: a\ufffd[2J.json holds" in _shown(warehouse, capsys, ("/x/a\x1b[2J.json", {"batch": 1}))[0]


def test_an_input_with_something_else_is_not_named(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Inputs with runs, steps or rejects, without anything, and error responses have no such line."""
    for counts in ({"observations": 1}, {"rejected": 1}, {"steps": 1}):
        assert _shown(warehouse, capsys, ("/x/a.json", {"batch": 1}), **counts) == ("", 0)
    assert _shown(warehouse, capsys, ("/x/a.json", {})) == ("", 0)
    assert _shown(warehouse, capsys, ("/x/a.json", {"error": 1})) == ("", 0)
    assert _shown(warehouse, capsys, ("/x/a.json", {"error": 1, "batch": 1}))[1] == 1
