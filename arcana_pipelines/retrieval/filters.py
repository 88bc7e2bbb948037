"""Which documents a search may find."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString

from psycopg import sql

from arcana_pipelines.errors import WrongUse

_CONDITION = re.compile(r"(?P<name>.+?)\s*(?P<operator>>=|<=|!=|=|~|>|<)\s*(?P<value>.*)", re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]{1,50}(\.[0-9]{1,50})?")
# What a person sees in a cell.
_TEXT: LiteralString = "c.contents->'properties'->{name}->>'text'"
_OPERATORS: dict[str, LiteralString] = {">": ">", "<": "<", ">=": ">=", "<=": "<="}


@dataclass(frozen=True, slots=True)
class PropertyCondition:
    """A condition on a property of a database row; `operator` is one of = != ~ (contains) > < >= <=.

    Values are compared as a person reads them: as numbers where both are, else as text (dates are ISO 8601).
    """

    name: str
    operator: str
    value: str

    @classmethod
    def parse(cls, text: str) -> PropertyCondition:
        """`Status=Done`, `Cost>=100`, `Owner~Kim`.

        Raises:
            WrongUse: it is none of these.
        """
        found = _CONDITION.fullmatch(text.strip())
        if found is None:
            raise WrongUse(f"'{text}' is no condition: write PROPERTY=VALUE, or with != ~ > < >= <= between the two.")
        return cls(found["name"].strip(), found["operator"], found["value"].strip())


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions that all have to hold.

    Attributes:
        below: the id of a page: it and everything below it.
        kinds: `page`, `row`.
        properties: conditions on properties of database rows.
        edited_since: edited at that time or later.
        links_to: the id of a page: what links to it.
    """

    below: str | None = None
    kinds: Sequence[str] = ()
    properties: Sequence[PropertyCondition] = field(default=())
    edited_since: datetime | None = None
    links_to: str | None = None

    def __bool__(self) -> bool:
        return any((self.below, self.kinds, self.properties, self.edited_since, self.links_to))

    def documents(self, chunks_then: sql.Composable | None = None) -> tuple[sql.Composable, dict[str, Any]]:
        """SQL for the ids of the documents, with its parameters besides `workspace_id`.

        With `chunks_then`, the chunks that were seen at a time, the conditions are on the versions that were seen
        with them. Only places are those of today: no version has them.
        """
        facts, compared = (_NOW, _compared) if chunks_then is None else (_THEN, _compared_then)
        parameters: dict[str, Any] = {
            "below": self.below,
            "kinds": list(self.kinds),
            "edited_since": self.edited_since,
            "links_to": self.links_to,
        }
        conditions: list[sql.Composable] = [facts.versions.format(chunks=chunks_then)]
        if self.kinds:
            conditions.append(sql.SQL("{} = ANY(%(kinds)s)").format(facts.kind))
        if self.edited_since:
            conditions.append(sql.SQL("{} >= %(edited_since)s::timestamptz").format(facts.last_edited_at))
        if self.below:
            conditions.append(
                sql.SQL(
                    "d.path <@ (SELECT above.path FROM source_page a JOIN document above USING (document_id) "
                    "WHERE a.workspace_id = %(workspace_id)s AND a.external_id = %(below)s)"
                )
            )
        if self.links_to:
            conditions.append(facts.links)
        for number, condition in enumerate(self.properties):
            name, value = f"property_{number}", f"value_{number}"
            parameters |= {name: condition.name, value: condition.value}
            conditions.append(compared(condition, sql.Placeholder(name), sql.Placeholder(value)))
        return sql.SQL(" AND ").join(conditions), parameters


@dataclass(frozen=True, slots=True)
class _Facts:
    """Where conditions find what they are about."""

    versions: sql.SQL
    kind: sql.SQL
    last_edited_at: sql.SQL
    links: sql.SQL


_NOW = _Facts(
    versions=sql.SQL(
        "SELECT d.document_id FROM document d JOIN source_page p USING (document_id) "
        "WHERE d.workspace_id = %(workspace_id)s AND d.deleted_at IS NULL"
    ),
    kind=sql.SQL("p.kind"),
    last_edited_at=sql.SQL("p.last_edited_at"),
    links=sql.SQL(
        "EXISTS (SELECT 1 FROM document_relation r "
        "JOIN source_page t ON t.document_id = r.related_document_id "
        "WHERE r.base_document_id = d.document_id AND r.deleted_at IS NULL "
        "AND t.workspace_id = %(workspace_id)s AND t.external_id = %(links_to)s)"
    ),
)
_THEN = _Facts(
    versions=sql.SQL(
        "SELECT d.document_id FROM document d JOIN document_content c USING (document_id) "
        "WHERE d.workspace_id = %(workspace_id)s "
        "AND EXISTS (SELECT 1 FROM {chunks} k WHERE k.document_content_id = c.document_content_id)"
    ),
    kind=sql.SQL("c.contents->>'kind'"),
    last_edited_at=sql.SQL("(c.contents->>'last_edited_at')::timestamptz"),
    links=sql.SQL("(c.contents->'links' ? %(links_to)s AND c.contents->>'external_id' <> %(links_to)s)"),
)


def _compared(condition: PropertyCondition, name: sql.Composable, value: sql.Composable) -> sql.Composable:
    """A condition on a property of the latest version, by its indexes."""
    is_wanted = True
    if condition.operator == "~":
        holds = sql.SQL("position(lower({value}) IN lower(q.text)) > 0")
    elif condition.operator in ("=", "!="):
        is_wanted = condition.operator == "="
        holds = sql.SQL("lower(left(q.text, 200)) = lower(left({value}, 200)) AND lower(q.text) = lower({value})")
        if not condition.value:  # an empty cell has no row
            is_wanted = not is_wanted
            holds = sql.SQL("true")
    elif _NUMBER.fullmatch(condition.value):
        holds = sql.SQL("q.number {operator} {value}::numeric")
    else:
        holds = sql.SQL('q.text COLLATE "C" {operator} {value}')
    return sql.SQL(
        "d.document_id {is_in} (SELECT q.document_id FROM document_property q "
        "WHERE q.workspace_id = %(workspace_id)s AND q.name = {name} AND {holds})"
    ).format(
        is_in=sql.SQL("IN" if is_wanted else "NOT IN"),
        name=name,
        holds=holds.format(value=value, operator=sql.SQL(_OPERATORS.get(condition.operator, "="))),
    )


def _compared_then(condition: PropertyCondition, name: sql.Composable, value: sql.Composable) -> sql.Composable:
    """A condition on a property of an older version: only its contents have it."""
    text = sql.SQL(_TEXT).format(name=name)
    if condition.operator == "~":
        return sql.SQL("position(lower({}) IN lower({})) > 0").format(value, text)
    if condition.operator in ("=", "!="):
        answer = sql.SQL("lower(coalesce({}, '')) = lower({})").format(text, value)
        return answer if condition.operator == "=" else sql.SQL("NOT ({})").format(answer)
    operator = sql.SQL(_OPERATORS[condition.operator])
    if _NUMBER.fullmatch(condition.value):
        return sql.SQL(
            "CASE WHEN {text} ~ '^-?[0-9]{{1,50}}([.][0-9]{{1,50}})?$' THEN ({text})::numeric {op} {value}::numeric END"
        ).format(text=text, op=operator, value=value)
    return sql.SQL('{text} COLLATE "C" {op} {value}').format(text=text, op=operator, value=value)
