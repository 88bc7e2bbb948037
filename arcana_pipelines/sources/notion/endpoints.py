"""Notion's endpoints as notion-client writes them, on whatever sends a request: `notion.pages.retrieve(page_id)`.

Two parts of notion-client are not used. Its `iterate_paginated_api` ends without a word where an answer has more and no
cursor: part of a list would be taken for all of it (see `lists.follow`). Its client brings a logger that writes to the
console through a handler of its own. Why: docs/decisions/026-notion-client-on-our-transport.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, cast

from notion_client.api_endpoints import (
    BlocksEndpoint,
    CommentsEndpoint,
    DataSourcesEndpoint,
    PagesEndpoint,
    SearchEndpoint,
    UsersEndpoint,
)
from notion_client.client import BaseClient


class Endpoints(ABC):
    """What a client of Notion can be asked. Answers are JSON objects, errors those of its `request`."""

    def __init__(self) -> None:
        # An endpoint needs nothing of its client but `request`. Any: their types say that an answer may be awaitable.
        client = cast("BaseClient", self)
        self.blocks: Any = BlocksEndpoint(client)
        self.comments: Any = CommentsEndpoint(client)
        self.data_sources: Any = DataSourcesEndpoint(client)
        self.pages: Any = PagesEndpoint(client)
        self.search: Any = SearchEndpoint(client)
        self.users: Any = UsersEndpoint(client)

    @abstractmethod
    def request(
        self,
        path: str,
        method: str,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        form_data: None = None,
        auth: None = None,
    ) -> dict[str, Any]:
        """Send one request and return its JSON object. The endpoints call it, with these names.

        We send no files and have one token: `form_data` and `auth` are theirs and stay None.
        """
