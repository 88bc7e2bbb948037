"""From the rows of an import to a tree: what it may not be, which node is which, and what has changed."""

from __future__ import annotations

import unicodedata
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcana_pipelines.errors import TaxonomyRefused
from arcana_pipelines.taxonomy import tree
from arcana_pipelines.taxonomy.tree import GivenNode, Node, clean_label, make_tree, read_path, spell_path


def row(path: str, **more: Any) -> GivenNode:
    return GivenNode(read_path(path), **more)


def first(*paths: str) -> list[Node]:
    """The nodes of a first version."""
    return make_tree([row(path) for path in paths], []).nodes


def at(nodes: list[Node], path: str) -> Node:
    return next(node for node in nodes if node.path == read_path(path))


def told(draft: tree.Draft) -> list[tuple[str, str | None, str | None]]:
    """The changes as a reader sees them."""
    return [
        (change.kind, change.from_path and spell_path(change.from_path), change.to_path and spell_path(change.to_path))
        for change in draft.changes
    ]


# Labels and paths


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("AI", ("AI",)),
        ("AI/RAG", ("AI", "RAG")),
        (" AI  /\tRAG ", ("AI", "RAG")),
        (r"TCP\/IP/a\\b", ("TCP/IP", r"a\b")),
        (r"C:\temp", (r"C:\temp",)),
        ("인공지능/검색 증강", ("인공지능", "검색 증강")),
        (unicodedata.normalize("NFD", "인공지능"), ("인공지능",)),
    ],
)
def test_a_path_is_read_as_people_write_it(text: str, path: tuple[str, ...]) -> None:
    assert read_path(text) == path


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "A label is empty"),
        ("AI//RAG", "A label is empty"),
        ("/AI", "A label is empty"),
        ("AI/ ", "A label is empty"),
        ("AI/\u200b", "A label is empty"),
        ("A\x00B", "control characters"),
        ("A\ud800B", "control characters"),
        ("x" * 201, "201 characters; 200 are the most"),
        ("/".join("abcdefghijklmnopq"), "17 levels; 16 are the most"),
    ],
)
def test_what_is_no_path_is_refused_in_a_sentence(text: str, why: str) -> None:
    with pytest.raises(TaxonomyRefused, match=why):
        read_path(text)


LABELS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20).filter(
    lambda text: any(unicodedata.category(character)[0] not in "CZ" for character in text)
)


@given(st.lists(LABELS, min_size=1, max_size=16))
def test_what_is_spelled_is_read_again(labels: list[str]) -> None:
    path = tuple(clean_label(label) for label in labels)
    assert read_path(spell_path(path)) == path
    assert tuple(clean_label(label) for label in path) == path


# Trees


def test_a_tree_is_walked_from_the_top_with_siblings_as_they_are_given() -> None:
    nodes = first("AI/RAG", "Law", "AI", "AI/Agents", "AI/RAG/Chunks")
    assert [(spell_path(node.path), node.lft, node.rgt) for node in nodes] == [
        ("Law", 1, 1),
        ("AI", 2, 5),
        ("AI/RAG", 3, 4),
        ("AI/RAG/Chunks", 4, 4),
        ("AI/Agents", 5, 5),
    ]
    assert at(nodes, "AI/RAG").parent_id == at(nodes, "AI").node_id


def test_a_row_may_name_the_row_above_it() -> None:
    top = uuid4()
    draft = make_tree(
        [
            GivenNode(("Chunks",), parent="ref:rag"),
            GivenNode(("ignored", "RAG"), external_ref=" ref:rag ", parent=top),
            GivenNode(("AI",), node_id=top),
            row("AI/RAG/Vectors"),
        ],
        [],
    )
    assert [spell_path(node.path) for node in draft.nodes] == ["AI", "AI/RAG", "AI/RAG/Chunks", "AI/RAG/Vectors"]


def test_texts_are_cleaned() -> None:
    (node,) = make_tree(
        [
            row(
                "AI",
                definition=" Machines\nthat think. ",
                synonyms=("ML", " ML ", "기계  학습"),
                labels={"ko": "인공  지능", "en-GB": "AI"},
                external_ref="  ",
                confidence=0.5,
            )
        ],
        [],
    ).nodes
    assert node.definition == "Machines\nthat think."
    assert node.synonyms == ("ML", "기계 학습")
    assert node.labels == {"ko": "인공 지능", "en-GB": "AI"}
    assert (node.external_ref, node.confidence) == (None, 0.5)


ONE, OTHER = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([], "No row says what is there"),
        ([row("AI", retired=True)], "No row says what is there"),
        ([GivenNode(())], r"Row 1 \(''\): The path is empty"),
        ([GivenNode((" ",), at="line 7")], r"Line 7 \(' '\): A label is empty"),
        ([GivenNode(("a\x07",))], "Row 1 .*control characters"),
        ([GivenNode(tuple("abcdefghijklmnopq"))], "Row 1 .*17 levels"),
        ([row("AI"), row("Law"), row(" AI ")], r"Row 3 \('AI'\): row 1 has the same path"),
        ([row("AI"), row("Law/Tax")], r"Row 2 \('Law/Tax'\): no row is 'Law'"),
        ([row("AI", parent=ONE)], rf"Row 1 \('AI'\): no row is '{ONE}', which it names as its parent"),
        ([row("AI", node_id=ONE), row("Law", node_id=ONE)], rf"Row 2 \('Law'\): it is the same node as row 1.*'{ONE}'"),
        ([row("AI", external_ref="x"), row("Law", external_ref="x")], "Row 2 .*the same node as row 1"),
        (
            [row("AI", node_id=ONE, parent=OTHER), row("Law", node_id=OTHER, parent=ONE)],
            "Row 1 .*stands below itself: 'Law', 'AI' go round",
        ),
        ([row("AI", external_ref="x", parent="x")], "stands below itself"),
        ([row("AI", confidence=float("nan"))], "confidence is nan"),
        ([row("AI", confidence=1.5)], "confidence is 1.5"),
        ([row("AI", definition="x" * 10_001)], "10,001 characters"),
        ([row("AI", definition="\x00")], "A definition holds control characters"),
        ([row("AI", external_ref="x" * 2_001)], "external_ref is longer than 2,000"),
        ([row("AI", synonyms=tuple(str(number) for number in range(201)))], "201 synonyms"),
        ([row("AI", labels={"한국어": "인공지능"})], "is no tag of a language"),
        ([row("AI")] * 100_001, "100,001 rows"),
    ],
)
def test_what_cannot_be_a_tree_is_refused_in_a_sentence(rows: list[GivenNode], why: str) -> None:
    with pytest.raises(TaxonomyRefused, match=why):
        make_tree(rows, [])


def test_seventeen_levels_are_refused_below_parents_too() -> None:
    rows = [GivenNode(("level",), external_ref=str(level), parent=str(level - 1)) for level in range(1, 17)]
    with pytest.raises(TaxonomyRefused, match=r"Row 17 .*level 17; 16 are the most"):
        make_tree([GivenNode(("level",), external_ref="0"), *rows], [])


# Which node is which


def test_a_renamed_node_keeps_its_id() -> None:
    before = first("AI", "AI/RAG")
    draft = make_tree([row("Machines", node_id=at(before, "AI").node_id), row("Machines/RAG")], before)
    assert told(draft) == [("rename", "AI", "Machines")]
    assert [node.node_id for node in draft.nodes] == [node.node_id for node in before]
    assert draft.missing == []


def test_a_node_is_found_by_what_it_is_called_elsewhere() -> None:
    before = make_tree([row("AI", external_ref="notion:1"), row("Law", external_ref="notion:2")], []).nodes
    draft = make_tree([row("Law", external_ref="notion:1"), row("Rights", external_ref="notion:2")], before)
    assert told(draft) == [("rename", "AI", "Law"), ("rename", "Law", "Rights")]


def test_a_file_that_does_not_say_what_a_node_is_called_elsewhere_does_not_forget_it() -> None:
    before = make_tree([row("AI", external_ref="notion:1"), row("Law", external_ref="notion:2")], []).nodes
    draft = make_tree([row("AI"), row("Law"), row("Rights", external_ref="notion:3")], before)
    assert [node.external_ref for node in draft.nodes] == ["notion:1", "notion:2", "notion:3"]
    assert told(draft) == [("add", None, "Rights")]


def test_a_name_from_elsewhere_is_not_given_to_two_nodes() -> None:
    before = make_tree([row("AI", external_ref="notion:1")], []).nodes
    draft = make_tree([row("AI", node_id=before[0].node_id), row("Law", external_ref="notion:1")], before)
    assert [node.external_ref for node in draft.nodes] == [None, "notion:1"]


def test_children_go_with_their_parent_where_two_change_places() -> None:
    before = first("A", "A/x", "B", "B/x")
    draft = make_tree(
        [
            row("B", node_id=at(before, "A").node_id),
            row("B/x"),
            row("A", node_id=at(before, "B").node_id),
            row("A/x"),
        ],
        before,
    )
    assert told(draft) == [("rename", "A", "B"), ("rename", "B", "A")]
    assert at(draft.nodes, "B/x").node_id == at(before, "A/x").node_id


def test_a_node_may_be_renamed_and_moved_at_once() -> None:
    before = first("AI", "AI/RAG", "Search")
    draft = make_tree([row("AI"), row("Search"), row("Search/Retrieval", node_id=at(before, "AI/RAG").node_id)], before)
    assert told(draft) == [
        ("rename", "AI/RAG", "Search/Retrieval"),
        ("move", "AI/RAG", "Search/Retrieval"),
    ]


def test_a_new_node_that_alone_replaces_one_alone_is_that_one() -> None:
    before = first("AI", "AI/RAG")
    draft = make_tree([row("Machines", replaces=(("AI",),)), row("Machines/RAG")], before)
    assert told(draft) == [("rename", "AI", "Machines")]


def test_new_nodes_get_the_ids_that_are_given_or_that_they_had_in_an_earlier_draft() -> None:
    given, kept = uuid4(), uuid4()
    before = first("AI")
    draft = make_tree(
        [row("AI"), row("Law", node_id=given), row("Tax"), row("News")],
        before,
        earlier={("Tax",): kept, ("News",): given},
        new_id=lambda: ONE,
    )
    assert [node.node_id for node in draft.nodes] == [before[0].node_id, given, kept, ONE]


# What became of the others


def test_two_that_are_replaced_by_one_are_merged() -> None:
    before = first("A", "B", "D")
    draft = make_tree([row("C", replaces=(("A",), at(before, "B").node_id)), row("D")], before)
    assert told(draft) == [("add", None, "C"), ("merge", "A", "C"), ("merge", "B", "C")]


def test_one_may_be_merged_into_one_that_stays() -> None:
    before = first("A", "B")
    assert told(make_tree([row("B", replaces=(("A",),))], before)) == [("merge", "A", "B")]
    assert told(make_tree([row("B"), row("A", replaced_by=(("B",),))], before)) == [("merge", "A", "B")]


def test_one_that_two_replace_is_split() -> None:
    before = first("A")
    split = [("add", None, "B"), ("add", None, "C"), ("split", "A", "B"), ("split", "A", "C")]
    assert told(make_tree([row("B", replaces=(("A",),)), row("C", replaces=(("A",),))], before)) == split
    assert told(make_tree([row("A", replaced_by=(("B",), ("C",))), row("B"), row("C")], before)) == split


def test_one_that_stays_and_is_replaced_besides_is_split_into_itself_and_the_other() -> None:
    before = first("A")
    draft = make_tree([row("A"), row("B", node_id=uuid4(), replaces=(("A",), ("A",)))], before)
    assert told(draft) == [("add", None, "B"), ("split", "A", "A"), ("split", "A", "B")]


def test_a_retired_node_goes_with_or_without_a_successor() -> None:
    before = first("A", "B", "C")
    draft = make_tree([row("A", retired=True), row("B", retired=True, replaced_by=(("C",),)), row("C")], before)
    assert told(draft) == [("retire", "A", None), ("retire", "B", "C")]
    assert draft.missing == []


def test_what_is_neither_there_nor_explained_is_missing() -> None:
    before = first("A", "B", "B/x")
    draft = make_tree([row("A")], before)
    assert told(draft) == []
    assert [spell_path(node.path) for node in draft.missing] == ["B", "B/x"]


def test_a_successor_that_went_too_leads_to_its_own() -> None:
    before = make_tree([row("A", external_ref="a"), row("B"), row("C")], []).nodes
    draft = make_tree(
        [
            row("A", external_ref="a", replaced_by=(("B",),)),
            row("B", replaced_by=(("Old",), at(before, "C").node_id)),
            row("Old", retired=True, replaced_by=(("C",),)),
            row("C"),
        ],
        before,
    )
    assert told(draft) == [("merge", "A", "C"), ("merge", "B", "C")]
    assert draft.notes == ["row 3 goes, and the version before does not have it."]


def test_what_an_earlier_version_forgot_is_told_and_does_no_harm() -> None:
    draft = make_tree([row("A", replaces=(("Old",), ONE)), row("Gone", retired=True)], first("A"))
    assert draft.changes == []
    assert draft.notes == [
        "row 1 replaces 'Old', which the version before does not have.",
        f"row 1 replaces '{ONE}', which the version before does not have.",
        "row 2 goes, and the version before does not have it.",
    ]


def test_what_a_row_does_not_say_stays_and_what_it_leaves_empty_goes() -> None:
    whole = GivenNode(("AI",), definition="All of it", synonyms=("ML",), labels={"ko": "인공지능", "ja": "人工知能"})
    before = make_tree([whole], []).nodes
    (kept,) = make_tree([GivenNode(("AI",), says=frozenset())], before).nodes
    assert kept == before[0]
    (emptied,) = make_tree([GivenNode(("AI",), says=frozenset({"definition", "label@ko"}))], before).nodes
    assert (emptied.definition, emptied.synonyms, emptied.labels) == (None, ("ML",), {"ja": "人工知能"})
    (told_all,) = make_tree([GivenNode(("AI",))], before).nodes
    assert (told_all.definition, told_all.synonyms, told_all.labels) == (None, (), {})


@pytest.mark.parametrize("by", [("Nowhere",), ONE, ("A",)])
def test_a_successor_that_is_not_there_is_refused(by: tree.Named) -> None:
    with pytest.raises(TaxonomyRefused, match=r"Row 1 \('A'\): it is replaced by '.*', which is not there"):
        make_tree([row("A", replaced_by=(by,)), row("B")], first("A", "B"))


def test_a_path_that_is_there_and_goes_is_refused() -> None:
    with pytest.raises(TaxonomyRefused, match=r"Row 1 \('A'\): it is there, and row 2 says that it goes"):
        make_tree([row("A"), row("A", retired=True)], first("A"))


def test_another_concept_may_take_the_path_of_one_that_goes() -> None:
    before = first("A")
    draft = make_tree([row("A", node_id=ONE), row("A", retired=True)], before)
    assert [node.node_id for node in draft.nodes] == [ONE]
    assert told(draft) == [("add", None, "A"), ("retire", "A", None)]


def test_two_versions_are_compared_by_their_nodes() -> None:
    old = first("A", "B", "C", "C/x")
    new = make_tree(
        [row("A2", node_id=at(old, "A").node_id), row("C"), row("x", node_id=at(old, "C/x").node_id), row("D")], old
    ).nodes
    assert told(tree.Draft([], tree.compared(old, new), [], [])) == [
        ("rename", "A", "A2"),
        ("move", "C/x", "x"),
        ("add", None, "D"),
        ("gone", "B", None),
    ]
