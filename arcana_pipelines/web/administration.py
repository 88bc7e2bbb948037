"""What an administrator's key changes: workspaces of its company, and its keys.

It is done as the application, with the functions of the command line; the gate has seen that the key may. A server that
is given no such connection has none of these routes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, get_args
from uuid import UUID

from fastapi import FastAPI, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr, create_model

from arcana_pipelines.audit.record import by_key
from arcana_pipelines.credentials.store import STORED, keep
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.documents.relations import RelationType, relate, unrelate
from arcana_pipelines.errors import InvalidSlug, WrongUse
from arcana_pipelines.indexes.builds import find_index_names
from arcana_pipelines.indexes.targets.targets import POSTGRESQL
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Access, Allowance, Permission, Scope
from arcana_pipelines.keys.keys import Key
from arcana_pipelines.keys.limits import settled
from arcana_pipelines.retrieval.filters import Filters
from arcana_pipelines.retrieval.whole_document import find_document_id
from arcana_pipelines.settings import require_token
from arcana_pipelines.sources.registry import (
    all_platforms,
    check_source,
    require_platform,
    source_config,
    source_options,
)
from arcana_pipelines.web.documents import DocumentNamed
from arcana_pipelines.web.gate import Gate, Keyed, Slug
from arcana_pipelines.web.problems import Refused, described
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.companies import name_of
from arcana_pipelines.workspaces.workspaces import Workspace, check_slug

_EXAMPLE_KEY: Any = {"name": "help desk", "scopes": ["search", "read"], "workspaces": ["handbook"], "expires_days": 90}
# What people call something; PostgreSQL knows no NUL.
_Name = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
_KeyId = Annotated[str, Path(description="The readable part of a key.", pattern="^[a-z2-7]{8}$")]


@dataclass(frozen=True, slots=True)
class Administration:
    """What changes an installation.

    Attributes:
        database: as the application, who reads and writes what is every company's.
        salt: what the stored hashes of keys are made with.
        register: makes a workspace with its partition (see `defs.registration.register`).
        remove: removes one (see `defs.registration.remove`).
    """

    database: Database
    salt: str
    register: Callable[..., Workspace]
    remove: Callable[..., None]


class _NewWorkspace(BaseModel):
    """A workspace to be registered."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"slug": "acme", "source": "notion", "token": "ntn_…"}}
    )

    slug: Annotated[str, Field(max_length=63, description="Small letters, digits, `-` and `_`; no two have the same.")]
    source: Annotated[str, Field(max_length=100, description="What it reads, such as `notion`.")]
    token: SecretStr = Field(min_length=1, max_length=4096, description="The source's token. It is kept encrypted.")
    name: _Name | None = Field(None, description="What people call it; else the slug.")
    index_type: Annotated[str, Field(max_length=20)] = Field(
        POSTGRESQL, description="Which store answers searches by meaning: `pgvector`, or a kind of target."
    )

    def source_options(self) -> dict[str, Any]:
        """What it says of its source (see `registry.source_options`), by name."""
        return {option.name: getattr(self, option.name) for option in source_options()}


def _with_source_options() -> Any:
    """The same with a field for each option that our sources have, as `arcana workspace add` has them."""
    fields: dict[str, Any] = {
        option.name: (bool, Field(False, description=option.about))
        if option.is_switch
        else (Annotated[str, Field(max_length=200)] | None, Field(None, description=option.about))
        for option in source_options()
    }
    return create_model("NewWorkspace", __base__=_NewWorkspace, __doc__=_NewWorkspace.__doc__, **fields)


if TYPE_CHECKING:
    NewWorkspace = _NewWorkspace
else:
    NewWorkspace = _with_source_options()


class NewToken(BaseModel):
    """Another token of a workspace's source."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"token": "ntn_…"}})

    token: SecretStr = Field(min_length=1, max_length=4096, description="It is kept encrypted.")


class Registered(BaseModel):
    """A workspace that was registered. Its first sync comes by itself."""

    workspace: str
    name: str
    platform: str


class NewKeyWanted(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _EXAMPLE_KEY})

    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(get_args(Scope)))]
    workspaces: Annotated[list[Annotated[str, Field(max_length=63)]], Field(max_length=100)] = Field(
        [], description="Those that it opens; none: all of the company's, those to come too."
    )
    index: Annotated[str, Field(max_length=63)] | None = Field(None, description="Only this index of each.")
    name: _Name = ""
    expires_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    filter: Filters | None = Field(
        None, description="Its searches find nothing else; with the scopes `search`, `notes` and `review`."
    )
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    searches_per_month: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None


class NewRelation(BaseModel):
    """What a document is to another."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"related": "휴가 규정", "type": "translation"}}
    )

    related: Annotated[str, Field(max_length=200, description="The document that is one: id, address or exact title.")]
    type: RelationType = Field(description="What it is of the one in the address.")


class Related(BaseModel):
    """Two documents, and what they are to each other."""

    document_id: UUID
    related_document_id: UUID
    type: RelationType = Field(description="What the second is of the first.")


class Rotation(BaseModel):
    """How a key is rotated."""

    model_config = ConfigDict(extra="forbid")

    overlap_days: Annotated[int, Field(ge=0, le=365)] = keys.OVERLAP_DAYS


def add_administration(app: FastAPI, gate: Gate, database: Database, administration: Administration) -> None:
    """Add the routes."""
    _add_workspaces(app, gate, database, administration)
    _add_keys(app, gate, database, administration)
    _add_relations(app, gate, database, administration)


def _add_workspaces(app: FastAPI, gate: Gate, database: Database, administration: Administration) -> None:
    @app.post("/v1/workspaces", summary="Register a workspace", tags=["administration"], status_code=201,
              responses=described(401, 403, 409, 413, 415, 422, 503))  # fmt: skip
    def register(access: Keyed, wanted: NewWorkspace) -> Registered:
        gate.administers(access)
        check_slug(wanted.slug)
        config, token = _source(wanted)
        administration.database.settings.require("ENCRYPTION_KEY")
        with database.connection(access.company_id) as connection:
            company = name_of(connection, access.company_id)
        try:
            made = administration.register(
                administration.database, wanted.slug, wanted.source.replace("-", "_"), config, STORED, wanted.name,
                company, token, by_key(access.key_id), index_type=wanted.index_type,
            )  # fmt: skip
        except InvalidSlug as error:
            # It may be another company's: whose is nobody's business.
            said = f"The slug '{wanted.slug}' is or was another workspace's: choose another."
            raise Refused(409, "conflict", said) from error
        return Registered(workspace=made.slug, name=made.name, platform=made.platform)

    @app.put("/v1/workspaces/{slug}/token", summary="Give a workspace another token of its source",
             tags=["administration"], status_code=204,
             responses=described(401, 403, 404, 409, 413, 415, 422, 503))  # fmt: skip
    def change_token(access: Keyed, slug: Slug, wanted: NewToken) -> Response:
        opened = gate.workspace(access, "admin", slug)
        administered = administration.database
        with administered.connection() as connection:
            workspace = workspaces.find(connection, opened.slug)
            source = require_platform(workspace.platform, slug)
            if source.token_variable is None:
                raise Refused(409, "conflict", f"The source of workspace '{slug}' has no token: it reads files.")
            token = _token(wanted.token, source.title)
            with connection.transaction():
                workspaces.change(
                    connection, workspace, workspace.name, workspace.source_config, STORED, by_key(access.key_id)
                )
                keep(connection, administered.settings, workspace.workspace_id, token, by_key(access.key_id))
        return Response(status_code=204)

    @app.delete("/v1/workspaces/{slug}", summary="Remove a workspace with everything that was indexed for it",
                tags=["administration"], status_code=204, responses=described(401, 403, 404, 422, 503))  # fmt: skip
    def remove(access: Keyed, slug: Slug) -> Response:
        opened = gate.workspace(access, "admin", slug)
        administration.remove(administration.database, opened.slug, by_key(access.key_id))
        return Response(status_code=204)


def _source(wanted: NewWorkspace) -> tuple[dict[str, Any], SecretStr]:
    """What is stored of how the source is read, and its token.

    Raises:
        WrongUse: it is a source that nobody registers from elsewhere, or the token is none.
    """
    # A folder, or a variable's name, would have the server read what is its own and not the company's.
    known = {each.option: each for each in all_platforms() if each.token_variable is not None and each.path_is is None}
    source = known.get(wanted.source)
    if source is None:
        raise WrongUse(
            f"Over HTTP a source is one of {', '.join(known)}. Those that read files are registered by `arcana "
            "workspace add`, where the files are."
        )
    config = source_config(source, wanted.source_options())
    check_source(source.name, config, STORED, wanted.slug)
    return config, _token(wanted.token, source.title)


def _token(given: SecretStr, title: str) -> SecretStr:
    token = given.get_secret_value().strip()
    if not token:
        raise WrongUse(f"`token` holds nothing but spaces. Copy it from the settings of {title}.")
    return require_token(token, "`token`", title)


def _add_keys(app: FastAPI, gate: Gate, database: Database, administration: Administration) -> None:
    def known(access: Access, key_id: str) -> None:
        """Refuse to change a key that is not the company's, as one that does not exist."""
        gate.administers(access)
        with database.connection(access.company_id) as connection:
            if connection.execute("SELECT 1 FROM api_keys WHERE key_id = %s", [key_id]).fetchone() is None:
                raise Refused(404, "not-found", f"There is no key '{key_id}'. GET /v1/keys lists them.")

    @app.get("/v1/keys", summary="The company's keys", tags=["administration"],
             responses=described(401, 403, 422, 503))  # fmt: skip
    def list_all(access: Keyed) -> dict[str, list[Key]]:
        gate.administers(access)
        with database.connection(access.company_id) as connection:
            return {"keys": keys.list_all(connection)}

    @app.post("/v1/keys", summary="Make a key, which is shown once", tags=["administration"], status_code=201,
              responses=described(401, 403, 404, 413, 415, 422, 503))  # fmt: skip
    def create(access: Keyed, wanted: NewKeyWanted, response: Response) -> keys.NewKey:
        gate.administers(access)
        if wanted.index is not None and not wanted.workspaces:
            raise WrongUse("`index` is one of workspaces: name them in `workspaces`.")
        opened = [gate.workspace(access, "admin", slug) for slug in wanted.workspaces]
        for each in opened:
            # As the company: a filter that cannot be meant is told without a word of what the key does not see.
            with database.connection(access.company_id, each.sees_internal) as connection:
                _require_index(connection, each.workspace_id, each.slug, wanted.index)
                if wanted.filter is not None:
                    settled(connection, each.workspace_id, wanted.filter)
        places: list[UUID | None] = [each.workspace_id for each in opened] or [None]
        permissions = [
            Permission(scope, place, wanted.index, wanted.filter) for place in places for scope in wanted.scopes
        ]
        response.headers["Cache-Control"] = "no-store"
        with administration.database.connection() as connection:
            return keys.create(
                connection, administration.salt, access.company_id, permissions, wanted.name, wanted.expires_days,
                by_key(access.key_id), Allowance(wanted.requests_per_minute, wanted.searches_per_month),
            )  # fmt: skip

    @app.post("/v1/keys/{key_id}/rotate", summary="Make a key that takes another's place", tags=["administration"],
              status_code=201, responses=described(401, 403, 404, 413, 415, 422, 503))  # fmt: skip
    def rotate(access: Keyed, key_id: _KeyId, response: Response, asked: Rotation | None = None) -> keys.NewKey:
        known(access, key_id)
        response.headers["Cache-Control"] = "no-store"
        overlap = (asked or Rotation()).overlap_days
        with administration.database.connection() as connection:
            return keys.rotate(connection, administration.salt, key_id, overlap, by_key(access.key_id))

    @app.delete("/v1/keys/{key_id}", summary="End a key, at once and for ever", tags=["administration"],
                status_code=204, responses=described(401, 403, 404, 422, 503))  # fmt: skip
    def revoke(access: Keyed, key_id: _KeyId) -> Response:
        known(access, key_id)
        with administration.database.connection() as connection:
            keys.revoke(connection, key_id, by_key(access.key_id))
        return Response(status_code=204)


def _add_relations(app: FastAPI, gate: Gate, database: Database, administration: Administration) -> None:
    def pair(access: Access, workspace_id: UUID, document: str, related: str) -> tuple[UUID, UUID]:
        with database.connection(access.company_id) as connection:
            found = [find_document_id(connection, workspace_id, each) for each in (document, related)]
        return found[0], found[1]

    @app.post("/v1/workspaces/{slug}/documents/{document}/relations",
              summary="Relate a document to another by hand; syncs leave it alone", tags=["administration"],
              status_code=201, responses=described(401, 403, 404, 413, 415, 422, 503))  # fmt: skip
    def add(access: Keyed, slug: Slug, document: DocumentNamed, wanted: NewRelation) -> Related:
        opened = gate.workspace(access, "admin", slug)
        base_id, related_id = pair(access, opened.workspace_id, document, wanted.related)
        with administration.database.connection() as connection:
            relate(connection, opened.workspace_id, base_id, related_id, wanted.type, by_key(access.key_id))
        return Related(document_id=base_id, related_document_id=related_id, type=wanted.type)

    @app.delete("/v1/workspaces/{slug}/documents/{document}/relations",
                summary="Take back how a document was related to another by hand", tags=["administration"],
                status_code=204, responses=described(401, 403, 404, 422, 503))  # fmt: skip
    def take_back(
        access: Keyed,
        slug: Slug,
        document: DocumentNamed,
        related: Annotated[str, Query(max_length=200, description="The other document: id, address or exact title.")],
        type: Annotated[RelationType | None, Query(description="Only this relation; without it all of them.")] = None,
    ) -> Response:
        opened = gate.workspace(access, "admin", slug)
        base_id, related_id = pair(access, opened.workspace_id, document, related)
        with administration.database.connection() as connection:
            unrelate(connection, opened.workspace_id, base_id, related_id, type, by_key(access.key_id))
        return Response(status_code=204)


def _require_index(connection: Connection, workspace_id: UUID, slug: str, index: str | None) -> None:
    if index is not None and index not in find_index_names(connection, workspace_id):
        said = f"Workspace '{slug}' has no index '{index}'. GET /v1/workspaces/{slug}/indexes lists them."
        raise Refused(404, "not-found", said)
