"""What an installation has beside its database and its files: settings, which are kept without any secret, and what the
operator has made of `dagster.yaml`.
"""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from arcana_pipelines.backup import dagster_file
from arcana_pipelines.backup.vault import Part, PartWriter, Vault
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import scalars
from arcana_pipelines.settings import Settings, giver, is_secret

PART = "settings"
# Where things are on the machine that was backed up: another one has its own.
_OF_THE_MACHINE = ("arcana_home",)
_TOKENS = "SELECT DISTINCT credential_ref FROM workspace WHERE credential_ref IS NOT NULL ORDER BY 1"


def write(vault: Vault, folder: str, settings: Settings, connection: Connection) -> Part:
    """Keep what is set: values of settings, and the names alone of secrets; and a `dagster.yaml` that was changed."""
    with PartWriter(vault, folder, PART) as writer:
        said = described(settings, scalars(connection, _TOKENS))
        file = dagster_file.changed(settings, vault.is_encrypted)
        writer.write(json.dumps({**said, "dagster_yaml": file}).encode())
    return writer.part


def described(settings: Settings, tokens: list[str]) -> dict[str, Any]:
    """Settings that have another value than their default, and which secrets are set. No secret is part of it."""
    values: dict[str, str] = {}
    secrets = {name for name in tokens if giver(name)}
    for name in sorted(settings.model_fields_set):
        value = getattr(settings, name)
        if isinstance(value, SecretStr) or is_secret(name.upper()):
            secrets.add(name.upper())
        elif value is not None and name not in _OF_THE_MACHINE and not _has_password(str(value)):
            values[name.upper()] = str(value)
    return {"values": values, "secrets": sorted(secrets)}


def missing_secrets(said: dict[str, Any]) -> list[str]:
    """Which of the secrets that were set there are not set here."""
    return [str(name) for name in said["secrets"] if giver(name) is None and not os.environ.get(name)]


def as_env_file(said: dict[str, Any]) -> str:
    """The settings as lines of a file `.env`, for people to take from it what they want."""
    lines = ["# Settings of the installation that was backed up. Take what fits this machine into .env.", ""]
    lines += [f"# {name}=    (a secret: it is not in the backup)" for name in said["secrets"]]
    lines += [f"{name}={value}" for name, value in said["values"].items()]
    return "\n".join(lines) + "\n"


def _has_password(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.username or parts.password))
