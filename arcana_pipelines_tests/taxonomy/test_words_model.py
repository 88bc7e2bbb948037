"""Any row of what people, machines, promotions and rollbacks do: the last word of a person on a topic is what holds."""

from __future__ import annotations

import itertools
from contextlib import closing
from random import Random
from uuid import UUID

import pytest

from arcana_pipelines.classification.review import Verdict, decide
from arcana_pipelines.classification.review import load_sql as review_sql
from arcana_pipelines.db.engine import Database
from arcana_pipelines.taxonomy import stored_versions
from arcana_pipelines.taxonomy.given import assign, unassign
from arcana_pipelines.taxonomy.giving import Plan, write_plan
from arcana_pipelines.taxonomy.labels import spell_path
from arcana_pipelines.taxonomy.nodes import GivenNode, Node
from arcana_pipelines_tests.taxonomy.library import Library

KIM = "user:kim"
DOCUMENTS = 2
_numbers = itertools.count(1)


class Workspace:
    """`words`: what was said last of (document, node), nodes that are gone for now among them."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.library.release("A", "B")
        self.documents = self.library.documents(DOCUMENTS)
        self.library.assign(self.documents[0], "A", "B")
        self.words: dict[tuple[UUID, UUID], str] = {}

    @property
    def nodes(self) -> list[Node]:
        active = self.library.active()
        assert active is not None
        return stored_versions.nodes_of(self.library.connection, self.library.workspace_id, active)

    def node(self, number: int) -> Node:
        return self.nodes[number % len(self.nodes)]

    def pair(self, document: int, number: int) -> tuple[UUID, Node]:
        return self.documents[document % DOCUMENTS], self.node(number)

    def say(self, document: int, number: int, word: str) -> None:
        of, node = self.pair(document, number)
        act = assign if word == "accepted" else unassign
        act(self.library.connection, self.library.workspace_id, of, [node.path], KIM)
        self.words[of, node.node_id] = word

    def answer(self, number: int, word: Verdict) -> None:
        waiting = [row for row in self.rows() if row[3]]
        if waiting:
            of, node, *_ = waiting[number % len(waiting)]
            decide(self.library.connection, self.library.workspace_id, of, node, word, KIM)
            self.words[of, node] = word

    def bring(self, document: int, number: int, does: bool) -> None:
        """The document brings this topic, or does no more."""
        of, node = self.pair(document, number)
        told = {"doc_id": of, "node_id": node.node_id}
        plan = Plan(given=[told | {"reason": "property 'Topic'"}]) if does else Plan(gone=[told])
        version = self.library.active()
        assert version is not None
        write_plan(self.library.connection, self.library.workspace_id, version, None, plan)

    def find(self, document: int, numbers: list[int], waits: bool) -> None:
        """A machine finds these topics, and no others any more."""
        of = self.documents[document % DOCUMENTS]
        found = list({self.node(number).node_id for number in numbers})
        columns = {
            "doc_ids": [of] * len(found), "node_ids": found, "confidences": [0.5] * len(found),
            "waiting": [waits] * len(found), "origins": ["nearest"] * len(found), "rule_ids": [None] * len(found),
            "scores": [0.5] * len(found), "margins": [0.5] * len(found),
        }  # fmt: skip
        key = {"workspace_id": self.library.workspace_id, "version": self.library.active()}
        about = {**key, "documents": [of], "uncompared": [], "resting": []}
        self.library.connection.execute(review_sql("topics_write"), {**about, **columns})

    def go(self, number: int, how: str) -> None:
        """To another version: one where a node is split into itself and another, say; back, and there again."""
        node, active = self.node(number), self.library.active()
        if how == "split":
            self.release(GivenNode((f"part {next(_numbers)}",), replaces=(node.node_id,)), itself=node.node_id)
        elif how == "add":
            self.release(GivenNode((f"new {next(_numbers)}",)))
        elif how == "back" and active != "1.0.0":
            self.library.roll_back()
        elif how == "again":
            known = stored_versions.versions(self.library.connection, self.library.workspace_id)
            if after := [each.version for each in known if each.based_on == active]:
                self.library.promote(after[number % len(after)])

    def release(self, *more: GivenNode, itself: UUID | None = None) -> None:
        rows = [
            GivenNode(node.path, node_id=node.node_id, replaces=(itself,) if node.node_id == itself else ())
            for node in self.nodes
        ]
        self.library.release(*rows, *more)

    def rows(self) -> list[tuple[UUID, UUID, str, bool]]:
        return self.library.connection.execute(
            "SELECT doc_id, node_id, origin, hitl_required FROM doc_taxonomy "
            "WHERE workspace_id = %s AND version = %s ORDER BY doc_id, lft",
            [self.library.workspace_id, self.library.active()],
        ).fetchall()

    def the_last_word_holds(self) -> None:
        there = {(document, node): (origin, waits) for document, node, origin, waits in self.rows()}
        paths = {node.node_id: spell_path(node.path) for node in self.nodes}
        for (document, node), word in self.words.items():
            if node not in paths:
                continue
            held = there.get((document, node))
            if word == "rejected":
                assert held is None, paths[node]
            else:
                assert held == ("person", False), paths[node]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_the_last_word_of_a_person_holds(database: Database, seed: int) -> None:
    chance = Random(seed)
    with closing(Library(database)) as library:
        workspace = Workspace(library)
        for _ in range(40):
            document, number = chance.randrange(DOCUMENTS), chance.randrange(4)
            word: Verdict = chance.choice(["accepted", "rejected"])
            match chance.choice(["say", "say", "answer", "bring", "find", "go", "go", "go"]):
                case "say":
                    workspace.say(document, number, word)
                case "answer":
                    workspace.answer(number, word)
                case "bring":
                    workspace.bring(document, number, chance.random() < 0.7)
                case "find":
                    numbers = [chance.randrange(4) for _ in range(chance.randrange(3))]
                    workspace.find(document, numbers, chance.random() < 0.5)
                case _:
                    workspace.go(number, chance.choice(["split", "split", "add", "back", "back", "again"]))
            workspace.the_last_word_holds()
