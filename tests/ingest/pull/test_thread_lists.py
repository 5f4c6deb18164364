"""Lists of threads: each form that people have, and what is no list of threads."""

import csv
import json
from collections.abc import Callable, Sequence
from io import StringIO

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runmart.ingest.errors import SettingsError
from runmart.ingest.pull.ids import is_id
from runmart.ingest.pull.thread_lists import checked, parse

Ids = Sequence[str]

THREADS = st.from_regex(r"thread_[0-9A-Za-z]{1,24}[0-9]", fullmatch=True)
ANY = st.one_of(THREADS, st.uuids().map(str), st.text("abcXYZ019-_.:@+=~é", min_size=1, max_size=9).filter(is_id))
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32")
"""Those that begin with a byte order mark, and UTF-8 without."""
ENDS = ("\n", "\r\n", "\r")


def _table(rows: Sequence[Sequence[str]], delimiter: str, quoting: int = csv.QUOTE_MINIMAL) -> str:
    out = StringIO(newline="")
    csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator="\n").writerows(rows)  # pyright: ignore[reportArgumentType]
    return out.getvalue()


def _titled(ids: Ids, heading: Sequence[str], place: int, delimiter: str) -> str:
    """A table with titles that hold all that is special in CSV, and the ids in the column at `place`."""
    others = ['A, "b"; \t c', "line 1\nthread_9line2", "# no comment", "7"]
    rows = [[*others[:place], one, *others[place : len(heading) - 1]] for one in ids]
    return _table([heading, *rows], delimiter)


PLAIN: dict[str, Callable[[Ids], str]] = {
    "lines": "\n".join,
    "lines with comments": lambda ids: "# threads\n\n" + "\n\n# and\n".join(f"  {one}\t" for one in ids) + "\n\n",
    "quoted": lambda ids: _table([[one] for one in ids], ",", csv.QUOTE_ALL),
    "from code": lambda ids: ",\n".join(f"  '{one}'" for one in ids),
    "addresses": lambda ids: "\n".join(f"https://h.example/v1/threads/{one}/runs" for one in ids),
    "console": lambda ids: "\n".join(f"https://h.example/playground?assistant=a&thread={one}" for one in ids),
    "column of an app": lambda ids: _titled(ids, ["id", "conversation"], 1, ";"),
    "no heading": lambda ids: _table([[str(n), one, "x y"] for n, one in enumerate(ids)], "\t"),
}
"""Forms in which ids are told by how they look."""

NAMED: dict[str, Callable[[Ids], str]] = {
    "column": lambda ids: "thread_id\n" + "\n".join(ids),
    "column of a spreadsheet": lambda ids: "Thread ID;;\n" + "".join(f"{one};;\n" for one in ids) + ";;\n",
    "comma": lambda ids: _titled(ids, ["title", "threadId"], 1, ","),
    "semicolon": lambda ids: _titled(ids, ["Thread", "title", "text"], 0, ";"),
    "tab": lambda ids: _titled(ids, ["a", "b", "c", "ID"], 3, "\t"),
    "messages": lambda ids: _table([["id", "THREAD_ID"], *(["msg_1", one] for one in ids)], ","),
    "JSON Lines of texts": lambda ids: "\n".join(map(json.dumps, ["thread_id", *ids])),
    "JSON Lines": lambda ids: "# dump\n" + "\n".join(json.dumps({"object": "thread", "id": one}) for one in ids),
    "JSON Lines of runs": lambda ids: "\n".join(json.dumps({"id": "run_1", "thread_id": one}) for one in ids),
    "JSON, one after another": lambda ids: "".join(json.dumps({"threadId": one}, indent=2) for one in ids),
    "array": lambda ids: json.dumps(list(ids), indent=1),
    "array of objects": lambda ids: json.dumps([{"thread": {"id": one}} for one in ids], ensure_ascii=False),
    "page": lambda ids: json.dumps({"object": "list", "data": [{"id": one} for one in ids], "has_more": False}),
}
"""Forms that say where the ids are, which may then be any."""


def encoded(text: str, encoding: str, end: str) -> bytes:
    """A text as a file holds it."""
    return text.replace("\n", end).encode(encoding)


@pytest.mark.parametrize("form", PLAIN)
@settings(max_examples=15, deadline=None)
@given(st.lists(THREADS, min_size=1, max_size=5), st.sampled_from(ENCODINGS), st.sampled_from(ENDS))
def test_ids_come_back_from_each_form_in_order(form: str, ids: list[str], encoding: str, end: str) -> None:
    """Ids are read as they were written, in order, in any encoding of Unicode and with any ends of lines."""
    assert parse(encoded(PLAIN[form](ids), encoding, end), "list") == ids


@pytest.mark.parametrize("form", NAMED)
@settings(max_examples=15, deadline=None)
@given(st.lists(ANY, min_size=1, max_size=5), st.sampled_from(ENCODINGS), st.sampled_from(ENDS))
def test_named_ids_may_have_any_form(form: str, ids: list[str], encoding: str, end: str) -> None:
    """Where the list says which column or member holds the ids, ids of any server are read."""
    assume(not any(one.casefold() in {"null", "none", "nan"} for one in ids))
    assert parse(encoded(NAMED[form](ids), encoding, end), "list") == ids


PIECES = st.sampled_from(
    (
        *("thread_", "thread_a1", "b", "id", "7", "null", ".", "\x00", "\ufeff", " ", "#", "\n", "\r"),
        *("thread_id", ",", ";", "\t", '"', "'", "\\", "\\u0061"),
        *("{", "}", "[", "]", ":", '"id":', '"thread_id":"'),
        *("https://h/", "threads/", "?thread=", "&", "%61"),
    )
)
"""Parts of all forms."""


def parsed(text: str) -> tuple[list[str], str]:
    """The ids in a text, or what is said of it."""
    try:
        return parse(text.encode(), "list"), ""
    except SettingsError as error:
        return [], str(error)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join))
def test_no_id_is_made_up(text: str) -> None:
    """From whatever text, only ids come that stand in it, at most one for each line, cell or item; else an error."""
    found, said = parsed(text)
    assert said.isprintable()
    readings = [text, text.replace("%61", "a")]
    readings += [reading.replace("\\u0061", "a") for reading in readings]
    assert all(is_id(one) and any(one in reading for reading in readings) for one in found)
    assert len(found) <= 1 + sum(map(text.count, ("\n", "\r", '"', "[", "{", ",")))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(THREADS, min_size=1, max_size=6), st.data(), st.sampled_from(["..", "a b", "a/b", "x;y", "\x07", "NULL"])
)
def test_what_is_no_id_is_named_with_its_line(ids: list[str], data: st.DataObject, wrong: str) -> None:
    """One wrong line among right ones is an error that names the line."""
    place = data.draw(st.integers(1, len(ids)))
    lines = [*ids[:place], wrong, *ids[place:]]
    with pytest.raises(SettingsError, match=rf"list: line {place + 1} is no thread id: '"):
        parse("\n".join(lines).encode(), "list")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\nthread_1,thread_2\n", "'a' and 'b' may both name the threads"),
        ("thread_1,thread_2\nthread_3,thread_4\n", "'thread_1' and 'thread_2' may both"),
        ("thread_id,threadId\na,b\n", "'thread_id' and 'threadId' may both"),
        ("id,thread\na,b\n", "'id' and 'thread' may both"),
        ("name,mail\na,b\n", "line 1: none of the columns 'name', 'mail' is called thread_id"),
        ("Conversation\nthread_1\nthread_2", "line 1 may be a heading or an id: 'Conversation'"),
        ("thread_url\nhttps://h/threads/a", "line 1 may be a heading or an id: 'thread_url'"),
        ("thread_id,title\na,Hello, world\n", "line 2 has 3 columns, but line 1 has 2"),
        ("title,thread_id\n# c\nx,\n", "line 3 is no thread id: '' .it is empty"),
        ('thread_id,title\na,"b\nc\n', "line 2 is no row of a table: .*quotes"),
        ('{"id": "a"}\n\n{"id": ', "line 3 is no valid JSON"),
        ('{"id": "a"}\n{"id": null}', "line 2 is no thread id: null"),
        ('[\n"a", true]', "line 1, item 2 is no thread id: true"),
        ('{"id": "a"}\n{"name": "b"}', "line 2 is no thread: expected a member thread_id or id, found 'name'"),
        ('{"id": "a", "thread": "b"}', "line 1: 'id' and 'thread' may both"),
        ("[" * 50_000, "nested too deeply"),
        ("7" * 5000, "5,000 characters"),
    ],
)
def test_what_is_not_clear_is_an_error(text: str, words: str) -> None:
    """Where two columns could be meant, or none, and where a list is damaged, a message says where and what to do."""
    with pytest.raises(SettingsError, match=words):
        parse(text.encode(), "list")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"thread_1\ncaf\xe9", "line 2 is no UTF-8 text.*CSV UTF-8"),
        (b"PK\x03\x04\xff", "line 1"),
        (b"\xff\xfea", "UTF-16-LE"),
    ],
)
def test_what_is_no_text_is_an_error(data: bytes, words: str) -> None:
    """Other encodings and files of other kinds are refused with what to do."""
    with pytest.raises(SettingsError, match=words):
        parse(data, "list")


@pytest.mark.parametrize("text", ["", "\ufeff", "\n\n# nothing\n", "thread_id\n", "id;title\n;\n", "[]"])
def test_a_list_may_be_empty(text: str) -> None:
    """A list without a thread gives none."""
    assert parse(text.encode(), "list") == []


def test_values_of_a_query_are_checked() -> None:
    """Null is skipped; an empty or other value that is no id is an error with its row."""
    assert list(checked(["thread_1", None, "https://h/threads/b"], "--threads-sql")) == ["thread_1", "b"]
    for wrong in ("", "..", "a/b"):
        with pytest.raises(SettingsError, match="--threads-sql: row 3 is no thread id: '"):
            list(checked(["a", None, wrong], "--threads-sql"))
