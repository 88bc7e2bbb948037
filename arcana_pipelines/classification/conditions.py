"""When a rule holds: filters as in a search, words of the title, and the path in the source; all that are given."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, ClassVar
from unicodedata import normalize
from uuid import UUID

from psycopg import sql
from pydantic import ConfigDict, TypeAdapter, ValidationError

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.retrieval.conditions import known_conditions
from arcana_pipelines.retrieval.filtered import documents_of, has_files
from arcana_pipelines.retrieval.filters import Filters
from arcana_pipelines.retrieval.places import find_indexed

load_sql = statements_beside(__file__)

MOST_WORDS = 50
LONGEST_WORD = 200  # characters
LONGEST_PATTERN = 500
# Each may stand for any number of characters: more of them take a path long to compare.
MOST_STARS = 8
_HOW = 'Write them as {"filters": {"kinds": ["page"]}, "title": ["vacation", "휴가"], "source_path": "Policies/*"}.'
_ASCII_WORD = re.compile(r"[a-z0-9 ]+")


@dataclass(frozen=True, slots=True)
class Conditions:
    """What has to hold of a document, all of it. At least one is given.

    Attributes:
        filters: as in a search.
        title: words of which the title has one, whatever their case. Of letters and digits of ASCII whole words are
            meant; others may stand within a word, as Korean ones do before a particle.
        source_path: the titles of the pages above it and its own, or a file's folder and name, with `/` between them;
            `*` is any text and `?` any character. It may begin at any level, with a `/` in front at the first one.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    filters: Filters = field(default_factory=Filters)
    title: tuple[str, ...] = ()
    source_path: str | None = None

    @property
    def follows_titles_above(self) -> bool:
        """Whether it may hold of a document in another way although nothing of the document has changed."""
        return self.source_path is not None


def read_conditions(text: str) -> Conditions:
    """The conditions that a JSON object says.

    Raises:
        WrongUse: it is none, or cannot be meant.
    """
    try:
        return checked(_adapter().validate_json(text))
    except ValidationError as error:
        raise _unreadable(error) from error


def conditions_of(row: Mapping[str, Any]) -> Conditions:
    """The conditions of a rule's row.

    Raises:
        WrongUse: a release of before or after this one wrote what this one does not know.
    """
    try:
        return checked(_adapter().validate_python(row))
    except ValidationError as error:
        raise _unreadable(error) from error


def told(conditions: Conditions) -> dict[str, Any]:
    """What they say, and nothing else, as JSON has it."""
    held: dict[str, Any] = _adapter().dump_python(conditions, mode="json", exclude_defaults=True)
    return held


def checked(conditions: Conditions) -> Conditions:
    """The same, fit for the database.

    Raises:
        WrongUse: nothing is given, or something cannot be meant.
    """
    words = tuple(dict.fromkeys(_folded(word) for word in conditions.title))
    if any(not word or len(word) > LONGEST_WORD for word in words) or len(words) > MOST_WORDS:
        raise WrongUse(f"A rule has up to {MOST_WORDS} words of the title, of 1 to {LONGEST_WORD} characters each.")
    pattern = conditions.source_path
    if pattern is not None:
        pattern = _folded(pattern)
        if not pattern.strip("/*? ") or len(pattern) > LONGEST_PATTERN or pattern.count("*") > MOST_STARS:
            raise WrongUse(
                f"The path in the source says nothing, is longer than {LONGEST_PATTERN} characters, or has more than "
                f"{MOST_STARS} stars."
            )
    filters = conditions.filters.checked()
    if filters.topic is not None:
        raise WrongUse("A rule gives topics, and cannot ask for one: what it gives would make it hold or not.")
    if not filters and not words and pattern is None:
        raise WrongUse(f"A rule without conditions would hold of everything. {_HOW}")
    return Conditions(filters, words, pattern)


def settled(connection: Connection, workspace_id: UUID, conditions: Conditions) -> Conditions:
    """The same by ids in place of the titles of pages, so that a rule stays when they are renamed.

    Raises:
        WrongUse: there is no such page, property or value.
    """
    conditions = checked(conditions)
    filters = conditions.filters
    known, notes = known_conditions(connection, workspace_id, filters, {}, None)
    if notes:
        raise WrongUse(f"{notes[0]} A rule names values that are there.")
    filters = replace(
        filters,
        kinds=tuple(filters.kinds),
        below=filters.below and find_indexed(connection, workspace_id, filters.below).external_id,
        links_to=filters.links_to and find_indexed(connection, workspace_id, filters.links_to).external_id,
        properties=tuple(replace(each.condition, written=None) for each in known),
    )
    return replace(conditions, filters=filters)


def matching(
    connection: Connection, workspace_id: UUID, conditions: Conditions, only: Sequence[UUID] | None = None
) -> tuple[sql.Composed, dict[str, Any]]:
    """SQL for `document_id` and `title` of the documents of which settled conditions hold, with its parameters.

    `only`: of these documents.

    Raises:
        WrongUse: a property that they name is there no more.
    """
    filters = conditions.filters
    known, _ = known_conditions(connection, workspace_id, filters, {}, None)
    is_below_database = filters.below is not None and _is_database(connection, workspace_id, filters.below)
    documents, parameters = documents_of(
        filters, known, is_below_database=is_below_database, with_files=has_files(connection, workspace_id)
    )
    parameters["workspace_id"] = workspace_id
    wanted: list[sql.Composable] = []
    if only is not None:
        wanted.append(sql.SQL("named.document_id = ANY(%(only)s::uuid[])"))
        parameters["only"] = list(only)
    if conditions.title:
        wanted.append(sql.SQL(load_sql("title_has")))
        whole = [word for word in conditions.title if _ASCII_WORD.fullmatch(word)]
        parameters["words"] = [f" {' '.join(word.split())} " for word in whole]
        parameters["pieces"] = [word for word in conditions.title if word not in whole]
    if conditions.source_path is not None:
        wanted.append(sql.SQL(load_sql("source_path_is")))
        pattern = conditions.source_path
        escaped = re.sub(r"([\\%_])", r"\\\1", pattern.lstrip("/")).replace("*", "%").replace("?", "_")
        parameters["pattern"] = escaped
        parameters["anywhere"] = None if pattern.startswith("/") else f"%/{escaped}"
    holds = sql.SQL(" AND ").join(wanted) if wanted else sql.SQL("true")
    return sql.SQL(load_sql("matching")).format(documents=documents, holds=holds), parameters


def _is_database(connection: Connection, workspace_id: UUID, external_id: str) -> bool:
    statement = "SELECT is_container FROM source_page WHERE workspace_id = %s AND external_id = %s"
    row = connection.execute(statement, [workspace_id, external_id]).fetchone()
    return row is not None and bool(row[0])


def _folded(text: str) -> str:
    return " ".join(normalize("NFC", text).lower().split())


def _unreadable(error: ValidationError) -> WrongUse:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return WrongUse(f"These conditions cannot be meant: {where and where + ': '}{first['msg']}. {_HOW}")


@cache
def _adapter() -> TypeAdapter[Conditions]:
    return TypeAdapter(Conditions)
