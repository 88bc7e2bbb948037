"""Where Chroma is: a directory that this process opens itself, or a server over HTTP.

Chroma's own `PersistentClient` keeps what it has once opened for as long as the process lives, and its `HttpClient`
waits without end. So its parts are put together here as they do it, each with an end.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import urlsplit

import chromadb
import httpx
from chromadb.api import ServerAPI
from chromadb.api.models.Collection import Collection
from chromadb.config import Settings, System
from chromadb.errors import ChromaError, NotFoundError, error_types

from arcana_pipelines.errors import RowsRefused, TargetUnreachable
from arcana_pipelines.indexes.targets.chroma.addresses import DATABASE, TENANT, parts_of
from arcana_pipelines.indexes.targets.embedded import EmbeddedLock

if TYPE_CHECKING:
    from chromadb.api.fastapi import FastAPI

# Seconds. Who was overtaken says nothing more after so long.
TIMEOUT = httpx.Timeout(20.0, connect=5.0)
_FILE = "chroma.sqlite3"
_HNSW_FILE = "data_level0.bin"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Database(TypedDict):
    """Arguments of every call."""

    tenant: str
    database: str


class Opened:
    """Chroma's interface to one of its databases, with the collections that were asked for."""

    def __init__(self, system: System, tenant: str = TENANT, database: str = DATABASE) -> None:
        self.system = system
        self.api: ServerAPI = system.instance(ServerAPI)  # type: ignore[type-abstract]
        self.there = Database(tenant=tenant, database=database)
        self._collections: dict[str, Collection] = {}

    def collection(self, name: str) -> Collection:
        """The one of this name.

        Raises:
            NotFoundError: there is none.
        """
        if name not in self._collections:
            self._collections[name] = self._wrapped(self.api.get_collection(name, **self.there))
        return self._collections[name]

    def all_collections(self) -> list[Collection]:
        """Those that are there now."""
        return [self._wrapped(model) for model in self.api.list_collections(**self.there)]

    def forget(self, name: str) -> None:
        """Ask for a collection anew when it is wanted next."""
        self._collections.pop(name, None)

    def _wrapped(self, model: Any) -> Collection:
        # Without a function that embeds: the default one downloads a model.
        return Collection(client=self.api, model=model, embedding_function=None)


class Directory:
    """A directory, of which Chroma itself does not see that others use it.

    Another process that has it open finds rows that were changed since, and not their vectors. So whoever changes it is
    alone, and others open it anew afterwards. A process that was killed leaves changes that whoever reads next writes
    into the index: so the first read of a collection after a change is alone, too.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path
        self._lock = EmbeddedLock(path)
        self._opened: Opened | None = None
        self._file: tuple[int, int] | None = None
        self._caught_up: set[str] = set()

    def __str__(self) -> str:
        return f"The directory {self._path}"

    def version(self) -> str:
        """Who answers."""
        if self._file_now() is not None:
            with self._lock.exclusive(is_change=False) as is_changed:
                self._open(is_changed).api.heartbeat()
        return f"Chroma {chromadb.__version__}"

    @contextmanager
    def reading(self, collection: str) -> Iterator[Opened]:
        """Read a collection.

        Raises:
            TargetUnreachable: others use it for too long.
            NotFoundError: there is nothing at all.
        """
        if self._file_now() is None:
            self.close()
            raise NotFoundError("There is nothing yet.")
        with self._lock.shared() as is_changed:
            is_changed |= self._file_now() != self._file
            if not is_changed and self._opened is not None and collection in self._caught_up:
                yield self._opened
                return
        with self._lock.exclusive(is_change=False) as by_others:
            opened = self._open(is_changed or by_others)
            yield opened
            self._caught_up.add(collection)

    @contextmanager
    def changing(self) -> Iterator[Opened]:
        """Change something. Who reads afterwards sees it.

        Raises:
            TargetUnreachable: others use it for too long.
        """
        with self._lock.exclusive() as is_changed:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            yield self._open(is_changed)

    def make_database(self) -> None:
        """Nothing: Chroma makes its default one."""

    def dropped(self) -> None:
        """Delete what is left of collections that were dropped within `changing`: Chroma leaves their vectors."""
        self.close()
        with closing(sqlite3.connect(self._path / _FILE)) as connection:
            used = {row[0] for row in connection.execute("SELECT id FROM segments")}
        for folder in self._path.iterdir():
            if _UUID.fullmatch(folder.name) and folder.name not in used and (folder / _HNSW_FILE).exists():
                shutil.rmtree(folder)

    def close(self) -> None:
        """Let go of it, until it is used again."""
        if self._opened is not None:
            self._opened.system.stop()
            self._opened = None
        self._caught_up.clear()

    def _open(self, is_changed: bool) -> Opened:
        if is_changed or self._file_now() != self._file:
            self.close()
        if self._opened is None:
            settings = _settings(
                chroma_api_impl="chromadb.api.rust.RustBindingsAPI",
                is_persistent=True,
                persist_directory=str(self._path),
            )
            system = System(settings)
            opened = Opened(system)
            system.start()
            self._opened = opened
            self._file = self._file_now()
        return self._opened

    def _file_now(self) -> tuple[int, int] | None:
        """Which file it is: somebody may have put another directory in its place."""
        try:
            found = (self._path / _FILE).stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino


class Server:
    """A database of a server."""

    def __init__(self, address: str) -> None:
        self._address = address
        base, tenant, database = parts_of(address)
        parts = urlsplit(base)
        settings = _settings(
            chroma_api_impl="chromadb.api.fastapi.FastAPI",
            chroma_server_host=base,
            chroma_server_http_port=parts.port or (443 if parts.scheme == "https" else 80),
            chroma_server_ssl_enabled=parts.scheme == "https",
        )
        self._opened = Opened(System(settings), tenant, database)
        api: FastAPI = self._opened.api  # type: ignore[assignment]
        self._session = api._session
        self._session.timeout = TIMEOUT
        self._session.event_hooks = {"response": [self._refuse_strangers]}

    def __str__(self) -> str:
        return f"The Chroma server {self._address}"

    def version(self) -> str:
        """Who answers."""
        # It says 1.0.0 whatever release it is of.
        return f"Chroma server, interface {self._opened.api.get_version()}"

    @contextmanager
    def reading(self, collection: str) -> Iterator[Opened]:
        """Read a collection."""
        yield self._opened

    @contextmanager
    def changing(self) -> Iterator[Opened]:
        """Change something."""
        yield self._opened

    def make_database(self) -> None:
        """Make the tenant and the database where they are missing."""
        there = self._opened.there
        try:
            self._opened.api.get_database(there["database"], there["tenant"])
        except NotFoundError:
            # One that is there already, also where somebody else makes it now, has no error of its own.
            with suppress(ChromaError):
                self._opened.api.create_tenant(there["tenant"])
            with suppress(ChromaError):
                self._opened.api.create_database(there["database"], there["tenant"])
            self._opened.api.get_database(there["database"], there["tenant"])

    def dropped(self) -> None:
        """Nothing: what a dropped collection leaves on the disk is the server's."""

    def close(self) -> None:
        """Let go of it."""
        self._session.close()

    def _refuse_strangers(self, response: httpx.Response) -> None:
        """Of what is no answer of a Chroma server, its client raises nothing that tells more than `Exception`."""
        if response.is_success:
            return
        response.read()
        if response.status_code in (413, 422):
            raise RowsRefused(f"{self} does not take a request: {response.status_code} {response.text[:200]}")
        try:
            is_chroma = response.json()["error"] in error_types
        except (ValueError, KeyError, TypeError):
            is_chroma = False
        if not is_chroma:
            raise TargetUnreachable(f"{self} answers {response.status_code}: {response.text[:200]}")


def place_of(location: str) -> Directory | Server:
    """The place at a location. A server is not asked yet; a directory is made where there is none, and not opened yet.

    Raises:
        OSError: it cannot be made.
    """
    return Server(location) if "://" in location else Directory(Path(location))


def _settings(**values: Any) -> Settings:
    # Nothing is read of a file .env that lies where the process runs.
    return Settings(_env_file=None, anonymized_telemetry=False, **values)  # type: ignore[call-arg]
