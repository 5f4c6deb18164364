"""A pandas that tells when it is imported."""

from pathlib import Path


def pretend_pandas(folder: Path) -> Path:
    """Put a module `pandas` into a folder; the file that is there once the module was imported."""
    imported = folder / "imported"
    (folder / "pandas.py").write_text(f"open({str(imported)!r}, 'w')\n__version__ = '3.0.0'\n")
    return imported
