"""A taxonomy as SKOS in Turtle: what thesauri say, and nothing that strangers could make of it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings

from arcana_pipelines.errors import TaxonomyRefused, WrongUse
from arcana_pipelines.taxonomy.exchange.rows import Imported
from arcana_pipelines.taxonomy.exchange.skos import read_skos, write_skos
from arcana_pipelines.taxonomy.nodes import GivenNode, Node
from arcana_pipelines.taxonomy.tree import make_tree
from arcana_pipelines_tests.taxonomy.exchange_cases import HARD, imported, tree, trees

BEGIN = """
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix dcterms: <http://purl.org/dc/terms/> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix : <http://example.org/topics/> .
"""


def read(turtle: str, spoken: str | None = None) -> Imported:
    return read_skos(BEGIN + turtle, "topics.ttl", spoken)


def by_label(read: Imported) -> dict[str, GivenNode]:
    return {node.path[-1]: node for node in read.nodes}


AI = ':ai a skos:Concept ; skos:prefLabel "AI"@en , "인공지능"@ko .'


def test_a_concept_says_its_labels_synonyms_definition_and_what_is_above_it() -> None:
    found = read(
        AI + ':rag a skos:Concept ; skos:prefLabel "검색 증강 생성"@ko , "RAG"@en ; skos:broader :ai ;'
        'skos:altLabel "검색증강"@ko , "retrieval"@en ; skos:notation "A-7" ;'
        'skos:definition "Answers from documents"@en , "문서에서 답을 찾는다"@ko .'
    )
    rag = by_label(found)["RAG"]
    assert rag.path == ("AI", "RAG") and rag.labels == {"en": "RAG", "ko": "검색 증강 생성"}
    assert rag.synonyms == ("retrieval", "검색증강") and rag.definition == "Answers from documents"
    # What a thesaurus calls it is its address, by which the next import finds it again.
    assert (rag.external_ref, rag.node_id) == ("http://example.org/topics/rag", None)


@pytest.mark.parametrize(
    ("labels", "spoken", "label"),
    [
        ('"x" , "en"@en', None, "x"), ('"ko"@ko , "en"@en', None, "en"), ('"ko"@ko , "de"@de', None, "ko"),
        ('"fr"@fr , "de"@de', None, "de"), ('"ko"@ko , "en"@en', "ko", "ko"), ('"gb"@en-GB , "de"@de', None, "gb"),
    ],
)  # fmt: skip
def test_the_nodes_own_label_is_the_one_without_a_language_or_of_the_one_that_is_asked_for(
    labels: str, spoken: str | None, label: str
) -> None:
    assert [node.path for node in read(f":a a skos:Concept ; skos:prefLabel {labels} .", spoken).nodes] == [(label,)]


def test_our_own_id_is_in_the_notation_or_the_address() -> None:
    one, two = uuid4(), uuid4()
    found = read(
        f':a a skos:Concept ; skos:prefLabel "A" ; skos:notation "{one}" . '
        f'<urn:uuid:{two}> a skos:Concept ; skos:prefLabel "B" .'
    )
    assert {label: node.node_id for label, node in by_label(found).items()} == {"A": one, "B": two}
    assert by_label(found)["B"].external_ref is None


def test_of_several_broader_concepts_the_first_counts_and_the_others_are_told() -> None:
    found = read(AI + ':b a skos:Concept ; skos:prefLabel "B" . :c a skos:Concept ; skos:prefLabel "C" ; '
                 "skos:broader :b , :ai .")  # fmt: skip
    assert by_label(found)["C"].path == ("AI", "C")
    assert found.remarks == ("Concepts with several broader ones stand below the first alone: 'C'.",)


def test_the_other_direction_serves_as_well() -> None:
    found = read(AI + ':ai skos:narrower :c . :c a skos:Concept ; skos:prefLabel "C" .')
    assert by_label(found)["C"].path == ("AI", "C")


def test_what_is_broader_outside_of_the_file_is_told() -> None:
    found = read(':c a skos:Concept ; skos:prefLabel "C" ; skos:broader <http://other.example/x> .')
    assert by_label(found)["C"].path == ("C",)
    assert "whose broader one is not in the file stand at the top: 'C'" in found.remarks[0]


def test_a_retired_concept_names_what_takes_its_place() -> None:
    old = uuid4()
    found = read(
        AI + ':old a skos:Concept ; skos:prefLabel "Old" ; owl:deprecated true ; dcterms:isReplacedBy :ai . '
        f':older a skos:Concept ; skos:prefLabel "Older" ; dcterms:isReplacedBy <urn:uuid:{old}> , <http://x.test/> .'
    )
    assert by_label(found)["Old"].retired and by_label(found)["Old"].replaced_by == (("AI",),)
    assert by_label(found)["Older"].replaced_by == (old,)


def test_concepts_without_a_name_are_left_out_and_told() -> None:
    found = read(AI + '[] a skos:Concept ; skos:prefLabel "no address" . :x a skos:Concept . '
                 ':s a skos:ConceptScheme . :t a skos:ConceptScheme .')  # fmt: skip
    assert len(found.nodes) == 1 and "left out: 2" in found.remarks[0] and "all 2 concept schemes" in found.remarks[1]


def test_two_preferred_labels_in_one_language_are_told() -> None:
    found = read(':x a skos:Concept ; skos:prefLabel "B"@en , "A"@en .')
    assert [node.path for node in found.nodes] == [("A",)] and "have the first: 'B'" in found.remarks[0]


@pytest.mark.parametrize(
    ("turtle", "said"),
    [
        ("", "has no skos:Concept"),
        (":a :b", "is no Turtle"),
        (':a skos:prefLabel "A', "is no Turtle"),
        ("<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", "is no Turtle"),
        (":a :b " + "[ :b " * 20_000, "nested too deep"),
        (":a :b " + "( " * 20_000, "nested too deep"),
        (":a :b " + "9" * 100_000 + " .", "is no Turtle"),
        (":b skos:prefLabel 'B'; skos:broader :c . :c skos:prefLabel 'C'; skos:broader :b .", "above itself"),
        (":a a skos:Concept; skos:prefLabel 'A'; skos:broader :a .", "above itself"),
        (f":a a skos:Concept; skos:prefLabel '{'x' * 10_001}' .", "10,001 characters"),
        (":a a skos:Concept; skos:prefLabel 'a\\u0000' .", "control characters"),
        (":a a skos:Concept; skos:prefLabel '\\ud800' .", "control characters"),
        (":a a skos:Concept; skos:prefLabel 'a'; <urn:arcana:taxonomy:confidence> 'much' .", "is no number"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_a_sentence(turtle: str, said: str) -> None:
    with pytest.raises(TaxonomyRefused) as refused:
        read(turtle)
    assert said in str(refused.value) and len(str(refused.value)) < 700


def test_a_file_that_would_take_minutes_is_refused_at_once() -> None:
    with pytest.raises(TaxonomyRefused, match="more than 25,000,000 characters"):
        read("#" * 25_000_000)


def test_nothing_is_fetched_and_no_xml_in_a_literal_is_read(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*asked: object) -> None:
        raise AssertionError(f"asked for {asked}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    laughs = "<!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]><l>&b;</l>"
    found = read(
        "@base <http://localhost:1/> . @prefix x: <http://localhost:1/x#> . <o> owl:imports <http://localhost:1/y> . "
        f':a a skos:Concept ; skos:prefLabel "{laughs}"^^rdf:XMLLiteral ; x:see <file:///etc/hostname> .'
    )
    assert [node.path for node in found.nodes] == [(laughs,)] and not caplog.records


def test_an_address_that_is_none_is_not_logged_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    found = read(AI + ':ai skos:related <http://x.example/\x1b[2J "> .')
    assert [node.path for node in found.nodes] == [("AI",)] and not caplog.records


def test_without_rdflib_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rdflib", None)
    for asked in (lambda: read(AI), lambda: write_skos(tree("AI"), "acme", "1.0.0")):
        with pytest.raises(WrongUse, match=r"arcana-pipelines\[skos\]"):
            asked()


def sorted_synonyms(nodes: Sequence[Node]) -> dict[UUID, Node]:
    """Nodes by their ids. RDF has no order, of synonyms and of siblings neither."""
    return {node.node_id: replace(node, synonyms=tuple(sorted(node.synonyms)), lft=None, rgt=None) for node in nodes}


def test_an_import_of_an_export_changes_nothing() -> None:
    nodes = make_tree(HARD, []).nodes
    turtle = write_skos(nodes, "acme", "1.0.0")
    assert sorted_synonyms(imported(read_skos(turtle, "x"), nodes)) == sorted_synonyms(nodes)
    # What its source calls by an address has it here; others are called by their ids.
    assert "<https://example.org/c/1> a skos:Concept" in turtle and f"<urn:uuid:{nodes[0].node_id}>" in turtle
    assert 'owl:versionInfo "1.0.0"' in turtle and "dcterms:isVersionOf taxonomy:acme" in turtle


@pytest.mark.slow
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(trees())
def test_an_import_of_any_export_changes_nothing(nodes: list[Node]) -> None:
    found = imported(read_skos(write_skos(nodes, "acme", "1.0.0"), "x"), nodes)
    assert sorted_synonyms(found) == sorted_synonyms(nodes)
