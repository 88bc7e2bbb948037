"""Conditions on properties, held against what the workspace has: names, types and values.

What cannot mean anything is refused, and what finds nothing because of a slip is told, with what was near.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID

from psycopg import sql

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.documents.comparables import PROPERTY_VALUES
from arcana_pipelines.documents.values import read_checkbox, read_number, read_span
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.retrieval.filters import OPERATORS, WITH_PROPERTIES, Filters, PropertyCondition
from arcana_pipelines.retrieval.limits import LONGEST_VALUE, MOST_CONDITIONS, check_text
from arcana_pipelines.retrieval.near import folded, listed, nearest

load_sql = statements_beside(__file__)

# What Notion calls the column of titles at first, for databases whose columns are not known.
_TITLES = ("name", "title", "이름", "제목")
_SAMPLE = 5000
_WITH_PROPERTIES = sql.Literal(list(WITH_PROPERTIES))
_DATE_FORMS = "2026-03-05, 2026-03, 2026, March 5, 2026, 2026년 3월 5일, or a time behind it (2026-03-05 15:30)"
_NUMBER_FORMS = "1000, 1,200.50, $1,000 or 50%"
_ORDERED: dict[str, LiteralString] = {">": ">", "<": "<", ">=": ">=", "<=": "<="}
# A date has a beginning and an end, and so has what is typed: `2026-03` is a month. A range holds where one of its
# moments does.
_DATES: dict[str, LiteralString] = {
    "=": "(q.starts < {until} AND q.ends > {since})",
    "<": "q.starts < {since}",
    "<=": "q.starts < {until}",
    ">": "q.ends > {until}",
    ">=": "q.ends > {since}",
}


@dataclass(frozen=True, slots=True)
class KnownCondition:
    """A condition whose property is known.

    Attributes:
        condition: with the property's name as the databases spell it.
        databases: ids of those that have the column.
        kinds: of documents in no database (tickets, say) those some of which have the property.
        titled: ids of those whose title's column it is; None: any row's or ticket's title is meant.
        has_values: rows have a property of this name, apart from titles.
        number: the value as a number; None where it is none, or no row has a number there.
        span: the value as a time: its first moment and the first one after it, both without a zone; None where it is
            none, or no row has a date there.
        truth: the value as a check box; None where it is none, or no row has a check box there.
    """

    condition: PropertyCondition
    databases: Sequence[str] = ()
    kinds: Sequence[str] = ()
    titled: Sequence[str] | None = ()
    has_values: bool = True
    number: Decimal | None = None
    span: tuple[datetime, datetime] | None = None
    truth: bool | None = None

    def holds(self, key: str, is_past: bool) -> tuple[sql.Composable, dict[str, Any]]:
        """SQL about the document `d`, its page `p` and, of the past, its version `c`; `key` names its parameters."""
        names = {
            part: sql.Placeholder(f"{key}_{part}")
            for part in ("name", "value", "number", "since", "until", "truth", "databases", "kinds", "titled")
        }
        since, until = self.span or (None, None)
        parameters = {
            f"{key}_name": self.condition.name,
            f"{key}_value": self.condition.value,
            f"{key}_number": self.number,
            f"{key}_since": since,
            f"{key}_until": until,
            f"{key}_truth": self.truth,
            f"{key}_databases": list(self.databases),
            f"{key}_kinds": list(self.kinds),
            f"{key}_titled": self.titled if self.titled is None else list(self.titled),
        }
        title = sql.SQL("coalesce(c.contents->>'title', '')" if is_past else "p.title")
        kind = sql.SQL("c.contents->>'kind'" if is_past else "p.kind")
        own = [part for part in (self._own(names, kind, is_past), self._title(names, kind, title)) if part is not None]
        return sql.SQL("({})").format(sql.SQL(" OR ").join(own)), parameters

    def _own(self, names: Mapping[str, sql.Placeholder], kind: sql.Composable, is_past: bool) -> sql.Composable | None:
        """By the property itself; None where only titles are called so."""
        if not self.has_values and not self.databases and not self.kinds and self.titled != ():
            return None
        some = _among_past if is_past else _among
        operator, value = self.condition.operator, self.condition.value
        if operator == "!=" and not value:
            return some(names["name"], sql.SQL("true"))
        if operator in ("=", "!=") and (operator == "!=" or not value):
            has_column = sql.SQL(
                "({kind} = 'row' AND p.parent_external_id = ANY({databases}::text[]) OR {kind} = ANY({kinds}::text[]))"
            ).format(kind=kind, **names)
            if operator == "!=":
                has_column = sql.SQL("({} OR {})").format(has_column, some(names["name"], sql.SQL("true")))
            unwanted = self.match(names) if value else sql.SQL("true")
            has_any = sql.SQL("{} = ANY({})").format(kind, _WITH_PROPERTIES)
            return sql.SQL("({} AND {} AND NOT {})").format(has_any, has_column, some(names["name"], unwanted))
        return some(names["name"], self.match(names))

    def _title(
        self, names: Mapping[str, sql.Placeholder], kind: sql.Composable, title: sql.Composable
    ) -> sql.Composable | None:
        """By the title, in the databases where its column has this name."""
        if self.titled == ():
            return None
        operator, value = self.condition.operator, self.condition.value
        holds = self._text(names, title) if value else sql.SQL("{} IN ('', 'Untitled')").format(title)
        if operator == "!=":
            holds = sql.SQL("NOT ({})").format(holds)
        where = sql.SQL("true" if self.titled is None else "p.parent_external_id = ANY({titled}::text[])")
        has_any = sql.SQL("{} = ANY({})").format(kind, _WITH_PROPERTIES)
        return sql.SQL("({} AND {} AND {})").format(has_any, where.format(**names), holds)

    def match(self, names: Mapping[str, sql.Placeholder]) -> sql.Composable:
        """SQL about one value `q`; of != what must not be."""
        operator = "=" if self.condition.operator == "!=" else self.condition.operator
        ways: list[sql.Composable] = []
        if operator in ("=", "~"):
            ways.append(self._text(names, sql.SQL("q.text")))
        if self.number is not None and operator != "~":
            compared = sql.SQL(_ORDERED.get(operator, "="))
            ways.append(sql.SQL("q.number {} {}::numeric").format(compared, names["number"]))
        if self.span is not None and operator != "~":
            ways.append(
                sql.SQL(_DATES[operator]).format(
                    since=sql.SQL("{}::timestamp").format(names["since"]),
                    until=sql.SQL("{}::timestamp").format(names["until"]),
                )
            )
        if self.truth is not None and operator == "=":
            ways.append(sql.SQL("q.truth = {}").format(names["truth"]))
        return sql.SQL("({})").format(sql.SQL(" OR ").join(ways) if ways else sql.SQL("false"))

    def _text(self, names: Mapping[str, sql.Placeholder], text: sql.Composable) -> sql.Composable:
        if self.condition.operator == "~":
            return sql.SQL("position(lower({value}) IN lower({text})) > 0").format(**names, text=text)
        return sql.SQL(
            "(lower(left({text}, 200)) = lower(left({value}, 200)) AND lower({text}) = lower({value}))"
        ).format(**names, text=text)


def _among(name: sql.Composable, match: sql.Composable) -> sql.Composable:
    """The document has a property of this name for which `match` holds."""
    return sql.SQL(
        "d.document_id IN (SELECT q.document_id FROM document_property q "
        "WHERE q.workspace_id = %(workspace_id)s AND q.name = {} AND {})"
    ).format(name, match)


def _among_past(name: sql.Composable, match: sql.Composable) -> sql.Composable:
    """The version has one."""
    return sql.SQL("EXISTS (SELECT 1 FROM {} WHERE {})").format(_values_of_version(name), match)


def _values_of_version(name: sql.Composable) -> sql.Composable:
    values = sql.SQL(PROPERTY_VALUES)
    return sql.SQL(
        "(SELECT {name}::text AS key, c.contents->'properties'->{name}::text AS value) v, LATERAL ({values}) q"
    ).format(name=name, values=values)


def known_conditions(
    connection: Connection,
    workspace_id: UUID,
    filters: Filters,
    past: Mapping[str, Any],
    versions: sql.Composable | None,
) -> tuple[list[KnownCondition], list[str]]:
    """The conditions of `filters` on properties, and what to say of values that no row has.

    Args:
        connection: in the transaction of the search.
        workspace_id: whose properties.
        filters: what was asked.
        past: parameters that `versions` wants.
        versions: those that were served at a time in the past; None is now.

    Raises:
        WrongUse: no row has such a property, or what it holds cannot be compared so.
    """
    if not filters.properties:
        return [], []
    if len(filters.properties) > MOST_CONDITIONS:
        raise WrongUse(f"At most {MOST_CONDITIONS} conditions on properties can be given.")
    properties = _Properties(connection, workspace_id, past, versions)
    known = [properties.known(condition) for condition in filters.properties]
    notes = [note for condition in known if (note := properties.note(condition)) is not None]
    return known, list(dict.fromkeys(notes))


def _as_stored(condition: PropertyCondition) -> PropertyCondition:
    """The condition in characters that names and values are stored in."""
    written = condition.written
    return replace(
        condition,
        name=clean(condition.name).strip(),
        value=clean(condition.value).strip(),
        written=None if written is None else clean(written),
    )


class _Properties:
    """What a workspace has of properties, now or then."""

    def __init__(
        self, connection: Connection, workspace_id: UUID, past: Mapping[str, Any], versions: sql.Composable | None
    ) -> None:
        self._connection = connection
        self._parameters = {**past, "workspace_id": workspace_id}
        self._versions = versions
        self._databases: dict[str, list[str]] = {}
        self._titled: dict[str, list[str]] = {}
        self._held: dict[tuple[str, bool], Sequence[bool]] = {}
        rows = connection.execute(load_sql("properties"), self._parameters).fetchall()
        for name, is_title, databases in rows:
            (self._titled if is_title else self._databases).setdefault(name, []).extend(databases)
        if versions is not None:
            statement = sql.SQL(load_sql("past_properties")).format(versions=versions)
            for (name,) in connection.execute(statement, self._parameters):
                self._databases.setdefault(name, [])
        # A condition of many signs has as many readings, and each is compared with every name.
        self._alike: dict[str, list[str]] = {}
        for name in sorted(self._databases.keys() | self._titled.keys()):
            self._alike.setdefault(folded(name), []).append(name)

    def known(self, condition: PropertyCondition) -> KnownCondition:
        """The condition with the property that it means."""
        condition = self._named(_as_stored(condition))
        name, operator, value = condition.name, condition.operator, condition.value
        databases, titled = self._databases.get(name), tuple(self._titled.get(name, ()))
        if databases is None and not titled:
            return self._readable(KnownCondition(condition, titled=None, has_values=False), (False,) * 4)
        truth = read_checkbox(value)
        holds_number, holds_date, holds_truth, holds_any = (
            self._kinds(name, truth is not None) if databases is not None else (False,) * 4
        )
        kinds: list[str] = []
        if operator == "!=" or (operator == "=" and not value):
            more, kinds = self._of_others(name)
            databases = [*(databases or ()), *more]
        known = KnownCondition(
            condition,
            databases=databases or (),
            kinds=kinds,
            titled=titled,
            has_values=holds_any or databases is not None,
            number=read_number(value) if holds_number else None,
            span=read_span(value) if holds_date else None,
            truth=truth if holds_truth else None,
        )
        return self._readable(known, (holds_number, holds_date, holds_truth, holds_any))

    def _named(self, condition: PropertyCondition) -> PropertyCondition:
        """The reading with the longest name that is known."""
        names = self._databases.keys() | self._titled.keys()
        readings = sorted(condition.readings(), key=lambda one: len(one.name), reverse=True)
        for reading in readings:
            check_text("A condition", reading.name + reading.value, LONGEST_VALUE)
            if reading.operator not in OPERATORS:
                raise WrongUse(f"There is no operator '{reading.operator}', only {' '.join(OPERATORS)}.")
            if reading.name in names:
                return reading
        for reading in readings:
            alike = self._alike.get(folded(reading.name), [])
            if len(alike) == 1:
                return replace(reading, name=alike[0])
            if alike:
                raise WrongUse(
                    f"There are {listed(alike)}: write '{reading.name}' as the one that is meant is spelled."
                )
        for reading in readings:
            if folded(reading.name) in _TITLES:
                return reading
        raise WrongUse(_unknown(condition.readings()[0].name, names))

    def _readable(self, known: KnownCondition, kinds: Sequence[bool]) -> KnownCondition:
        """The condition, if its operator can work with what the property holds."""
        holds_number, holds_date, _, holds_any = kinds
        name, operator, value = known.condition.name, known.condition.operator, known.condition.value
        if operator not in _ORDERED or known.number is not None or known.span is not None:
            return known
        if holds_date:
            raise WrongUse(f"'{name}' holds dates, and '{value}' is not one with one meaning: write {_DATE_FORMS}.")
        if holds_number:
            raise WrongUse(f"'{name}' holds numbers, and '{value}' is not one: write {_NUMBER_FORMS}.")
        if holds_any or known.titled != ():
            raise WrongUse(
                f"'{name}' holds texts, which {operator} does not compare: it works with numbers and dates. "
                "Use =, != or ~ (contains)."
            )
        return known

    def note(self, known: KnownCondition) -> str | None:
        """What to say when no row has the value, or any."""
        name, operator, value = known.condition.name, known.condition.operator, known.condition.value
        if not value:
            return None
        names = {part: sql.Placeholder(part) for part in ("name", "value", "number", "since", "until", "truth")}
        since, until = known.span or (None, None)
        given = {
            "name": name, "value": value, "number": known.number, "since": since, "until": until, "truth": known.truth,
            "titled": known.titled if known.titled is None else list(known.titled),
        }  # fmt: skip
        rows = self._rows()
        if operator in _ORDERED:
            return None if self._is(sql.SQL("SELECT 1 {}").format(rows), given) else f"No document has a '{name}'."
        statements = [sql.SQL("SELECT 1 {} AND {}").format(rows, known.match(names))]
        texts = [sql.SQL("SELECT left(q.text, 200) AS text {} LIMIT {}").format(rows, _SAMPLE)]
        if known.titled != ():
            titles = sql.SQL(
                "FROM source_page p WHERE p.workspace_id = %(workspace_id)s AND p.kind = ANY({kinds}) "
                "AND p.state <> 'tombstoned' AND (%(titled)s::text[] IS NULL OR p.parent_external_id = ANY(%(titled)s))"
            ).format(kinds=_WITH_PROPERTIES)
            statements.append(sql.SQL("SELECT 1 {} AND {}").format(titles, known._text(names, sql.SQL("p.title"))))
            texts.append(sql.SQL("SELECT left(p.title, 200) AS text {} LIMIT {}").format(titles, _SAMPLE))
        if any(self._is(statement, given) for statement in statements):
            return None
        near: set[str] = set()
        for statement in texts:
            distinct = sql.SQL("SELECT DISTINCT text FROM ({}) every LIMIT 2000").format(statement)
            near.update(text for (text,) in self._connection.execute(distinct, {**self._parameters, **given}))
        verb = "has a '{}' that contains '{}'" if operator == "~" else "has '{}' = '{}'"
        alike = nearest(value, near)
        said = f" Near it: {listed(alike)}." if alike else ""
        return f"No document {verb.format(name, value)}.{said}{self._forms(known)}"

    def _forms(self, known: KnownCondition) -> str:
        """How a date or a number is written, where the property holds them and the value was read as neither."""
        if known.condition.operator == "~" or (known.number, known.span, known.truth) != (None, None, None):
            return ""
        holds_number, holds_date, _, _ = self._kinds(known.condition.name)
        if holds_date:
            return f" Dates are written as {_DATE_FORMS}."
        return f" Numbers are written as {_NUMBER_FORMS}." if holds_number else ""

    def _kinds(self, name: str, asks_truth: bool = False) -> Sequence[bool]:
        """Whether rows hold, under a name, numbers, dates, check boxes, anything.

        Of check boxes it is False where nobody asks: there is no index of them, and all values would be read.
        """
        if (name, asks_truth) not in self._held:
            rows = self._rows()
            parts = sql.SQL(", ").join(
                sql.SQL("EXISTS (SELECT 1 {} AND {})").format(rows, sql.SQL(part))
                for part in (
                    "q.number IS NOT NULL",
                    "q.starts IS NOT NULL",
                    "q.truth IS NOT NULL" if asks_truth else "false",
                    "true",
                )
            )
            given = {**self._parameters, "name": name}
            (self._held[name, asks_truth],) = self._connection.execute(
                sql.SQL("SELECT {}").format(parts), given
            ).fetchall()
        return self._held[name, asks_truth]

    def _rows(self) -> sql.Composable:
        """The values of the property in the parameter `name`, as a FROM with a WHERE."""
        if self._versions is None:
            return sql.SQL(
                "FROM document_property q JOIN document d USING (document_id) "
                "WHERE q.workspace_id = %(workspace_id)s AND q.name = %(name)s AND d.deleted_at IS NULL"
            )
        return sql.SQL(
            "FROM document d JOIN document_content c USING (document_id), LATERAL {values} "
            "WHERE d.workspace_id = %(workspace_id)s "
            "AND EXISTS (SELECT 1 FROM {chunks} k WHERE k.document_content_id = c.document_content_id)"
        ).format(values=_values_of_version(sql.Placeholder("name")), chunks=self._versions)

    def _of_others(self, name: str) -> tuple[list[str], list[str]]:
        """Databases, and kinds of what stands in none, in which others have the property."""
        given = {**self._parameters, "name": name, "kinds": [kind for kind in WITH_PROPERTIES if kind != "row"]}
        rows = self._connection.execute(load_sql("databases"), given).fetchall()
        databases = [database for database, _ in rows if database is not None]
        return databases, [kind for database, kind in rows if database is None]

    def _is(self, statement: sql.Composable, given: Mapping[str, Any]) -> bool:
        row = self._connection.execute(
            sql.SQL("SELECT EXISTS ({})").format(statement), {**self._parameters, **given}
        ).fetchone()
        return row is not None and bool(row[0])


def _unknown(name: str, names: Iterable[str]) -> str:
    known = sorted(names)
    if not known:
        return f"There is no property '{name}': this workspace has no documents with properties."
    near = nearest(name, known)
    if near:
        return f"There is no property '{name}'. Near it: {listed(near)}."
    rest = f" and {len(known) - 10} more" if len(known) > 10 else ""
    return f"There is no property '{name}'. There are {listed(known[:10])}{rest}."
