"""How a piece of a backup is written: packed, and encrypted or with a sum, and bound to its own name.

A piece has at most 16 MiB. With a key it is encrypted with AES-256-GCM; its name is authenticated with it, so no piece
can stand in the place of another. Without one a SHA-256 of name and content goes with it, which chance does not pass.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import zlib
from dataclasses import dataclass

PIECE_BYTES = 16 * 1024 * 1024

_MAGIC = b"ARCB\x01"
_PLAIN, _SEALED = b"\x00", b"\x01"
_RAW, _PACKED = b"\x00", b"\x01"
_NONCE = 12  # bytes, random: that two of 2**32 under one key are the same has a chance of less than 2**-32
_TAG = 16
# What shrinks less is kept as it is: it was packed before, as images and documents are.
_WORTH = 0.95
_TRIED_BYTES = 64 * 1024


class Broken(Exception):
    """A piece has other bytes than were written, or was written under another name or key."""


@dataclass(frozen=True, repr=False)
class Sealer:
    """Writes and reads pieces with the key of a place; None: they are not encrypted."""

    key: bytes | None

    def seal(self, name: str, content: bytes) -> bytes:
        """The bytes to be kept under a name; at most `PIECE_BYTES` of content."""
        packed = _pack(content)
        if self.key is None:
            return _MAGIC + _PLAIN + _sum(name, packed) + packed
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE)
        return _MAGIC + _SEALED + nonce + AESGCM(self.key).encrypt(nonce, packed, name.encode())

    def open(self, name: str, kept: bytes) -> bytes:
        """The content of what was kept under a name.

        Raises:
            Broken: it is not what was written there.
        """
        head, kept = kept[: len(_MAGIC) + 1], kept[len(_MAGIC) + 1 :]
        if head != _MAGIC + (_PLAIN if self.key is None else _SEALED):
            raise Broken
        if self.key is None:
            packed = kept[32:]
            if not hmac.compare_digest(kept[:32], _sum(name, packed)):
                raise Broken
            return _unpack(packed)
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if len(kept) < _NONCE + _TAG:
            raise Broken
        try:
            return _unpack(AESGCM(self.key).decrypt(kept[:_NONCE], kept[_NONCE:], name.encode()))
        except InvalidTag:
            raise Broken from None

    def name_of(self, sha256: str) -> str:
        """The name of content with this hash (hex), which tells nothing of it to who has not the key."""
        if self.key is None:
            return sha256
        names = hmac.digest(self.key, b"arcana: names of objects", hashlib.sha256)
        return hmac.digest(names, bytes.fromhex(sha256), hashlib.sha256).hex()


def _sum(name: str, packed: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + packed).digest()


def _pack(content: bytes) -> bytes:
    tried = content[:_TRIED_BYTES]
    if len(zlib.compress(tried, 1)) < _WORTH * len(tried):
        return _PACKED + zlib.compress(content, 1)
    return _RAW + content


def _unpack(packed: bytes) -> bytes:
    if packed[:1] == _RAW:
        return packed[1:]
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(packed[1:], PIECE_BYTES)
    except zlib.error:
        raise Broken from None
    if not unpacking.eof and unpacking.unconsumed_tail:
        raise Broken  # no piece of ours is so long
    return content
