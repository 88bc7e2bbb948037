"""From the rows of an import to a tree: what it may not be, which node is which, and what has changed.

No database here. A row is found again in the version before by its node id, then by its `external_ref`, then by where
it stands: below the same node with the same label, or at the same path.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from unicodedata import category, normalize
from uuid import UUID, uuid4

from arcana_pipelines.errors import TaxonomyRefused
from arcana_pipelines.taxonomy.labels import MOST_LEVELS, Path, clean_label, clean_path, read_path, spell_path
from arcana_pipelines.taxonomy.mistakes import Mistakes
from arcana_pipelines.taxonomy.nodes import Change, Draft, GivenNode, Kind, Named, Node

__all__ = [
    "Change",
    "Draft",
    "GivenNode",
    "Kind",
    "Named",
    "Node",
    "Path",
    "clean_label",
    "clean_path",
    "compared",
    "make_tree",
    "read_path",
    "spell_path",
]

MOST_NODES = 100_000
LONGEST_TEXT, LONGEST_REFERENCE, MOST_SYNONYMS = 10_000, 2_000, 200


@dataclass(slots=True, eq=False)
class _Row:
    """A row while the tree is made.

    Attributes:
        path: where it is to stand.
        above: the row above it; None: it is a root.
        known: the node of the version before that it is.
        node_id: what its node is called in the new version.
    """

    given: GivenNode
    name: str
    path: Path = ()
    above: _Row | None = None
    known: Node | None = None
    node_id: UUID = field(default_factory=uuid4)


class _Before:
    """The version before, by what its nodes are found by."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.by_id = {node.node_id: node for node in nodes}
        self.by_path = {node.path: node for node in nodes}
        self.by_reference = {node.external_ref: node for node in nodes if node.external_ref is not None}
        self.below = {(node.parent_id, node.label): node for node in nodes}

    def named(self, named: Named) -> Node | None:
        """The node that a row names."""
        return self.by_id.get(named) if isinstance(named, UUID) else self.by_path.get(named)


def make_tree(
    given: Sequence[GivenNode],
    before: Sequence[Node],
    earlier: Mapping[Path, UUID] | None = None,
    new_id: Callable[[], UUID] = uuid4,
) -> Draft:
    """Make the next version of a tree.

    Args:
        given: the rows, in the order in which siblings are to stand.
        before: the nodes of the version before; none: this is the first.
        earlier: ids that new nodes had when the same draft was imported before, which they keep.

    Raises:
        TaxonomyRefused: it cannot be a tree, or a row says what cannot be. The message names the row.
    """
    if len(given) > MOST_NODES:
        raise TaxonomyRefused(f"These are {len(given):,} rows; a taxonomy has {MOST_NODES:,} nodes at most.")
    rows = [_cleaned(row, row.at or f"row {number}") for number, row in enumerate(given, 1)]
    there = [row for row in rows if not row.given.goes]
    if not there:
        raise TaxonomyRefused("No row says what is there: a taxonomy has one node at least.")
    old = _Before(before)
    _require_once(rows)
    _place(there)
    _match(rows, there, old)
    _name(there, old, earlier or {}, new_id)
    nodes = _in_order(there)
    changes, missing, notes = _changes(rows, there, nodes, old)
    return Draft(nodes, changes, missing, notes)


def compared(old: Sequence[Node], new: Sequence[Node]) -> list[Change]:
    """What is other in one version than in another, by the nodes alone: added, renamed, moved, gone."""
    before = {node.node_id: node for node in old}
    after = {node.node_id for node in new}
    changes = [change for node in new for change in _edits(before.get(node.node_id), node)]
    return changes + [Change("gone", node.node_id, None, node.path, None) for node in old if node.node_id not in after]


def _edits(before: Node | None, after: Node) -> Iterator[Change]:
    """What is other in one node."""
    if before is None:
        yield Change("add", None, after.node_id, None, after.path)
        return
    if before.label != after.label:
        yield Change("rename", before.node_id, after.node_id, before.path, after.path)
    if before.parent_id != after.parent_id:
        yield Change("move", before.node_id, after.node_id, before.path, after.path)


def _refused(row: _Row, why: str) -> TaxonomyRefused:
    path = row.path or row.given.path
    named = spell_path(tuple(label[:60] for label in path[-MOST_LEVELS:]))
    return TaxonomyRefused(f"The taxonomy is not taken. {row.name[:1].upper()}{row.name[1:]} ('{named}'): {why}")


def _cleaned(given: GivenNode, name: str) -> _Row:
    row = _Row(given, name)
    try:
        path = (clean_label(given.path[-1]),) if given.parent is not None and given.path else clean_path(given.path)
        row.given = replace(
            given,
            path=path,
            external_ref=_reference(given.external_ref),
            definition=_text(given.definition),
            synonyms=_synonyms(given.synonyms),
            labels={_language(tag): clean_label(label) for tag, label in given.labels.items()},
            replaces=tuple(_named(named) for named in given.replaces),
            replaced_by=tuple(_named(named) for named in given.replaced_by),
            parent=_reference(given.parent) if isinstance(given.parent, str) else given.parent,
        )
    except TaxonomyRefused as error:
        raise _refused(row, str(error)) from error
    if not (math.isfinite(given.confidence) and 0 <= given.confidence <= 1):
        raise _refused(row, f"its confidence is {given.confidence}, not between 0 and 1.")
    return row


def _named(named: Named) -> Named:
    return named if isinstance(named, UUID) else clean_path(named)


def _text(text: str | None) -> str | None:
    if text is None:
        return None
    text = normalize("NFC", text).strip()
    if len(text) > LONGEST_TEXT:
        raise TaxonomyRefused(f"A definition has {len(text):,} characters; {LONGEST_TEXT:,} are the most.")
    if any(category(character) in ("Cc", "Cs") and character not in "\n\r\t" for character in text):
        raise TaxonomyRefused("A definition holds control characters.")
    return text or None


def _reference(reference: str | None) -> str | None:
    if reference is None or not reference.strip():
        return None
    reference = reference.strip()
    if len(reference) > LONGEST_REFERENCE or any(category(character) in ("Cc", "Cs") for character in reference):
        raise TaxonomyRefused(f"An external_ref is longer than {LONGEST_REFERENCE:,} or holds control characters.")
    return reference


def _synonyms(synonyms: Iterable[str]) -> tuple[str, ...]:
    cleaned = tuple(dict.fromkeys(clean_label(synonym) for synonym in synonyms))
    if len(cleaned) > MOST_SYNONYMS:
        raise TaxonomyRefused(f"A node has {len(cleaned)} synonyms; {MOST_SYNONYMS} are the most.")
    return cleaned


def _language(tag: str) -> str:
    # The form of a language tag (RFC 5646), not whether there is such a language.
    parts = tag.split("-")
    if not all(1 <= len(part) <= 8 and part.isascii() and part.isalnum() for part in parts) or len(tag) > 35:
        raise TaxonomyRefused(f"{tag[:40]!a} is no tag of a language, such as 'ko' or 'en-GB'.")
    return tag


def _require_once(rows: Sequence[_Row]) -> None:
    """No two rows are one node by what they are called."""
    called: dict[UUID | str, _Row] = {}
    for row in rows:
        for key in (row.given.node_id, row.given.external_ref):
            if key is not None and called.setdefault(key, row) is not row:
                raise _refused(row, f"it is the same node as {called[key].name}: both are '{key}'.")


def _place(there: Sequence[_Row]) -> None:
    """Work out the path of each row and the row above it."""
    called: dict[UUID | str, _Row] = {}
    for row in there:
        called |= {key: row for key in (row.given.node_id, row.given.external_ref) if key is not None}
    for row in there:
        if row.given.parent is None:
            row.path = row.given.path
        elif (above := called.get(row.given.parent)) is None:
            raise _refused(row, f"no row is '{row.given.parent}', which it names as its parent.")
        else:
            row.above = above
    for row in there:
        _spell_out(row)
    at: dict[Path, _Row] = {}
    mistakes = Mistakes()
    for row in there:
        with mistakes.noted():
            if at.setdefault(row.path, row) is not row:
                raise _refused(row, f"{at[row.path].name} has the same path.")
    mistakes.refuse()
    for row in there:
        if row.above is None and len(row.path) > 1:
            row.above = at.get(row.path[:-1])
            if row.above is None:
                raise _refused(row, f"no row is '{spell_path(row.path[:-1])}', which it stands below.")


def _spell_out(row: _Row) -> None:
    """The paths of a row that names its parent and of those above it, as far as they are not known yet."""
    chain = [row]
    met = {id(row)}
    while not chain[-1].path:
        above = chain[-1].above
        assert above is not None  # a row without a path names its parent
        if id(above) in met:
            round_ = ", ".join(f"'{each.given.path[-1]}'" for each in reversed(chain[-MOST_LEVELS:]))
            raise _refused(row, f"it stands below itself: {round_} go round.")
        chain.append(above)
        met.add(id(above))
    path = chain[-1].path
    for below in reversed(chain[:-1]):
        path = (*path, below.given.path[-1])
        if len(path) > MOST_LEVELS:
            raise _refused(below, f"it stands on level {len(path)}; {MOST_LEVELS} are the most.")
        below.path = path


def _match(rows: Sequence[_Row], there: Sequence[_Row], old: _Before) -> None:
    """Find which node of the version before each row is."""
    taken: set[UUID] = set()

    def take(row: _Row, node: Node | None) -> None:
        if row.known is None and node is not None and node.node_id not in taken:
            row.known = node
            taken.add(node.node_id)

    for row in rows:
        if row.given.node_id is not None:
            take(row, old.by_id.get(row.given.node_id))
    for row in rows:
        if row.given.external_ref is not None:
            take(row, old.by_reference.get(row.given.external_ref))
    going = {row.given.path: row for row in rows if row.given.goes and row.known is None}
    for row in there:
        if row.path in going and row.given.node_id is None and row.given.external_ref is None:
            raise _refused(row, f"it is there, and {going[row.path].name} says that it goes.")
    for path, row in going.items():
        take(row, old.by_path.get(path))
    replaced = [node.node_id for row in there for node in _replaced(row, old)]
    stays = {row.path for row in there}
    for row in sorted(there, key=lambda row: len(row.path)):
        above = row.above.known if row.above is not None else None
        if row.above is None or above is not None:
            take(row, old.below.get((above.node_id if above is not None else None, row.path[-1])))
        take(row, old.by_path.get(row.path))
        alone = _replaced(row, old)
        if row.given.node_id is None and len(alone) == 1 and replaced.count(alone[0].node_id) == 1:
            node = alone[0]
            if node.path not in stays:
                take(row, node)


def _replaced(row: _Row, old: _Before) -> list[Node]:
    found = (old.named(named) for named in row.given.replaces)
    return list({node.node_id: node for node in found if node is not None}.values())


def _name(there: Sequence[_Row], old: _Before, earlier: Mapping[Path, UUID], new_id: Callable[[], UUID]) -> None:
    """Give each row the id of its node: a concept keeps its own."""
    used = set(old.by_id)
    for row in there:
        if row.known is not None:
            row.node_id = row.known.node_id
        elif row.given.node_id is not None:
            row.node_id = row.given.node_id
            used.add(row.node_id)
    for row in there:
        if row.known is None and row.given.node_id is None:
            kept = earlier.get(row.path)
            row.node_id = kept if kept is not None and kept not in used else new_id()
            used.add(row.node_id)


def _in_order(there: Sequence[_Row]) -> list[Node]:
    """The nodes from the top, siblings in the order of their rows, each with its place and that of the last below."""
    below: dict[int | None, list[_Row]] = defaultdict(list)
    for row in reversed(there):
        below[id(row.above) if row.above is not None else None].append(row)
    given = {row.given.external_ref for row in there}
    order: list[_Row] = []
    open_ = below[None]
    while open_:
        row = open_.pop()
        order.append(row)
        open_.extend(below.get(id(row), ()))
    last = {id(row): place for place, row in enumerate(order, 1)}
    for row in reversed(order):
        if row.above is not None:
            last[id(row.above)] = max(last[id(row.above)], last[id(row)])
    return [_node(row, place, last[id(row)], given) for place, row in enumerate(order, 1)]


def _node(row: _Row, lft: int, rgt: int, references: Set[str | None]) -> Node:
    """What a row makes of its node. Texts that it does not say are those of the version before."""
    says, known = row.given.says, row.known

    def keeps(text: str) -> bool:
        return known is not None and says is not None and text not in says

    labels = dict(row.given.labels)
    if known is not None and keeps("labels"):
        labels |= {tag: label for tag, label in known.labels.items() if keeps(f"label@{tag}")}
    return Node(
        node_id=row.node_id,
        parent_id=row.above.node_id if row.above is not None else None,
        label=row.path[-1],
        path=row.path,
        definition=known.definition if known is not None and keeps("definition") else row.given.definition,
        synonyms=known.synonyms if known is not None and keeps("synonyms") else row.given.synonyms,
        labels=labels,
        external_ref=row.given.external_ref or _kept_reference(row, references),
        confidence=known.confidence if known is not None and keeps("confidence") else row.given.confidence,
        lft=lft,
        rgt=rgt,
    )


def _kept_reference(row: _Row, given: Set[str | None]) -> str | None:
    """What a node was called where it came from, for a file that does not say it: others find it by that again."""
    kept = row.known.external_ref if row.known is not None else None
    return kept if kept not in given else None


def _changes(
    rows: Sequence[_Row], there: Sequence[_Row], nodes: Sequence[Node], old: _Before
) -> tuple[list[Change], list[Node], list[str]]:
    """What became of each node of the version before."""
    by_id = {node.node_id: node for node in nodes}
    successors, notes = _successors(rows, there, nodes, old)
    retired = {row.known.node_id for row in rows if row.given.retired and row.known is not None}
    changes = [change for node in nodes for change in _edits(old.by_id.get(node.node_id), node)]
    missing = []
    for node in old.by_id.values():
        after = successors.get(node.node_id, [])
        if after in ([], [node.node_id]) and node.node_id in by_id:
            continue
        if not after and node.node_id not in retired:
            missing.append(node)
        elif not after:
            changes.append(Change("retire", node.node_id, None, node.path, None))
        else:
            if node.node_id in by_id and node.node_id not in after:
                after = [node.node_id, *after]
            one: Kind = "retire" if node.node_id in retired else "merge"
            kind: Kind = one if len(after) == 1 else "split"
            changes += [Change(kind, node.node_id, to, node.path, by_id[to].path) for to in after]
    return changes, missing, notes


def _successors(
    rows: Sequence[_Row], there: Sequence[_Row], nodes: Sequence[Node], old: _Before
) -> tuple[dict[UUID, list[UUID]], list[str]]:
    """By node of the version before: what takes its place. What is named and not known is told in a sentence."""
    found: dict[UUID, list[UUID]] = defaultdict(list)
    notes: list[str] = []
    for row in there:
        for named in row.given.replaces:
            node = old.named(named)
            if node is None:
                what = named if isinstance(named, UUID) else spell_path(named)
                notes.append(f"{row.name} replaces '{what}', which the version before does not have.")
            elif row.node_id not in found[node.node_id]:
                found[node.node_id].append(row.node_id)
    by_path = {node.path: node.node_id for node in nodes}
    there_by_id = {row.given.node_id: row.node_id for row in there if row.given.node_id is not None}
    there_by_id |= {node.node_id: node.node_id for node in nodes}
    going: dict[Named, _Row] = {}
    for row in rows:
        if row.given.goes:
            going[row.given.path] = row
            for node_id in (row.given.node_id, row.known.node_id if row.known is not None else None):
                if node_id is not None:
                    going[node_id] = row
    for row in rows:
        if not row.given.goes:
            continue
        if row.known is None:
            notes.append(f"{row.name} goes, and the version before does not have it.")
            continue
        open_, met = list(reversed(row.given.replaced_by)), {id(row)}
        while open_:
            named = open_.pop()
            to = there_by_id.get(named) if isinstance(named, UUID) else by_path.get(named)
            if to is not None:
                if to not in found[row.known.node_id]:
                    found[row.known.node_id].append(to)
            elif (other := going.get(named)) is None or id(other) in met:
                what = named if isinstance(named, UUID) else spell_path(named)
                raise _refused(row, f"it is replaced by '{what}', which is not there.")
            else:  # a chain of what went over the years, as in files that never forget
                met.add(id(other))
                open_.extend(reversed(other.given.replaced_by))
    return found, notes
