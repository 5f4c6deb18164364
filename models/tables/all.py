"""All tables: four of runs, in the order in which a batch holds them, and the steps."""

from typing import Any

from runmart.models.columns import Table
from runmart.models.tables.errors import ERRORS
from runmart.models.tables.runs import RUNS
from runmart.models.tables.steps import STEPS
from runmart.models.tables.tools import TOOLS
from runmart.models.tables.usage import USAGE

TABLES: tuple[Table[Any], ...] = (RUNS, USAGE, TOOLS, ERRORS)

ALL_TABLES: tuple[Table[Any], ...] = (*TABLES, STEPS)
