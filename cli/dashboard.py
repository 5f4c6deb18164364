"""`runmart dashboard`: the dashboards in a browser."""

import os
import secrets
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from runmart.cli.options import WAREHOUSE
from runmart.cli.output import echo, warn
from runmart.ingest.errors import RunmartError
from runmart.ingest.warehouse.location import DuckLake, Location

Name = Literal["overview", "latency", "failures", "costs", "operations"]

TOKEN_VARIABLE = "RUNMART_DASHBOARD_TOKEN"  # noqa: S105 - the name of one
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def dashboard(
    name: Name = "overview",
    /,
    *,
    warehouse: Annotated[Location, WAREHOUSE] = Path("runs.duckdb"),
    host: str = "127.0.0.1",
    port: int = 2718,
    open_browser: Annotated[bool, Parameter(name="--browser", negative="--no-browser")] = True,
) -> int:
    """Show the dashboards in the browser, until Ctrl-C: overview, latency, failures, costs, operations.

    They show a newer version of the warehouse as soon as it is published, or loaded. A warehouse that is loaded into is
    best shown by its published copy, so that neither waits for the other.

    Args:
        name: The dashboard to begin with.
        warehouse: The DuckDB file, or a DuckLake: ducklake:postgres:dbname=… host=….
        host: The address to listen at; others than this machine's own ask for a token (RUNMART_DASHBOARD_TOKEN, else a
            new one).
        port: The port; 0 for one that is free.
        open_browser: Whether to open the browser.
    """
    _check(warehouse)
    try:
        from runmart.notebooks.serve import serve
    except ModuleNotFoundError as error:
        raise RunmartError(
            f"the dashboards need {error.name}, which is not installed; run: pip install 'runmart[notebooks]'"
        ) from None
    token = None if host in _LOOPBACK else os.environ.get(TOKEN_VARIABLE) or secrets.token_urlsafe(16)
    os.environ["RUNMART_WAREHOUSE"] = (
        warehouse.address if isinstance(warehouse, DuckLake) else str(warehouse.absolute())
    )

    def started(actual_port: int) -> None:
        shown = "localhost" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not listened at
        address = f"http://{f'[{shown}]' if ':' in shown else shown}:{actual_port}/"
        opened = f"{address}{name}/" + (f"?access_token={token}" if token else "")
        echo(f"{warehouse}: {opened}")
        warn("runmart: Ctrl-C ends it")
        sys.stdout.flush()
        if open_browser:
            import webbrowser

            webbrowser.open(opened)

    try:
        serve(host, port, token, name, started)
    except KeyboardInterrupt:
        return 0  # as it is meant to end
    except OSError as error:
        raise RunmartError(
            f"{host}:{port} cannot be listened at: {error.strerror or error}; choose another --port"
        ) from None
    return 0


def _check(warehouse: Location) -> None:
    """Refuse what is no warehouse at once, rather than in the browser.

    Raises:
        RunmartError: It is none.
    """
    from runmart.queries import connect

    try:
        connect(warehouse).close()
    except BlockingIOError:
        return  # a load is going on, and will end
    except FileNotFoundError:
        raise RunmartError(
            f"{warehouse}: no such warehouse; create it with: runmart ingest PAGES --warehouse {warehouse}"
        ) from None
    except (OSError, ValueError) as error:
        raise RunmartError(str(error)) from None
