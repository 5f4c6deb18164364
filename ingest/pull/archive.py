"""An archive of raw responses: compressed files, each with the time of its response, for `runmart ingest`."""

import os
import re
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from runmart.ingest.digest import short_digest
from runmart.ingest.pull.client import Response
from runmart.ingest.pull.errors import PullError
from runmart.ingest.transform.admission import AdmissionFilter

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class Archive:
    """A folder of responses: `FOLDER/SOURCE/DAY/TIME-DIGEST.json.zst`."""

    def __init__(self, folder: Path, source: str) -> None:
        self._folder = folder / (_UNSAFE.sub("_", source).strip(".") or "_")

    def add(self, responses: Iterable[Response], admission: AdmissionFilter) -> None:
        """Write responses, redacted; a file's modification time is that of its response, when its runs were observed.

        A response that cannot be redacted is left out.

        Raises:
            PullError: The folder cannot be written to.
        """
        with self._explained():
            self._add(responses, admission)

    def check(self) -> None:
        """Check, before the first request, that the folder can be written to.

        Raises:
            PullError: It cannot.
        """
        with self._explained(), tempfile.TemporaryFile(dir=self._made(self._folder)):
            pass

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise PullError(f"{error.filename or self._folder} (--save) cannot be written: {error.strerror}") from None

    def _made(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _add(self, responses: Iterable[Response], admission: AdmissionFilter) -> None:
        for response in responses:
            body = admission.document(response.body)
            if body is None:
                continue
            moment = datetime.fromtimestamp(response.observed_at / 1e6, UTC)
            digest = short_digest(response.address.encode() + b"\0" + body, 12)
            folder = self._made(self._folder / f"{moment:%Y-%m-%d}")
            path = folder / f"{moment:%H%M%S}.{moment.microsecond:06}-{digest}.json.zst"
            unfinished = path.with_name(f".{path.name}.part")
            unfinished.write_bytes(pa.compress(body, codec="zstd", asbytes=True))
            os.utime(unfinished, ns=(response.observed_at * 1000, response.observed_at * 1000))
            unfinished.replace(path)
