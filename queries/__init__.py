"""The views, one SQL file each: their catalog, their installation in a warehouse, and reading them from Python."""

from runmart.queries.catalog import View, ViewColumn, find, views
from runmart.queries.connection import ViewName, Warehouse, connect, read
from runmart.queries.install import install
from runmart.queries.selection import Grain, Selection

__all__ = [
    "Grain",
    "Selection",
    "View",
    "ViewColumn",
    "ViewName",
    "Warehouse",
    "connect",
    "find",
    "install",
    "read",
    "views",
]
