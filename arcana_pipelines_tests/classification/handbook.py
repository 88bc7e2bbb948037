"""A synced workspace with a taxonomy, and an embedder for which texts are alike that share words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

import numpy as np

from arcana_pipelines.classification.classify import ClassificationReport, classify
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import scalar, scalars
from arcana_pipelines.embedding.prices import PricingPolicy
from arcana_pipelines.embedding.protocol import Embedded, Vectors
from arcana_pipelines.taxonomy import versions
from arcana_pipelines.taxonomy.labels import read_path, spell_path
from arcana_pipelines.taxonomy.nodes import GivenNode
from arcana_pipelines.testing.notion_server import NotionWorld
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines_tests.harness import Harness

# What a topic is called, and what it is about.
TOPICS = {
    "People": "everybody who works here",
    "People/Leave": "vacation holiday days off",
    "People/Hiring": "interview candidate offer",
    "Robots": "machines in a warehouse",
    "Robots/Batteries": "battery charge swelling cell",
}


def fill(world: NotionWorld) -> None:
    """Two pages and, in Korean, a third one below the first."""
    vacation = "How many vacation days off everybody has, and when a holiday is taken."
    leave = world.add_page("Vacation policy", blocks=[blocks.paragraph(vacation)])
    world.add_page("Battery care", blocks=[blocks.paragraph("A battery with a swelling cell is not to charge.")])
    world.add_page("휴가 규정", parent=leave, blocks=[blocks.paragraph("직원은 휴가를 사흘 전에 신청해야 합니다.")])
    world.clock.advance(600)


class WordEmbedder:
    """A vector is the sum of those of its words."""

    concurrency = 1

    def __init__(self, model: str, dimensions: int) -> None:
        self.model, self.dimensions = model, dimensions
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str]) -> Embedded:
        self.embedded += texts
        return Embedded(np.stack([self._vector(text) for text in texts]), 3 * len(texts))

    def _vector(self, text: str) -> Vectors:
        found = sum((_of_word(word, self.dimensions) for word in re.findall(r"\w+", text.lower())), np.zeros(1))
        return (found / np.linalg.norm(found)).astype(np.float32)


@cache
def _of_word(word: str, dimensions: int) -> Any:
    return np.random.default_rng(list(word.encode())).standard_normal(dimensions)


@dataclass
class Handbook:
    """The workspace `acme`, whose topics are found."""

    acme: Harness
    connection: Connection
    opened: list[WordEmbedder] = field(default_factory=list)

    @classmethod
    def of(cls, acme: Harness, connection: Connection) -> Handbook:
        made = cls(acme, connection)
        made.acme = acme.at(open_embedder=made.open_embedder)
        return made

    def open_embedder(self, model: str, dimensions: int) -> WordEmbedder:
        self.opened.append(WordEmbedder(model, dimensions))
        return self.opened[-1]

    @property
    def workspace_id(self) -> UUID:
        found: UUID = scalar(self.connection, "SELECT workspace_id FROM workspace WHERE slug = %s", [self.acme.slug])
        return found

    def page(self, title: str, text: str, parent: str | None = None) -> str:
        return self.acme.world.add_page(title, blocks=self.paragraphs(text), parent=parent)

    @staticmethod
    def paragraphs(*texts: str) -> list[Any]:
        return [blocks.paragraph(text) for text in texts]

    def page_id(self, title: str) -> str:
        found: str = scalar(self.connection, "SELECT external_id FROM source_page WHERE title = %s", [title])
        return found

    def sync(self) -> None:
        self.acme.settle()
        self.acme.sync()

    def release(self, topics: dict[str, str] | None = None, *rows: GivenNode) -> str:
        """Import topics with what they are about, and promote them."""
        given = [GivenNode(read_path(path), definition=about) for path, about in (topics or TOPICS).items()]
        draft = versions.store_draft(self.connection, self.workspace_id, [*given, *rows])
        versions.promote(self.connection, self.workspace_id, draft.version, retire_missing=True)
        return draft.version

    def node(self, path: str) -> UUID:
        found: UUID = scalar(
            self.connection,
            "SELECT node_id FROM taxonomy_nodes JOIN taxonomy_version v USING (workspace_id, version) "
            "WHERE workspace_id = %s AND v.state = 'active' AND canonical_path = %s",
            [self.workspace_id, list(read_path(path))],
        )
        assert found is not None, path
        return found

    def document(self, title: str) -> UUID:
        found: UUID = scalar(
            self.connection,
            "SELECT document_id FROM (SELECT document_id, title FROM source_page WHERE workspace_id = %(w)s "
            "UNION ALL SELECT document_id, name FROM source_file WHERE workspace_id = %(w)s) named WHERE title = %(t)s",
            {"w": self.workspace_id, "t": title},
        )
        assert found is not None, title
        return found

    def others(self, count: int) -> list[UUID]:
        """New documents, which are not there any more: what people said of them still counts."""
        return scalars(
            self.connection,
            "INSERT INTO document (workspace_id, company_id, platform, user_id, path, deleted_at) "
            "SELECT workspace_id, company_id, platform, user_id, text2ltree('w.o' || number), now() "
            "FROM workspace, generate_series(1, %s) AS number WHERE workspace_id = %s RETURNING document_id",
            [count, self.workspace_id],
        )

    def classify(self, terms: PricingPolicy | None = None) -> ClassificationReport:
        return classify(self.connection, self.workspace_id, self.open_embedder, terms)

    def topics(self, title: str) -> dict[str, str]:
        """The topics of a document in the active version: how they were found, with `?` where a person is asked."""
        rows = self.connection.execute(
            "SELECT t.path, t.origin, t.hitl_required, t.reason FROM doc_taxonomy t "
            "JOIN taxonomy_version v USING (workspace_id, version) "
            "WHERE t.doc_id = %s AND v.state = 'active' ORDER BY t.confidence DESC, t.score DESC",
            [self.document(title)],
        )
        return {
            spell_path(tuple(path)): origin + ("?" if waits else "") + (f" {reason}" if reason else "")
            for path, origin, waits, reason in rows
        }

    def say(self, title: str, path: str, origin: str = "person", waits: bool = False) -> None:
        """Give a document a topic as other parts do."""
        self.connection.execute(
            "INSERT INTO doc_taxonomy (doc_id, node_id, version, workspace_id, path, lft, confidence, origin, "
            "hitl_required) SELECT %s, n.node_id, n.version, n.workspace_id, n.canonical_path, n.lft, 1, %s, %s "
            "FROM taxonomy_nodes n JOIN taxonomy_version v USING (workspace_id, version) "
            "WHERE n.node_id = %s AND v.state = 'active' ON CONFLICT (doc_id, node_id, version) DO UPDATE "
            "SET origin = excluded.origin, hitl_required = excluded.hitl_required",
            [self.document(title), origin, waits, self.node(path)],
        )

    def decide(self, title: str, path: str, verdict: str, **columns: Any) -> None:
        """A person's word, with nothing done about it."""
        given = {"origin": None, "margin": None, "model": None, **columns}
        self.connection.execute(
            "INSERT INTO taxonomy_decision (doc_id, node_id, workspace_id, verdict, decided_by, origin, margin, model) "
            "VALUES (%(doc)s, %(node)s, %(workspace)s, %(verdict)s, 'user:kim', %(origin)s, %(margin)s, %(model)s)",
            {"doc": self.document(title), "node": self.node(path), "workspace": self.workspace_id, "verdict": verdict,
             **given},
        )  # fmt: skip
