"""A module named pandas that records its import."""

from pathlib import Path


def pretend_pandas(folder: Path) -> Path:
    """Write a module `pandas` into a folder; returns the file that exists once the module was imported."""
    imported = folder / "imported"
    (folder / "pandas.py").write_text(f"open({str(imported)!r}, 'w')\n__version__ = '3.0.0'\n")
    return imported
