"""What a file or a database says of nodes, a row each, and the paths that come of it.

A row says where its node stands by its path, or by its parent and its label; both may stand there, if they agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from uuid import UUID

from arcana_pipelines.errors import TaxonomyRefused
from arcana_pipelines.taxonomy.labels import MOST_LEVELS, Path, clean_label, read_path, spell_path
from arcana_pipelines.taxonomy.mistakes import Mistakes
from arcana_pipelines.taxonomy.nodes import GivenNode, Named
from arcana_pipelines.taxonomy.tree import LONGEST_TEXT, MOST_NODES

MOST_ROWS = MOST_NODES
MOST_ENTRIES = 200
"""Synonyms of a node, languages of its label, or nodes that it takes the place of."""

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
_NAMED = 5  # of many that are reported


@dataclass(frozen=True, slots=True)
class Row:
    """A node as it was read.

    Attributes:
        where: how a person finds it again: `row 7`, `line 3`, `page 'AI'`.
        label: it may be empty where there is a path.
        path: None: parent and label say where the node stands.
        own_id: what `parent` of other rows calls it, whatever it is; "" where nothing does.
        parent: `own_id`, or the id of a node, of the row above; "" for none.
        node_id: of the node that it is, where that is known.
        external_ref: what the source calls it, for ever.
        labels: by language.
        replaces: nodes whose place it takes, each by its path, by its id, or by `own_id` of another row.
        is_retired: the node is to go.
        replaced_by: it is to go, and these take its place; named as in `replaces`.
        says: see `GivenNode.says`.
    """

    where: str
    label: str = ""
    path: Path | None = None
    own_id: str = ""
    parent: str = ""
    node_id: UUID | None = None
    external_ref: str | None = None
    definition: str | None = None
    synonyms: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    confidence: float = 1.0
    replaces: tuple[str, ...] = ()
    is_retired: bool = False
    replaced_by: tuple[str, ...] = ()
    says: frozenset[str] | None = None

    @property
    def goes(self) -> bool:
        """Whether the node is not to be there any more."""
        return self.is_retired or bool(self.replaced_by)


@dataclass(frozen=True, slots=True)
class Imported:
    """What was read.

    Attributes:
        nodes: what a draft is made of.
        remarks: what was left out or decided, in sentences.
        source: what it was read from, in words.
    """

    nodes: tuple[GivenNode, ...]
    remarks: tuple[str, ...]
    source: str


def assemble(rows: Sequence[Row], source: str, remarks: Iterable[str] = ()) -> Imported:
    """Give each row its path. What stands between a path and the top, and has no row, gets a node as well.

    Raises:
        TaxonomyRefused: a row has no place, or two, or is too large; or there are too many, or none.
    """
    if not rows:
        raise TaxonomyRefused(f"{source} has no nodes.")
    if len(rows) > MOST_ROWS:
        raise TaxonomyRefused(f"{source} has more than {MOST_ROWS:,} nodes: a taxonomy is smaller.")
    mistakes = Mistakes()
    for row in rows:
        with mistakes.noted():
            _check(row)
    mistakes.refuse()
    paths = _Paths(rows)
    nodes = []
    for number, row in enumerate(rows):
        with mistakes.noted():
            nodes.append(_node(row, paths.of(number), paths))
    mistakes.refuse()
    going = [node for node in nodes if node.goes]
    return Imported((*_with_ancestors([node for node in nodes if not node.goes]), *going), tuple(remarks), source)


def language(text: str) -> str | None:
    """A language's tag as it is written (`ko`, `pt-BR`), or None for what is none."""
    if not _LANGUAGE.fullmatch(text):
        return None
    first, *others = text.split("-")
    return "-".join([first.lower(), *(part.upper() if len(part) == 2 else part.title() for part in others)])


def node_id(text: str) -> UUID | None:
    """The id that a text is, or None."""
    try:
        return UUID(text) if len(text) in (32, 36) else None
    except ValueError:
        return None


@contextmanager
def said_of(where: str) -> Iterator[None]:
    """Say of which row it is that something is refused."""
    try:
        yield
    except TaxonomyRefused as error:
        raise TaxonomyRefused(f"{where[:1].upper()}{where[1:]}: {error}") from error


def named(things: Sequence[str]) -> str:
    """The first of many things, and how many more there are."""
    more = f" and {len(things) - _NAMED:,} more" if len(things) > _NAMED else ""
    return ", ".join(f"'{thing}'" for thing in things[:_NAMED]) + more


class _Paths:
    """The path of each row, of all those above it first."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._known: dict[int, Path] = {}
        self._by_id: dict[str, int] = {}
        for number, row in enumerate(rows):
            for key in {row.own_id, str(row.node_id or "")} - {""}:
                other = self._by_id.setdefault(key, number)
                if other != number:
                    raise TaxonomyRefused(f"{_begin(row)} has the id '{key}' of {rows[other].where}.")

    def of(self, number: int) -> Path:
        """The path of a row."""
        waiting = [number]
        while waiting[-1] not in self._known and (above := self._above(waiting[-1])) is not None:
            # Before anything else, so that a cycle is not taken for a tree that is too deep.
            if above in waiting:
                cycle = waiting[waiting.index(above) :]
                raise TaxonomyRefused(
                    f"{_begin(self._rows[above])} is above itself: {named([self._called(one) for one in cycle[::-1]])}."
                )
            waiting.append(above)
        for one in reversed(waiting):
            self._known.setdefault(one, self._joined(one))
        return self._known[number]

    def meant(self, named: str) -> Named:
        """The node that a row names in another way than as its parent."""
        number = self._by_id.get(named)
        if number is not None and self._rows[number].node_id is None:
            return self.of(number)
        return node_id(named) or read_path(named)

    def _above(self, number: int) -> int | None:
        row = self._rows[number]
        if not row.parent:
            return None
        # Ids are compared as they are; those of nodes in any spelling.
        above = self._by_id.get(row.parent, self._by_id.get(str(node_id(row.parent))))
        if above is None:
            raise TaxonomyRefused(f"{_begin(row)} is below '{row.parent[:200]}', and no row has this id.")
        if self._rows[above].goes and not row.goes:
            raise TaxonomyRefused(f"{_begin(row)} is below {self._rows[above].where}, which is to go: move it.")
        return above

    def _joined(self, number: int) -> Path:
        row = self._rows[number]
        with said_of(row.where):
            label = clean_label(row.label) if row.label else ""
        above = self._above(number)
        if row.path is not None:
            by_label = label and row.path[-1] != label
            if by_label or (above is not None and row.path[:-1] != self._known[above]):
                other = (*self._known[above], label or row.path[-1]) if above is not None else (label,)
                raise TaxonomyRefused(
                    f"{_begin(row)} stands in two places: its path is '{spell_path(row.path)}', and by label and "
                    f"parent it would be '{spell_path(other)}'. Leave one of the two empty: the path, or the others."
                )
            return row.path
        if not label:
            raise TaxonomyRefused(f"{_begin(row)} has neither a label nor a path.")
        path = (*self._known[above], label) if above is not None else (label,)
        if len(path) > MOST_LEVELS:
            raise TaxonomyRefused(f"{_begin(row)} has {len(path)} levels; {MOST_LEVELS} are allowed.")
        return path

    def _called(self, number: int) -> str:
        row = self._rows[number]
        return row.label or row.own_id or row.where


def _with_ancestors(nodes: Sequence[GivenNode]) -> list[GivenNode]:
    """The nodes, each behind those above it, which are added where nothing names them."""
    named_ones = {node.path for node in nodes}
    whole: list[GivenNode] = []
    for node in nodes:
        for levels in range(1, len(node.path)):
            if node.path[:levels] not in named_ones:
                named_ones.add(node.path[:levels])
                whole.append(GivenNode(node.path[:levels], says=frozenset()))
        whole.append(node)
    if len(whole) > MOST_ROWS:
        raise TaxonomyRefused(f"With those above them these are more than {MOST_ROWS:,} nodes: a taxonomy is smaller.")
    return whole


def _node(row: Row, path: Path, paths: _Paths) -> GivenNode:
    with said_of(row.where):
        replaces, replaced_by = (tuple(map(paths.meant, named)) for named in (row.replaces, row.replaced_by))
    return GivenNode(
        path=path,
        node_id=row.node_id,
        external_ref=row.external_ref or None,
        definition=re.sub("\r\n?", "\n", row.definition or "").strip() or None,
        synonyms=tuple(filter(None, map(str.strip, row.synonyms))),
        labels={tag: label for tag, label in sorted(row.labels.items()) if label.strip()},
        confidence=row.confidence,
        replaces=replaces,
        retired=row.is_retired,
        replaced_by=replaced_by,
        says=row.says,
        at=row.where,
    )


def _check(row: Row) -> None:
    """Refuse what no node can hold, before it is made larger still."""
    texts = {
        "its label": row.label, "its definition": row.definition or "", "its id": row.own_id,
        "its parent": row.parent, "its external_ref": row.external_ref or "",
    }  # fmt: skip
    texts |= {f"its label in '{tag}'": label for tag, label in row.labels.items()}
    texts |= {f"its synonym {number}": text for number, text in enumerate(row.synonyms[:MOST_ENTRIES], 1)}
    for what, text in texts.items():
        if len(text) > LONGEST_TEXT:
            raise TaxonomyRefused(f"{_begin(row)}: {what} has {len(text):,} characters; {LONGEST_TEXT:,} are allowed.")
    counted = {"synonyms": row.synonyms, "languages": row.labels, "nodes replaced": (*row.replaces, *row.replaced_by)}
    for what, entries in counted.items():
        if len(entries) > MOST_ENTRIES:
            raise TaxonomyRefused(f"{_begin(row)} has {len(entries):,} {what}; {MOST_ENTRIES} are allowed.")
    if not 0 <= row.confidence <= 1:  # refuses what is no number, too
        raise TaxonomyRefused(f"{_begin(row)}: its confidence is not between 0 and 1.")


def _begin(row: Row) -> str:
    return row.where[:1].upper() + row.where[1:]
