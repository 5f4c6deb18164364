"""`runmart dashboard`: the dashboards in a browser."""

import os
import secrets
import sys
from typing import Annotated, Literal

from cyclopts import Parameter

from runmart.cli.options import DEFAULT_WAREHOUSE, WAREHOUSE
from runmart.cli.output import echo, warn
from runmart.ingest.errors import RunmartError
from runmart.ingest.warehouse.backend import Backend

Name = Literal["overview", "latency", "failures", "costs", "migration", "operations"]

TOKEN_VARIABLE = "RUNMART_DASHBOARD_TOKEN"  # noqa: S105 - the name of one
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def dashboard(
    name: Name = "overview",
    /,
    *,
    warehouse: Annotated[Backend, WAREHOUSE] = DEFAULT_WAREHOUSE,
    host: str = "127.0.0.1",
    port: int = 2718,
    open_browser: Annotated[bool, Parameter(name="--browser", negative="--no-browser")] = True,
) -> int:
    """Serve the dashboards to a browser until Ctrl-C: overview, latency, failures, costs, migration, operations.

    Pages refresh when the warehouse changes. While loads are running, serve a published snapshot (--publish), so that
    the dashboards and the loads do not wait for each other.

    Args:
        name: The dashboard to open first.
        warehouse: DuckDB file, or a DuckLake: ducklake:postgres:dbname=… host=….
        host: Address to listen on; except on loopback, a token is required ($RUNMART_DASHBOARD_TOKEN, or a new one).
        port: Port; 0 for a free one.
        open_browser: Open the browser.
    """
    _check(warehouse)
    try:
        from runmart.notebooks.serve import serve
    except ModuleNotFoundError as error:
        raise RunmartError(
            f"the dashboards need {error.name}, which is not installed; run: pip install 'runmart[notebooks]'"
        ) from None
    token = None if host in _LOOPBACK else os.environ.get(TOKEN_VARIABLE) or secrets.token_urlsafe(16)
    os.environ["RUNMART_WAREHOUSE"] = warehouse.address

    def started(actual_port: int) -> None:
        name_of_host = "localhost" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
        address = f"http://{f'[{name_of_host}]' if ':' in name_of_host else name_of_host}:{actual_port}/"
        opened = f"{address}{name}/" + (f"?access_token={token}" if token else "")
        echo(f"{warehouse}: {opened}")
        warn("runmart: press Ctrl-C to stop")
        sys.stdout.flush()
        if open_browser:
            import webbrowser

            webbrowser.open(opened)

    try:
        serve(host, port, token, name, started)
    except KeyboardInterrupt:
        return 0  # the regular end
    except OSError as error:
        raise RunmartError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another --port"
        ) from None
    return 0


def _check(warehouse: Backend) -> None:
    """Open the warehouse once, so that errors appear here and not in the browser.

    Raises:
        RunmartError: It is missing, damaged, or no warehouse.
    """
    from runmart.queries import connect

    try:
        connect(warehouse).close()
    except BlockingIOError:
        return  # locked by a load, which will end
    except FileNotFoundError:
        raise RunmartError(
            f"{warehouse}: no such warehouse; create it with: runmart ingest PAGES --warehouse {warehouse}"
        ) from None
    except (OSError, ValueError) as error:
        raise RunmartError(str(error)) from None
