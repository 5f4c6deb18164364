"""Tasks: coroutines that run side by side, and functions that run to their end."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from runmart.ingest.errors import RunmartError

Item = TypeVar("Item")
Result = TypeVar("Result")


async def for_each(items: Sequence[Item], work: Callable[[Item], Awaitable[None]], concurrency: int) -> None:
    """Work on items in their order, at most `concurrency` of them at a time; the first error ends it."""
    waiting = iter(items)

    async def work_on() -> None:
        for item in waiting:  # shared: each takes the next
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(concurrency, len(items))):
                group.create_task(work_on())
    except* RunmartError as errors:
        raise errors.exceptions[0] from None


async def to_its_end(function: Callable[..., Result], *given: object) -> Result:
    """Run a function in a thread, and wait for it also when cancelled: a process opens the warehouse once at a time."""
    running = asyncio.ensure_future(asyncio.to_thread(function, *given))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await running
        raise
