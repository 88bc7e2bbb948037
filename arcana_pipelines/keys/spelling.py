"""How a key looks: `arc_`, its id, and 49 letters and digits, of which the last six say whether it was typed rightly.

Scanners for secrets find it by `PATTERN`. The id is no secret: it names the key in lists and logs.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from zlib import crc32

PATTERN = r"arc_[a-z2-7]{8}_[0-9A-Za-z]{49}"
# What the id begins with of somebody who logs in elsewhere. They have no key, and no list of them is kept.
OF_ISSUER = "oauth-"

_KEY = re.compile(PATTERN, re.ASCII)
_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET, _CHECK = 43, 6  # 62 ** 43 is more than 2 ** 256, 62 ** 6 more than 2 ** 32


def new_key() -> tuple[str, str]:
    """A key's id, and the key, which holds it."""
    key_id = "".join(secrets.choice(_ID_LETTERS) for _ in range(8))
    said = f"arc_{key_id}_" + "".join(secrets.choice(_LETTERS) for _ in range(_SECRET))
    return key_id, said + _check(said)


def id_of(key: str) -> str | None:
    """The id in a key; None where it is none, or was mistyped: nothing has to be asked for it then."""
    if not _KEY.fullmatch(key) or not hmac.compare_digest(_check(key[:-_CHECK]), key[-_CHECK:]):
        return None
    return key[4:12]


def hash_of(key: str, salt: str) -> bytes:
    """What is stored of a key, 32 bytes. Without the salt, which is not in the database, it says nothing.

    A key has 256 bits of its own, so that a slow hash, as for passwords, would add nothing.
    """
    # Not by `hmac.digest`, which lets other threads go on meanwhile: on a busy server it gets to its turn late.
    return hmac.new(salt.encode(), key.encode(), hashlib.sha256).digest()


def _check(said: str) -> str:
    rest, letters = crc32(said.encode()), []
    for _ in range(_CHECK):
        rest, letter = divmod(rest, len(_LETTERS))
        letters.append(_LETTERS[letter])
    return "".join(letters)
