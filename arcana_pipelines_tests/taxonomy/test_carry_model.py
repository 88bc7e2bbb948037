"""Random trees, migrations, topics and decisions: the database carries them as a model of the rules does."""

from __future__ import annotations

import itertools
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arcana_pipelines.db.engine import Database
from arcana_pipelines.taxonomy.nodes import GivenNode
from arcana_pipelines_tests.taxonomy.library import Library

ORIGINS = ("person", "given", "rule", "nearest", "default")
DOCUMENTS = 3
_numbers = itertools.count(1)


@dataclass
class Node:
    """A node of the version before, and its fate."""

    id: UUID
    parent: int | None
    fate: str
    renamed: bool
    new_parent: int | None
    other: int
    parts: tuple[UUID, UUID]


class Topic(NamedTuple):
    document: int
    node: int
    origin: str
    confidence: float
    waits: bool


@dataclass
class Case:
    """A migration.

    Attributes:
        decisions: what people said of (document, node), nodes that are still to come among them.
    """

    nodes: list[Node]
    joined: UUID
    topics: list[Topic]
    decisions: dict[tuple[int, UUID], str] = field(default_factory=dict)

    def stays(self, index: int | None) -> bool:
        return index is not None and self.nodes[index].fate == "stay"

    def successor(self, node: Node) -> UUID:
        """A node that stays, to take the place of one that goes."""
        staying = [each for each in self.nodes if each.fate == "stay"]
        return staying[node.other % len(staying)].id

    def path(self, index: int, version: int) -> tuple[str, ...]:
        node = self.nodes[index]
        above = node.parent if version == 1 else self.above(index)
        label = f"N{index}" + (" renamed" if version == 2 and node.renamed else "")
        return (*(self.path(above, version) if above is not None else ()), label)

    def above(self, index: int) -> int | None:
        """Where a node that stays stands in the new version."""
        new = self.nodes[index].new_parent
        return new if self.stays(new) else None

    def first(self) -> list[GivenNode]:
        return [GivenNode(self.path(index, 1), node_id=node.id) for index, node in enumerate(self.nodes)]

    def second(self) -> list[GivenNode]:
        rows = []
        joining = []
        for index, node in enumerate(self.nodes):
            path = self.path(index, 1)
            if node.fate == "stay":
                rows.append(GivenNode(self.path(index, 2), node_id=node.id))
            elif node.fate == "merge":
                rows.append(GivenNode(path, node_id=node.id, replaced_by=(self.successor(node),)))
            elif node.fate == "join":
                joining.append(node.id)
            elif node.fate == "split":
                rows += [
                    GivenNode((f"N{index} {part}",), node_id=new, replaces=(node.id,))
                    for part, new in zip("ab", node.parts, strict=True)
                ]
            elif node.fate == "retire to":
                rows.append(GivenNode(path, node_id=node.id, retired=True, replaced_by=(self.successor(node),)))
            elif node.fate == "retire":
                rows.append(GivenNode(path, node_id=node.id, retired=True))
        if joining:
            rows.append(GivenNode(("joined",), node_id=self.joined, replaces=tuple(joining)))
        return rows

    def ways(self, index: int) -> list[tuple[str, UUID | None]]:
        """What takes the place of a node, and how."""
        node = self.nodes[index]
        if node.fate == "stay":
            return [("same", node.id)]
        if node.fate in ("merge", "join"):
            return [("merge", self.joined if node.fate == "join" else self.successor(node))]
        if node.fate == "split":
            return [("split", part) for part in node.parts]
        if node.fate == "retire to":
            return [("retire", self.successor(node))]
        above = node.parent
        while above is not None and not self.stays(above):
            above = self.nodes[above].parent
        return [("retire", self.nodes[above].id if above is not None else None)]


class Expected(NamedTuple):
    rows: dict[tuple[int, UUID], tuple[str, float, bool]]
    counts: dict[str, int]
    ended: set[tuple[int, UUID]]
    decisions: dict[tuple[int, UUID], str]


def is_dropped(case: Case, topic: Topic) -> bool:
    """What was only near and waits is looked for again where its node is another one and no person said which."""
    ways = case.ways(topic.node)
    is_decided = any(case.decisions.get((topic.document, to)) == "accepted" for _, to in ways if to is not None)
    return topic.origin == "nearest" and topic.waits and ways[0][0] != "same" and not is_decided


def expected(case: Case) -> Expected:
    """What the rules say, one assignment after the other."""
    landed: dict[tuple[int, UUID], list[tuple[bool, int, float, int]]] = defaultdict(list)
    led: list[tuple[Topic, str, list[tuple[int, UUID]]]] = []
    for number, topic in enumerate(case.topics):
        document, own = topic.document, case.nodes[topic.node].id
        ways = case.ways(topic.node)
        said = {to: case.decisions.get((document, to)) for _, to in ways if to is not None}
        kept = []
        if is_dropped(case, topic):
            led.append((topic, "dropped", kept))
            continue
        for how, to in ways:
            if to is None:
                continue
            waits, origin, confidence = topic.waits, topic.origin, topic.confidence
            if how == "merge":
                is_persons = origin == "person" or case.decisions.get((document, own)) == "accepted"
                if said[to] == "rejected" and not is_persons:
                    continue
                if said[to] is not None:
                    waits = said[to] == "rejected"
            elif how != "same":
                if said[to] == "rejected" or ("accepted" in said.values() and said[to] != "accepted"):
                    continue
                waits = said[to] != "accepted"
                if not waits:
                    origin, confidence = "person", 1.0
            landed[document, to].append((waits, ORIGINS.index(origin), -confidence, number))
            kept.append((document, to))
        led.append((topic, ways[0][0], kept))
    rows = {}
    for key, candidates in landed.items():
        best = min(candidates)
        rows[key] = ORIGINS[best[1]], -min(each[2] for each in candidates), all(each[0] for each in candidates)
    counts = dict.fromkeys(("carried", "merged_into", "queued", "decided", "ended", "dropped"), 0)
    ended = set()
    for topic, how, kept in led:
        if how == "dropped":
            counts["dropped"] += 1
        elif not kept:
            ended.add((topic.document, case.nodes[topic.node].id))
            counts["ended"] += 1
        elif how in ("same", "merge"):
            counts["carried" if how == "same" else "merged_into"] += 1
        else:
            counts["queued" if any(rows[key][2] for key in kept) else "decided"] += 1
    return Expected(rows, counts, ended, _decisions(case, rows))


def _decisions(case: Case, rows: dict[tuple[int, UUID], Any]) -> dict[tuple[int, UUID], str]:
    found = dict(case.decisions)
    merged = [
        (node.id, case.ways(index)[0][1]) for index, node in enumerate(case.nodes) if node.fate in ("merge", "join")
    ]
    for (document, node_id), verdict in sorted(case.decisions.items(), key=lambda each: each[1]):  # accepted first
        for from_node, to in merged:
            if node_id == from_node and to is not None and (verdict == "accepted" or (document, to) not in rows):
                found.setdefault((document, to), verdict)
    return found


@st.composite
def cases(draw: st.DrawFn) -> Case:
    size = draw(st.integers(1, 7))
    fates = ("stay", "stay", "stay", "merge", "join", "split", "retire to", "retire", "missing")
    nodes = []
    base = next(_numbers) << 32
    for index in range(size):
        above = st.one_of(st.none(), st.integers(0, index - 1)) if index else st.none()
        nodes.append(
            Node(
                id=UUID(int=base + index),
                parent=draw(above),
                fate=draw(st.sampled_from(fates)) if index else "stay",
                renamed=draw(st.booleans()),
                new_parent=draw(above),
                other=draw(st.integers(0, 6)),
                parts=(UUID(int=base + 100 + index), UUID(int=base + 200 + index)),
            )
        )
    topics = draw(
        st.lists(
            st.builds(
                Topic,
                st.integers(0, DOCUMENTS - 1),
                st.integers(0, size - 1),
                st.sampled_from(ORIGINS),
                st.sampled_from([0.0, 0.25, 0.5, 1.0]),
                st.booleans(),
            ),
            unique_by=lambda topic: topic[:2],
            max_size=12,
        )
    )
    case = Case(nodes, UUID(int=base + 300), topics)
    ids = [node.id for node in nodes] + [part for node in nodes for part in node.parts] + [case.joined]
    case.decisions = draw(
        st.dictionaries(
            st.tuples(st.integers(0, DOCUMENTS - 1), st.sampled_from(ids)),
            st.sampled_from(["accepted", "rejected"]),
            max_size=8,
        )
    )
    return case


def assigned(library: Library, case: Case) -> list[UUID]:
    """Write the topics of the active version, and what people said."""
    documents = library.documents(DOCUMENTS)
    for topic in case.topics:
        library.connection.execute(
            "INSERT INTO doc_taxonomy (doc_id, node_id, version, workspace_id, path, lft, confidence, origin, "
            "hitl_required) SELECT %s, node_id, version, workspace_id, canonical_path, lft, %s, %s, %s "
            "FROM taxonomy_nodes WHERE node_id = %s AND version = '1.0.0'",
            [documents[topic.document], topic.confidence, topic.origin, topic.waits, case.nodes[topic.node].id],
        )
    for (document, node), verdict in case.decisions.items():
        library.decide(documents[document], node, verdict)
    return documents


@pytest.mark.slow
@given(case=cases())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_topics_are_carried_as_the_rules_say(database: Database, case: Case) -> None:
    with closing(Library(database, f"case-{next(_numbers)}")) as library:
        library.release(*case.first())
        documents = assigned(library, case)
        number_of = {document: number for number, document in enumerate(documents)}
        before = library.all_rows("1.0.0")
        library.draft(*case.second())
        wanted = expected(case)

        dry = library.promote("1.1.0", dry_run=True)
        report = library.promote("1.1.0", retire_missing=True)

        rows = library.connection.execute(
            "SELECT doc_id, node_id, origin, confidence, hitl_required FROM doc_taxonomy "
            "WHERE workspace_id = %s AND version = '1.1.0'",
            [library.workspace_id],
        ).fetchall()
        assert {(number_of[row[0]], row[1]): row[2:] for row in rows} == wanted.rows
        for told in (dry, report):
            assert {name: getattr(told, name) for name in wanted.counts} == wanted.counts
            assert told.assignments == len(case.topics) == sum(wanted.counts.values())
            assert told.after == len(wanted.rows)
        ended = library.connection.execute(
            "SELECT doc_id, node_id FROM taxonomy_ended WHERE workspace_id = %s", [library.workspace_id]
        ).fetchall()
        assert {(number_of[document], node) for document, node in ended} == wanted.ended
        said = library.connection.execute(
            "SELECT doc_id, node_id, verdict FROM taxonomy_decision WHERE workspace_id = %s", [library.workspace_id]
        ).fetchall()
        assert {(number_of[document], node): verdict for document, node, verdict in said} == wanted.decisions

        # Back, where nothing was done meanwhile, everything is as it was; and there again, as it had become.
        after = library.all_rows("1.1.0")
        assert library.roll_back().carried == sum(_is_untouched(case, row) for row in assignments(before))
        assert assignments(library.all_rows("1.0.0")) == assignments(before)
        if wanted.decisions == case.decisions:
            library.promote("1.1.0", retire_missing=True)
            assert library.all_rows("1.1.0") == after


def assignments(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Of all rows, those that are no ended topics and no decisions."""
    return [row for row in rows if len(row) > 10]


def _is_untouched(case: Case, row: tuple[Any, ...]) -> bool:
    """Whether a row is of a node that both versions have and that took no other's place."""
    touched = {to for index, node in enumerate(case.nodes) if node.fate != "stay" for _, to in case.ways(index)}
    staying = {node.id for node in case.nodes if node.fate == "stay"}
    return row[1] in staying - touched
