"""Server of the dashboards: for browsers on this machine or, with a token, on others."""

import importlib.metadata
import mimetypes
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import marimo
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route

from runmart.notebooks import filters_state
from runmart.notebooks.access_token import AccessTokenMiddleware
from runmart.notebooks.page import DASHBOARDS, warehouse_path

FOLDER = Path(__file__).parent
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
ASSETS = f"/assets-{importlib.metadata.version('marimo')}"
"""The path of the static files that all dashboards share; browsers cache them for good."""


class _Assets:
    """Static files with hashed names, kept in memory: one page requests three hundred of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Response] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path not in self._known:
            self._known[path] = self._read(path)
        await self._known[path](scope, receive, send)

    def _read(self, path: str) -> Response:
        file = (self._folder / path.lstrip("/")).resolve()
        if not file.is_relative_to(self._folder) or not file.is_file():
            return Response(status_code=404)
        headers = {"cache-control": "public, max-age=31536000, immutable"}
        return Response(file.read_bytes(), headers=headers, media_type=mimetypes.guess_type(file.name)[0])


def application(token: str | None, first: str) -> Starlette:
    """The dashboards, each at its name; `/` redirects to the first.

    Args:
        token: The access token; None accepts browsers on this machine only.
        first: The name of a dashboard.
    """
    builder = marimo.create_asgi_app(quiet=True, include_code=False, token="", asset_url=ASSETS)
    for name in DASHBOARDS:
        builder = builder.with_app(path=f"/{name}", root=str(FOLDER / f"{name}.py"))
    dashboards: Any = builder.build()

    def home(request: Request) -> RedirectResponse:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/{first}/{query}")

    assets = (Path(marimo.__file__).parent / "_static").resolve()
    return Starlette(
        # without a token: guards against DNS rebinding by pages of other hosts
        middleware=[
            Middleware(AccessTokenMiddleware, token=token)
            if token
            else Middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK])
        ],
        routes=[Route("/", home), Mount(ASSETS, _Assets(assets)), Mount("/", dashboards)],
        lifespan=getattr(dashboards, "router", dashboards).lifespan_context,
    )


def serve(host: str, port: int, token: str | None, first: str, started: Callable[[int], None]) -> None:
    """Serve the dashboards until Ctrl-C.

    Args:
        host: The address to listen on.
        port: The port; 0 for a free one.
        token: See `application`.
        first: See `application`.
        started: Called with the port once the server accepts connections.

    Raises:
        OSError: The address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=2048) as listening:
        config = uvicorn.Config(application(token, first), log_level="warning", timeout_graceful_shutdown=1)
        server = _Server(config, lambda: started(listening.getsockname()[1]))
        server.run(sockets=[listening])


def _warm_up() -> None:
    with suppress(OSError, ValueError):  # the page shows the error
        filters_state.warm_up(warehouse_path())


class _Server(uvicorn.Server):
    """A server that calls a function when it has started."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._started = started
        Thread(target=_warm_up).start()

    async def startup(self, sockets: Any = None) -> None:
        """Listen, and report that."""
        await super().startup(sockets)
        self._started()
