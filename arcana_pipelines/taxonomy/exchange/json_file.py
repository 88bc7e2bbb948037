"""A taxonomy as JSON: one object with `nodes`, a list of nodes, or JSON Lines with a node a line.

A node has the keys of the CSV's columns: `node_id`, `parent_id`, `label`, `path` (a list of labels, or as text),
`definition`, `synonyms` (a list), `external_ref`, `labels` (by language), `confidence`, `replaces`, `retired`,
`replaced_by`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from arcana_pipelines.errors import TaxonomyRefused
from arcana_pipelines.taxonomy.exchange.rows import (
    MOST_ENTRIES,
    MOST_ROWS,
    Imported,
    Row,
    assemble,
    language,
    named,
    node_id,
    said_of,
)
from arcana_pipelines.taxonomy.labels import MOST_LEVELS, Path, clean_path, read_path
from arcana_pipelines.taxonomy.mistakes import Mistakes
from arcana_pipelines.taxonomy.nodes import Node

_KEYS = frozenset({
    "node_id", "parent_id", "label", "path", "definition", "synonyms", "external_ref", "labels", "confidence",
    "replaces", "retired", "replaced_by", "lft", "rgt",
})  # fmt: skip


def read_json(text: str, source: str) -> Imported:
    """What JSON holds.

    Raises:
        TaxonomyRefused: it is no JSON, or no taxonomy. The message names the node by its place, the first is 1.
    """
    whole = _value(text, source)
    nodes = whole.get("nodes") if isinstance(whole, dict) else whole
    if not isinstance(nodes, list):
        raise TaxonomyRefused(f"{source} has no list 'nodes'.")
    return _assembled([("node", number, node) for number, node in enumerate(nodes, 1)], source)


def read_json_lines(text: str, source: str) -> Imported:
    """What JSON Lines hold: an object a line.

    Raises:
        TaxonomyRefused: a line is none. The message names it.
    """
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if len(lines) > MOST_ROWS:
        raise TaxonomyRefused(f"{source} has more than {MOST_ROWS:,} nodes: a taxonomy is smaller.")
    return _assembled([("line", number, _value(line, f"Line {number} of {source}")) for number, line in lines], source)


def write_json(nodes: Sequence[Node], about: Mapping[str, Any]) -> str:
    """The nodes of a version as one object; `about` are keys that say of what it is, which no import reads."""
    return json.dumps({**about, "nodes": [_told(node) for node in nodes]}, ensure_ascii=False, indent=1) + "\n"


def _told(node: Node) -> dict[str, Any]:
    told: dict[str, Any] = {
        "node_id": str(node.node_id),
        "parent_id": str(node.parent_id) if node.parent_id else None,
        "label": node.label,
        "path": list(node.path),
        "definition": node.definition,
        "synonyms": list(node.synonyms),
        "labels": dict(node.labels),
        "external_ref": node.external_ref,
    }
    return told if node.confidence == 1 else {**told, "confidence": node.confidence}


def _value(text: str, source: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise TaxonomyRefused(f"{source} is nested too deep: nodes stand side by side, each with its path.") from error
    except ValueError as error:  # what is no JSON, and numbers of thousands of digits
        raise TaxonomyRefused(f"{source} is no JSON: {str(error)[:200]}.") from error


def _assembled(nodes: Sequence[tuple[str, int, Any]], source: str) -> Imported:
    if len(nodes) > MOST_ROWS:
        raise TaxonomyRefused(f"{source} has more than {MOST_ROWS:,} nodes: a taxonomy is smaller.")
    rows: list[Row] = []
    unknown: dict[str, None] = {}
    mistakes = Mistakes()
    for what, number, node in nodes:
        if not isinstance(node, dict):
            raise TaxonomyRefused(f"{what.title()} {number} of {source} is no object.")
        with mistakes.noted():
            rows.append(_row(_Reader(f"{what} {number}", node)))
        unknown.update(dict.fromkeys(str(key)[:100] for key in node if key not in _KEYS))
    mistakes.refuse()
    remarks = [f"Keys that mean nothing here were not read: {named(list(unknown))}."] if unknown else []
    return assemble(rows, source, remarks)


class _Reader:
    """The values of an object, each of the kind that it has to be."""

    def __init__(self, where: str, held: Mapping[str, Any]) -> None:
        self.where = where
        self._held = held

    def says(self) -> frozenset[str]:
        """The keys that are there, whatever they hold."""
        return frozenset(self._held)

    def text(self, key: str) -> str:
        held = self._held.get(key)
        if isinstance(held, int) and not isinstance(held, bool):
            held = str(held)
        return held if isinstance(held, str) else self._refuse(key, "text") if held is not None else ""

    def texts(self, key: str) -> tuple[str, ...]:
        held = self._held.get(key)
        held = [] if held is None else held
        if not isinstance(held, list) or not all(isinstance(entry, str) for entry in held):
            self._refuse(key, "a list of texts")
        if len(held) > MOST_ENTRIES:
            self._refuse(key, f"a list of at most {MOST_ENTRIES} texts")
        return tuple(entry.strip() for entry in held if entry.strip())

    def path(self) -> Path | None:
        held = self._held.get("path")
        if held is None or isinstance(held, str):
            with said_of(self.where):
                return read_path(held) if held else None
        if not isinstance(held, list) or not all(isinstance(label, str) for label in held):
            self._refuse("path", "a list of labels, or a text as 'AI/RAG'")
        if len(held) > MOST_LEVELS:
            self._refuse("path", f"of at most {MOST_LEVELS} labels")
        with said_of(self.where):
            return clean_path(tuple(held))

    def labels(self) -> dict[str, str]:
        held = self._held.get("labels")
        held = {} if held is None else held
        if not isinstance(held, dict) or not all(isinstance(label, str) for label in held.values()):
            self._refuse("labels", 'an object of texts by language, as {"ko": "배터리"}')
        if len(held) > MOST_ENTRIES:
            self._refuse("labels", f"of at most {MOST_ENTRIES} languages")
        for tag in held:
            if language(tag) is None:
                self._refuse("labels", f"by language, and '{tag[:40]}' is none (ko, en, pt-BR)")
        return {language(tag) or tag: label for tag, label in held.items()}

    def truth(self, key: str) -> bool:
        held = self._held.get(key)
        return held if isinstance(held, bool) else self._refuse(key, "true or false") if held is not None else False

    def share(self, key: str) -> float:
        held = self._held.get(key)
        if held is None:
            return 1.0
        if isinstance(held, bool) or not isinstance(held, int | float) or not 0 <= held <= 1:
            self._refuse(key, "a number from 0 to 1")
        return float(held)

    def _refuse(self, key: str, wanted: str) -> Any:
        raise TaxonomyRefused(f"'{key}' of {self.where} is not {wanted}.")


def _row(held: _Reader) -> Row:
    own = held.text("node_id").strip()
    its = node_id(own)
    return Row(
        where=held.where,
        label=held.text("label"),
        path=held.path(),
        own_id=own if its is None else str(its),
        parent=held.text("parent_id").strip(),
        node_id=its,
        external_ref=held.text("external_ref").strip() or (own if its is None else None) or None,
        definition=held.text("definition"),
        synonyms=held.texts("synonyms"),
        labels=held.labels(),
        confidence=held.share("confidence"),
        replaces=held.texts("replaces"),
        is_retired=held.truth("retired"),
        replaced_by=held.texts("replaced_by"),
        says=held.says(),
    )
