"""All tables of the schema `main`: four of runs, in the order in which a batch holds them, the steps, and others."""

from typing import Any

from runmart.models.columns import Table
from runmart.models.tables.deployments import DEPLOYMENTS
from runmart.models.tables.errors import ERRORS
from runmart.models.tables.neighbours import NEIGHBOURS
from runmart.models.tables.prices import MODEL_ALIASES, PRICES
from runmart.models.tables.runs import RUNS
from runmart.models.tables.steps import STEPS
from runmart.models.tables.tools import TOOLS
from runmart.models.tables.usage import USAGE

TABLES: tuple[Table[Any], ...] = (RUNS, USAGE, TOOLS, ERRORS)

ALL_TABLES: tuple[Table[Any], ...] = (*TABLES, STEPS)

OTHER_TABLES: tuple[Table[Any], ...] = (*NEIGHBOURS, PRICES, MODEL_ALIASES, DEPLOYMENTS)
"""Tables that are small beside those of runs."""
