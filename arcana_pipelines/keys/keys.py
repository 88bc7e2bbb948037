"""Keys: made, listed, rotated and revoked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from arcana_pipelines.audit.record import by_key, by_user, record
from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.keys.access import Allowance, Permission
from arcana_pipelines.keys.limits import settled, told
from arcana_pipelines.keys.spelling import hash_of, new_key

load_sql = statements_beside(__file__)

# How long a key that was rotated still opens what it did.
OVERLAP_DAYS = 7
# What the keys are called that are made for links of `arcana up`.
LINK_NAME = "the page's link of `arcana up`"

_GOOD = "SELECT count(*) FROM api_keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"

OPENS_NOTHING = (
    "This key opens nothing: the scope `notes` only adds private notes to what `search` and `read` open. Make one that "
    "has `search` or `read`, too."
)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was made. `key` is shown once, and stored nowhere. `note`: what it lacks to be of use."""

    key_id: str
    key: str
    expires_at: datetime | None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key as its row says.

    Attributes:
        key_id: the readable part of the key.
        company: whose it is, by name.
        name: what people call it.
        state: `good`, `revoked` or `expired`.
        scopes: what it may do, each with where, and what its searches are limited to:
            `search in handbook/default within {"kinds": ["page"]}`.
        rotated_from: the id of the key that it took the place of.
        last_used_at: to the minute.
        requests_per_minute: of its own; None: as many as any key.
        searches_per_month: None: any number.
    """

    key_id: str
    company: str
    name: str
    state: str
    scopes: list[str]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    rotated_from: str | None
    last_used_at: datetime | None
    requests_per_minute: int | None
    searches_per_month: int | None


# What these open lies within what a key's searches find: they have its filters, and none of their own.
_WITHIN_SEARCHES = ("notes", "review")


def create(
    connection: Connection,
    salt: str,
    company_id: UUID,
    permissions: Sequence[Permission],
    name: str,
    days: int | None = None,
    actor: str | None = None,
    allowance: Allowance = Allowance(),  # noqa: B008
) -> NewKey:
    """Make a key of a company with these permissions, which expires after so many days; None: never.

    `actor` makes it (see `audit.record`); None: the user of this process.

    Raises:
        WrongUse: a filter cannot be meant, or stands beside another scope than `search`, `notes` and `review`; or the
            name holds what is not seen.
    """
    _check(permissions)
    # What a search finds nothing beyond, it finds no notes beyond, and nobody reviews.
    permissions = [replace(each, filters=None) if each.scope in _WITHIN_SEARCHES else each for each in permissions]
    if not name.isprintable():
        raise WrongUse("A key's name holds characters that are not seen: leave them out.")
    key_id, key = new_key()
    limits = [
        None if each.filters is None else told(settled(connection, each.workspace_id, each.filters))
        for each in permissions
    ]
    with connection.transaction():
        expires_at = _insert(connection, company_id, key_id, hash_of(key, salt), name, days, None, actor, allowance)
        connection.cursor().executemany(
            "INSERT INTO api_key_permissions (key_id, company_id, scope, workspace_id, index_name, filters) "
            "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [
                [key_id, company_id, each.scope, each.workspace_id, each.index_name, limit and Jsonb(limit)]
                for each, limit in zip(permissions, limits, strict=True)
            ],
        )
        where = {each.workspace_id for each in permissions}
        record(
            connection, actor, "key.created", key_id, company_id=company_id,
            workspace_id=where.pop() if len(where) == 1 else None,
            details={
                "name": name, "expires_at": expires_at and expires_at.isoformat(), **asdict(allowance),
                "permissions": [
                    {"scope": each.scope, "workspace_id": each.workspace_id and str(each.workspace_id),
                     "index": each.index_name, "filters": limit}
                    for each, limit in zip(permissions, limits, strict=True)
                ],
            },
        )  # fmt: skip
    # Private notes are shown by what other scopes open.
    note = OPENS_NOTHING if {each.scope for each in permissions} == {"notes"} else None
    return NewKey(key_id, key, expires_at, note)


def rotate(
    connection: Connection, salt: str, key_id: str, overlap_days: int = OVERLAP_DAYS, actor: str | None = None
) -> NewKey:
    """Make a key that may do what another may, which ends after so many days; its own end, if it has one, stays.

    `actor` does it (see `audit.record`); None: the user of this process.

    Raises:
        WrongUse: there is no such key, it is over, or another took its place already.
    """
    new_id, key = new_key()
    with connection.transaction():
        old = connection.execute(
            "UPDATE api_keys SET expires_at = least(expires_at, now() + make_interval(days => %s)) "
            "WHERE key_id = %s AND revoked_at IS NULL AND coalesce(expires_at > now(), true) "
            "RETURNING company_id, name, requests_per_minute, searches_per_month, "
            "(SELECT o.expires_at FROM api_keys o WHERE o.key_id = api_keys.key_id)",
            [overlap_days, key_id],
        ).fetchone()
        if old is None:
            raise WrongUse(f"There is no key '{key_id}' that is still good. `arcana key list` shows the keys.")
        heir = query.scalar(
            connection,
            "SELECT key_id FROM api_keys WHERE rotated_from = %s AND revoked_at IS NULL "
            "AND coalesce(expires_at > now(), true) ORDER BY created_at DESC LIMIT 1",
            [key_id],
        )
        if heir is not None:
            # Its end is that of the overlap by now, which a second heir would inherit.
            raise WrongUse(f"The key '{key_id}' was rotated already: '{heir}' took its place. Rotate that one.")
        company_id, name, per_minute, per_month, ends = old
        allowance = Allowance(per_minute, per_month)
        expires_at = _insert(connection, company_id, new_id, hash_of(key, salt), name, None, key_id, actor, allowance)
        connection.execute(
            "INSERT INTO api_key_permissions (key_id, company_id, scope, workspace_id, index_name, filters) "
            "SELECT %s, company_id, scope, workspace_id, index_name, filters FROM api_key_permissions "
            "WHERE key_id = %s",
            [new_id, key_id],
        )
        if ends is not None:
            connection.execute("UPDATE api_keys SET expires_at = %s WHERE key_id = %s", [ends, new_id])
            expires_at = ends
        details = {"new_key": new_id, "overlap_days": overlap_days}
        record(connection, actor, "key.rotated", key_id, company_id=company_id, details=details)
    return NewKey(new_id, key, expires_at)


def revoke(connection: Connection, key_id: str, actor: str | None = None) -> None:
    """End a key, at once and for ever. May be repeated.

    `actor` does it (see `audit.record`); None: the user of this process.

    Raises:
        WrongUse: there is no such key.
    """
    with connection.transaction():
        ended = connection.execute(
            "UPDATE api_keys SET revoked_at = now() WHERE key_id = %s AND revoked_at IS NULL RETURNING company_id",
            [key_id],
        ).fetchone()
        if ended is not None:
            record(connection, actor, "key.revoked", key_id, company_id=ended[0])
        else:
            require_key(connection, key_id)


def end_link(connection: Connection, key_id: str) -> None:
    """End a key that was made for a link of `arcana up`, and which nobody has: with the session it opens nothing more.
    Any other key stays."""
    statement = "SELECT 1 FROM api_keys WHERE key_id = %s AND name = %s"
    if connection.execute(statement, [key_id, LINK_NAME]).fetchone() is not None:
        revoke(connection, key_id, by_key(key_id))


def require_key(connection: Connection, key_id: str) -> None:
    """Refuse an id that no key has or had.

    Raises:
        WrongUse: there is no such key.
    """
    if connection.execute("SELECT 1 FROM api_keys WHERE key_id = %s", [key_id]).fetchone() is None:
        raise WrongUse(f"There is no key '{key_id}'. `arcana key list` shows the keys.")


def list_all(connection: Connection) -> list[Key]:
    """All keys, those that were made last first."""
    return query.rows(connection, Key, load_sql("keys"))


def good(connection: Connection) -> int:
    """How many keys of the installation are neither revoked nor over."""
    return int(query.scalar(connection, _GOOD))


def _check(permissions: Sequence[Permission]) -> None:
    others = sorted({each.scope for each in permissions} - {"search", *_WITHIN_SEARCHES})
    if others and any(each.filters is not None for each in permissions):
        raise WrongUse(
            f"A key with a filter may search, and review what it finds, and nothing else: it cannot have the scope "
            f"'{others[0]}', which knows no filter. Make a second key for that."
        )
    searched = {each.where[1:] for each in permissions if each.scope == "search"}
    if any(each.scope == "review" and each.filters and each.where[1:] not in searched for each in permissions):
        raise WrongUse("A filter is of searches: a key that reviews within one has the scope 'search', too.")
    for each in permissions:
        if any(other.filters != each.filters for other in permissions if other.where == each.where):
            raise WrongUse("A key has one filter for an index, not two: put what both say into one.")


def _insert(
    connection: Connection, company_id: UUID, key_id: str, key_hash: bytes, name: str, days: int | None,
    rotated_from: str | None, actor: str | None, allowance: Allowance,
) -> datetime | None:  # fmt: skip
    parameters: dict[str, Any] = {
        "key_id": key_id, "company_id": company_id, "key_hash": key_hash, "name": name, "days": days,
        "created_by": actor or by_user(), "rotated_from": rotated_from, **asdict(allowance),
    }  # fmt: skip
    row = connection.execute(
        "INSERT INTO api_keys (key_id, company_id, key_hash, name, created_by, expires_at, rotated_from, "
        "requests_per_minute, searches_per_month) "
        "VALUES (%(key_id)s, %(company_id)s, %(key_hash)s, %(name)s, %(created_by)s, "
        "now() + make_interval(days => %(days)s::int), %(rotated_from)s, "
        "%(requests_per_minute)s, %(searches_per_month)s) RETURNING expires_at",
        parameters,
    ).fetchone()
    assert row is not None
    expires_at: datetime | None = row[0]
    return expires_at
