"""The views: one SQL file each, what is in them, and how they get into a warehouse."""

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
