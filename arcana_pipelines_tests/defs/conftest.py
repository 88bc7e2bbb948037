"""An installation that Dagster's definitions find through the environment, and an instance of Dagster's own."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from arcana_pipelines.defs.runs import AT_WORK_TAG, at_work
from arcana_pipelines.testing.notion_server import NotionWorld
from arcana_pipelines.workspaces.workspaces import Workspace
from arcana_pipelines_tests.dagster_sessions import keep_sessions
from arcana_pipelines_tests.harness import Harness

keep_sessions()


@pytest.fixture
def world(arcana_world: NotionWorld) -> NotionWorld:
    return arcana_world


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def installed(acme: Harness, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance) -> Harness:
    """`acme`, reachable through the environment as an installation's own processes reach it."""
    for name, value in acme.environment.items():
        monkeypatch.setenv(name, value)
    return acme


def dies_at_work(instance: dg.DagsterInstance, run: dg.DagsterRun, workspace: Workspace | None) -> None:
    """Leave a run as it is found when its process was killed while it held the workspace's lock, or worked for all."""
    with at_work(instance, run, workspace):
        noted = instance.get_run_by_id(run.run_id)
        assert noted is not None
        left = noted.tags[AT_WORK_TAG]
    instance.add_run_tags(run.run_id, {AT_WORK_TAG: left})
