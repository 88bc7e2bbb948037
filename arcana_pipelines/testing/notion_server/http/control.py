"""Changing the world from another process: `POST /_control` with `{"call": name, "args": {...}}`.

Not part of Notion's API, and not in its request log.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from arcana_pipelines.testing.notion_server.world.world import NotionWorld

WORLD_CALLS = (
    "add_comment",
    "add_data_source",
    "add_database",
    "add_file",
    "add_page",
    "add_property",
    "add_row",
    "add_user",
    "append_blocks",
    "archive_row",
    "delete_block",
    "delete_forever",
    "edit_page",
    "insert_blocks_at_top",
    "move",
    "remove_property",
    "replace_file",
    "rename_property",
    "resolve_comment",
    "restore",
    "set_block_text",
    "set_cover",
    "set_icon",
    "set_property",
    "set_title",
    "share",
    "trash",
    "unshare",
    "upload",
    "visible_pages",
    "visible_text",
)


class Control:
    """Calls from an allow-list; a wrong call answers 400 with `{"error": message}`."""

    def __init__(self, world: NotionWorld, server_calls: Mapping[str, Callable[..., Any]]) -> None:
        self._world = world
        self._server_calls = server_calls

    async def endpoint(self, request: Request) -> JSONResponse:
        """Carry out one call and answer `{"result": ...}`."""
        try:
            order = json.loads(await request.body())
            call = self._calls()[order["call"]]
            result = call(**order.get("args", {}))
        except (KeyError, TypeError, ValueError) as error:
            return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 400)
        if hasattr(result, "_asdict"):
            result = result._asdict()
        return JSONResponse({"result": result})

    def _calls(self) -> dict[str, Callable[..., Any]]:
        calls: dict[str, Callable[..., Any]] = {name: getattr(self._world, name) for name in WORLD_CALLS}
        calls.update(self._server_calls)
        return calls | {
            "clock_now": lambda: self._world.clock.now().isoformat(),
            "clock_set": lambda moment: self._world.clock.set(datetime.fromisoformat(moment)),
            "clock_advance": self._world.clock.advance,
            "set_search_lag": self._set_search_lag,
            "revoke_tokens": self._world.tokens.clear,
        }

    def _set_search_lag(self, seconds: float) -> None:
        self._world.search_lag_seconds = seconds
