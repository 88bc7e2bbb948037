"""Names of hosts."""

from __future__ import annotations

import ipaddress
import re

_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")


def plain_host(host: str) -> str:
    """A name or address of a host as it is compared and asked for; empty for what is none. `*.` may stand before it."""
    star, host = ("*.", host[2:]) if host.startswith("*.") else ("", host)
    host = host.strip().strip("[]").rstrip(".").lower()
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        return ""
    return star + host if _NAME.fullmatch(host) and len(host) <= 253 else ""
