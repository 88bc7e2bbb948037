"""The receiver of Notion's webhooks: check the signature, write the event down, answer.

Notion wants an answer quickly and repeats what it gets none for, so nothing else happens here.
https://developers.notion.com/reference/webhooks
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import psycopg
from pydantic import SecretStr
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import ArcanaError, WrongUse
from arcana_pipelines.pipeline import inbox
from arcana_pipelines.settings import Settings
from arcana_pipelines.sources.notion.webhooks import (
    SIGNATURE_HEADER,
    announcement,
    is_signed,
    read_payload,
    verification_token,
)

log = logging.getLogger(__name__)

PATH = "/webhooks/notion"
# An event is a few hundred bytes.
LARGEST_BODY = 1_000_000


def make_app(database: Database) -> Starlette:
    """The application; it accepts POST at `PATH`."""

    async def receive(request: Request) -> Response:
        body = bytearray()
        try:
            async for part in request.stream():
                body += part
                if len(body) > LARGEST_BODY:
                    return PlainTextResponse("The body is too large.", 413)
        except ClientDisconnect:
            return Response(status_code=400)
        signature = request.headers.get(SIGNATURE_HEADER)
        return await run_in_threadpool(_answer, database, bytes(body), signature)

    return Starlette(routes=[Route(PATH, receive, methods=["POST"])])


def token_file(settings: Settings) -> Path:
    """Where the handshake's token is kept when the environment names none."""
    return settings.storage_root / "notion_webhook_token"


def _answer(database: Database, body: bytes, signature: str | None) -> Response:
    try:
        known = _known_token(database.settings)
        if known is None:
            return _shake_hands(database.settings, body)
        if not is_signed(body, signature, known):
            return PlainTextResponse("The signature is missing or wrong.", 401)
        concerned = inbox.receive(database, announcement(read_payload(body)))
    except WrongUse as error:
        return PlainTextResponse(str(error), 400)
    except (ArcanaError, psycopg.Error, SQLAlchemyError, OSError):
        log.exception("an event could not be written down; Notion sends it again")
        return PlainTextResponse("The event could not be written down; send it again later.", 503)
    return PlainTextResponse(f"{concerned} workspaces are concerned.")


def _known_token(settings: Settings) -> SecretStr | None:
    if settings.notion_webhook_token is not None:
        return settings.notion_webhook_token
    try:
        return SecretStr(token_file(settings).read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        return None


def _shake_hands(settings: Settings, body: bytes) -> Response:
    """Keep the token of the first handshake; whoever subscribes later is refused until a person removes it."""
    token = verification_token(read_payload(body))
    if token is None:
        return PlainTextResponse("No subscription is known yet: the handshake comes first.", 401)
    path = token_file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            file.write(token.get_secret_value())
    except FileExistsError:
        return PlainTextResponse("Another subscription was faster.", 409)
    log.warning("Notion opened a subscription. Paste the token in %s into Notion to confirm it.", path)
    return PlainTextResponse("Welcome.")
