"""Two bounds of a number as one condition.

Each bound by itself may leave most documents, and the few that both leave would be found among two large sets. The
index of numbers reads what lies between them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import sql

from arcana_pipelines.retrieval.conditions import KnownCondition

_LOWER: dict[str, LiteralString] = {">": ">", ">=": ">="}
_UPPER: dict[str, LiteralString] = {"<": "<", "<=": "<="}
# Of a list one item may be above the one bound and another below the other; items stand behind the whole cell.
_HOLDS = """
d.document_id IN (
    SELECT q.document_id FROM document_property q
    WHERE q.workspace_id = %(workspace_id)s AND q.name = {name} AND q.number {above} AND q.number {below}
    UNION ALL
    SELECT q.document_id
    FROM document_property q JOIN document_property r ON r.document_id = q.document_id AND r.name = q.name
    WHERE q.workspace_id = %(workspace_id)s AND q.name = {name} AND q.position > 0 AND q.number {below}
      AND r.workspace_id = %(workspace_id)s AND r.number {above})"""


@dataclass(frozen=True, slots=True)
class NumberRange:
    """The conditions `lower` and `upper` on one property, which holds numbers."""

    lower: KnownCondition
    upper: KnownCondition

    def holds(self, key: str, is_past: bool) -> tuple[sql.Composable, dict[str, Any]]:
        """As `KnownCondition.holds`."""
        if is_past:
            raise ValueError("of the past no index has the numbers")
        name, lower, upper = (f"{key}_{part}" for part in ("name", "lower", "upper"))
        holds = sql.SQL(_HOLDS).format(
            name=sql.Placeholder(name),
            above=sql.SQL("{} {}::numeric").format(
                sql.SQL(_LOWER[self.lower.condition.operator]), sql.Placeholder(lower)
            ),
            below=sql.SQL("{} {}::numeric").format(
                sql.SQL(_UPPER[self.upper.condition.operator]), sql.Placeholder(upper)
            ),
        )
        return holds, {name: self.lower.condition.name, lower: self.lower.number, upper: self.upper.number}


def in_ranges(conditions: Iterable[KnownCondition]) -> list[KnownCondition | NumberRange]:
    """The conditions, where a lower and an upper bound of the same number are one."""
    found: list[KnownCondition | NumberRange] = []
    for condition in conditions:
        for at, other in enumerate(found):
            if isinstance(other, KnownCondition) and (together := _range(other, condition)) is not None:
                found[at] = together
                break
        else:
            found.append(condition)
    return found


def _range(one: KnownCondition, other: KnownCondition) -> NumberRange | None:
    """Both as one, where nothing but a number between them can meet both: no date, and no title."""
    if one.condition.operator in _UPPER:
        one, other = other, one
    are_bounds = one.condition.operator in _LOWER and other.condition.operator in _UPPER
    are_of_numbers = all(each.number is not None and each.span is None and each.titled == () for each in (one, other))
    is_range = are_bounds and are_of_numbers and one.condition.name == other.condition.name
    return NumberRange(one, other) if is_range else None
