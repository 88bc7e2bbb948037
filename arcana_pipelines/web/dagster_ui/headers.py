"""Which headers go through, there and back. What does not stand here does not."""

from __future__ import annotations

from collections.abc import Iterable

Pairs = list[tuple[bytes, bytes]]

# Neither the cookie nor the key, nor who asks: Dagster's web server knows nobody.
_THERE = frozenset(
    (b"accept", b"accept-encoding", b"accept-language", b"content-type", b"if-modified-since", b"if-none-match",
     b"user-agent")
)  # fmt: skip
# No cookies, which would be ours; nothing that opens it to other origins; no address but those that were looked at.
_BACK = frozenset(
    (b"cache-control", b"content-disposition", b"content-encoding", b"content-length", b"content-security-policy",
     b"content-type", b"etag", b"feature-policy", b"last-modified", b"referrer-policy", b"vary")
)  # fmt: skip
# The browser asks each time whether it may, and whether it has changed; these have the hash of their content in their
# name, hold nothing of an installation, and are a hundred a page.
_ANEW, _FOR_A_DAY = b"private, no-cache", b"private, max-age=86400"
_HASHED = "/_next/static/"
# Beside Dagster's own policy: it runs in the origin of our page, so whatever it shows loads nothing from elsewhere and
# sends nothing there. Where Dagster's telemetry is on, its page has a program of dagster.io's, for instance.
_POLICY = (
    b"default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; object-src 'none'; base-uri 'none'; "
    b"form-action 'self'"
)


def there(headers: Iterable[tuple[bytes, bytes]]) -> Pairs:
    """Those of a request that Dagster gets."""
    return [(name, value) for name, value in headers if name in _THERE]


def back(headers: Iterable[tuple[bytes, bytes]], path: str, status: int) -> Pairs:
    """Those of an answer that whoever asked gets."""
    kept = [(name.lower(), value) for name, value in headers if name.lower() in _BACK]
    if all(name != b"cache-control" for name, _ in kept):
        kept.append((b"cache-control", _FOR_A_DAY if status == 200 and _HASHED in path else _ANEW))
    return [*kept, (b"content-security-policy", _POLICY), (b"x-robots-tag", b"noindex")]
