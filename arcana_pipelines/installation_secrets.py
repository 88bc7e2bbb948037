"""The secrets that an installation makes for itself: what each is for, how one is made, and what is refused as one."""

from __future__ import annotations

import base64
import binascii
import re
import secrets

PURPOSES = {
    "SECRET_KEY": "signs cursors, cookies and links",
    "API_KEY_SALT": "keys the stored hashes of API keys",
    "ENCRYPTION_KEY": "encrypts the tokens of sources that are kept in the database",
    "JWT_SECRET": "signs short-lived tokens that are made from an API key",
}

_BYTES = 32
_SHORTEST = 32  # characters
# A random one of 32 hexadecimal digits has fewer once in 30 million times.
_FEWEST_DIFFERENT = 8
# Each is so long that chance does not write it into 43 characters.
_OF_EXAMPLES = re.compile(r"change|example|placeholder|replace|password|secret|your[-_ ]|insecure|default", re.I)


def make() -> str:
    """A new secret: 32 random bytes in hexadecimal digits, which need no quotes anywhere."""
    return secrets.token_hex(_BYTES)


def require_strong(secret: str) -> str:
    """The secret, if it is fit to sign with.

    Raises:
        ValueError: it is short, copied from an example, or holds other characters than printable ASCII ones.
    """
    if len(secret) < _SHORTEST:
        raise ValueError(f"must have {_SHORTEST} characters or more")
    if not all("!" <= character <= "~" for character in secret):
        raise ValueError("must hold letters, digits and signs of ASCII alone, no spaces and no line breaks")
    _require_random(secret, secret)
    return secret


def key_bytes(secret: str) -> bytes:
    """The 32 bytes of an encryption key, which is written as 64 hexadecimal digits or in Base64.

    Raises:
        ValueError: it is not 32 bytes, or they are not random.
    """
    try:
        key = bytes.fromhex(secret) if len(secret) == 2 * _BYTES else _from_base64(secret)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != _BYTES:
        raise ValueError(f"must be {_BYTES} bytes, as {2 * _BYTES} hexadecimal digits or in Base64")
    _require_random(secret, key)
    return key


def _require_random(written: str, secret: str | bytes) -> None:
    if _OF_EXAMPLES.search(written) or len(set(secret)) < _FEWEST_DIFFERENT:
        raise ValueError("must be random, not the value of an example")


def _from_base64(text: str) -> bytes:
    standard = text.replace("-", "+").replace("_", "/").rstrip("=")
    return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
