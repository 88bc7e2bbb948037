"""The server of the API before what stands for Dagster's web server, in an installation of one company."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Permission, Scope
from arcana_pipelines.testing.notion_server import NotionWorld, serve
from arcana_pipelines.testing.postgres import DatabaseServer
from arcana_pipelines.workspaces.companies import DEFAULT, existing_company
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.conftest import SALT, Api, _settings, served
from arcana_pipelines_tests.web.dagster_ui.dagster import Dagster
from arcana_pipelines_tests.web.people.conftest import Visit, Visitor, visit

__all__ = ["visit"]

ALL: tuple[Scope, ...] = ("search", "read", "admin")


@pytest.fixture(scope="module")
def shared_dagster() -> Iterator[Dagster]:
    with Dagster() as dagster:
        yield dagster


@pytest.fixture
def dagster(shared_dagster: Dagster) -> Dagster:
    """What stands for Dagster's web server; it has not been asked anything yet."""
    shared_dagster.forget()
    return shared_dagster


@pytest.fixture(scope="module")
def ui(
    arcana_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory, shared_dagster: Dagster
) -> Iterator[Api]:
    """The server. No workspace is synced: of the API nothing is asked but who may."""
    world = NotionWorld()
    with (
        arcana_server.database() as url,
        serve(world) as server,
        closing(Database(_settings(url, tmp_path_factory.mktemp("ui")))) as database,
        served(Harness.register(database, world, server, "acme"), dagster_ui_url=shared_dagster.address) as api,
    ):
        yield api


def new_key(api: Api, *scopes: Scope) -> keys.NewKey:
    """A key of the whole company."""
    with api.acme.database.connection() as connection:
        company_id = existing_company(connection, DEFAULT)
        granted = [Permission(scope, None, None) for scope in scopes or ALL]
        return keys.create(connection, SALT, company_id, granted, "test")


@pytest.fixture
def program(ui: Api, dagster: Dagster) -> Iterator[httpx.Client]:
    """A program with a key that opens the UI."""
    with ui.with_key(new_key(ui).key) as client:
        yield client


@pytest.fixture
def admin(ui: Api, dagster: Dagster, visit: Visit) -> Visitor:
    """Somebody who has logged in with one."""
    visitor = visit(ui)
    visitor.log_in(new_key(ui).key)
    return visitor
