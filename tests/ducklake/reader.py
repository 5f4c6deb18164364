"""A reader: asks a lake again and again, until a file is there; prints how often, and what was wrong."""

import json
import os
import sys
import time
from pathlib import Path

from runmart.queries import connect

QUERY = """
    select
        (select count(*) from runs) as runs, (select count(distinct run_id) from runs) as distinct_runs,
        (select count(*) from usage) as usages, (select count(distinct run_id) from usage) as distinct_usages,
        (select count(*) from usage where run_id not in (select run_id from runs)) as orphans,
        (select coalesce(sum(tool_count), 0) from runs) as told_tools, (select count(*) from tools) as tools,
        (select coalesce(sum(runs), 0) from failure_rates_by_model) as rated"""


def main(address: str, end: Path) -> None:
    """Read until `end` is there, or whoever started this is gone."""
    wrong: list[object] = []
    most = reads = 0
    parent = os.getppid()
    while not end.exists() and os.getppid() == parent:
        try:
            with connect(address) as warehouse:
                for _ in range(3):
                    [found] = warehouse.sql(QUERY).to_dicts()
                    reads += 1
                    is_whole = found["runs"] == found["distinct_runs"] == found["rated"]
                    is_whole &= found["usages"] == found["distinct_usages"] and not found["orphans"]
                    if not is_whole or found["runs"] < most or found["told_tools"] != found["tools"]:
                        wrong.append({**found, "before": most})
                    most = max(most, found["runs"])
                    warehouse.refresh()
        except Exception as error:  # noqa: BLE001 - any is wrong, once it is made
            if reads:
                wrong.append(repr(error))
            time.sleep(0.1)
    print(json.dumps({"reads": reads, "most": most, "wrong": [str(one) for one in wrong]}))  # noqa: T201


main(sys.argv[1], Path(sys.argv[2]))
