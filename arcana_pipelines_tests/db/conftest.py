"""Addresses of databases."""

from __future__ import annotations


def with_parameters(url: str, parameters: str) -> str:
    """The URL with more parameters, whether it has some (a folder of sockets) or none (a host)."""
    return f"{url}{'&' if '?' in url else '?'}{parameters}"
