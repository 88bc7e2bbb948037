"""The tokens in the table `source_credential`: kept, read, forgotten, and encrypted anew with another key."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pydantic import SecretStr

from arcana_pipelines.audit.record import record
from arcana_pipelines.credentials.cipher import KeyRing, Unreadable
from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.errors import CredentialUnreadable
from arcana_pipelines.settings import Settings

# What stands in `workspace.credential_ref` in the place of a variable's name, and is the name of none.
STORED = "=database"


@dataclass(frozen=True, slots=True)
class _Sealed:
    workspace_id: UUID
    slug: str
    key_id: str
    sealed: bytes


def keep(
    connection: Connection, settings: Settings, workspace_id: UUID, token: SecretStr, actor: str | None = None
) -> None:
    """Keep a workspace's token, encrypted, in the place of the one before it.

    `actor` does it (see `audit.record`); None: the user of this process.

    Raises:
        InvalidSetting: ENCRYPTION_KEY is not set.
    """
    key = KeyRing.of(settings).current
    with connection.transaction():
        connection.execute(
            "INSERT INTO source_credential (workspace_id, key_id, sealed) VALUES (%s, %s, %s) "
            "ON CONFLICT (workspace_id) "
            "DO UPDATE SET key_id = excluded.key_id, sealed = excluded.sealed, updated_at = now()",
            [workspace_id, key.key_id, key.encrypt(token.get_secret_value(), workspace_id)],
        )
        details = {"encryption_key": key.key_id}
        record(connection, actor, "token.stored", "source token", workspace_id=workspace_id, details=details)


def forget(connection: Connection, workspace_id: UUID) -> None:
    """Delete a workspace's token, if one is kept."""
    connection.execute("DELETE FROM source_credential WHERE workspace_id = %s", [workspace_id])


def stored_token(connection: Connection, settings: Settings, slug: str) -> SecretStr:
    """The token of the workspace with this slug.

    Raises:
        InvalidSetting: ENCRYPTION_KEY is not set.
        CredentialUnreadable: none is kept, it was encrypted with a key that is not set, or it was altered.
    """
    sealed = query.find(
        connection,
        _Sealed,
        "SELECT workspace_id, slug, key_id, sealed FROM source_credential JOIN workspace USING (workspace_id) "
        "WHERE slug = %s",
        [slug],
    )
    if sealed is None:
        raise CredentialUnreadable(f"Workspace '{slug}' has no token in the database. {_anew(slug)}")
    return _opened(sealed, KeyRing.of(settings))


def key_ids(connection: Connection) -> dict[str, int]:
    """The ids of the keys that tokens are encrypted with, each with how many those are."""
    return dict(connection.execute("SELECT key_id, count(*) FROM source_credential GROUP BY key_id").fetchall())


def encrypt_anew(connection: Connection, keys: KeyRing) -> int:
    """Encrypt what is not encrypted with the current key with it, all or nothing; returns how many those were.

    Raises:
        InvalidSetting: a key that is needed is not set.
        CredentialUnreadable: one was altered.
    """
    with connection.transaction():
        of_others = query.rows(
            connection,
            _Sealed,
            "SELECT workspace_id, slug, key_id, sealed FROM source_credential JOIN workspace USING (workspace_id) "
            "WHERE key_id <> %s ORDER BY workspace_id FOR UPDATE OF source_credential",
            [keys.current.key_id],
        )
        keys.require([row.key_id for row in of_others])
        for row in of_others:
            token = _opened(row, keys).get_secret_value()
            connection.execute(
                "UPDATE source_credential SET key_id = %s, sealed = %s, updated_at = now() WHERE workspace_id = %s",
                [keys.current.key_id, keys.current.encrypt(token, row.workspace_id), row.workspace_id],
            )
    return len(of_others)


def _opened(row: _Sealed, keys: KeyRing) -> SecretStr:
    key = keys.named(row.key_id)
    if key is None:
        raise CredentialUnreadable(
            f"The token of workspace '{row.slug}' is encrypted with the key {row.key_id}, and ENCRYPTION_KEY is "
            f"{keys.current.key_id}. Set the other one as ENCRYPTION_KEY or ENCRYPTION_KEY_PREVIOUS and start what "
            f"runs again, or store the token anew. {_anew(row.slug)}"
        )
    try:
        return SecretStr(key.decrypt(row.sealed, row.workspace_id))
    except Unreadable:
        raise CredentialUnreadable(
            f"The token of workspace '{row.slug}' in the database was altered and cannot be decrypted. "
            f"{_anew(row.slug)}"
        ) from None


def _anew(slug: str) -> str:
    return f"`arcana workspace set {slug} --token-stdin` stores one."
