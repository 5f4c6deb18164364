"""The version of runmart that runs."""

from importlib.metadata import PackageNotFoundError, version

UNKNOWN = "0+unknown"
"""The version of a clone that was not installed."""


def _installed() -> str:
    try:
        return version("runmart")
    except PackageNotFoundError:
        return UNKNOWN


VERSION = _installed()
