"""Where a list goes on: what the next request gives back, which only who has the secret can have made.

A cursor holds for one list alone: its signature is of that, too. So it cannot be turned to another workspace, index or
filter, and says nothing that its list has not shown.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping

from arcana_pipelines.errors import CursorRefused
from arcana_pipelines.settings import Settings

LONGEST = 16_000  # characters: four hundred levels of a tree
# Whoever goes on later begins anew: what was listed then has little to do with what is there.
VALID_SECONDS = 24 * 3600
_SIGNATURE = 16  # bytes
_FOR = b"arcana: a cursor of a list, 1\0"
_AGAIN = "Ask again without it, from the beginning."


class Cursors:
    """Makes cursors, and reads those that it has made. Safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def write(self, listed: Mapping[str, object], last: str) -> str:
        """The cursor for what comes after `last` in a list. `listed` is all that tells the list from others."""
        payload = json.dumps([int(time.time()), last]).encode()
        return base64.urlsafe_b64encode(self._signature(listed, payload) + payload).rstrip(b"=").decode()

    def read(self, listed: Mapping[str, object], cursor: str) -> str:
        """What came last before the cursor.

        Raises:
            CursorRefused: it is not one of this list, or is a day old.
        """
        try:
            signed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            signed = b""
        signature, payload = signed[:_SIGNATURE], signed[_SIGNATURE:]
        if not hmac.compare_digest(signature, self._signature(listed, payload)):
            raise CursorRefused(
                f"This is no cursor of this list: it holds for the same workspace, index and filters alone. {_AGAIN}"
            )
        made_at, last = json.loads(payload)
        if time.time() - made_at > VALID_SECONDS:
            raise CursorRefused(f"This cursor is more than a day old. {_AGAIN}")
        return str(last)

    def _signature(self, listed: Mapping[str, object], payload: bytes) -> bytes:
        key = self._settings.require("SECRET_KEY").get_secret_value().encode()
        of = json.dumps(listed, sort_keys=True, default=str).encode()
        return hmac.digest(key, _FOR + of + b"\0" + payload, hashlib.sha256)[:_SIGNATURE]
