"""A taxonomy that people keep in Notion: a tree of pages, or a database whose rows name their parent.

Both are read from the ledger, as the last sync left it. A page's id is its node's `external_ref`: a page that is
renamed or moved is the same node.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import rows as read_rows
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import TaxonomyRefused
from arcana_pipelines.taxonomy.exchange.rows import MOST_ROWS, Imported, Row, assemble, language, named
from arcana_pipelines.taxonomy.labels import MOST_LEVELS

load_sql = statements_beside(__file__)

_PARENT = frozenset({"parent item", "parent", "parent topic", "broader", "상위 항목", "상위", "상위 주제", "부모"})
_CHILDREN = frozenset({"sub-item", "sub-items", "sub item", "children", "narrower", "하위 항목", "하위", "하위 주제"})
_DEFINITION = frozenset({"description", "definition", "설명", "정의"})
_SYNONYMS = frozenset({"synonyms", "synonym", "aliases", "동의어", "유의어", "별칭"})
_LANGUAGES = {"english": "en", "영어": "en", "korean": "ko", "한국어": "ko", "japanese": "ja", "일본어": "ja"}
_PARTED = re.compile(r"[,;|\n、]")


@dataclass(frozen=True, slots=True)
class _Page:
    external_id: str
    parent_id: str | None
    title: str
    is_container: bool


@dataclass(frozen=True, slots=True)
class _Item:
    external_id: str
    title: str
    properties: Mapping[str, Any]


def read_pages(connection: Connection, workspace_id: UUID, external_id: str, title: str) -> Imported:
    """The pages below a page: those right below it stand at the top. Databases among them are reported and left out.

    Args:
        connection: to the database of the ledger.
        workspace_id: the workspace that the page is of.
        external_id: the page's id in its source.
        title: its title, for people.

    Raises:
        TaxonomyRefused: nothing is below it, or what is cannot be a tree.
    """
    source = f"page '{title}'"
    parameters = {
        "workspace_id": workspace_id, "external_id": external_id, "levels": MOST_LEVELS, "most": MOST_ROWS + 1
    }  # fmt: skip
    pages = read_rows(connection, _Page, load_sql("page_tree"), parameters)
    if len(pages) > MOST_ROWS:
        raise TaxonomyRefused(f"More than {MOST_ROWS:,} pages are below {source}: a taxonomy is smaller.")
    left_out = [page.title or page.external_id for page in pages if page.is_container]
    remarks = []
    if left_out:
        remarks.append(f"Databases below {source} were left out (--from-database reads one): {named(left_out)}.")
    untitled = {page.external_id for page in pages if not page.title.strip()}
    gone: set[str] = set()
    kept = []
    for page in pages:  # from the top
        if page.is_container or page.external_id in untitled or page.parent_id in gone:
            gone.add(page.external_id)
        else:
            kept.append(page)
    if untitled:
        remarks.append(f"Pages without a title were left out, with what is below them: {len(untitled):,}.")
    rows = [
        Row(
            f"page '{page.title}'",
            page.title,
            own_id=page.external_id,
            parent=page.parent_id if page.parent_id and page.parent_id != external_id else "",
            external_ref=page.external_id,
            says=frozenset(),
        )
        for page in kept
    ]
    return assemble(rows, source, remarks)


def read_database(
    connection: Connection, workspace_id: UUID, external_id: str, title: str, parent: str | None = None
) -> Imported:
    """The rows of a database. A relation to the database itself, as Notion's `Parent item`, makes the tree.

    Properties called Description or 설명, Synonyms or 동의어, and `label@ko`, Korean or 한국어 are what they say.

    Args:
        connection: to the database of the ledger.
        workspace_id: the workspace that the Notion database is of.
        external_id: its id in its source.
        title: its title, for people.
        parent: the relation that names what is above. None: the one that is called so, or the only one there is.

    Raises:
        TaxonomyRefused: it has no rows, `parent` is no such relation, or several could be meant.
    """
    source = f"database '{title}'"
    parameters = {"workspace_id": workspace_id, "external_id": external_id, "most": MOST_ROWS + 1}
    items = read_rows(connection, _Item, load_sql("database_rows"), parameters)
    if len(items) > MOST_ROWS:
        raise TaxonomyRefused(f"{source} has more than {MOST_ROWS:,} rows: a taxonomy is smaller.")
    titled = [item for item in items if item.title.strip()]
    remarks = []
    if len(titled) < len(items):
        remarks.append(f"Rows without a title were left out: {len(items) - len(titled):,}.")
    above = _parents(titled, source, parent)
    several = [item.title for item in titled if len(above[item.external_id]) > 1]
    if several:
        remarks.append(f"Rows with several parents stand below the first alone: {named(several)}.")
    says = frozenset(said for item in items for name in item.properties if (said := _says(name)))
    rows = [_row(item, next(iter(above[item.external_id]), ""), says) for item in titled]
    return assemble(rows, source, remarks)


def _parents(items: Sequence[_Item], source: str, wanted: str | None) -> dict[str, list[str]]:
    """The rows above each row, in the order in which its relation has them."""
    ids = {item.external_id for item in items}
    relations = _own_relations(items, ids)
    if wanted is not None:
        chosen = next((name for name in relations if name.casefold() == wanted.casefold()), None)
        if chosen is None:
            raise TaxonomyRefused(
                f"{source} has no relation '{wanted}' to its own rows. "
                + (f"There are: {named(relations)}." if relations else "It has none at all.")
            )
    else:
        chosen = _chosen(relations, source)
    above: dict[str, list[str]] = {item.external_id: [] for item in items}
    if chosen is not None:
        downwards = wanted is None and chosen.casefold() in _CHILDREN
        for item in items:
            for other in _related(item, chosen):
                if other in ids:
                    below, upper = (other, item.external_id) if downwards else (item.external_id, other)
                    above[below].append(upper)
    return above


def _own_relations(items: Sequence[_Item], ids: set[str]) -> list[str]:
    """The relations that lead to rows of the database itself, most of the time."""
    inside: Counter[str] = Counter()
    outside: Counter[str] = Counter()
    for item in items:
        for name in item.properties:
            for other in _related(item, name):
                (inside if other in ids else outside)[name] += 1
    return sorted(name for name in inside if inside[name] >= outside[name])


def _chosen(relations: Sequence[str], source: str) -> str | None:
    upwards = [name for name in relations if name.casefold() in _PARENT]
    downwards = [name for name in relations if name.casefold() in _CHILDREN]
    others = [name for name in relations if name not in (*upwards, *downwards)]
    for names in (upwards, downwards, others):
        if len(names) == 1:
            return names[0]
        if names:
            raise TaxonomyRefused(
                f"{source} has {len(names)} relations to its own rows ({named(names)}): say with --parent which one "
                "names the row above."
            )
    return None


def _related(item: _Item, name: str) -> list[str]:
    value = item.properties.get(name)
    if not isinstance(value, Mapping) or value.get("type") != "relation" or not isinstance(value.get("value"), list):
        return []
    return [other for other in value["value"] if isinstance(other, str)]


def _says(name: str) -> str | None:
    """Which text of a topic a property says, by its name (see `GivenNode.says`)."""
    called = name.strip().casefold()
    if called in _DEFINITION:
        return "definition"
    if called in _SYNONYMS:
        return "synonyms"
    tag = _language(called)
    return f"label@{tag}" if tag is not None else None


def _row(item: _Item, parent: str, says: frozenset[str]) -> Row:
    definition: str | None = None
    synonyms: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    for name, value in item.properties.items():
        called = name.strip().casefold()
        text = str(value.get("text") or "") if isinstance(value, Mapping) else ""
        if not text.strip():
            continue
        if called in _DEFINITION and definition is None:
            definition = text
        elif called in _SYNONYMS and not synonyms:
            synonyms = _listed(value)
        elif (tag := _language(called)) is not None:
            labels[tag] = text
    return Row(
        f"row '{item.title}'",
        item.title,
        own_id=item.external_id,
        parent=parent,
        external_ref=item.external_id,
        definition=definition,
        synonyms=synonyms,
        labels=labels,
        says=says,
    )


def _listed(value: Mapping[str, Any]) -> tuple[str, ...]:
    """The options of a property of several, or the parts of a text."""
    held = value.get("value")
    if isinstance(held, list) and all(isinstance(entry, str) for entry in held):
        return tuple(held)
    return tuple(filter(None, map(str.strip, _PARTED.split(str(value.get("text") or "")))))


def _language(called: str) -> str | None:
    before, _, tag = called.partition("@")
    return language(tag) if before == "label" and tag else _LANGUAGES.get(called)
