"""Guard: who may look at the dashboards."""

import secrets
from typing import Any
from urllib.parse import urlencode

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response

PARAMETER = "access_token"

_REFUSED = "Open the address that runmart dashboard has printed: it holds the token that is needed here.\n"
_POLICY_VIOLATION = 1008


class AccessTokenMiddleware:
    """Lets those through who have shown the token once; a cookie, of which the token is no part, remembers them."""

    def __init__(self, app: Any, token: str) -> None:
        """Guard an ASGI application."""
        self._app = app
        self._token = token
        self._secret = secrets.token_urlsafe(32)
        self._cookie = f"runmart_{secrets.token_hex(4)}"  # several servers may have the same host, and so its cookies

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI interface."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        asked = HTTPConnection(scope)
        if _equal(asked.cookies.get(self._cookie, ""), self._secret):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        else:
            await self._answer(asked)(scope, receive, send)

    def _answer(self, asked: HTTPConnection) -> Response:
        """To somebody new: the same address without the token, if that is right."""
        if not _equal(asked.query_params.get(PARAMETER, ""), self._token):
            return PlainTextResponse(_REFUSED, status_code=401)
        rest = urlencode([item for item in asked.query_params.multi_items() if item[0] != PARAMETER])
        answer = RedirectResponse(asked.url.path + (f"?{rest}" if rest else ""), status_code=303)
        answer.set_cookie(self._cookie, self._secret, httponly=True, samesite="lax", path="/")
        return answer


def _equal(given: str, known: str) -> bool:
    """Whether they are the same, in a time that tells nothing of where they differ."""
    return secrets.compare_digest(given.encode(), known.encode())
