"""Links to files that expire: what a browser is told of a file, and addresses at a host that serves copies.

A link is `{FILE_CDN_BASE_URL}/{key}?expires=…&name=…&signature=…`. Whoever has it may read that one file until
`expires` (seconds since 1970). The host answers it, from the bucket or from what it keeps, when

- `signature` is HMAC-SHA256 (hex, lower case) of `{key}`, `{expires}` and `{name}` with line feeds between them, the
  key as it stands in the path and the name as UTF-8 after percent-decoding, compared in constant time;
- `expires` lies in the future. Copies may be kept for as long as one likes: the bytes under a key never change.

It answers with `Content-Disposition: attachment; filename*=UTF-8''{name, percent-encoded}`,
`X-Content-Type-Options: nosniff` and `Content-Security-Policy: sandbox`. The key of the HMAC is made of SECRET_KEY and
opens nothing else, so the host need not know SECRET_KEY (the 32 bytes in hex):

    printf %s 'arcana: a link to a file, 1' | openssl dgst -sha256 -hmac "$SECRET_KEY"
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from urllib.parse import quote, urlencode

from arcana_pipelines.files.stores.keys import is_key

_FOR = b"arcana: a link to a file, 1"
_LONGEST_NAME = 150  # characters; as UTF-8 and percent-encoded nine times as many bytes
_MIME_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,95}")
# What a browser would do something with but save it.
_ACTIVE = re.compile(r"html|[/+]xml|javascript|ecmascript|svg|multipart/")
_RAW = "application/octet-stream"


def link_key(secret_key: str) -> bytes:
    """What links are signed with, made of SECRET_KEY for nothing else."""
    return hmac.digest(secret_key.encode(), _FOR, hashlib.sha256)


def make_link(base_url: str, link_key: bytes, key: str, name: str, expires: int) -> str:
    """An address that gives a file's bytes to whoever has it; `expires` in seconds since 1970."""
    name = file_name(name)
    asked = {"expires": expires, "name": name, "signature": _signature(link_key, key, expires, name)}
    return f"{base_url.rstrip('/')}/{key}?{urlencode(asked, quote_via=quote)}"


def is_link(link_key: bytes, key: str, expires: str, name: str, signature: str, now: float) -> bool:
    """Whether a link is one of ours and holds still. The four texts come from anybody; `now` in seconds since 1970."""
    if not is_key(key) or not re.fullmatch(r"[0-9]{1,12}", expires, re.ASCII):
        return False
    expected = _signature(link_key, key, int(expires), name)
    is_ours = hmac.compare_digest(expected.encode(), signature.encode(errors="surrogatepass"))
    return is_ours and now < int(expires)


def disposition(name: str) -> str:
    """The header `Content-Disposition` that has a browser save a file under its name (RFC 6266, RFC 8187)."""
    name = file_name(name)
    plain = "".join(each if each.isalnum() or each in " ._-()" else "_" for each in _ascii(name)).strip(" ")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def file_name(name: str) -> str:
    """A name that is no path, is one line, and shows what it is: at most 150 characters, its ending kept."""
    shown = "".join("_" if each in '/\\:*?"<>|' else each for each in unicodedata.normalize("NFC", name))
    # Control characters, directions, invisible ones, halves of pairs, line ends.
    shown = "".join(
        each for each in shown if unicodedata.category(each) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    )
    shown = " ".join(shown.split()).strip(". ")
    if len(shown) > _LONGEST_NAME:
        stem, dot, ending = shown.rpartition(".")
        end = f"{dot}{ending}" if stem and len(ending) <= 10 else ""
        shown = shown[: _LONGEST_NAME - len(end)].rstrip(". ") + end
    return shown or "file"


def mime_type_of(mime_type: str) -> str:
    """The type to send a file with: its own, unless it is none or one that a browser would run."""
    mime_type = mime_type.partition(";")[0].strip().lower()
    return mime_type if _MIME_TYPE.fullmatch(mime_type) and not _ACTIVE.search(mime_type) else _RAW


def _ascii(name: str) -> str:
    return "".join(each if each.isascii() else "_" for each in unicodedata.normalize("NFC", name))


def _signature(link_key: bytes, key: str, expires: int, name: str) -> str:
    signed = f"{key}\n{expires}\n{name}".encode(errors="surrogatepass")
    return hmac.digest(link_key, signed, hashlib.sha256).hex()
