"""A taxonomy as JSON, and as JSON Lines."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings

from arcana_pipelines.errors import TaxonomyRefused
from arcana_pipelines.taxonomy.exchange.json_file import read_json, read_json_lines, write_json
from arcana_pipelines.taxonomy.nodes import Node
from arcana_pipelines.taxonomy.tree import make_tree
from arcana_pipelines_tests.taxonomy.exchange_cases import HARD, imported, trees


def test_one_object_a_list_and_lines_say_the_same() -> None:
    nodes = [{"path": ["AI"], "labels": {"ko": "인공지능"}}, {"path": "AI/RAG", "synonyms": ["a", "b|c"]}]
    whole = read_json(json.dumps({"version": "1.0.0", "nodes": nodes}), "x")
    assert read_json(json.dumps(nodes), "x") == whole
    lines = read_json_lines("\n".join(map(json.dumps, nodes)) + "\n\n", "x")
    assert [(node.path, node.synonyms, node.labels) for node in lines.nodes] == [
        (node.path, node.synonyms, node.labels) for node in whole.nodes
    ]
    assert whole.nodes[1].synonyms == ("a", "b|c") and whole.nodes[0].labels == {"ko": "인공지능"}


def test_a_node_stands_below_its_parent_whatever_the_ids_are() -> None:
    its = str(uuid4())
    found = read_json(
        json.dumps([{"node_id": 1, "label": "AI"}, {"node_id": its, "parent_id": 1, "label": "a/b"}]), "x"
    )
    assert [node.path for node in found.nodes] == [("AI",), ("AI", "a/b")]
    assert (found.nodes[0].external_ref, str(found.nodes[1].node_id)) == ("1", its)


def test_lines_are_ended_by_line_feeds_alone() -> None:
    (node,) = read_json_lines('{"path": ["AI"], "definition": "a\u2028b\u0085c"}', "x").nodes
    assert node.definition == "a\u2028b\u0085c"


def test_keys_that_mean_nothing_are_told() -> None:
    assert read_json('[{"path": "AI", "colour": "red"}]', "x").remarks == (
        "Keys that mean nothing here were not read: 'colour'.",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "x is no JSON"),
        ("{", "x is no JSON"),
        ("[" * 100_000, "nested too deep"),
        ("9" * 5000, "x is no JSON"),
        ("{}", "has no list 'nodes'"),
        ('{"nodes": {}}', "has no list 'nodes'"),
        ("[]", "has no nodes"),
        ("[1]", "Node 1 of x is no object"),
        ('[{"path": 7}]', "'path' of node 1 is not a list of labels"),
        ('[{"path": ["a", 1]}]', "'path' of node 1 is not a list of labels"),
        ('[{"path": []}]', "Node 1: The path is empty"),
        ('[{"path": ["a", " "]}]', "Node 1: A label is empty"),
        ('[{"label": ["a"]}]', "'label' of node 1 is not text"),
        ('[{"path": "AI", "synonyms": "a, b"}]', "'synonyms' of node 1 is not a list of texts"),
        ('[{"path": "AI", "labels": {"korean!": "가"}}]', "'korean!' is none"),
        ('[{"path": "AI", "labels": ["ko"]}]', "'labels' of node 1 is not an object"),
        ('[{"path": "AI", "confidence": true}]', "not a number from 0 to 1"),
        ('[{"path": "AI", "confidence": NaN}]', "not a number from 0 to 1"),
        ('[{"path": "AI", "retired": "yes"}]', "'retired' of node 1 is not true or false"),
        ('[{"path": "a\\u0000b"}]', "control characters"),
        ('[{"path": "\\ud800"}]', "control characters"),
    ],
)
def test_what_cannot_be_is_refused_and_the_node_named(text: str, said: str) -> None:
    with pytest.raises(TaxonomyRefused) as refused:
        read_json(text, "x")
    assert said in str(refused.value)


@pytest.mark.parametrize("entry", [["x"] * 201, {f"a{chr(97 + n // 26)}{chr(97 + n % 26)}": "x" for n in range(201)}])
def test_what_has_too_many_entries_is_refused(entry: Any) -> None:
    key = "synonyms" if isinstance(entry, list) else "labels"
    with pytest.raises(TaxonomyRefused, match=f"'{key}' of node 1 is not .* at most 200"):
        read_json(json.dumps([{"path": "AI", key: entry}]), "x")


def test_more_than_a_hundred_thousand_nodes_are_refused() -> None:
    with pytest.raises(TaxonomyRefused, match="more than 100,000 nodes"):
        read_json("[" + ",".join(["{}"] * 200_000) + "]", "x")
    with pytest.raises(TaxonomyRefused, match="more than 100,000 nodes"):
        read_json_lines("{}\n" * 200_000, "x")


def test_a_line_that_is_no_json_is_named() -> None:
    with pytest.raises(TaxonomyRefused, match="Line 2 of x is no JSON"):
        read_json_lines('{"path": "AI"}\n{"path":', "x")


def test_an_import_of_an_export_changes_nothing() -> None:
    nodes = make_tree(HARD, []).nodes
    assert imported(read_json(write_json(nodes, {"version": "1.0.0"}), "x"), nodes) == nodes


@pytest.mark.slow
@settings(max_examples=40)
@given(trees())
def test_an_import_of_any_export_changes_nothing(nodes: list[Node]) -> None:
    assert imported(read_json(write_json(nodes, {}), "x"), nodes) == nodes
