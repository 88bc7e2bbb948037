"""What a workspace is made of. Pages, blocks, databases and data sources are nodes of one tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias

from arcana_pipelines.testing.notion_server.model.rich_text import RichText

Json: TypeAlias = dict[str, Any]
ParentKind: TypeAlias = Literal["workspace", "page_id", "block_id", "database_id", "data_source_id"]


class Parent(NamedTuple):
    """What a node hangs below.

    Attributes:
        kind: as the API spells it in `parent.type`.
        id: of the page, block, database or data source; empty for `workspace`, which has none.
    """

    kind: ParentKind
    id: str = ""


class DatabaseIds(NamedTuple):
    """What `NotionWorld.add_database` made.

    Attributes:
        data_source_id: of its first data source, the table: rows are added to it.
        database_id: of the container that holds data sources.
    """

    data_source_id: str
    database_id: str


@dataclass(slots=True, kw_only=True)
class Node:
    """What pages, blocks, databases and data sources have in common.

    Attributes:
        id: a UUID with dashes, unique in the world.
        created: by the world's clock, aware; sent rounded down to the minute, in a database object to the millisecond.
        edited: by the world's clock, aware; sent rounded down to the minute. A database object has its creation in this
            place.
        created_by: the id of a `User`.
        edited_by: the id of the `User` who edited it last.
        children: ids of blocks, pages and databases in reading order; of a data source those of its rows.
        in_trash: it lies there itself. What is below something in the trash says so only where the world has
            `trash_marks_descendants` (see `Tree.is_buried`).
        shared: the connection's access as set here; None when it comes from above.
        revision: another number after everything that can change what a reader is sent.
    """

    id: str
    parent: Parent
    created: datetime
    edited: datetime
    created_by: str
    edited_by: str
    children: list[str] = field(default_factory=list)
    in_trash: bool = False
    shared: bool | None = None
    revision: int = 0


@dataclass(slots=True, kw_only=True)
class Page(Node):
    """A page, or a row when its parent is a data source.

    Attributes:
        icon: an emoji as the API has it; None where there is none.
        cover: an external picture as the API has it; None where there is none.
        values: a row's property values by the property's name, as they are set (a list of ids for people and
            relations); the title is not among them.
        row_number: of a row: its number in its data source, from 1, which a `unique_id` shows; None for a page.
        is_archived: listings of rows leave it out unless asked; not the same as the trash.
        is_locked: shown to readers, and nothing here depends on it.
    """

    title: RichText
    icon: Json | None = None
    cover: Json | None = None
    values: dict[str, Any] = field(default_factory=dict)
    row_number: int | None = None
    is_archived: bool = False
    is_locked: bool = False


@dataclass(slots=True, kw_only=True)
class Block(Node):
    """A block of a page's content.

    Attributes:
        type: as the API spells it: `paragraph`, `heading_1`, `table_row` …
        payload: what the API sends under the type's name; labels of mentions and addresses of files are filled in then.
    """

    type: str
    payload: Json


@dataclass(slots=True, kw_only=True)
class Database(Node):
    """The container that holds data sources. Its rows are theirs.

    Attributes:
        data_source_ids: its tables in the order of their making.
        icon: an emoji as the API has it; None where there is none.
        cover: an external picture as the API has it; None where there is none.
        is_inline: it is shown within its page, not as a page of its own.
        is_locked: shown to readers, and nothing here depends on it.
    """

    title: RichText
    description: RichText = field(default_factory=list)
    data_source_ids: list[str] = field(default_factory=list)
    icon: Json | None = None
    cover: Json | None = None
    is_inline: bool = False
    is_locked: bool = False


@dataclass(slots=True, kw_only=True)
class Property:
    """A column of a data source.

    Attributes:
        id: as the API sends it, percent-encoded; of these two types the type's name: `title`, `verification`.
        name: unique in its data source.
        type: one of `properties.TYPES`.
        config: what the schema says under the type's name: options, a number's format, a relation's target.
        compute: of a formula: makes its value of the row; None: the row's stored value is it.
    """

    id: str
    name: str
    type: str
    config: Json = field(default_factory=dict)
    description: str | None = None
    compute: Callable[[Page], Any] | None = None


@dataclass(slots=True, kw_only=True)
class DataSource(Node):
    """The table inside a database; its children are the rows.

    Attributes:
        schema: the columns by name, the title's among them, in the order of their making.
        last_row_number: the highest `Page.row_number` that was given out; numbers are never used twice.
    """

    title: RichText
    description: RichText = field(default_factory=list)
    schema: dict[str, Property] = field(default_factory=dict)
    last_row_number: int = 0


@dataclass(slots=True, kw_only=True)
class User:
    """A person or a bot.

    Attributes:
        id: a UUID with dashes.
        email: of a person, sent when the connection may read addresses; None: not known.
    """

    id: str
    name: str
    type: Literal["person", "bot"] = "person"
    email: str | None = None
    avatar_url: str | None = None


@dataclass(slots=True, kw_only=True)
class Comment:
    """A comment on a page or block.

    Attributes:
        parent: the page or block.
        discussion_id: a UUID; each comment here has a discussion of its own.
        created: by the world's clock, aware.
        edited: by the world's clock, aware.
        created_by: the id of a `User`.
        inline: it marks its block's text in Markdown v2.
        resolved: closed: it is neither listed nor marked.
    """

    id: str
    parent: Parent
    discussion_id: str
    created: datetime
    edited: datetime
    created_by: str
    rich_text: RichText
    inline: bool = False
    resolved: bool = False
