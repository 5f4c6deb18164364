"""Storage of a lake: a local folder or an object store, behind one interface."""

import os
import shutil
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from runmart.ingest.sources.remote_files import public_address
from runmart.lake.parquet.manifest import ExportError, held
from runmart.lake.parquet.manifest import put_in_place as rename


class Storage:
    """A folder: a path that all machines see, or a URL (`s3://`, `abfss://`, `gs://`, `hdfs://`)."""

    def __init__(self, address: str) -> None:
        """Connect to the file system; the folder need not exist.

        Raises:
            ExportError: The address is invalid, or its file system cannot be reached.
        """
        from pyarrow import ArrowException, fs

        self.address = public_address(address) if "://" in address else os.path.abspath(address)  # noqa: PTH100 - links stay
        try:
            self._system: Any
            self._root: str
            if "://" in address:
                self._system, self._root = fs.FileSystem.from_uri(address)
            else:
                self._system, self._root = fs.LocalFileSystem(), self.address
        except (OSError, ArrowException) as error:
            raise ExportError(f"{self.address}: it cannot be reached: {type(error).__name__}") from None
        self.path = Path(self._root) if isinstance(self._system, fs.LocalFileSystem) else None
        """The local path; None when it is remote."""

    def _full(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    @contextmanager
    def _errors(self, name: str) -> Generator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            reason = error.strerror or str(error).splitlines()[0]
            raise ExportError(f"{self.address}/{name}: {reason}; run the command again once that is fixed") from None

    def read(self, name: str) -> bytes | None:
        """The content of a file; None when there is none.

        Raises:
            ExportError: It cannot be read.
        """
        with self._errors(name):
            try:
                with self._system.open_input_stream(self._full(name), compression=None) as file:
                    return bytes(file.read())
            except (FileNotFoundError, NotADirectoryError):
                return None

    def open(self, name: str) -> Any:
        """A seekable file for Arrow.

        Raises:
            FileNotFoundError: There is none.
            ExportError: It cannot be opened.
        """
        with self._errors(name):
            return self._system.open_input_file(self._full(name))

    def local(self, name: str, folder: Path) -> Path:
        """The local path of a file: itself, or a copy in `folder`.

        Raises:
            FileNotFoundError: There is none.
            ExportError: It cannot be copied.
        """
        if self.path is not None:
            return self.path / name
        path = folder / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._errors(name), self.open(name) as file, path.open("wb") as copy:
                shutil.copyfileobj(file, copy, 4 << 20)
        return path

    def put(self, file: Path, name: str) -> None:
        """Upload a local file; atomic only in a local folder.

        Raises:
            ExportError: It cannot be written.
        """
        with self._errors(name):
            if self.path is not None:
                target = self.path / name
                target.parent.mkdir(parents=True, exist_ok=True)
                aside = target.with_name(f".{target.name}.part")
                shutil.copyfile(file, aside)
                rename(aside, target)
                return
            with file.open("rb") as read, self._system.open_output_stream(self._full(name), compression=None) as write:
                shutil.copyfileobj(read, write, 4 << 20)

    def replace(self, name: str, data: bytes) -> None:
        """Replace a small file; atomic in a local folder and in stores whose uploads are.

        Raises:
            ExportError: It cannot be written.
        """
        with self._errors(name):
            if self.path is not None:
                self.path.mkdir(parents=True, exist_ok=True)
                aside = self.path / f".{name}.part"
                aside.write_bytes(data)
                rename(aside, self.path / name)
                return
            with self._system.open_output_stream(self._full(name), compression=None) as write:
                write.write(data)

    def names(self, folder: str = "") -> list[str]:
        """The files in a folder, recursively, as paths relative to the root.

        Raises:
            ExportError: They cannot be listed.
        """
        from pyarrow import fs

        root = self._root.rstrip("/") + "/"
        with self._errors(folder):
            found = self._system.get_file_info(
                fs.FileSelector(self._full(folder), recursive=True, allow_not_found=True)
            )
        return sorted(info.path.removeprefix(root) for info in found if info.type == fs.FileType.File)

    def remove(self, names: Iterable[str]) -> None:
        """Delete files; errors are ignored, since readers ignore files that are not in the manifest."""
        for name in names:
            with suppress(OSError):
                self._system.delete_file(self._full(name))

    @contextmanager
    def held(self) -> Generator[None]:
        """Hold an exclusive lock on a local folder; remote storage has no lock.

        Raises:
            ExportError: Another process holds it.
        """
        if self.path is None:
            yield
            return
        self.path.mkdir(parents=True, exist_ok=True)
        with held(self.path, for_writing=True):
            yield
