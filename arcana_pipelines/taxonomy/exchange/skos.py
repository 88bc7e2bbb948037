"""A taxonomy as SKOS in Turtle, which thesauri, PoolParty, VocBench and the IPTC write and read.

https://www.w3.org/TR/skos-reference/ has the words. A concept's notation is its node id; its address is what its source
calls it. Nothing is ever fetched: an address is a name here.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

from arcana_pipelines import plugins
from arcana_pipelines.errors import TaxonomyRefused
from arcana_pipelines.taxonomy.exchange.rows import (
    MOST_ROWS,
    Imported,
    Row,
    assemble,
    language,
    named,
    node_id,
)
from arcana_pipelines.taxonomy.nodes import Node

if TYPE_CHECKING:
    from rdflib import Graph
    from rdflib.term import Node as Term

LARGEST = 25_000_000
"""Characters of Turtle that are read: reading takes two seconds a million."""

_EXTRA = ("SKOS in Turtle", "skos")
_HERE = "urn:arcana:taxonomy:"  # what relative addresses in a file are below
_CONFIDENCE = f"{_HERE}confidence"
# Where several languages could be the label, and none is asked for.
_PREFERRED = ("", "en", "ko")
_ADDRESS = re.compile(r"(?:https?://|urn:)[^\s<>\"{}|\\^`\x00-\x20]{1,1900}")


def read_skos(text: str, source: str, spoken: str | None = None) -> Imported:
    """What SKOS concepts say. Of several broader concepts the first by its address is the parent; others are reported.

    Args:
        text: Turtle.
        source: what it was read from, for errors.
        spoken: the language whose preferred label is the node's own. None: that without a language, else English, else
            Korean, else the first by its tag.

    Raises:
        TaxonomyRefused: it is no Turtle, is too large, or its concepts are no tree.
        WrongUse: rdflib is not installed.
    """
    graph = _parsed(text, source)
    concepts = _Concepts(graph, spoken)
    found = concepts.found()
    if len(found) > MOST_ROWS:
        raise TaxonomyRefused(f"{source} has more than {MOST_ROWS:,} concepts: a taxonomy is smaller.")
    if not found:
        raise TaxonomyRefused(f"{source} has no skos:Concept.")
    rows = [concepts.row(term) for term in found]
    return assemble(rows, source, concepts.remarks())


def write_skos(nodes: Sequence[Node], name: str, version: str) -> str:
    """The nodes of a version as a concept scheme of `name`. A label without a language is the node's own.

    Raises:
        WrongUse: rdflib is not installed.
    """
    with plugins.optional(*_EXTRA):
        from rdflib import Graph, Literal, URIRef
        from rdflib.namespace import DCTERMS, OWL, RDF, SKOS, XSD
    graph = Graph(bind_namespaces="none")
    for prefix, words in (("skos", SKOS), ("dcterms", DCTERMS), ("owl", OWL), ("taxonomy", _HERE)):
        graph.bind(prefix, words)
    whole = URIRef(f"{_HERE}{name}")
    scheme = URIRef(f"{_HERE}{name}:{version}")
    graph.add((scheme, RDF.type, SKOS.ConceptScheme))
    graph.add((scheme, DCTERMS.title, Literal(name)))
    graph.add((scheme, DCTERMS.isVersionOf, whole))
    graph.add((scheme, OWL.versionInfo, Literal(version)))
    addresses = _addresses(nodes)
    for node in nodes:
        concept = URIRef(addresses[node.node_id])
        graph.add((concept, RDF.type, SKOS.Concept))
        graph.add((concept, SKOS.inScheme, scheme))
        graph.add((concept, SKOS.notation, Literal(str(node.node_id))))
        graph.add((concept, SKOS.prefLabel, Literal(node.label)))
        for tag, label in node.labels.items():
            graph.add((concept, SKOS.prefLabel, Literal(label, lang=tag)))
        for synonym in node.synonyms:
            graph.add((concept, SKOS.altLabel, Literal(synonym)))
        if node.definition:
            graph.add((concept, SKOS.definition, Literal(node.definition)))
        if node.parent_id is None:
            graph.add((concept, SKOS.topConceptOf, scheme))
        else:
            graph.add((concept, SKOS.broader, URIRef(addresses[node.parent_id])))
        if node.external_ref and node.external_ref != str(concept):
            graph.add((concept, DCTERMS.identifier, Literal(node.external_ref)))
        if node.confidence != 1:
            graph.add((concept, URIRef(_CONFIDENCE), Literal(repr(node.confidence), datatype=XSD.decimal)))
    return graph.serialize(format="turtle")


def _addresses(nodes: Sequence[Node]) -> dict[UUID, str]:
    """How each concept is called: as its source does where that is an address, else by its id."""
    times: defaultdict[str, int] = defaultdict(int)
    for node in nodes:
        times[node.external_ref or ""] += 1
    return {
        node.node_id: node.external_ref
        if node.external_ref and times[node.external_ref] == 1 and _ADDRESS.fullmatch(node.external_ref)
        else f"urn:uuid:{node.node_id}"
        for node in nodes
    }


def _parsed(text: str, source: str) -> Graph:
    with plugins.optional(*_EXTRA):
        from rdflib import Graph, Literal, URIRef
        from rdflib.plugins.parsers.notation3 import RDFSink, SinkParser

    class Texts(RDFSink):
        """Takes each literal for the text that it is: one of a datatype is converted, XML with all its entities."""

        def newLiteral(self, s: str, dt: URIRef | None, lang: str | None) -> Literal:
            return Literal(s, lang=lang)

    if len(text) > LARGEST:
        raise TaxonomyRefused(f"{source} has more than {LARGEST:,} characters, which is the most of Turtle.")
    graph = Graph(bind_namespaces="none")
    try:
        with _silence():
            SinkParser(Texts(graph), baseURI=_HERE, turtle=True).loadBuf(text)
    except RecursionError as error:
        raise TaxonomyRefused(f"{source} is nested too deep for a taxonomy.") from error
    # Of what strangers wrote the parser fails with whatever it stumbles over: its own error, KeyError, AssertionError.
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        raise TaxonomyRefused(f"{source} is no Turtle: {type(error).__name__}: {said}") from error
    return graph


@contextmanager
def _silence() -> Iterator[None]:
    """The parser logs addresses that are none as they stand in the file, with what could command a terminal."""
    its = logging.getLogger("rdflib")
    before = its.level
    its.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        its.setLevel(before)


class _Concepts:
    """The concepts of a graph, and what had to be decided of them."""

    def __init__(self, graph: Graph, spoken: str | None) -> None:
        from rdflib.namespace import DCTERMS, OWL, RDF, SKOS

        self._graph = graph
        self._spoken = (spoken.lower(), *_PREFERRED) if spoken else _PREFERRED
        self._dcterms, self._owl, self._rdf, self._skos = DCTERMS, OWL, RDF, SKOS
        self._several: list[str] = []
        self._outside: list[str] = []
        self._twice: list[str] = []
        self._unnamed = 0
        self._ours: set[Term] = set()

    def found(self) -> list[Term]:
        """The concepts by their labels. One without an address or a preferred label is left out."""
        from rdflib.term import URIRef

        all_ones = set(self._graph.subjects(self._rdf.type, self._skos.Concept))
        all_ones |= set(self._graph.subjects(self._skos.broader))
        self._ours = {
            one for one in all_ones if isinstance(one, URIRef) and next(self._texts(one, self._skos.prefLabel), None)
        }
        self._unnamed = len(all_ones) - len(self._ours)
        return sorted(
            self._ours, key=lambda one: (self._preferred(self._by_language(one, self._skos.prefLabel)), str(one))
        )

    def row(self, one: Term) -> Row:
        skos = self._skos
        labels = self._by_language(one, skos.prefLabel)
        label = self._preferred(labels)
        notation = next(
            (its for held in sorted(map(str, self._graph.objects(one, skos.notation))) if (its := node_id(held))), None
        )
        if notation is None and str(one).startswith("urn:uuid:"):
            notation = node_id(str(one).removeprefix("urn:uuid:"))
        said = next(iter(sorted(map(str, self._graph.objects(one, self._dcterms.identifier)))), "")
        is_own_name = str(one).startswith("urn:uuid:")
        definitions = self._by_language(one, skos.definition)
        return Row(
            where=f"concept {self._called(one)}",
            label=label,
            own_id=str(one),
            parent=self._parent(one, label),
            node_id=notation,
            external_ref=said or (None if is_own_name else str(one)),
            definition=self._preferred(definitions) if definitions else None,
            synonyms=tuple(sorted({text for _, text in self._texts(one, skos.altLabel)})),
            labels={tag: text for tag, text in labels.items() if tag},
            confidence=self._confidence(one),
            replaces=self._others(one, self._dcterms.replaces),
            is_retired=any(
                str(held).lower() in ("true", "1") for held in self._graph.objects(one, self._owl.deprecated)
            ),
            replaced_by=self._others(one, self._dcterms.isReplacedBy),
        )

    def remarks(self) -> list[str]:
        """What was decided, in sentences."""
        remarks = []
        if self._several:
            remarks.append(f"Concepts with several broader ones stand below the first alone: {named(self._several)}.")
        if self._outside:
            remarks.append(f"Concepts whose broader one is not in the file stand at the top: {named(self._outside)}.")
        if self._twice:
            remarks.append(f"Concepts with two preferred labels in one language have the first: {named(self._twice)}.")
        if self._unnamed:
            remarks.append(f"Concepts without an address or a preferred label were left out: {self._unnamed:,}.")
        schemes = len(set(self._graph.subjects(self._rdf.type, self._skos.ConceptScheme)))
        if schemes > 1:
            remarks.append(f"The concepts of all {schemes} concept schemes make one taxonomy.")
        return remarks

    def _parent(self, one: Term, label: str) -> str:
        # Some write only the other direction.
        said = {*self._graph.objects(one, self._skos.broader), *self._graph.subjects(self._skos.narrower, one)}
        known = sorted(map(str, said & self._ours))
        if len(known) > 1:
            self._several.append(label)
        if said and not known:
            self._outside.append(label)
        return known[0] if known else ""

    def _others(self, one: Term, predicate: Term) -> tuple[str, ...]:
        """Concepts of the file, and nodes by their ids. What else is named cannot be known here."""
        others = set(self._graph.objects(one, predicate))
        known = [str(other) for other in others if other in self._ours]
        by_id = [text for other in others - self._ours if node_id(text := str(other).removeprefix("urn:uuid:"))]
        return tuple(sorted(known + by_id))

    def _by_language(self, one: Term, predicate: Term) -> dict[str, str]:
        found: dict[str, str] = {}
        for tag, text in sorted(self._texts(one, predicate)):
            if found.setdefault(tag, text) != text and predicate == self._skos.prefLabel:
                self._twice.append(text)
        return found

    def _texts(self, one: Term, predicate: Term) -> Any:
        """Language and text of the literals that hold something; of no language, or one that is none: ""."""
        from rdflib.term import Literal

        for held in self._graph.objects(one, predicate):
            if isinstance(held, Literal) and str(held).strip():
                yield (language(held.language) or "") if held.language else "", str(held)

    def _preferred(self, texts: Mapping[str, str]) -> str:
        first = next((tag for tag in self._spoken if tag in texts), None)
        # A regional one serves for its language: en-GB for en.
        if first is None:
            first = next((tag for want in self._spoken if want for tag in texts if tag.split("-")[0] == want), None)
        return texts[min(texts) if first is None else first]

    def _confidence(self, one: Term) -> float:
        from rdflib.term import URIRef

        for held in self._graph.objects(one, URIRef(_CONFIDENCE)):
            try:
                return float(str(held))
            except ValueError as error:
                raise TaxonomyRefused(f"The confidence of concept {self._called(one)} is no number.") from error
        return 1.0

    def _called(self, one: Term) -> str:
        return f"'{str(one)[:200]}'"
