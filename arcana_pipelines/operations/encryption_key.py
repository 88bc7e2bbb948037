"""Another ENCRYPTION_KEY, and all tokens in the database encrypted anew with it.

At every moment each token can be decrypted with a key that is set: the new key and the one before it stand in the file
before the first token changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from arcana_pipelines.audit.record import record
from arcana_pipelines.configuration.env_file import locked, own_file, set_values, values_of
from arcana_pipelines.configuration.variables import source_of
from arcana_pipelines.credentials.cipher import Key, KeyRing
from arcana_pipelines.credentials.store import encrypt_anew, key_ids
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.environment import EnvFile
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.installation_secrets import key_bytes, make

PREVIOUS = "ENCRYPTION_KEY_PREVIOUS"


@dataclass(frozen=True, slots=True)
class Rotated:
    """What was done.

    Attributes:
        key_id: of the key that tokens are encrypted with now.
        encrypted_anew: how many tokens were not.
        path: the file that the new key stands in; None: the key is set elsewhere, and is no new one.
    """

    key_id: str
    encrypted_anew: int
    path: Path | None


def rotate(database: Database, files: Sequence[EnvFile]) -> Rotated:
    """Make a new key where ENCRYPTION_KEY stands in the installation's own file, and encrypt all tokens with it.

    Where the key is set elsewhere, the new one is set there first, with the old one as ENCRYPTION_KEY_PREVIOUS. May be
    repeated after an interruption.

    Args:
        files: those that this process has read.

    Raises:
        InvalidSetting: ENCRYPTION_KEY is not set, or a key that tokens are encrypted with.
        WrongUse: the key is set where this cannot change it, or was changed by another process.
        CredentialUnreadable: a token was altered.
    """
    keys = KeyRing.of(database.settings)
    path = own_file()
    (_, current), (before_is, before) = (source_of(name, files) for name in ("ENCRYPTION_KEY", PREVIOUS))
    if current != path:
        return _with_given(database, keys)
    if before_is != "default" and before != path:
        raise WrongUse(f"{PREVIOUS} is set elsewhere than in {path}, and would hide the one there: unset it.")
    with locked(path):
        written = values_of(path).get("ENCRYPTION_KEY")
        if (written or "").strip() != database.settings.require("ENCRYPTION_KEY").get_secret_value():
            raise WrongUse(f"ENCRYPTION_KEY in {path} was changed by another process. Run the command again.")
        with database.connection() as connection:
            # What an earlier one left undone: the key before the last would be lost below.
            encrypt_anew(connection, keys)
            new = make()
            set_values(path, {"ENCRYPTION_KEY": new, PREVIOUS: keys.current.secret.hex()})
            keys = KeyRing(Key(key_bytes(new)), previous=keys.current)
            return Rotated(keys.current.key_id, _encrypted_anew(connection, keys), path)


def _with_given(database: Database, keys: KeyRing) -> Rotated:
    with database.connection() as connection:
        if keys.previous is None and set(key_ids(connection)) <= {keys.current.key_id}:
            raise WrongUse(
                "ENCRYPTION_KEY does not stand in the installation's own .env, so it is not changed here. Set the new "
                "key where it stands, the old one as ENCRYPTION_KEY_PREVIOUS, and run this command again."
            )
        return Rotated(keys.current.key_id, _encrypted_anew(connection, keys), None)


def _encrypted_anew(connection: Connection, keys: KeyRing) -> int:
    with connection.transaction():
        number = encrypt_anew(connection, keys)
        details = {"before": keys.previous and keys.previous.key_id, "encrypted_anew": number}
        record(connection, None, "encryption_key.rotated", keys.current.key_id, details=details)
    return number
