"""The version of runmart that runs."""

from importlib.metadata import version

VERSION = version("runmart")
