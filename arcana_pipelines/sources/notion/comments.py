"""Open comments of a page, as Markdown under its text.

The API lists the comments that are anchored exactly at one page or block, oldest first, and only open ones
(https://developers.notion.com/reference/list-comments). An inline comment needs its block's id: Markdown v2
names it in `discussion-urls` where the address is `discussion://page/block/discussion`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from arcana_pipelines.errors import PageRejected, PageUnavailable
from arcana_pipelines.sources.notion.api import NotionApi
from arcana_pipelines.sources.notion.lists import items
from arcana_pipelines.sources.notion.rich_text import inline
from arcana_pipelines.sources.notion.users import UserNames

HEADING = "## Comments"

_DISCUSSION = re.compile(r"discussion://[0-9a-f-]{32,36}/([0-9a-f-]{32,36})/[0-9a-f-]{32,36}", re.IGNORECASE)


def read_comments(api: NotionApi, names: UserNames, page_id: str, markdown: str) -> tuple[str, str | None]:
    """The comments as Markdown, empty when there are none, and in words why some could not be read.

    Raises:
        SourceUnavailable, TokenRevoked: see `NotionApi.request`.
    """
    lines: list[str] = []
    problem = None
    for anchor in dict.fromkeys([page_id, *_DISCUSSION.findall(markdown)]):
        try:
            read = partial(api.comments.list, block_id=anchor)
            lines += [comment_line(comment, names) for comment in items(read, "comments")]
        except (PageRejected, PageUnavailable) as error:
            problem = f"comments could not be read: {error}"
    said = [line for line in lines if line]
    return "\n\n".join([HEADING, "\n".join(said)]) if said else "", problem


def comment_line(comment: Mapping[str, Any], names: UserNames) -> str:
    """One comment as an item of a list, `- Name: text`; nothing for one without text."""
    text = " ".join(inline(comment.get("rich_text")).split())
    shown = comment.get("display_name")
    given = shown.get("resolved_name") if isinstance(shown, Mapping) else None
    author = comment.get("created_by")
    name = str(given or (names.name(author.get("id")) if isinstance(author, Mapping) else ""))
    if not text:
        return ""
    return f"- {inline([{'plain_text': name}])}: {text}" if name else f"- {text}"
