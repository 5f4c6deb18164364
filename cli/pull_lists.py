"""The lists of threads and of responses that a pull is given: files, which are read again in each round."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

from runmart.ingest.errors import SettingsError
from runmart.ingest.pull.names import listed_ids
from runmart.ingest.pull.thread_lists import parse


class Files(NamedTuple):
    """The files of a source, with "-" for standard input; None where there is none."""

    threads: str | None
    responses: str | None


class Named(NamedTuple):
    """What the files of a source name."""

    threads: list[str]
    responses: list[str]
    """As names: see `names`."""
    empty: list[tuple[str, str]]
    """Files that name nothing: the option without its dashes, and the file."""


@dataclass
class Lists:
    """The files of some sources, by label; standard input is read once."""

    files: Mapping[str, Files]
    standard_input: Callable[[], bytes] = field(default_factory=lambda: cache(sys.stdin.buffer.read))

    def __post_init__(self) -> None:
        """Check that standard input is one list.

        Raises:
            SettingsError: A source takes it for two.
        """
        if any(one.threads == one.responses == "-" for one in self.files.values()):
            raise SettingsError("--threads and --responses cannot both be standard input: give one of them a file")

    def read(self, name: str) -> Named:
        """What the files of a source name.

        Raises:
            SettingsError: A file cannot be read, or holds something that is no id.
        """
        files = self.files[name]
        threads = self._read("threads", files.threads, parse)
        responses = self._read("responses", files.responses, listed_ids)
        found = (("threads", files.threads, threads), ("responses", files.responses, responses))
        return Named(threads, responses, [(what, file) for what, file, ids in found if file and not ids])

    def _read(self, option: str, file: str | None, parse: Callable[[bytes, str], list[str]]) -> list[str]:
        if file is None:
            return []
        try:
            data = self.standard_input() if file == "-" else Path(file).read_bytes()
        except OSError as error:
            raise SettingsError(f"{file} (--{option}) cannot be read: {error.strerror}") from None
        return parse(data, "standard input" if file == "-" else file)
