"""The views: one SQL file each, what is in them, and how they get into a warehouse."""

from runmart.queries.catalog import View, ViewColumn, find, views
from runmart.queries.install import install
from runmart.queries.read import read

__all__ = ["View", "ViewColumn", "find", "install", "read", "views"]
