"""Files kept by Notion: their bytes, and addresses that are signed, different on every read, and good for an hour."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import quote

from arcana_pipelines.testing.notion_server.model.clock import expiry
from arcana_pipelines.testing.notion_server.model.objects import Json

LIFETIME_SECONDS = 3600
HOST = "https://prod-files-secure.s3.us-west-2.amazonaws.com"
_SECRET = b"the stand-in's own"
_SIGNED = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-Security-Token")
_DATE = "%Y%m%dT%H%M%SZ"


class Signer:
    """Makes signed addresses; a counter sees to it that no two are the same.

    Attributes:
        host: where the files are served, as an address without a path.
    """

    def __init__(self) -> None:
        self.host = HOST
        self._count = 0

    def url(self, key: str, now: datetime) -> str:
        """A fresh address of the file stored under `key`."""
        self._count += 1
        noise = hashlib.sha256(f"{key}:{self._count}".encode()).hexdigest()
        credential = f"ASIAZI2LB466{noise[:8].upper()}/{now:%Y%m%d}/us-west-2/s3/aws4_request"
        date = now.strftime(_DATE)
        signed = dict(
            zip(_SIGNED, ("AWS4-HMAC-SHA256", credential, date, str(LIFETIME_SECONDS), noise[8:40]), strict=True)
        )
        return (
            f"{self.host}/{quote(key)}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD"
            f"&X-Amz-Credential={quote(credential, safe='')}&X-Amz-Date={date}&X-Amz-Expires={LIFETIME_SECONDS}"
            f"&X-Amz-Security-Token={noise[8:40]}&X-Amz-Signature={_signature(key, signed)}"
            "&X-Amz-SignedHeaders=host&x-amz-checksum-mode=ENABLED&x-id=GetObject"
        )

    def file(self, key: str, now: datetime) -> Json:
        """The `file` object of the API."""
        return {"url": self.url(key, now), "expiry_time": expiry(now + timedelta(seconds=LIFETIME_SECONDS))}

    def judge(self, key: str, query: Mapping[str, str], now: datetime) -> Literal["good", "expired", "changed"]:
        """What an address is worth at this moment."""
        if not hmac.compare_digest(_signature(key, query), query.get("X-Amz-Signature", "")):
            return "changed"
        made = datetime.strptime(query["X-Amz-Date"], _DATE).replace(tzinfo=UTC)
        return "good" if now <= made + timedelta(seconds=int(query["X-Amz-Expires"])) else "expired"


def made_up(name: str) -> bytes:
    """The bytes of a file of which only the name was given."""
    return f"The file {name}.\n".encode()


def etag(data: bytes) -> str:
    """As the store of the files tags an object that was uploaded in one piece."""
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def _signature(key: str, query: Mapping[str, str]) -> str:
    said = "\n".join([key, *(query.get(name, "") for name in _SIGNED)])
    return hmac.new(_SECRET, said.encode(), hashlib.sha256).hexdigest()
