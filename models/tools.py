"""The table `tools`: one row per tool offered to a run."""

from collections.abc import Sequence
from typing import NamedTuple

from runmart.models.columns import BOOLEAN, INTEGER, JSON, VARCHAR, Column, Table
from runmart.models.getters import field
from runmart.models.observations import Observation, OfferedTool


class ToolRow(NamedTuple):
    """What one row is made of."""

    observation: int
    run_id: str
    tool: OfferedTool


def rows(observations: Sequence[Observation]) -> list[ToolRow]:
    """A row for each tool of each observation."""
    return [
        ToolRow(index, observation.run.id, tool)
        for index, observation in enumerate(observations)
        for tool in observation.tools
    ]


TOOLS: Table[ToolRow] = Table(
    "tools",
    grain="one row per tool offered to a run",
    purpose="Tools the model could call.",
    columns=(
        Column("run_id", VARCHAR, field("run_id"), "The run"),
        Column("position", INTEGER, field("tool.position"), "The tool's place in the run's list, from 0"),
        Column("type", VARCHAR, field("tool.type"), "function, code_interpreter, file_search, ..."),
        Column("name", VARCHAR, field("tool.name"), "The function's name"),
        Column("description", VARCHAR, field("tool.description"), "What the model is told of it"),
        Column("strict", BOOLEAN, field("tool.strict"), "Whether arguments must match the parameters exactly"),
        Column("parameters", JSON, field("tool.parameters"), "JSON Schema of the arguments"),
        Column("config", JSON, field("tool.config"), "The tool's other settings, as sent"),
    ),
)
