"""A workspace of documents without texts, and its taxonomy: promoted, rolled back, and looked at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.query import scalar, scalars
from arcana_pipelines.taxonomy import stored_versions, versions
from arcana_pipelines.taxonomy.nodes import GivenNode
from arcana_pipelines.taxonomy.reports import DraftReport, PromotionReport, RollbackReport
from arcana_pipelines.taxonomy.tree import Named, read_path, spell_path


def row(path: str, **more: Any) -> GivenNode:
    """A row of an import, which names others by their paths as people write them."""
    named = {key: tuple(map(_named, more.pop(key))) for key in ("replaces", "replaced_by") if key in more}
    return GivenNode(read_path(path), **named, **more)


def _named(named: str | UUID) -> Named:
    return named if isinstance(named, UUID) else read_path(named)


class Library:
    """One workspace of a database. It has a connection of its own."""

    def __init__(self, database: Database, slug: str = "library") -> None:
        self.connection: Connection = database.connect()
        self.workspace_id: UUID = scalar(
            self.connection,
            "INSERT INTO workspace (company_id, slug, name, platform, storage_path) "
            "SELECT company_id, %s, %s, 'notion', '/' || %s FROM company LIMIT 1 RETURNING workspace_id",
            [slug, slug, slug],
        )

    def close(self) -> None:
        self.connection.close()

    def documents(self, count: int) -> list[UUID]:
        """New documents."""
        return scalars(
            self.connection,
            "INSERT INTO document (workspace_id, company_id, platform, user_id, path) "
            "SELECT workspace_id, company_id, platform, user_id, "
            "text2ltree('w.' || replace(gen_random_uuid()::text, '-', '')) "
            "FROM workspace, generate_series(1, %s) WHERE workspace_id = %s RETURNING document_id",
            [count, self.workspace_id],
        )

    def draft(self, *rows: GivenNode | str, version: str | None = None) -> DraftReport:
        given = [row(each) if isinstance(each, str) else each for each in rows]
        return versions.store_draft(self.connection, self.workspace_id, given, version)

    def promote(self, version: str, **how: Any) -> PromotionReport:
        return versions.promote(self.connection, self.workspace_id, version, **how)

    def release(self, *rows: GivenNode | str, **how: Any) -> PromotionReport:
        """The next version, imported and promoted."""
        return self.promote(self.draft(*rows).version, **how)

    def roll_back(self, to: str | None = None) -> RollbackReport:
        return versions.roll_back(self.connection, self.workspace_id, to)

    def active(self) -> str | None:
        found = stored_versions.active_version(self.connection, self.workspace_id)
        return found.version if found is not None else None

    def node(self, path: str, version: str | None = None) -> UUID:
        found: UUID = scalar(
            self.connection,
            "SELECT node_id FROM taxonomy_nodes WHERE workspace_id = %s AND version = %s AND canonical_path = %s",
            [self.workspace_id, version or self.active(), list(read_path(path))],
        )
        assert found is not None, path
        return found

    def assign(self, document: UUID, *paths: str, **columns: Any) -> None:
        """Topics of the active version, as whoever finds them assigns them."""
        how = {"confidence": 1.0, "origin": "given", "hitl_required": False, "reason": None, **columns}
        for path in paths:
            self.connection.execute(
                "INSERT INTO doc_taxonomy (doc_id, node_id, version, workspace_id, path, lft, confidence, origin, "
                "hitl_required, reason) SELECT %(document)s, node_id, version, workspace_id, canonical_path, lft, "
                "%(confidence)s, %(origin)s, %(hitl_required)s, %(reason)s FROM taxonomy_nodes "
                "WHERE node_id = %(node)s AND version = %(version)s",
                {"document": document, "node": self.node(path), "version": self.active(), **how},
            )

    def decide(self, document: UUID, node: UUID, verdict: str) -> None:
        """A person's word."""
        self.connection.execute(
            "INSERT INTO taxonomy_decision (doc_id, node_id, workspace_id, verdict, decided_by) "
            "VALUES (%s, %s, %s, %s, 'user:kim')",
            [document, node, self.workspace_id, verdict],
        )

    def decided(self, document: UUID, version: str | None = None) -> dict[str, str]:
        """What people said of a document, by path in a version; of other nodes by their ids."""
        rows = self.connection.execute(
            "SELECT d.node_id, n.canonical_path, d.verdict FROM taxonomy_decision d LEFT JOIN taxonomy_nodes n "
            "ON n.node_id = d.node_id AND n.version = %s WHERE d.doc_id = %s",
            [version or self.active(), document],
        )
        return {spell_path(tuple(path)) if path else str(node): verdict for node, path, verdict in rows}

    def topics(self, document: UUID, version: str | None = None) -> dict[str, str]:
        """The topics of a document by path: `origin confidence`, behind it `?` and why where a person is asked."""
        rows = self.connection.execute(
            "SELECT t.path, n.canonical_path, t.lft, n.lft, t.origin, t.confidence, t.hitl_required, t.reason "
            "FROM doc_taxonomy t JOIN taxonomy_nodes n USING (node_id, version) WHERE t.doc_id = %s AND t.version = %s",
            [document, version or self.active()],
        )
        found = {}
        for path, of_node, lft, lft_of_node, origin, confidence, waits, reason in rows:
            assert (path, lft) == (of_node, lft_of_node)
            found[spell_path(tuple(path))] = f"{origin} {confidence:g}" + (f"? {reason}" if waits else "")
        return found

    def ended(self, document: UUID, version: str | None = None) -> dict[str, str]:
        """The topics of a document that ended with a version: the reason, by path."""
        rows = self.connection.execute(
            "SELECT path, reason FROM taxonomy_ended WHERE doc_id = %s AND version = %s",
            [document, version or self.active()],
        )
        return {spell_path(tuple(path)): reason for path, reason in rows}

    def all_rows(self, version: str) -> list[tuple[Any, ...]]:
        """Every assignment and what ended, whole, without the time of the latter."""
        return [
            *self.connection.execute(
                "SELECT * FROM doc_taxonomy WHERE workspace_id = %s AND version = %s ORDER BY doc_id, node_id",
                [self.workspace_id, version],
            ).fetchall(),
            *self.connection.execute(
                "SELECT doc_id, node_id, from_version, path, origin, reason FROM taxonomy_ended "
                "WHERE workspace_id = %s AND version = %s ORDER BY doc_id, node_id",
                [self.workspace_id, version],
            ).fetchall(),
            *self.connection.execute(
                "SELECT doc_id, node_id, verdict FROM taxonomy_decision WHERE workspace_id = %s "
                "ORDER BY doc_id, node_id",
                [self.workspace_id],
            ).fetchall(),
        ]

    def audited(self) -> list[tuple[str, str]]:
        """What the audit log tells of the taxonomy."""
        return self.connection.execute(
            "SELECT action, object FROM audit_logs WHERE workspace_id = %s AND action LIKE 'taxonomy.%%' "
            "ORDER BY audit_log_id",
            [self.workspace_id],
        ).fetchall()


def is_balanced(report: PromotionReport) -> bool:
    """Every assignment is accounted for once."""
    parts = report.carried, report.merged_into, report.queued, report.decided, report.ended, report.dropped
    return report.assignments == sum(parts)


def spelled(nodes: Iterable[Any]) -> list[str]:
    return [spell_path(node.path) for node in nodes]


def assign_at_random(library: Library, documents: int) -> None:
    """Topics of the active version for new documents, one to three each, as various as machines and people say it."""
    library.connection.execute(
        "WITH made AS (INSERT INTO document (workspace_id, company_id, platform, user_id, path) "
        "SELECT workspace_id, company_id, platform, user_id, text2ltree('w.n' || n) FROM workspace, "
        "generate_series(1, %(documents)s) AS n WHERE workspace_id = %(workspace)s RETURNING document_id, path), "
        "chosen AS (SELECT document_id, substr(ltree2text(path), 4)::int AS n, part FROM made, "
        "generate_series(0, 2) AS part WHERE part <= substr(ltree2text(path), 4)::int %% 3) "
        "INSERT INTO doc_taxonomy (doc_id, node_id, version, workspace_id, path, lft, confidence, origin, "
        "hitl_required, reason, score) "
        "SELECT c.document_id, t.node_id, t.version, t.workspace_id, t.canonical_path, t.lft, 0.5 + (c.n %% 5) / 10.0, "
        "(ARRAY['given', 'person', 'rule', 'nearest'])[1 + c.n %% 4], c.n %% 8 = 3, 'n ' || c.n, 0.25 "
        "FROM chosen c JOIN taxonomy_nodes t ON t.workspace_id = %(workspace)s AND t.version = %(version)s "
        "AND t.lft = 1 + (c.n::bigint * 7919 + c.part * 104729) %% %(nodes)s",
        {
            "documents": documents,
            "workspace": library.workspace_id,
            "version": library.active(),
            "nodes": scalar(
                library.connection,
                "SELECT nodes FROM taxonomy_version WHERE workspace_id = %s AND state = 'active'",
                [library.workspace_id],
            ),
        },
    )
    library.connection.execute("ANALYZE doc_taxonomy, document")
