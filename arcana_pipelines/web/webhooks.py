"""The receiver of Notion's webhooks: check the signature, write the event down, answer.

Notion wants an answer quickly and repeats what it gets none for, so nothing else happens here.
https://developers.notion.com/reference/webhooks
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import psycopg
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import FAULTS_OF_THE_INSTALLATION, ArcanaError, WrongUse
from arcana_pipelines.ledger import inbox
from arcana_pipelines.sources.notion.webhooks import SIGNATURE_HEADER, announcement, is_signed, read_payload
from arcana_pipelines.web import handshake

log = logging.getLogger(__name__)

PATH = "/webhooks/notion"
# An event is a few hundred bytes, and some more for each block that it names.
LARGEST_BODY = 256 * 1024
BODY_SECONDS = 10.0
# Requests without a proper signature that are looked at in so many seconds. Signed ones are Notion's and not counted:
# whatever strangers send, an event is taken.
MOST_UNSIGNED = 1000
WINDOW_SECONDS = 10.0


def make_app(database: Database) -> Starlette:
    """The application; it accepts POST at `PATH`."""
    return Starlette(routes=[make_route(database)])


def make_route(database: Database) -> Route:
    """Its one route, for another application to have it, too. It reads bodies of up to `LARGEST_BODY`."""
    unsigned = _Rate()

    async def receive(request: Request) -> Response:
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for part in request.stream():
                    body += part
                    if len(body) > LARGEST_BODY:
                        return PlainTextResponse("The body is too large.", 413)
        except TimeoutError:
            return PlainTextResponse("The body did not come in time.", 408)
        except ClientDisconnect:
            return Response(status_code=400)
        signature = request.headers.get(SIGNATURE_HEADER)
        return await run_in_threadpool(_answer, database, bytes(body), signature, unsigned)

    return Route(PATH, receive, methods=["POST"])


class _Rate:
    """How many requests without a proper signature came lately."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began = float("-inf")
        self._count = 0

    def admits(self) -> bool:
        now = time.monotonic()
        with self._lock:
            if now - self._began >= WINDOW_SECONDS:
                self._began, self._count = now, 0
            self._count += 1
            return self._count <= MOST_UNSIGNED


def _answer(database: Database, body: bytes, signature: str | None, unsigned: _Rate) -> Response:
    settings = database.settings
    try:
        key = handshake.known_key(settings)
        if key is not None and is_signed(body, signature, key):
            concerned = inbox.receive(database, announcement(read_payload(body)))
            return PlainTextResponse(f"{concerned} workspaces are concerned.")
        if not unsigned.admits():
            return PlainTextResponse("Too many requests.", 429, {"Retry-After": str(int(WINDOW_SECONDS))})
        if not handshake.is_open(settings):
            if key is None:
                return PlainTextResponse("There is no subscription, and none is being made.", 404)
            return PlainTextResponse("The signature is missing or wrong.", 401)
        payload = read_payload(body)
        if "verification_token" not in payload or "type" in payload:
            return PlainTextResponse("The signature is missing or wrong.", 401)
        if not handshake.take(settings, payload["verification_token"]):
            return PlainTextResponse("Another subscription was faster.", 409)
    except (ArcanaError, psycopg.Error, OSError) as error:
        # Some faults of ours are wrong uses, too, but not of whoever sent it.
        if isinstance(error, WrongUse) and not isinstance(error, FAULTS_OF_THE_INSTALLATION):
            return PlainTextResponse(str(error), 400)
        log.exception("an event could not be written down; Notion sends it again")
        return PlainTextResponse("The event could not be written down; send it again later.", 503)
    return PlainTextResponse("Welcome.")
