"""What a server does beside its answers, for as long as it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio


@asynccontextmanager
async def done_beside(task: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Have a task done beside the block, which ends it."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(task)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()
