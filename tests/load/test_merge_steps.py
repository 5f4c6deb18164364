"""Steps in the warehouse: each once, at its latest observation, whatever the order."""

import json
import random
from pathlib import Path
from typing import Any

from warehouses import command, load, page, query, run, write


def step(step_id: str, status: str = "completed", **fields: Any) -> dict[str, Any]:
    """A step."""
    return {"id": step_id, "object": "thread.run.step", "run_id": "run_1", "status": status, "created_at": 10, **fields}


def test_steps_are_loaded_in_any_order_with_the_same_end(pages: Path, tmp_path: Path) -> None:
    """The precedence is that of runs; a second load changes nothing."""
    random_ = random.Random(1)
    files: list[Path] = []
    for number in range(60):
        name = f"step_{random_.randrange(12)}"
        ended = random_.random() < 0.5
        one = step(
            name, "completed" if ended else "in_progress", completed_at=random_.choice((11, 12)) if ended else None
        )
        data = page(one, run("run_1"), step(name, "in_progress"))
        files.append(write(pages / f"{number:02}.json", data, 1_700_000_000 + random_.randrange(5)))
    found: list[object] = []
    for order in range(3):
        random.Random(order).shuffle(files)
        warehouse = tmp_path / f"{order}.duckdb"
        for start in range(0, 60, 7):
            load(warehouse, *files[start : start + 7])
        again = load(warehouse, *files, reload=True)
        assert again.totals.steps == 120
        found.append(query(warehouse, "select cast(columns(* exclude (load_id)) as varchar) from steps order by all"))
    assert found[0] == found[1] == found[2]
    assert len({name for name, *_ in found[0]}) == len(found[0]) <= 12  # type: ignore[arg-type]


def test_steps_do_not_count_as_skipped_nor_as_runs(pages: Path, warehouse: Path) -> None:
    """They are told of, and a bad one is a reject."""
    write(pages / "1.json", page(step("step_1"), step("step_2", created_at="soon"), run("run_1")))
    done = command("ingest", pages, "-w", warehouse, "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["steps"], told["new_runs"], told["rejected"], told["skipped"]) == (
        3,
        1,
        1,
        1,
        {},
    )
    assert query(warehouse, "select steps, skipped from runmart.loads") == [(1, 0)]
    assert query(warehouse, "select json_path, position from runmart.rejects") == [("$.data[1].created_at", 1)]
