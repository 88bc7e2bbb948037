"""What a key may do, found by the key itself."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.keys.asked import AskedWorkspace, asked_workspace
from arcana_pipelines.keys.limits import limit_of
from arcana_pipelines.keys.spelling import hash_of, id_of
from arcana_pipelines.retrieval.filters import Filters, Limits

load_sql = statements_beside(__file__)

Scope = Literal["search", "read", "notes", "sync", "feedback", "review", "admin"]


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
    """How much a key may ask, or a company with all of its keys.

    Attributes:
        requests_per_minute: None: a key as many as any, a company any number.
        searches_per_month: None: any number.
    """

    requests_per_minute: int | None = None
    searches_per_month: int | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """A key that was found good, and what it may do. It holds nothing of the key itself but its id.

    Attributes:
        key_id: the readable part of the key; where people log in elsewhere, what stands for one of them.
        company_id: whose it is.
        permissions: what it may do.
        allowance: how much it may ask.
        is_handed_on: a token was shown in place of a key. It makes no further ones.
        asked: the workspace that was asked for with it, if the company has it.
        of_company: how much all keys of its company together may ask.
    """

    key_id: str
    company_id: UUID
    permissions: tuple[Permission, ...]
    allowance: Allowance = Allowance()
    is_handed_on: bool = False
    asked: AskedWorkspace | None = None
    of_company: Allowance = Allowance()

    @property
    def is_counted(self) -> bool:
        """Whether its searches of a month are."""
        return (self.allowance.searches_per_month or self.of_company.searches_per_month) is not None

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

    def workspaces(self, scope: Scope) -> frozenset[UUID] | None:
        """Those in which it has the scope; None: all of its company's, and what is in none of them."""
        where = [each.workspace_id for each in self.permissions if each.scope == scope]
        return None if None in where else frozenset(each for each in where if each is not None)

    def may_in(self, scope: Scope, workspace_id: UUID, index: str) -> bool:
        """Whether it has the scope there in this index."""
        return any(each.applies(scope, workspace_id, index) for each in self.permissions)

    def sees_internal(self, workspace_id: UUID, index: str | None = None) -> bool:
        """Whether private notes, and whatever else is internal, are its business there: in this index, or in one at
        least."""
        return self.may("notes", workspace_id) if index is None else self.may_in("notes", workspace_id, index)

    def narrowed(self, workspace_id: UUID | None, index: str | None, scopes: Collection[str]) -> Access:
        """What of it is for these scopes, in this workspace and index alone; None: in all that it opens.

        Each permission stays with its filters or goes: nothing is added to what the key may.
        """
        return replace(
            self,
            permissions=tuple(
                replace(
                    each,
                    workspace_id=each.workspace_id if workspace_id is None else workspace_id,
                    index_name=each.index_name if index is None else index,
                )
                for each in self.permissions
                if each.scope in scopes
                and (workspace_id is None or each.workspace_id in (None, workspace_id))
                and (index is None or each.index_name in (None, index))
            ),
        )

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
    company_requests: int | None
    company_searches: int | None
    asked_id: UUID | None
    asked_platform: str | None
    asked_places: int | None
    asked_indexes: list[str] | None
    asked_builds: list[int | None] | None
    asked_publish_seqs: list[int] | None


def access_of(connection: Connection, key: str, salt: str, slug: str | None = None) -> Access | None:
    """What a key may do; None where it is unknown, mistyped, revoked or expired: which of these is nobody's business.

    Asked for each request, so that a key is over with its revocation. Notes that it was used, once a minute at most.
    The workspace with this slug comes with it.
    """
    key_id, key_hash = id_of(key), hash_of(key, salt)
    row = _found(connection, key_id, key_hash, slug) if key_id is not None else None
    # Compared where there is none, too: both take as long.
    is_same = hmac.compare_digest(key_hash, bytes(row.key_hash) if row else bytes(32))
    return _noted(connection, row, slug) if row is not None and is_same else None


def access_by_id(
    connection: Connection, key_id: str, slug: str | None = None, session_hash: bytes | None = None
) -> Access | None:
    """The same for a token that this server made of the key with this id, or for a session of the page."""
    row = _found(connection, key_id, None, slug, session_hash)
    return _noted(connection, row, slug) if row is not None else None


def begin_use(connection: Connection, key_id: str) -> bool:
    """Note that a key is used for the first time; False where somebody has used it before."""
    statement = "UPDATE api_keys SET last_used_at = now() WHERE key_id = %s AND last_used_at IS NULL RETURNING true"
    with connection.transaction():
        return connection.execute(statement, [key_id]).fetchone() is not None


def end_session(connection: Connection, session_hash: bytes, ends_at: datetime) -> None:
    """End a session of the page, which would end by itself at a time, for every server. May be repeated."""
    connection.execute(load_sql("end_session"), {"session_hash": session_hash, "ends_at": ends_at})


def _found(
    connection: Connection, key_id: str, key_hash: bytes | None, slug: str | None, session_hash: bytes | None = None
) -> _Row | None:
    asked = {"key_id": key_id, "key_hash": key_hash, "slug": slug, "session_hash": session_hash}
    return query.find(connection, _Row, load_sql("access"), asked)


def _noted(connection: Connection, row: _Row, slug: str | None) -> Access | None:
    if not row.is_good:
        return None
    if not row.was_used:
        with connection.transaction():
            connection.execute("UPDATE api_keys SET last_used_at = now() WHERE key_id = %s", [row.key_id])
    permissions = map(Permission, row.scopes, row.workspaces, row.indexes, map(limit_of, row.filters))
    allowance = Allowance(row.requests_per_minute, row.searches_per_month)
    of_company = Allowance(row.company_requests, row.company_searches)
    asked = slug and asked_workspace(
        slug,
        row.asked_id,
        row.asked_platform,
        row.asked_places,
        row.asked_indexes,
        row.asked_builds,
        row.asked_publish_seqs,
    )
    return Access(row.key_id, row.company_id, tuple(permissions), allowance, asked=asked or None, of_company=of_company)
