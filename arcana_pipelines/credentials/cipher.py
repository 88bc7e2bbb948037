"""AES-256-GCM with a key that has a name: what is encrypted says with which, and for whom."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from arcana_pipelines.errors import InvalidSetting
from arcana_pipelines.installation_secrets import key_bytes
from arcana_pipelines.settings import Settings

_NONCE = 12  # bytes, random: that two of 2**32 under one key are the same has a chance of less than 2**-32
_TAG = 16


class Unreadable(Exception):
    """It cannot be decrypted: it was altered, or belongs to another workspace."""


@dataclass(frozen=True, repr=False)
class Key:
    """A key of 32 bytes. Its `key_id` tells nothing of it."""

    secret: bytes

    @cached_property
    def key_id(self) -> str:
        """64 bits of a SHA-256 of the key."""
        return hashlib.sha256(b"arcana encryption key\0" + self.secret).hexdigest()[:16]

    def encrypt(self, text: str, workspace_id: UUID) -> bytes:
        """The text, to be read with this key as that workspace's alone."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self.secret).encrypt(nonce, text.encode(), self._bound(workspace_id))

    def decrypt(self, sealed: bytes, workspace_id: UUID) -> str:
        """The text.

        Raises:
            Unreadable: it was altered, or encrypted for another workspace or with another key.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if len(sealed) < _NONCE + _TAG:
            raise Unreadable
        try:
            text = AESGCM(self.secret).decrypt(sealed[:_NONCE], sealed[_NONCE:], self._bound(workspace_id))
        except InvalidTag:
            raise Unreadable from None
        return text.decode()

    def _bound(self, workspace_id: UUID) -> bytes:
        return b"arcana source token\0" + self.key_id.encode() + workspace_id.bytes


@dataclass(frozen=True)
class KeyRing:
    """The key that encrypts, and the one before it, which still decrypts."""

    current: Key
    previous: Key | None = None

    @classmethod
    def of(cls, settings: Settings) -> KeyRing:
        """ENCRYPTION_KEY and ENCRYPTION_KEY_PREVIOUS.

        Raises:
            InvalidSetting: ENCRYPTION_KEY is not set.
        """
        current = Key(key_bytes(settings.require("ENCRYPTION_KEY").get_secret_value()))
        before = settings.encryption_key_previous
        return cls(current, Key(key_bytes(before.get_secret_value())) if before else None)

    def named(self, key_id: str) -> Key | None:
        """The key of this id, if it is one of the two."""
        return next((key for key in (self.current, self.previous) if key and key.key_id == key_id), None)

    def require(self, key_ids: list[str]) -> None:
        """Refuse to begin what needs other keys, too.

        Raises:
            InvalidSetting: a key is not one of the two.
        """
        for key_id in key_ids:
            if self.named(key_id) is None:
                raise InvalidSetting(
                    f"Tokens in the database are encrypted with the key {key_id}, and ENCRYPTION_KEY is "
                    f"{self.current.key_id}: set the older one as ENCRYPTION_KEY_PREVIOUS."
                )
