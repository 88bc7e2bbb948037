"""Whose browser it is: a signed cookie that names a key and never holds it, and links that log in once.

What is signed here says which key, and until when. What the key may is looked up at each request, so that a session is
over with its key, and whether somebody has logged out with it. Forms carry a token that is bound to the session, before
the log-in, too.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from arcana_pipelines.settings import Settings

SESSION_SECONDS = 12 * 3600
LINK_SECONDS = 600
_LONGEST = 1000  # characters
_SIGNATURE = 32  # bytes
_OF_SESSION = b"arcana: a session of the page, 1\0"
_OF_FORM = b"arcana: a form of the page, 1\0"
_OF_LINK = b"arcana: a link that logs in, 1\0"


@dataclass(frozen=True, slots=True)
class Session:
    """What a cookie says.

    Attributes:
        key_id: whose session it is; None: nobody has logged in.
        nonce: random; what its forms are bound to.
        ends_at: seconds since 1970.
    """

    key_id: str | None
    nonce: str
    ends_at: int

    @property
    def hash(self) -> bytes:
        """By what the database knows that it was ended: nobody makes the session of it again."""
        return hashlib.sha256(self.nonce.encode()).digest()


class Sessions:
    """Makes and reads sessions, tokens of forms and links. Safe to share between threads."""

    def __init__(self, settings: Settings, now: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._now = now

    def new(self, key_id: str | None = None) -> Session:
        """A session that begins now. Who logs in gets another one than before, which nobody can have prepared."""
        return Session(key_id, secrets.token_urlsafe(24), int(self._now()) + SESSION_SECONDS)

    def write(self, session: Session) -> str:
        """The cookie of a session."""
        return self._signed(_OF_SESSION, [session.key_id, session.nonce, session.ends_at])

    def read(self, cookie: str) -> Session | None:
        """The session of a cookie; None where it is forged, over, or none."""
        held = self._read(_OF_SESSION, cookie)
        if held is None:
            return None
        key_id, nonce, ends_at = held
        return Session(key_id, nonce, ends_at) if ends_at > self._now() else None

    def form_token(self, session: Session) -> str:
        """What a form of this session carries."""
        return self._signature(_OF_FORM, session.nonce.encode()).hex()

    def is_of(self, session: Session, form_token: str) -> bool:
        """Whether a form is of this session."""
        return hmac.compare_digest(self.form_token(session).encode(), form_token.encode())

    def write_link(self, key_id: str) -> str:
        """What stands in a link that logs in with this key, for some minutes. Once: see `Gate.first_use`."""
        return self._signed(_OF_LINK, [key_id, int(self._now()) + LINK_SECONDS])

    def read_link(self, once: str) -> str | None:
        """The key of a link; None where it is forged, over, or none."""
        held = self._read(_OF_LINK, once)
        return held[0] if held is not None and held[1] > self._now() else None

    def _signed(self, purpose: bytes, held: list[str | int | None]) -> str:
        payload = json.dumps(held).encode()
        return base64.urlsafe_b64encode(self._signature(purpose, payload) + payload).rstrip(b"=").decode()

    def _read(self, purpose: bytes, written: str) -> list[Any] | None:
        if len(written) > _LONGEST:
            return None
        try:
            signed = base64.b64decode(written + "=" * (-len(written) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        signature, payload = signed[:_SIGNATURE], signed[_SIGNATURE:]
        if not hmac.compare_digest(signature, self._signature(purpose, payload)):
            return None
        held: list[Any] = json.loads(payload)
        return held

    def _signature(self, purpose: bytes, payload: bytes) -> bytes:
        key = self._settings.require("SECRET_KEY").get_secret_value().encode()
        return hmac.digest(key, purpose + payload, hashlib.sha256)
