"""A server that speaks the threads/runs API, for tests: a world of threads whose runs advance, and faults by script.

It plays all profiles at once, below `/openai`, `/azure`, `/foundry`, `/llama` and `/compatible`. Tests steer it at
`/_admin/…`.
"""

import argparse
import asyncio
import random
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.support.world import ENDS, Run, Settings, World

KEY = "sk-test-4f9a8b7c6d5e"
world = World()


def _encoded(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, {**_common_headers(), **(headers or {})})


def _common_headers() -> dict[str, str]:
    date = formatdate(time.time() + world.settings.clock_offset, usegmt=True)
    spent = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "300ms"}
    return {"content-type": "application/json", "date": date, **(spent if world.settings.spent else {})}


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return _encoded({"error": {"message": message, "type": "error", "code": None}}, status, headers)


def _given(request: Request) -> str | None:
    """The key in a request."""
    if request.url.path.startswith(("/azure/", "/foundry/openai/")):
        return request.headers.get("api-key")
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def _refused(request: Request) -> Response | None:
    """The error for a request without the key, headers or parameters that the profile requires; None if it has them."""
    profile, headers = request.url.path.split("/")[1], request.headers
    given = _given(request)
    if given != KEY:
        return _error(401, f"Incorrect API key provided: {given}")
    if profile == "openai" and headers.get("openai-beta") != "assistants=v2":
        return _error(400, "You must provide the 'OpenAI-Beta' header")
    is_v1 = "/openai/v1/" in request.url.path
    if is_v1 and "api-version" in request.query_params:
        return _error(400, "API version not supported")
    needs_version = profile in ("azure", "foundry") and not is_v1
    if needs_version and "api-version" not in request.query_params:
        return _error(404, "Resource not found")
    return None


def _fault(thread_id: str) -> Response | None:
    settings = world.settings
    if settings.storm > 0 or world.chance(settings.throttled):
        settings.storm -= settings.storm > 0
        world.requests["throttled"] += 1
        after = settings.retry_after
        if after == "date":
            after = formatdate(time.time() + settings.clock_offset + 2, usegmt=True)
        return _error(settings.storm_status, "Too many requests", {"retry-after": after})
    if world.chance(settings.broken):
        return _error(world.faults.choice((500, 502, 503)), "Oops")
    if thread_id in settings.missing:
        return _error(404, "No thread found")
    if thread_id in settings.forbidden:
        return _error(403, "Not yours")
    if thread_id in settings.malformed:
        return Response(b"<html>maintenance</html>", media_type="text/html")
    return None


async def _sent(value: Any) -> Response:
    """A response, or the fault that is injected instead."""
    settings, data, headers = world.settings, msgspec.json.encode(value), _common_headers()
    if settings.delay_seconds:
        await asyncio.sleep(settings.delay_seconds)
    if world.chance(settings.truncated):
        return Response(data[: len(data) // 2], headers=headers)
    is_reset, is_slow = world.chance(settings.reset), world.chance(settings.slow)
    if not is_reset and not is_slow:
        return Response(data, headers=headers)

    async def parts() -> AsyncIterator[bytes]:
        yield data[: len(data) // 2]
        await asyncio.sleep(0.05)
        if is_reset:
            raise ConnectionResetError
        yield data[len(data) // 2 :]

    return StreamingResponse(parts(), headers={**headers, "content-length": str(len(data))})


def _listed(items: list[Run], request: Request, kind: str) -> Any:
    """A page of a list whose items are given oldest first."""
    settings, parameters = world.settings, request.query_params
    if kind == "runs" and settings.ends_behind_cursor and "after" in parameters:
        world.finish()
    newest_first = parameters.get("order", "desc") == "desc" and not settings.ascending
    ordered = sorted(items, key=lambda item: item.get("created_at", 0), reverse=newest_first)
    if newest_first and not settings.skew_seconds:
        ordered = list(reversed(items))
    if settings.bare:
        return ordered
    after = parameters.get("after") if settings.after != "ignored" else None
    if after is not None and not (kind == "runs" and world.chance(settings.repeated)):
        places = [place for place, item in enumerate(ordered) if item["id"] == after]
        if not places:
            return None
        created = ordered[places[0]].get("created_at", 0)
        is_later = [item for item in ordered if item.get("created_at", 0) > created]
        if settings.after == "by time" and newest_first:
            is_later = [item for item in ordered if item.get("created_at", 0) < created]
        ordered = is_later if settings.after != "behind" else ordered[places[0] + 1 :]
    size = min(int(parameters.get("limit", 20)), settings.steps_cap if kind == "steps" else settings.page_cap)
    found = ordered[:size]
    has_more = settings.always_more or (len(ordered) > size and not world.chance(settings.lying_has_more))
    ends = {"first_id": found[0]["id"] if found else None, "last_id": found[-1]["id"] if found else None}
    return {"object": "list", "data": found, **ends, "has_more": has_more}


def _threads() -> list[Run]:
    """The listed threads."""
    names = [None] * world.settings.nameless_threads + list(world.threads)[world.settings.nameless_threads :]
    return [
        {"id": name, "object": "thread", "created_at": world.started - 200 * 86_400 + 700 * place}
        for place, name in enumerate(names)
    ]


async def api(request: Request) -> Response:
    """Serve all paths of the API."""
    world.requests["all"] += 1
    world.paths.append(request.url.path)
    world.headers.append(dict(request.headers))
    settings = world.settings
    thread_id, run_id = request.path_params.get("thread_id", ""), request.path_params.get("run_id")
    if settings.redirect_to and (not settings.redirected or thread_id in settings.redirected):
        return Response(status_code=307, headers={"location": settings.redirect_to + request.url.path})
    if settings.refusal and (thread_id or settings.refuses_list):
        return Response(settings.refusal.replace("GIVEN", _given(request) or ""), settings.refusal_status)
    if answer := _refused(request) or _fault(thread_id):
        return answer
    if settings.advance_every and world.requests["all"] % settings.advance_every == 0:
        world.advance(3)
    return await _answer(request, thread_id, run_id)


async def _answer(request: Request, thread_id: str, run_id: str | None) -> Response:
    """The answer to a request that has met no fault."""
    settings, found = world.settings, None
    if thread_id not in world.threads if thread_id else not settings.lists_threads:
        return _error(404, "Not found")
    if not thread_id:
        found = _listed(_threads(), request, "threads")
    elif run_id is None:
        found = _listed(world.threads[thread_id], request, "runs")
    elif run_id in world.by_id and settings.gives_runs:
        is_steps = request.url.path.endswith("/steps")
        if is_steps and settings.steps_status and run_id in (settings.steps_failing or world.by_id):
            return _error(settings.steps_status, "No steps now")
        found = _listed(world.steps(run_id), request, "steps") if is_steps else world.by_id[run_id]
    return _error(settings.unknown_status, "No such run") if found is None else await _sent(found)


async def records(request: Request) -> Response:
    """Serve lists of responses and of completions, and single ones."""
    world.requests["all"] += 1
    world.paths.append(f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path)
    world.headers.append(dict(request.headers))
    is_completions = "/chat/" in request.url.path
    record_id = request.path_params.get("record_id")
    if answer := _refused(request) or _fault(record_id or ""):
        return answer
    held = world.records["completions" if is_completions else "responses"]
    if record_id is not None:
        found = next((one for one in held if one["id"] == record_id), None)
    elif not is_completions and not world.settings.lists_threads:
        return _error(405, "Method not allowed")
    else:
        name, team = (request.query_params.get(key) for key in ("agent_name", "metadata[team]"))
        held = [one for one in held if name in {None, one.get("agent_reference", {}).get("name")}]
        held = [one for one in held if team in {None, one.get("metadata", {}).get("team")}]
        found = _listed(held, request, "records")
    return _error(world.settings.unknown_status, "No such record") if found is None else await _sent(found)


async def identity(request: Request) -> Response:
    """Azure's managed identity, as App Service offers it: a token for a resource."""
    if request.headers.get("x-identity-header") != "proof":
        return _error(401, "Who are you?")
    resource = request.query_params["resource"]
    token = KEY if resource == "https://ai.azure.com" else "sk-for-something-else"
    return _encoded({"access_token": token, "expires_on": str(int(time.time()) + 3600), "token_type": "Bearer"})


async def admin(request: Request) -> Response:  # noqa: C901, PLR0912 - one branch for each action
    """Control the world and the settings."""
    global world  # noqa: PLW0603 - there is one
    action, body = request.path_params["action"], await request.body()
    given: dict[str, Any] = msgspec.json.decode(body) if body else {}
    answer: Any = None
    if action == "world":
        settings = msgspec.convert(given.pop("settings", {}), Settings)
        world = World(**given, settings=settings)
    elif action == "settings":
        world.settings = msgspec.convert({**msgspec.to_builtins(world.settings), **given}, Settings)
        world.faults = random.Random(world.settings.seed) if "seed" in given else world.faults
    elif action == "advance":
        world.advance(given["steps"])
    elif action == "finish":
        world.finish()
    elif action == "run":
        answer = [world.add_run(**given) for _ in range(given.pop("count", 1))][-1]
    elif action == "responses":
        answer = [world.add_response(**one) for one in given["given"]]
    elif action == "completions":
        answer = [world.add_completion(**one) for one in given["given"]]
    elif action == "change_response":
        next(one for one in world.records["responses"] if one["id"] == given["id"]).update(given)
    elif action == "delete_response":
        world.records["responses"] = [one for one in world.records["responses"] if one["id"] != given["id"]]
    elif action == "change":
        world.by_id[given["id"]].update(given)
        world.open = [run for run in world.open if run["status"] not in ENDS]
    elif action == "delete":
        run = world.by_id.pop(given["id"])
        world.threads[run["thread_id"]].remove(run)
    elif action == "log":
        answer = {"requests": world.requests, "paths": world.paths, "headers": world.headers}
        world.requests, world.paths, world.headers = Counter(), [], []
    else:
        answer = [run for runs in world.threads.values() for run in runs]
    return _encoded(answer)


_THREADS = ("/openai/v1/threads", "/azure/openai/threads", "/azure/openai/v1/threads", "/foundry/threads")
_RUNS = ("/{thread_id}/runs", "/{thread_id}/runs/{run_id}", "/{thread_id}/runs/{run_id}/steps")
_BASES = (*_THREADS, "/compatible/api/threads")
_ELSEWHERE = ("/elsewhere/threads", *(f"/elsewhere/agents/threads{rest}" for rest in _RUNS))
"""Runs that are not below the list of threads."""
_ROUTES = [Route(path, api) for path in (*(f"{base}{rest}" for base in _BASES for rest in ("", *_RUNS)), *_ELSEWHERE)]
_ROOTS = ("/openai/v1", "/azure/openai/v1", "/azure/openai", "/foundry/openai/v1", "/foundry/openai", "/llama/v1")
_RECORDS = [
    Route(f"{root}{path}", records)
    for root in (*_ROOTS, "/compatible/api")
    for path in ("/responses", "/responses/{record_id}", "/chat/completions", "/chat/completions/{record_id}")
]
app = Starlette(
    routes=[
        *_ROUTES,
        *_RECORDS,
        Route("/_identity", identity),
        Route("/_admin/{action}", admin, methods=["GET", "POST"]),
    ]
)


def main() -> None:
    """Serve on a free port of the loopback interface, and print the port."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # so asyncio sets TCP_NODELAY
    bound.bind(("127.0.0.1", parser.parse_args().port))
    bound.listen(1024)
    print(bound.getsockname()[1], flush=True)  # noqa: T201
    config = uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off", date_header=False)
    uvicorn.Server(config).run(sockets=[bound])


if __name__ == "__main__":
    main()
