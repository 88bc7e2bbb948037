"""Notion's webhooks: is it really Notion that calls, and which page does it mean?

https://developers.notion.com/reference/webhooks and .../webhooks-events-delivery
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from arcana_pipelines.errors import WrongUse
from arcana_pipelines.sources.notion.pages import canonical_id
from arcana_pipelines.sources.protocol import Announcement

SIGNATURE_HEADER = "X-Notion-Signature"


def is_signed(body: bytes, signature: str | None, token: SecretStr) -> bool:
    """True when `sha256=<hex>` is the HMAC of the raw body under the subscription's verification token."""
    expected = "sha256=" + hmac.new(token.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), (signature or "").encode())


def verification_token(payload: Mapping[str, Any]) -> SecretStr | None:
    """The token of the handshake that opens a subscription; None for anything else."""
    token = payload.get("verification_token")
    return SecretStr(token) if isinstance(token, str) and token and "type" not in payload else None


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
        raise WrongUse("The body is no JSON object.")
    return payload


def announcement(payload: Mapping[str, Any]) -> Announcement:
    """What an event announces. One about anything but a page or its comments names no page.

    Raises:
        WrongUse: it has no id, type or workspace.
    """
    event_id, kind, workspace = (payload.get(name) for name in ("id", "type", "workspace_id"))
    if not (isinstance(event_id, str) and isinstance(kind, str) and isinstance(workspace, str)):
        raise WrongUse("The event lacks its id, type or workspace_id.")
    return Announcement(event_id, kind, canonical_id(workspace), _page(payload), _moment(payload.get("timestamp")))


def _page(payload: Mapping[str, Any]) -> str | None:
    entity, data = _mapping(payload.get("entity")), _mapping(payload.get("data"))
    parent = _mapping(data.get("parent"))
    if entity.get("type") == "page":
        found = entity.get("id")
    elif isinstance(data.get("page_id"), str):
        found = data["page_id"]
    else:
        found = parent.get("id") if parent.get("type") == "page" and entity.get("type") != "database" else None
    return canonical_id(found) if isinstance(found, str) and found else None


def _moment(value: object) -> datetime | None:
    try:
        when = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        return None
    return when if when.tzinfo else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
