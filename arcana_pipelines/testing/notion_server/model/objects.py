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
    """Where a node hangs; a workspace parent has no id."""

    kind: ParentKind
    id: str = ""


class DatabaseIds(NamedTuple):
    """What `NotionWorld.add_database` made: the container and its first data source."""

    data_source_id: str
    database_id: str


@dataclass(slots=True, kw_only=True)
class Node:
    """What pages, blocks, databases and data sources have in common.

    `children` holds block, page and database ids in reading order; a data source's holds its rows.
    `shared` is the connection's access as set here, None when it comes from above.
    `revision` changes with everything that can change what a reader is sent.
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
    """A page, or a row when its parent is a data source; `values` are a row's property values by name."""

    title: RichText
    icon: Json | None = None
    cover: Json | None = None
    values: dict[str, Any] = field(default_factory=dict)
    row_number: int | None = None
    is_archived: bool = False
    is_locked: bool = False


@dataclass(slots=True, kw_only=True)
class Block(Node):
    """A block of a page's content."""

    type: str
    payload: Json


@dataclass(slots=True, kw_only=True)
class Database(Node):
    """The container that holds data sources."""

    title: RichText
    description: RichText = field(default_factory=list)
    data_source_ids: list[str] = field(default_factory=list)
    icon: Json | None = None
    cover: Json | None = None
    is_inline: bool = False
    is_locked: bool = False


@dataclass(slots=True, kw_only=True)
class Property:
    """A column: `config` is what the schema says under the type's name."""

    id: str
    name: str
    type: str
    config: Json = field(default_factory=dict)
    description: str | None = None
    compute: Callable[[Page], Any] | None = None


@dataclass(slots=True, kw_only=True)
class DataSource(Node):
    """The table inside a database."""

    title: RichText
    description: RichText = field(default_factory=list)
    schema: dict[str, Property] = field(default_factory=dict)
    last_row_number: int = 0


@dataclass(slots=True, kw_only=True)
class User:
    """A person or a bot."""

    id: str
    name: str
    type: Literal["person", "bot"] = "person"
    email: str | None = None
    avatar_url: str | None = None


@dataclass(slots=True, kw_only=True)
class Comment:
    """A comment on a page or block; an inline one also marks the block's text in Markdown v2."""

    id: str
    parent: Parent
    discussion_id: str
    created: datetime
    edited: datetime
    created_by: str
    rich_text: RichText
    inline: bool = False
    resolved: bool = False
