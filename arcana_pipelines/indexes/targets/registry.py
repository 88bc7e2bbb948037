"""Which store a target's kind is, and how it is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from arcana_pipelines import plugins
from arcana_pipelines.errors import TargetUnreachable, WrongUse
from arcana_pipelines.indexes.targets.chroma.addresses import with_database_of
from arcana_pipelines.indexes.targets.protocol import Store
from arcana_pipelines.settings import Settings

# Below a workspace's directory, where embedded stores have their places.
OWN_FOLDER = "targets"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetKind:
    """One kind of store.

    Attributes:
        name: the value of `index_target.kind` and of `rag_indexes.index_type`.
        open: opens the store at a location, with the credentials of the settings; imports what is heavy inside.
        file: what an embedded store of it is called, below the workspace's directory.
        extra: the extra of this distribution that brings its library.
        default: where it is when nothing else is said, made of (settings, slug); None: embedded.
        of_workspace: the address of a workspace's own part of a server, from an address and the workspace's slug.
    """

    name: str
    open: Callable[[Settings, str], Store]
    file: str
    extra: str
    default: Callable[[Settings, str], str | None] = lambda settings, slug: None
    of_workspace: Callable[[str, str], str] = lambda address, workspace: address


def kinds() -> list[str]:
    """The names of all kinds."""
    return [kind.name for kind in _OURS]


def is_embedded(location: str) -> bool:
    """True of a path, false of an address."""
    return "://" not in location


def location_of(settings: Settings, kind: str, directory: Path, given: str | None, name: str) -> str:
    """The location of a new target: the one that is given, or a place of its own below the workspace's directory.

    Raises:
        WrongUse: an address has a name or a password in it, or what is given is neither an address nor a path.
    """
    found = _kind(kind)
    location = given if given is not None else found.default(settings, directory.name)
    if location is None:
        return str(directory / OWN_FOLDER / f"{name}{found.file}")
    if is_embedded(location):
        return str(Path(location).expanduser().absolute())
    parts = urlsplit(location)
    if parts.username is not None or parts.password is not None or parts.query:
        raise WrongUse(
            f"The location of a target holds no name, password or key: give the address alone, and credentials in the "
            f"variables that docs/targets.md names for '{kind}'."
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WrongUse(f"'{location}' is not an address of a server (http://… or https://…), nor a path.")
    return found.of_workspace(location, directory.name)


@contextmanager
def open_store(settings: Settings, kind: str, location: str) -> Iterator[Store]:
    """The store of a target, until the block ends.

    Raises:
        WrongUse: a library that it needs is missing, or a setting.
        TargetUnreachable: it cannot be opened now.
    """
    found = _kind(kind)
    with plugins.optional(f"A target of the kind '{kind}'", found.extra):
        try:
            store = found.open(settings, location)
        except OSError as error:
            raise TargetUnreachable(f"{location} cannot be opened: {error.strerror or error}.") from error
    try:
        yield store
    finally:
        store.close()


def _kind(name: str) -> TargetKind:
    found = next((kind for kind in _OURS if kind.name == name), None)
    if found is None:
        raise WrongUse(f"There is no kind of target '{name}', only {', '.join(kinds())}.")
    return found


def _open_sqlite(settings: Settings, location: str) -> Store:
    from arcana_pipelines.indexes.targets.sqlite.store import SqliteStore

    return SqliteStore(Path(location))


def _open_qdrant(settings: Settings, location: str) -> Store:
    if is_embedded(location):
        from arcana_pipelines.indexes.targets.qdrant.edge import EdgeStore

        return EdgeStore(Path(location))
    from arcana_pipelines.indexes.targets.qdrant.server import connect

    key = settings.qdrant_api_key
    return connect(location, key.get_secret_value() if key is not None else None)


def _open_milvus(settings: Settings, location: str) -> Store:
    from arcana_pipelines.indexes.targets.milvus.store import MilvusStore

    password = settings.milvus_password
    parts = urlsplit(location)
    return MilvusStore(
        location if is_embedded(location) else f"{parts.scheme}://{parts.netloc}",
        user=settings.milvus_user or "",
        password=password.get_secret_value() if password is not None else "",
        database="" if is_embedded(location) else parts.path.strip("/"),
        timeout=settings.milvus_timeout,
    )


def _milvus_of_settings(settings: Settings, slug: str) -> str | None:
    if settings.milvus_host is None:
        return None
    # A database a workspace, whose name has letters, digits and `_`.
    return f"http://{settings.milvus_host}:{settings.milvus_port}/arcana_{slug.replace('-', '_')}"


def _open_chroma(settings: Settings, location: str) -> Store:
    from arcana_pipelines.indexes.targets.chroma.store import ChromaStore

    return ChromaStore(location)


_OURS = (
    TargetKind(
        name="qdrant",
        open=_open_qdrant,
        file=".qdrant",
        extra="qdrant",
        default=lambda settings, slug: settings.qdrant_url,
    ),
    TargetKind(name="milvus", open=_open_milvus, file=".db", extra="milvus", default=_milvus_of_settings),
    TargetKind(name="sqlite", open=_open_sqlite, file=".sqlite", extra="sqlite"),
    TargetKind(name="chroma", open=_open_chroma, file="", extra="chroma", of_workspace=with_database_of),
)
