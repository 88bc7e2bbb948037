"""What a key may do, found by the key itself."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.keys.limits import limit_of
from arcana_pipelines.keys.spelling import hash_of, id_of
from arcana_pipelines.retrieval.filters import Filters, Limits

load_sql = statements_beside(__file__)

Scope = Literal["search", "read", "sync", "feedback", "admin"]


@dataclass(frozen=True, slots=True)
class Permission:
    """One thing that a key may do.

    Attributes:
        scope: what.
        workspace_id: in which workspace; None: in all of the company's.
        index_name: in which of its indexes; None: in all.
        filters: what a search there finds nothing beyond; of the scope `search` alone.
    """

    scope: Scope
    workspace_id: UUID | None
    index_name: str | None
    filters: Filters | None = None

    @property
    def where(self) -> tuple[Scope, UUID | None, str | None]:
        """What a key has one permission for."""
        return self.scope, self.workspace_id, self.index_name

    def applies(self, scope: Scope, workspace_id: UUID, index: str) -> bool:
        """Whether it allows the scope in this index."""
        return self.scope == scope and self.workspace_id in (None, workspace_id) and self.index_name in (None, index)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much a key may ask.

    Attributes:
        requests_per_minute: None: as many as any key.
        searches_per_month: None: any number.
    """

    requests_per_minute: int | None = None
    searches_per_month: int | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """A key that was found good, and what it may do. It holds nothing of the key itself but its id."""

    key_id: str
    company_id: UUID
    permissions: tuple[Permission, ...]
    allowance: Allowance = Allowance()

    @property
    def administers(self) -> bool:
        """Whether it has the scope `admin` in all workspaces of its company, those to come too."""
        return any(each.scope == "admin" and each.workspace_id is None for each in self.permissions)

    def sees(self, workspace_id: UUID) -> bool:
        """Whether it may do anything there."""
        return any(each.workspace_id in (None, workspace_id) for each in self.permissions)

    def may(self, scope: Scope, workspace_id: UUID) -> bool:
        """Whether it has the scope there, in one index at least."""
        return any(each.scope == scope and each.workspace_id in (None, workspace_id) for each in self.permissions)

    def may_in(self, scope: Scope, workspace_id: UUID, index: str) -> bool:
        """Whether it has the scope there in this index."""
        return any(each.applies(scope, workspace_id, index) for each in self.permissions)

    def limits(self, workspace_id: UUID, index: str) -> Limits:
        """What its searches in this index find nothing beyond. A filter holds wherever its permission does: another
        permission takes nothing from it."""
        return tuple(
            each.filters
            for each in self.permissions
            if each.filters is not None and each.applies("search", workspace_id, index)
        )


@dataclass(frozen=True, slots=True)
class _Row:
    key_id: str
    company_id: UUID
    key_hash: bytes
    is_good: bool
    scopes: list[Scope]
    workspaces: list[UUID | None]
    indexes: list[str | None]
    filters: list[dict[str, Any] | None]
    was_used: bool
    requests_per_minute: int | None
    searches_per_month: int | None


def access_of(connection: Connection, key: str, salt: str) -> Access | None:
    """What a key may do; None where it is unknown, mistyped, revoked or expired: which of these is nobody's business.

    Asked for each request, so that a key is over with its revocation. Notes that it was used, once a minute at most.
    """
    key_id = id_of(key)
    row = query.find(connection, _Row, load_sql("access"), {"key_id": key_id}) if key_id is not None else None
    # Compared where there is none, too: both take as long.
    is_same = hmac.compare_digest(hash_of(key, salt), bytes(row.key_hash) if row else bytes(32))
    if row is None or not is_same or not row.is_good:
        return None
    if not row.was_used:
        with connection.transaction():
            connection.execute("UPDATE api_keys SET last_used_at = now() WHERE key_id = %s", [key_id])
    permissions = map(Permission, row.scopes, row.workspaces, row.indexes, map(limit_of, row.filters))
    allowance = Allowance(row.requests_per_minute, row.searches_per_month)
    return Access(row.key_id, row.company_id, tuple(permissions), allowance)
