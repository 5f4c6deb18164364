"""Access-token middleware of the dashboard server."""

import secrets
from typing import Any
from urllib.parse import urlencode

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response

PARAMETER = "access_token"

_REFUSED = "Access token required: open the address that runmart dashboard printed.\n"
_POLICY_VIOLATION = 1008


class AccessTokenMiddleware:
    """Accepts a request with the token once, and then its session cookie, which does not contain the token."""

    def __init__(self, app: Any, token: str) -> None:
        """Protect an ASGI application with a token."""
        self._app = app
        self._token = token
        self._secret = secrets.token_urlsafe(32)
        self._cookie = f"runmart_{secrets.token_hex(4)}"  # servers on one host share its cookies

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI interface."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        if _equal(connection.cookies.get(self._cookie, ""), self._secret):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        else:
            await self._answer(connection)(scope, receive, send)

    def _answer(self, connection: HTTPConnection) -> Response:
        """A redirect to the same address without the token when the token is right, else 401."""
        if not _equal(connection.query_params.get(PARAMETER, ""), self._token):
            return PlainTextResponse(_REFUSED, status_code=401)
        rest = urlencode([item for item in connection.query_params.multi_items() if item[0] != PARAMETER])
        answer = RedirectResponse(connection.url.path + (f"?{rest}" if rest else ""), status_code=303)
        answer.set_cookie(self._cookie, self._secret, httponly=True, samesite="lax", path="/")
        return answer


def _equal(given: str, known: str) -> bool:
    """Whether two texts are equal, compared in constant time."""
    return secrets.compare_digest(given.encode(), known.encode())
