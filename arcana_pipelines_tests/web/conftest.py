"""The API over real HTTP, beside two companies."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from arcana_pipelines import installation_secrets
from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.engine import Database
from arcana_pipelines.defs.registration import register, remove
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Permission, Scope
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld, serve
from arcana_pipelines.testing.postgres import DatabaseServer
from arcana_pipelines.web.administration import Administration
from arcana_pipelines.web.api import make_api
from arcana_pipelines.web.metrics import Metrics
from arcana_pipelines.web.reads import Reads
from arcana_pipelines.web.receiver import listen
from arcana_pipelines.web.server import server_of
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.companies import DEFAULT, existing_company
from arcana_pipelines_tests.harness import TWO_MINUTES, Harness

SEARCH = "/v1/workspaces/acme/search"
ENCRYPTION_KEY = SecretStr(installation_secrets.make())
SALT = "a salt of thirty-two characters and more"
SECRET_KEY = SecretStr("what signs the cursors of these tests")
JWT_SECRET = SecretStr("what signs the tokens that these tests make")


@dataclass(frozen=True)
class Api:
    """A server of the API, and what makes keys to it."""

    url: str
    acme: Harness
    metrics: Metrics
    settings: Settings
    reads: Reads

    def key(self, *scopes: Scope, slug: str = "acme", index: str | None = None) -> keys.NewKey:
        """A key to a workspace."""
        with self.acme.database.connection() as connection:
            workspace = workspaces.find(connection, slug)
            granted = [Permission(scope, workspace.workspace_id, index) for scope in scopes]
            return keys.create(connection, SALT, workspace.company_id, granted, "test")

    def client(self, *scopes: Scope, slug: str = "acme", index: str | None = None) -> httpx.Client:
        """A client with a key of its own."""
        return self.with_key(self.key(*scopes, slug=slug, index=index).key)

    def administrator(self, company: str = DEFAULT) -> httpx.Client:
        """A client with a key to change what is a company's."""
        with self.acme.database.connection() as connection:
            granted = [Permission("admin", None, None)]
            made = keys.create(connection, SALT, existing_company(connection, company), granted, "administrator")
        return self.with_key(made.key)

    def with_key(self, key: str | None) -> httpx.Client:
        """A client with this key, or with none."""
        headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
        # To load certificates, of which none is asked, would take longer than a request.
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False, verify=False)


def serving(database: Database, **settings: Any) -> Database:
    """The same database as the server has it, who sees nothing but for a company."""
    url = database.settings.database_url
    assert url is not None
    of_server = SecretStr(url.get_secret_value().replace(f"{lease.WRITER}@", f"{lease.SERVER}@"))
    secrets = {"secret_key": SECRET_KEY, "jwt_secret": JWT_SECRET}
    # Tests guess keys by the dozen.
    changed = {"database_url": of_server, **secrets, "refused_keys_per_minute": 1_000, **settings}
    return Database(database.settings.model_copy(update=changed), serves=True)


@pytest.fixture(scope="session")
def companies_database(arcana_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The database of `companies`, of which each test gets a copy: to sync them takes longer than most tests."""
    world = NotionWorld()
    _add_pages(world)
    with arcana_server.database() as url, serve(world) as server:
        with closing(Database(_settings(url, tmp_path_factory.mktemp("companies")))) as database:
            Harness.register(database, world, server, "acme").sync()
            Harness.register(database, world, server, "globex", "Globex").sync()
        yield url


@pytest.fixture
def arcana_database_url(request: pytest.FixtureRequest, arcana_server: DatabaseServer) -> Iterator[str]:
    """A database of this test's own: the companies are in it where the test asks for them."""
    has_companies = "companies" in request.fixturenames
    made = request.getfixturevalue("companies_database") if has_companies else None
    with arcana_server.copy(made) if made is not None else arcana_server.database() as url:
        yield url


@pytest.fixture
def companies(database: Database, world: NotionWorld, server: NotionServer) -> Harness:
    """Acme, with pages that are indexed, and in the same database Globex, another company's workspace."""
    _add_pages(world)
    return Harness(database, world, server, "acme")


def _add_pages(world: NotionWorld) -> None:
    # Worlds give the same ids, one after the other: what was read from one is up to date with another.
    world.add_page("Vacation policy", blocks="Everyone has 30 days of vacation a year.")
    world.add_page("휴가 규정", blocks="모든 직원은 1년에 휴가 30일을 받는다.")
    world.clock.advance(2 * TWO_MINUTES)


@pytest.fixture
def api(companies: Harness) -> Iterator[Api]:
    """Both behind the same server."""
    with served(companies) as api:
        yield api


@pytest.fixture(scope="module")
def shared_companies(
    companies_database: str, arcana_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Harness]:
    """The companies, for tests that change nothing of theirs."""
    world = NotionWorld()
    _add_pages(world)
    with (
        arcana_server.copy(companies_database) as url,
        serve(world) as server,
        closing(Database(_settings(url, tmp_path_factory.mktemp("shared")))) as database,
    ):
        yield Harness(database, world, server, "acme")


@pytest.fixture(scope="module")
def shared_api(shared_companies: Harness) -> Iterator[Api]:
    """Both behind a server that such tests share: to make one takes longer than to be refused by it."""
    with served(shared_companies) as api:
        yield api


def _settings(url: str, home: Path) -> Settings:
    return Settings(  # type: ignore[call-arg]
        arcana_home=home,
        database_url=SecretStr(url),
        notion_requests_per_minute=0,
        embedding_provider="local-small",
    )


@contextmanager
def served(acme: Harness, **settings: Any) -> Iterator[Api]:
    """The server, with settings of its own."""
    database = serving(acme.database, **settings)
    sock = listen("127.0.0.1", 0)
    of_application = Database(acme.database.settings.model_copy(update={"encryption_key": ENCRYPTION_KEY, **settings}))
    app = make_api(database, SALT, (), Administration(of_application, SALT, register, remove))
    server = server_of(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    try:
        yield Api(
            f"http://127.0.0.1:{sock.getsockname()[1]}",
            acme,
            app.state.metrics,
            of_application.settings,
            app.state.reads,
        )
    finally:
        server.should_exit = True
        thread.join()
        sock.close()
        database.close()
        of_application.close()
