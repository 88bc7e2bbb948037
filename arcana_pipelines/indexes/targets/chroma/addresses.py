"""Addresses of Chroma servers: the last two parts of the path are the tenant and the database."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

# Those that a server has from the beginning (`chromadb.config`).
TENANT, DATABASE = "default_tenant", "default_database"


def with_database_of(address: str, workspace: str) -> str:
    """The address of a workspace's own database, where none is named."""
    base, *place = parts_of(address)
    return address if _names_database(address) else "/".join([base, place[0], f"arcana_{workspace}"])


def parts_of(address: str) -> tuple[str, str, str]:
    """The address of the server, the tenant and the database."""
    parts = urlsplit(address)
    path = _path(address)
    *before, tenant, database = path if _names_database(address) else [*path, TENANT, DATABASE]
    return urlunsplit(parts._replace(path="/".join(before))), tenant, database


def _names_database(address: str) -> bool:
    return len(_path(address)) > 1


def _path(address: str) -> list[str]:
    return [part for part in urlsplit(address).path.split("/") if part]
