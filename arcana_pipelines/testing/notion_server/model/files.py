"""Addresses of files kept by Notion: signed, different on every read, good for an hour."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from urllib.parse import quote

from arcana_pipelines.testing.notion_server.model.clock import expiry
from arcana_pipelines.testing.notion_server.model.objects import Json

LIFETIME_SECONDS = 3600
HOST = "https://prod-files-secure.s3.us-west-2.amazonaws.com"


class Signer:
    """Makes signed addresses; a counter sees to it that no two are the same."""

    def __init__(self) -> None:
        self._count = 0

    def url(self, key: str, now: datetime) -> str:
        """A fresh address of the file stored under `key`."""
        self._count += 1
        signature = hashlib.sha256(f"{key}:{self._count}".encode()).hexdigest()
        credential = f"ASIAZI2LB466{signature[:8].upper()}%2F{now:%Y%m%d}%2Fus-west-2%2Fs3%2Faws4_request"
        return (
            f"{HOST}/{quote(key)}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD"
            f"&X-Amz-Credential={credential}&X-Amz-Date={now:%Y%m%dT%H%M%SZ}&X-Amz-Expires={LIFETIME_SECONDS}"
            f"&X-Amz-Security-Token={signature[8:40]}&X-Amz-Signature={signature}"
            "&X-Amz-SignedHeaders=host&x-amz-checksum-mode=ENABLED&x-id=GetObject"
        )

    def file(self, key: str, now: datetime) -> Json:
        """The `file` object of the API."""
        return {"url": self.url(key, now), "expiry_time": expiry(now + timedelta(seconds=LIFETIME_SECONDS))}
