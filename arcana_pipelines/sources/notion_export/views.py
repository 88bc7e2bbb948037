"""Linked views: a CSV that shows rows of another database once more, on another page.

Notion exports a view like a database, with an id of its own, but without files for its rows. It may show some
columns and rows only, in another order. Its rows are those of the other database; what only the view holds is one
more row of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from arcana_pipelines.sources.notion_export.catalogue import Database
from arcana_pipelines.sources.notion_export.names import exact_key
from arcana_pipelines.sources.notion_export.references import shown
from arcana_pipelines.sources.notion_export.row_store import RowStore
from arcana_pipelines.sources.notion_export.tables import Table

_TRIED = 3


@dataclass(frozen=True, slots=True)
class View:
    """A table that shows a database, and is none of its own.

    Attributes:
        database: the one that it shows.
        table: with its title column found.
        known: the numbers of its rows that the database has.
    """

    database: Database
    table: Table
    known: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Known:
    database: Database
    title_name: str
    columns: frozenset[str]
    has_files: bool


class KnownRows:
    """The rows of the databases so far: titles and places in the store."""

    def __init__(self, store: RowStore) -> None:
        self._store = store
        self._known: list[_Known] = []
        self._numbers: dict[str, int] = {}
        self._by_title: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        self._by_name: defaultdict[str, list[int]] = defaultdict(list)
        self._unnamed: defaultdict[str, set[int]] = defaultdict(set)
        self._title_names: set[str] = set()

    def add(self, database: Database, table: Table, places: Mapping[int, int], *, has_files: bool) -> None:
        """Take in a database; `places` says where in the store each row of the table is."""
        number = self._numbers[database.external_id] = len(self._known)
        name = table.names[table.title_at] if table.names else ""
        self._title_names.add(name)
        self._by_name[exact_key(database.name.title)].append(number)
        self._known.append(_Known(database, name, frozenset(table.columns), has_files))
        for row, place in places.items():
            self._by_title[exact_key(table.title(row))].append((number, place))

    def add_files(self, database: Database, titles: Iterable[str]) -> None:
        """Take in files in the folder of a database that its table does not name: a view may."""
        number = self._number(database)
        if number is not None:
            for title in titles:
                self._unnamed[exact_key(title)].add(number)

    def add_rows(self, database: Database, table: Table, places: Mapping[int, int]) -> None:
        """Take in more rows of a database that was taken in, so that a second view does not add them again."""
        number = self._number(database)
        if number is not None:
            for row, place in places.items():
                self._by_title[exact_key(table.title(row))].append((number, place))

    def _number(self, database: Database) -> int | None:
        return self._numbers.get(database.external_id)

    def view(self, database: Database, table: Table) -> View | None:
        """What a table shows, if it is a view of a database that was taken in."""
        if not table.rows:
            return self._empty_view(database, table)
        for at, name in enumerate(table.names):
            if name not in self._title_names:
                continue
            titled = replace(table, title_at=at)
            votes: Counter[int] = Counter()
            for title in titled.by_title:
                votes.update({number for number, _ in self._by_title.get(title, ())} | self._unnamed.get(title, set()))
            votes = Counter({at: count for at, count in votes.items() if self._known[at].title_name == name})
            same_name = exact_key(database.name.title)
            ranked = sorted(
                votes,
                key=lambda number: (
                    -votes[number],
                    exact_key(self._known[number].database.name.title) != same_name,
                    number,
                ),
            )
            for number in ranked[:_TRIED]:
                if (known := self._shown_rows(database, titled, number)) is not None:
                    return View(self._known[number].database, titled, known)
        return None

    def _empty_view(self, database: Database, table: Table) -> View | None:
        """A view that shows no row now can be told by its name and columns alone."""
        for number in self._by_name.get(exact_key(database.name.title), ()):
            known = self._known[number]
            if known.has_files and known.columns.union([known.title_name]).issuperset(table.names):
                return View(known.database, table, frozenset())
        return None

    def _shown_rows(self, database: Database, table: Table, number: int) -> frozenset[int] | None:
        """The table's rows that database `number` has too, or None if the table is not a view of it."""
        known = self._known[number]
        shared = known.columns.intersection(table.columns)
        if len(table.columns) > 2 * len(shared):
            return None
        shown_rows: set[int] = set()
        proven = 0
        names = sorted(shared)
        for title, rows in table.by_title.items():
            places = [place for one, place in self._by_title.get(title, ()) if one == number]
            # Any number of rows may have one title, so each is read once and not once for each other.
            waiting: defaultdict[tuple[str, ...], deque[int]] = defaultdict(deque)
            for row in rows if places else ():
                waiting[_shown_cells(table.cells(row), names)].append(row)
            for place in dict.fromkeys(places):
                if not waiting:
                    break
                theirs = _shown_cells(self._store.read(place).cells, names)
                if theirs in waiting:
                    row = waiting[theirs].popleft()
                    if not waiting[theirs]:
                        del waiting[theirs]
                    shown_rows.add(row)
                    proven += not shared.isdisjoint(table.cells(row))
        unnamed = sum(len(rows) for title, rows in table.by_title.items() if number in self._unnamed.get(title, ()))
        whole = len(shown_rows) == len(table.rows)
        if known.has_files:
            is_view = 2 * (len(shown_rows) + unnamed) >= len(table.rows) and (proven > 0 or unnamed > 0 or whole)
        else:
            # Neither has files: two views of a database that is not in the export, or two real ones. Only equal
            # names, columns and rows speak for views.
            is_view = (
                whole
                and proven > 0
                and shared == set(table.columns)
                and database.name.notion_id is not None
                and exact_key(known.database.name.title) == exact_key(database.name.title)
            )
        return frozenset(shown_rows) if is_view else None


def _shown_cells(cells: Mapping[str, str], names: Sequence[str]) -> tuple[str, ...]:
    return tuple(" ".join(shown(cells.get(name, "")).split()) for name in names)
