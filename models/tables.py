"""The four tables, in the order in which a batch holds them."""

from typing import Any

from runmart.models.columns import Table
from runmart.models.errors import ERRORS
from runmart.models.runs import RUNS
from runmart.models.tools import TOOLS
from runmart.models.usage import USAGE

TABLES: tuple[Table[Any], ...] = (RUNS, USAGE, TOOLS, ERRORS)
