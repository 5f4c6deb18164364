"""`runmart deployments`: rules from CSV, what they match, and what is suggested."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import command
from tests.support.warehouse import page, query, run, write

HEADER = "deployment,side,match_kind,match_value,source,valid_from,valid_to\n"
KIND = "instructions_digest"


def response(run_id: str, **fields: Any) -> dict[str, Any]:
    """A response that completed."""
    times = {"created_at": 1_780_000_000, "completed_at": 1_780_000_002, "output": list[Any]()}
    sent: dict[str, Any] = {
        "id": run_id,
        "object": "response",
        "status": "completed",
        "model": "gpt-4o",
        "output": [],
        **times,
    }
    return {**sent, **fields}


def loaded(folder: Path, warehouse: Path, records: list[dict[str, Any]], source: str = "acme", *more: str) -> None:
    """Load some runs and responses."""
    file = write(folder / f"{source}.jsonl", "\n".join(json.dumps(one) for one in records).encode())
    done = command("ingest", file, "-w", warehouse, "--source", source, *more)
    assert done.returncode == 0, done.stderr


def suggested(warehouse: Path) -> list[tuple[str, ...]]:
    """The rules that are suggested, without their header."""
    done = command("deployments", "suggest", "-w", warehouse)
    assert done.returncode == 0, done.stderr
    [header, *rows] = csv.reader(io.StringIO(done.stdout))
    assert header == ["deployment", "side", "match_kind", "match_value", "source", "reason"]
    return [tuple(row) for row in rows]


def test_equal_instructions_come_before_names_and_tools(pages: Path, warehouse: Path) -> None:
    """Instructions are equal whatever their whitespace; a prompt is told from an agent; others by what is equal."""
    tools: list[dict[str, Any]] = [{"type": "code_interpreter"}]
    records = [
        run("r1", assistant_id="asst_1", instructions="Be kind.\n\nAnd  brief."),
        response("a1", instructions=" Be kind. And brief. ", agent_reference={"name": "helper"}),
        run("r2", assistant_id="asst_2", instructions="One.", metadata={"app": "b"}),
        response("a2", instructions="Two.", metadata={"app": "b"}),
        run("r3", assistant_id="asst_3", metadata={"name": "clerk"}),
        response("a3", agent_reference={"name": "clerk"}),
        run("r4", assistant_id="asst_4", tools=tools),
        response("a4", prompt={"id": "pmpt_4"}, tools=tools),
        run("r5", assistant_id="asst_5", instructions="Five."),
        response("a5", instructions="Five."),
        run("r6", assistant_id="asst_6", instructions="Six."),
    ]
    loaded(pages, warehouse, records)
    found = suggested(warehouse)
    assert [(row[0], row[1], row[2], row[3] if row[2] != KIND else "", row[5]) for row in found] == [
        ("asst_4", "before", "assistant_id", "asst_4", "equal tools"),
        ("asst_4", "after", "prompt_id", "pmpt_4", "equal tools"),
        ("asst_5", "before", "assistant_id", "asst_5", "equal instructions"),
        ("asst_5", "after", KIND, "", "equal instructions"),
        ("b", "before", "assistant_id", "asst_2", "equal metadata app"),
        ("b", "after", "metadata:app", "b", "equal metadata app"),
        ("clerk", "before", "assistant_id", "asst_3", "agent named as in metadata"),
        ("clerk", "after", "agent_name", "clerk", "agent named as in metadata"),
        ("helper", "before", "assistant_id", "asst_1", "equal instructions"),
        ("helper", "after", "agent_name", "helper", "equal instructions"),
    ]
    assert {row[4] for row in found} == {"acme"}
    assert [len(row[3]) for row in found if row[2] == KIND] == [32]
    rules = write(pages / "rules.csv", command("deployments", "suggest", "-w", warehouse).stdout.encode())
    assert command("deployments", "import", rules, "-w", warehouse).returncode == 0
    rows = query(warehouse, "select deployment, side, turns from migration_comparison order by all")
    assert rows == [
        (name, side, 1) for name in ("asst_4", "asst_5", "b", "clerk", "helper") for side in ("after", "before")
    ]


def test_what_two_assistants_have_suggests_nothing(pages: Path, warehouse: Path) -> None:
    """Equal instructions of two assistants tell them not apart; those of the same source are nearer."""
    same = "Be kind."
    records = [run("r1", assistant_id="asst_1", instructions=same), run("r2", assistant_id="asst_2", instructions=same)]
    loaded(pages, warehouse, [*records, response("a1", instructions=same)])
    assert suggested(warehouse) == []
    done = command("deployments", "suggest", "-w", warehouse)
    assert "no assistant of runs has" in done.stderr
    loaded(pages, warehouse, [run("r3", assistant_id="asst_3", instructions=same)], "lab")
    assert suggested(warehouse) == []
    loaded(pages, warehouse, [response("a2", instructions=same, agent_reference={"name": "a"})], "lab")
    assert [row[3:5] for row in suggested(warehouse)] == [("asst_3", "lab"), ("a", "lab")]


def test_hashed_instructions_are_compared_too(pages: Path, warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --content hash, equal texts have equal hashes."""
    monkeypatch.setenv("RUNMART_CONTENT_KEY", "ab" * 32)
    same = "Be kind."
    records = [run("r1", assistant_id="asst_1", instructions=same), response("a1", instructions=same)]
    loaded(pages, warehouse, records, "acme", "--content", "hash")
    assert query(warehouse, "select count(*) from runs where instructions = 'Be kind.'") == [(0,)]
    assert [row[2] for row in suggested(warehouse)] == ["assistant_id", KIND]


def test_imported_rules_replace_those_of_equal_key(pages: Path, warehouse: Path) -> None:
    """A rule is imported, replaced, and shown with the turns of its side and those that it misses or shares."""
    records = [run("r1", assistant_id="a", created_at=1_700_000_000), run("r2", assistant_id="b"), response("x1")]
    loaded(pages, warehouse, records)
    rules = write(
        pages / "rules.csv", f"{HEADER}d,before,assistant_id,a,,,\nd,after,model,gpt-4o,acme,2026-01-01,\n".encode()
    )
    done = command("deployments", "import", rules, "-w", warehouse)
    assert (done.returncode, done.stdout) == (0, f"{warehouse}: 2 rules added\n")
    write(
        rules,
        f"{HEADER}d,before,assistant_id,a,,2024-01-01,2024-06-01T00:00:00+02:00\ne,after,model,gpt-4o,,,\n".encode(),
    )
    done = command("deployments", "import", rules, "-w", warehouse)
    assert "no turn belongs to: d (before)" in done.stderr
    found = json.loads(command("deployments", "show", "-w", warehouse, "--json").stdout)
    assert (found["unmatched_turns"], found["shared_turns"]) == (2, 1)
    assert [(rule["deployment"], rule["rule"], rule["valid"], rule["turns"]) for rule in found["rules"]] == [
        ("d", "assistant_id = a", "from 2024-01-01 00:00:00 to 2024-05-31 22:00:00", 0),
        ("d", "model = gpt-4o", "from 2026-01-01 00:00:00", 1),
        ("e", "model = gpt-4o", None, 1),
    ]
    text = command("deployments", "-w", warehouse).stdout
    assert "2 turns belong to no deployment, 1 to several on the same side" in text
    assert max(map(len, text.splitlines())) <= 80 + len(str(warehouse))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("deployment,side,match_kind\n", "rules.csv: the column match_value is missing; the columns are deployment"),
        (HEADER.replace("source", "sauce"), "there is no column 'sauce'"),
        (f"{HEADER}d,,model,m,,,\n", "rules.csv, line 2: side is empty"),
        (f"{HEADER}d,then,model,m,,,\n", "line 2: side must be before or after, not 'then'"),
        (f"{HEADER}d,after,modell,m,,,\n", "line 2: match_kind must be one of assistant_id, agent_name"),
        (f"{HEADER}d,after,metadata:,m,,,\n", "or metadata:KEY, not 'metadata:'"),
        (f"{HEADER}d,after,model,m,,May,\n", "line 2: valid_from must be a date such as 2026-06-01, not 'May'"),
        (f"{HEADER}d,after,model,m,,2026-02-01,2026-02-01\n", "line 2: valid_to must be later than valid_from"),
        (f"{HEADER}d,after,model,m,,,\nd,after,model,m,x,,\n", "line 3: the rule of line 2 again"),
        (f"{HEADER}d,after,model,m,,,,,\n", "line 2: there are more values than columns"),
        ("", "the column deployment is missing"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(text: str, said: str, pages: Path, warehouse: Path) -> None:
    """File, line, what was expected and what was found; nothing is imported."""
    loaded(pages, warehouse, [response("x1")])
    rules = write(pages / "rules.csv", text.encode())
    done = command("deployments", "import", rules, "-w", warehouse)
    assert done.returncode == 1
    assert said in done.stderr
    assert query(warehouse, "select count(*) from deployments") == [(0,)]


def test_a_file_that_is_not_there_is_named(pages: Path, warehouse: Path) -> None:
    """A missing file, and one that is no text."""
    write(pages / "1.json", page(run("r1")))
    assert "cannot be read" in command("deployments", "import", pages / "no.csv", "-w", warehouse).stderr
    (pages / "rules.csv").write_bytes(b"\xff\xfe\x00")
    assert "no CSV in UTF-8" in command("deployments", "import", pages / "rules.csv", "-w", warehouse).stderr
