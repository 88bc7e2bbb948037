"""The taxonomy of a workspace in its versions, what documents are about, and what people said of that."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    DDL,
    CheckConstraint,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, BYTEA, JSONB, REAL, TEXT, TIMESTAMP, UUID
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import BOOLEAN, INTEGER

from arcana_pipelines.db.models.base import Base, now, one_of, time, uuid_key, workspace_key

VERSION_STATES = ("draft", "active", "retired")
CHANGES = ("add", "rename", "move", "merge", "split", "retire")
ORIGINS = ("given", "person", "rule", "nearest", "default")
VERDICTS = ("accepted", "rejected")

# Before the tables: a generated column of theirs calls it. Nothing of what it calls depends on settings.
PATH_KEY = """
    CREATE FUNCTION taxonomy_path_key(path text[]) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN sha256(convert_to(array_to_json(path)::text, 'UTF8'))
"""
event.listen(Base.metadata, "before_create", DDL(PATH_KEY))  # type: ignore[no-untyped-call]


def _path(**options: Any) -> Mapped[Any]:
    return mapped_column(ARRAY(TEXT), **{"nullable": False, **options})


def _share(column: str, nullable: bool = False) -> CheckConstraint:
    may_miss = f"{column} IS NULL OR " if nullable else ""
    return CheckConstraint(f"{may_miss}{column} >= 0 AND {column} <= 1", name=column)


class TaxonomyVersion(Base):
    """A version of a workspace's taxonomy. A draft may change; what was active once may not, and is not deleted.

    `ordinal` is the order of versions, whose names are texts. At most one is active, and is what searches look at.
    """

    __tablename__ = "taxonomy_version"
    __table_args__ = (
        PrimaryKeyConstraint("workspace_id", "version"),
        UniqueConstraint("workspace_id", "ordinal"),
        one_of("state", VERSION_STATES),
        CheckConstraint("version ~ '^[0-9A-Za-z][0-9A-Za-z.+_-]*$' AND length(version) <= 64", name="version"),
        Index("taxonomy_version_active_key", "workspace_id", unique=True, postgresql_where=text("state = 'active'")),
    )

    workspace_id: Mapped[str] = workspace_key()
    version: Mapped[str] = mapped_column(TEXT)
    ordinal: Mapped[int] = mapped_column(INTEGER)
    state: Mapped[str] = mapped_column(TEXT, server_default=text("'draft'"))
    based_on: Mapped[str | None] = mapped_column(TEXT)
    source: Mapped[str] = mapped_column(TEXT, server_default=text("''"))
    note: Mapped[str | None] = mapped_column(TEXT)
    nodes: Mapped[int] = mapped_column(INTEGER, server_default=text("0"))
    created_at: Mapped[Any] = now()
    released_at: Mapped[Any] = time()
    activated_at: Mapped[Any] = time()


class TaxonomyNode(Base):
    """A node in one version. `node_id` is the same in all versions, whatever the node is called and wherever it stands.

    `path_key` is a hash of the path: labels may be long, and bytes are compared by a function that row-level security
    lets an index use, which arrays are not. `lft` and `rgt` are its place in a walk of the tree, parents first: what is
    below it has its `lft` between the two.
    """

    __tablename__ = "taxonomy_nodes"
    __table_args__ = (
        PrimaryKeyConstraint("node_id", "version"),
        ForeignKeyConstraint(
            ["workspace_id", "version"],
            ["taxonomy_version.workspace_id", "taxonomy_version.version"],
            name="taxonomy_nodes_workspace_id_fkey",
            ondelete="CASCADE",
        ),
        ForeignKeyConstraint(
            ["parent_id", "version"],
            ["taxonomy_nodes.node_id", "taxonomy_nodes.version"],
            name="taxonomy_nodes_parent_id_fkey",
            deferrable=True,
            initially="DEFERRED",
        ),
        UniqueConstraint("workspace_id", "version", "path_key"),
        CheckConstraint("label <> ''", name="label"),
        CheckConstraint(
            "cardinality(canonical_path) >= 1 AND cardinality(canonical_path) <= 16 "
            "AND array_position(canonical_path, NULL) IS NULL",
            name="canonical_path",
        ),
        _share("confidence"),
        Index("idx_taxonomy_nodes_canonical_path", "canonical_path", postgresql_using="gin"),
        Index("taxonomy_nodes_parent_id_idx", "parent_id", "version"),
        Index("taxonomy_nodes_lft_idx", "workspace_id", "version", "lft"),
    )

    node_id: Mapped[str] = mapped_column(UUID)
    version: Mapped[str] = mapped_column(TEXT)
    workspace_id: Mapped[str] = mapped_column(UUID)
    parent_id: Mapped[str | None] = mapped_column(UUID)
    label: Mapped[str] = mapped_column(TEXT)
    canonical_path: Mapped[Any] = _path()
    path_key: Mapped[bytes] = mapped_column(BYTEA, Computed("taxonomy_path_key(canonical_path)", persisted=True))
    definition: Mapped[str | None] = mapped_column(TEXT)
    synonyms: Mapped[Any] = _path(server_default=text("'{}'"))
    labels: Mapped[Any] = mapped_column(JSONB, nullable=False, server_default=text("'{}'"))
    external_ref: Mapped[str | None] = mapped_column(TEXT)
    confidence: Mapped[float] = mapped_column(REAL, server_default=text("1"))
    lft: Mapped[int] = mapped_column(INTEGER)
    rgt: Mapped[int] = mapped_column(INTEGER)


class DocTaxonomy(Base):
    """A topic of a document in one version.

    With `hitl_required` it waits for a person's word, and no search counts it.
    """

    __tablename__ = "doc_taxonomy"
    __table_args__ = (
        PrimaryKeyConstraint("doc_id", "node_id", "version"),
        ForeignKeyConstraint(
            ["node_id", "version"],
            ["taxonomy_nodes.node_id", "taxonomy_nodes.version"],
            name="doc_taxonomy_node_id_fkey",
            ondelete="CASCADE",
        ),
        one_of("origin", ORIGINS),
        _share("confidence"),
        Index(
            "doc_taxonomy_below_idx",
            "workspace_id",
            "version",
            "lft",
            "doc_id",
            postgresql_where=text("NOT hitl_required"),
        ),
        Index(
            "doc_taxonomy_queue_idx",
            "workspace_id",
            "version",
            "created_at",
            "doc_id",
            postgresql_where=text("hitl_required"),
        ),
        Index("doc_taxonomy_node_id_idx", "node_id", "version"),
    )

    doc_id: Mapped[str] = mapped_column(UUID, ForeignKey("document.document_id", ondelete="CASCADE"))
    node_id: Mapped[str] = mapped_column(UUID)
    version: Mapped[str] = mapped_column(TEXT)
    workspace_id: Mapped[str] = mapped_column(UUID)
    path: Mapped[Any] = _path()
    confidence: Mapped[float] = mapped_column(REAL)
    created_at: Mapped[Any] = now()
    hitl_required: Mapped[bool] = mapped_column(BOOLEAN, server_default=text("false"))
    origin: Mapped[str] = mapped_column(TEXT)
    reason: Mapped[str | None] = mapped_column(TEXT)
    rule_id: Mapped[str | None] = mapped_column(UUID)
    score: Mapped[float | None] = mapped_column(REAL)
    margin: Mapped[float | None] = mapped_column(REAL)
    lft: Mapped[int] = mapped_column(INTEGER)


class TaxonomyDecision(Base):
    """What a person said of a topic of a document. It holds in all versions, and no machine says otherwise.

    `origin`, `score`, `margin` and `model` are those of what was suggested, `content_id` the version that was read.
    """

    __tablename__ = "taxonomy_decision"
    __table_args__ = (
        PrimaryKeyConstraint("doc_id", "node_id"),
        one_of("verdict", VERDICTS),
        Index("taxonomy_decision_workspace_id_idx", "workspace_id", "model"),
        Index("taxonomy_decision_node_id_idx", "node_id"),
    )

    doc_id: Mapped[str] = mapped_column(UUID, ForeignKey("document.document_id", ondelete="CASCADE"))
    node_id: Mapped[str] = mapped_column(UUID)
    workspace_id: Mapped[str] = mapped_column(UUID)
    verdict: Mapped[str] = mapped_column(TEXT)
    decided_by: Mapped[str] = mapped_column(TEXT)
    decided_at: Mapped[Any] = now()
    content_id: Mapped[str | None] = mapped_column(UUID)
    origin: Mapped[str | None] = mapped_column(TEXT)
    score: Mapped[float | None] = mapped_column(REAL)
    margin: Mapped[float | None] = mapped_column(REAL)
    model: Mapped[str | None] = mapped_column(TEXT)


class TaxonomyChange(Base):
    """What became of a node from the version that another is based on; a split or a merge is several rows."""

    __tablename__ = "taxonomy_change"
    __table_args__ = (
        PrimaryKeyConstraint("taxonomy_change_id"),
        ForeignKeyConstraint(
            ["workspace_id", "version"],
            ["taxonomy_version.workspace_id", "taxonomy_version.version"],
            name="taxonomy_change_workspace_id_fkey",
            ondelete="CASCADE",
        ),
        UniqueConstraint("workspace_id", "version", "kind", "from_node", "to_node", postgresql_nulls_not_distinct=True),
        one_of("kind", CHANGES),
        CheckConstraint("from_node IS NOT NULL OR to_node IS NOT NULL", name="node"),
        Index("taxonomy_change_from_node_idx", "from_node"),
    )

    taxonomy_change_id: Mapped[int] = mapped_column(BIGINT, Identity(always=True))
    workspace_id: Mapped[str] = mapped_column(UUID)
    version: Mapped[str] = mapped_column(TEXT)
    from_version: Mapped[str | None] = mapped_column(TEXT)
    kind: Mapped[str] = mapped_column(TEXT)
    from_node: Mapped[str | None] = mapped_column(UUID)
    to_node: Mapped[str | None] = mapped_column(UUID)
    note: Mapped[str | None] = mapped_column(TEXT)


class TaxonomyEnded(Base):
    """A topic of a document that had no place in the next version, and why."""

    __tablename__ = "taxonomy_ended"
    __table_args__ = (
        PrimaryKeyConstraint("doc_id", "node_id", "version"),
        ForeignKeyConstraint(
            ["workspace_id", "version"],
            ["taxonomy_version.workspace_id", "taxonomy_version.version"],
            name="taxonomy_ended_workspace_id_fkey",
            ondelete="CASCADE",
        ),
        Index("taxonomy_ended_workspace_id_idx", "workspace_id", "version"),
    )

    doc_id: Mapped[str] = mapped_column(UUID, ForeignKey("document.document_id", ondelete="CASCADE"))
    node_id: Mapped[str] = mapped_column(UUID)
    version: Mapped[str] = mapped_column(TEXT)
    workspace_id: Mapped[str] = mapped_column(UUID)
    from_version: Mapped[str] = mapped_column(TEXT)
    path: Mapped[Any] = _path()
    origin: Mapped[str] = mapped_column(TEXT)
    reason: Mapped[str] = mapped_column(TEXT)
    ended_at: Mapped[Any] = now()


class TaxonomyRule(Base):
    """What makes a document one about a node: conditions as in a search, words of its title, its path in the source."""

    __tablename__ = "taxonomy_rule"
    __table_args__ = (UniqueConstraint("workspace_id", "name"), _share("confidence"))

    rule_id: Mapped[str] = uuid_key()
    workspace_id: Mapped[str] = workspace_key()
    name: Mapped[str] = mapped_column(TEXT)
    position: Mapped[int] = mapped_column(INTEGER)
    node_id: Mapped[str] = mapped_column(UUID)
    conditions: Mapped[Any] = mapped_column(JSONB)
    confidence: Mapped[float] = mapped_column(REAL, server_default=text("1"))
    created_at: Mapped[Any] = now()


class TaxonomyUnknownPath(Base):
    """A path that came with documents and is no node of the version; `documents` are the first three."""

    __tablename__ = "taxonomy_unknown_path"
    __table_args__ = (
        PrimaryKeyConstraint("workspace_id", "version", "path_key"),
        ForeignKeyConstraint(
            ["workspace_id", "version"],
            ["taxonomy_version.workspace_id", "taxonomy_version.version"],
            name="taxonomy_unknown_path_workspace_id_fkey",
            ondelete="CASCADE",
        ),
    )

    workspace_id: Mapped[str] = mapped_column(UUID)
    version: Mapped[str] = mapped_column(TEXT)
    path_key: Mapped[bytes] = mapped_column(BYTEA, Computed("taxonomy_path_key(path)", persisted=True))
    path: Mapped[Any] = _path()
    times: Mapped[int] = mapped_column(BIGINT, server_default=text("1"))
    first_at: Mapped[Any] = now()
    last_at: Mapped[Any] = now()
    documents: Mapped[Any] = mapped_column(ARRAY(UUID), nullable=False, server_default=text("'{}'"))


class TaxonomySettings(Base):
    """How a workspace uses its taxonomy.

    `default_node` stands for paths that are unknown; values of `topic_properties` are paths; from `accept_at` on what
    was found is assigned, from `suggest_at` on a person is asked.
    """

    __tablename__ = "taxonomy_settings"
    __table_args__ = (_share("accept_at"), _share("suggest_at"))

    workspace_id: Mapped[str] = workspace_key(primary_key=True)
    default_node: Mapped[str | None] = mapped_column(UUID)
    topic_properties: Mapped[Any] = _path(server_default=text("'{}'"))
    accept_at: Mapped[float] = mapped_column(REAL, server_default=text("0.9"))
    suggest_at: Mapped[float] = mapped_column(REAL, server_default=text("0.5"))


class TaxonomyClassified(Base):
    """That a document was classified: which version of it, by which version of the taxonomy, rules and model."""

    __tablename__ = "taxonomy_classified"
    __table_args__ = (Index("taxonomy_classified_workspace_id_idx", "workspace_id"),)

    doc_id: Mapped[str] = mapped_column(UUID, ForeignKey("document.document_id", ondelete="CASCADE"), primary_key=True)
    workspace_id: Mapped[str] = mapped_column(UUID)
    version: Mapped[str] = mapped_column(TEXT)
    content_id: Mapped[str | None] = mapped_column(UUID)
    logic: Mapped[bytes] = mapped_column(BYTEA)
    classified_at: Mapped[Any] = mapped_column(TIMESTAMP(timezone=True), nullable=False, server_default=text("now()"))
