"""Notion's webhooks: is it really Notion that calls, and which page does it mean?

https://developers.notion.com/reference/webhooks and .../webhooks-events-delivery
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from arcana_pipelines.errors import WrongUse
from arcana_pipelines.sources.notion.pages import notion_id
from arcana_pipelines.sources.protocol import Announcement

SIGNATURE_HEADER = "X-Notion-Signature"
# Characters of an event's id and type.
MOST_ID = 200
MOST_TYPE = 100
# Notion repeats an event for a day (8 attempts); what was recorded and is sent again later is refused. Clocks differ.
OLDEST = timedelta(days=2)
NEWEST = timedelta(hours=1)


def is_signed(body: bytes, signature: str | None, token: SecretStr) -> bool:
    """True when `sha256=<hex>` is the HMAC of the raw body under the subscription's verification token."""
    expected = "sha256=" + hmac.new(token.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), (signature or "").encode())


def read_payload(body: bytes) -> dict[str, Any]:
    """The JSON object that was posted.

    Raises:
        WrongUse: it is none.
    """
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WrongUse("The body is not JSON.") from error
    if not isinstance(payload, dict):
        raise WrongUse("The body of the webhook is not a JSON object.")
    return payload


def announcement(payload: Mapping[str, Any]) -> Announcement:
    """What an event announces. One about anything but a page or its comments names no page.

    Raises:
        WrongUse: it lacks its id, type or workspace, something in it is not an id, or it is too old or of the future.
    """
    event_id, kind = _name(payload.get("id"), MOST_ID), _name(payload.get("type"), MOST_TYPE)
    workspace = notion_id(payload.get("workspace_id"))
    if event_id is None or kind is None or workspace is None:
        raise WrongUse("The event lacks its id, type or workspace_id, or one of them is malformed.")
    occurred_at = _moment(payload.get("timestamp"))
    if occurred_at is not None and not -OLDEST <= occurred_at - datetime.now(UTC) <= NEWEST:
        raise WrongUse("The event's timestamp is too old, or in the future.")
    return Announcement(event_id, kind, workspace, _page(payload), occurred_at)


def _name(value: object, longest: int) -> str | None:
    """A short text that can be stored and printed; no NUL, no halves of surrogate pairs."""
    return value if isinstance(value, str) and 0 < len(value) <= longest and value.isprintable() else None


def _page(payload: Mapping[str, Any]) -> str | None:
    entity, data = _mapping(payload.get("entity")), _mapping(payload.get("data"))
    parent = _mapping(data.get("parent"))
    if entity.get("type") == "page":
        raw_id = entity.get("id")
    elif data.get("page_id") is not None:
        raw_id = data["page_id"]
    elif parent.get("type") == "page" and entity.get("type") != "database":
        raw_id = parent.get("id")
    else:
        return None
    page = notion_id(raw_id)
    if page is None:
        raise WrongUse("The event names a page by something that is not an id.")
    return page


def _moment(value: object) -> datetime | None:
    try:
        when = datetime.fromisoformat(value) if isinstance(value, str) else None
        return when.astimezone(UTC) if when is not None and when.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
