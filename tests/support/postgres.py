"""A PostgreSQL server for tests."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

PASSWORD = "geheim&streng"  # noqa: S105 - of a server that lives as long as the tests


def free_port() -> int:
    """A port that no process listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Postgres:
    """A server on this machine, run as the user postgres if this user is root, as it refuses to run as root."""

    def __init__(self, folder: Path) -> None:
        """Make one; see `running`."""
        self.folder = folder
        self.port = free_port()
        self._bin = self._find()
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if self._is_root:
            for path in (folder, secret):
                shutil.chown(path, "postgres")
        data = ("-D", str(folder / "data"))
        self._run("initdb", *data, "-U", "runmart", "-A", "scram-sha-256", "--pwfile", str(secret), "--no-sync")

    @property
    def _is_root(self) -> bool:
        return os.geteuid() == 0 and bool(pwd.getpwnam("postgres"))

    @staticmethod
    def _find() -> Path:
        """The folder of PostgreSQL's programs: Debian's, else that of the PATH."""
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        return (found[-1] if found else Path(shutil.which("initdb") or "initdb")).parent

    def _run(self, program: str, *arguments: str) -> None:
        words = [str(self._bin / program), *arguments]
        if self._is_root:
            words = ["runuser", "-u", "postgres", "--", *words]
        subprocess.run(words, check=True, cwd=self.folder, stdout=subprocess.DEVNULL, timeout=60)

    def start(self) -> None:
        """Start it."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        self._run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")

    def stop(self) -> None:
        """Stop it, and close all connections to it."""
        self._run("pg_ctl", "-D", "data", "-w", "-m", "immediate", "stop")

    def catalog(self, database: str, **settings: str) -> str:
        """The libpq connection string of a database."""
        given = {"host": "127.0.0.1", "port": str(self.port), "user": "runmart", "password": PASSWORD, **settings}
        return " ".join(f"{name}={value}" for name, value in {"dbname": database, **given}.items())

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Execute a statement, and return its rows."""
        import psycopg

        with psycopg.connect(self.catalog(database), autocommit=True) as connection:
            found = connection.execute(statement.encode())
            return found.fetchall() if found.description else []


@contextmanager
def running() -> Generator[Postgres]:
    """A running server, which is stopped on exit."""
    folder = Path(tempfile.mkdtemp(prefix="runmart-postgres-"))
    try:
        server = Postgres(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
