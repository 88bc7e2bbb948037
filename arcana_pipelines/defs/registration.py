"""Registering a workspace together with its partition, and removing both."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from arcana_pipelines.db.engine import Database
from arcana_pipelines.defs import partitions
from arcana_pipelines.defs.instance import open_instance
from arcana_pipelines.embedding.registry import model_of
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.indexes.targets.targets import POSTGRESQL
from arcana_pipelines.pipeline import registration
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.companies import DEFAULT


def register(
    database: Database,
    slug: str,
    platform: str,
    config: dict[str, Any],
    credential: str | None = None,
    name: str | None = None,
    company: str = DEFAULT,
    token: SecretStr | None = None,
    actor: str | None = None,
    index_type: str = POSTGRESQL,
    index_location: str | None = None,
) -> workspaces.Workspace:
    """Register a workspace with an index of the model that the settings name (see `pipeline.registration`)."""
    with open_instance(database) as instance:
        return registration.register(
            database,
            slug,
            platform,
            IndexSettings.of_model(*model_of(database.settings)),
            lambda key: partitions.add(instance, key),
            lambda key: partitions.remove(instance, key),
            name=name,
            source_config=config,
            credential_ref=credential,
            company=company,
            token=token,
            actor=actor,
            index_type=index_type,
            index_location=index_location,
        )


def remove(database: Database, slug: str, actor: str | None = None) -> None:
    """Remove a workspace with its partition."""
    with open_instance(database) as instance:
        registration.remove(database, slug, lambda key: partitions.remove(instance, key), actor)
