"""Workspaces with taxonomies."""

from __future__ import annotations

from uuid import UUID

import pytest

from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def workspace_id(acme: Harness) -> UUID:
    """Of the workspace `acme`."""
    with acme.database.connection() as connection:
        return workspaces.find(connection, "acme").workspace_id
