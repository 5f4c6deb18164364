"""The table `tools`: one row per tool offered to a run."""

import hashlib
from collections.abc import Sequence
from itertools import accumulate, chain
from typing import NamedTuple

import pyarrow as pa

from runmart.models import arrow
from runmart.models.arrow import Array, compute
from runmart.models.columns import BOOLEAN, INTEGER, JSON, VARCHAR, Column, Getter, Table
from runmart.models.observations import RUN_CREATED_AT, Observations, OfferedTool


class ToolRows(NamedTuple):
    """The columns of the rows (m)."""

    observation: Array
    run_id: Array
    run_created_at: Array
    tools: Sequence[OfferedTool]
    """The tools of each distinct list, one list after another."""
    indices: Array
    """Which of `tools` each row is."""


def rows(observations: Observations) -> ToolRows:
    """A row for each tool of each observation."""
    lists = observations.tools.values
    tools = list(chain.from_iterable(lists))
    numbers = arrow.array(range(len(tools)), INTEGER)
    offered = arrow.lists(accumulate(map(len, lists), initial=0), numbers).take(observations.tools.indices)
    observation = compute.list_parent_indices(offered)
    return ToolRows(observation, *observations.keys(observation), tools, offered.flatten())


def digest(tools: Sequence[OfferedTool]) -> str | None:
    """The MD5 of the columns of a list of tools; None without tools. Migrations compute the same with `DIGEST`."""
    return _md5(",".join(_digested(tool) for tool in tools)) if tools else None


def _digested(tool: OfferedTool) -> str:
    strict = "-" if tool.strict is None else str(tool.strict).lower()
    texts = (tool.type, tool.name, tool.description, tool.parameters, tool.config)
    return "|".join([strict, *("-" if text is None else _md5(text) for text in texts)])


def _md5(text: str | bytes) -> str:
    sent = text.encode() if isinstance(text, str) else text
    return hashlib.md5(sent, usedforsecurity=False).hexdigest()


_TEXTS = ", ".join(
    f"coalesce(md5(cast({name} as string)), '-')" for name in ("type", "name", "description", "parameters", "config")
)
_TOOL = f"concat_ws('|', coalesce(cast(strict as string), '-'), {_TEXTS})"
DIGEST = f"md5(string_agg({_TOOL}, ',' order by position))"
"""As `digest`, in DuckDB's SQL, over the rows of a run."""
SPARK_DIGEST = f"md5(listagg({_TOOL}, ',') within group (order by position))"
"""As `digest`, in Spark's SQL, over the rows of a run."""


def _tool(name: str, arrow_type: pa.DataType) -> Getter[ToolRows]:
    """A field of each tool, as a dictionary column."""
    return lambda rows: arrow.dictionary(rows.indices, [getattr(tool, name) for tool in rows.tools], arrow_type)


def _plain(name: str, arrow_type: pa.DataType) -> Getter[ToolRows]:
    """As `_tool`, without a dictionary, for values smaller than an index."""
    return lambda rows: arrow.array([getattr(tool, name) for tool in rows.tools], arrow_type).take(rows.indices)


TOOLS: Table[ToolRows] = Table(
    "tools",
    grain="one row per tool offered to a run",
    purpose="Tools offered to runs.",
    columns=(
        Column("run_id", VARCHAR, lambda rows: rows.run_id, "The run"),
        Column("position", INTEGER, _plain("position", INTEGER), "Position in the run's list of tools, from 0"),
        Column("type", VARCHAR, _tool("type", VARCHAR), "function, code_interpreter, file_search, ..."),
        Column("name", VARCHAR, _tool("name", VARCHAR), "The function's name"),
        Column("description", VARCHAR, _tool("description", VARCHAR), "Description of the tool for the model"),
        Column("strict", BOOLEAN, _plain("strict", BOOLEAN), "Whether arguments must match the parameters exactly"),
        Column("parameters", JSON, _tool("parameters", VARCHAR), "JSON Schema of the arguments"),
        Column("config", JSON, _tool("config", VARCHAR), "The tool's other settings, as sent; no tokens and headers"),
        RUN_CREATED_AT,
    ),
)
