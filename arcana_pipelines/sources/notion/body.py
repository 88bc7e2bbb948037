"""The text of one page: the Markdown endpoint, followed to its end, or the block tree.

`GET /v1/pages/{id}/markdown` is one request a page. It leaves placeholders for what it did not render and
lists their ids (at most 100 an answer) for one more request each
(https://developers.notion.com/guides/data-apis/working-with-markdown-content). Where the endpoint does not
answer for a page that is there, the block tree is read instead.
"""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from arcana_pipelines.documents.reader import without_literals
from arcana_pipelines.errors import AnswerUnusable, PageRejected, PageUnavailable
from arcana_pipelines.sources.notion.api import NotionApi
from arcana_pipelines.sources.notion.blocks import render
from arcana_pipelines.sources.notion.lists import items
from arcana_pipelines.sources.notion.pages import notion_id, path_id

log = logging.getLogger(__name__)

# What the Markdown endpoint does not render it names with its type; these have no words of their own.
_WORDLESS = frozenset({"button", "breadcrumb", "form", "ai_block", "drive", "table_of_contents", "unsupported"})
_UNKNOWN = re.compile(r"<unknown\b([^>]*?)/?>(?:</unknown>)?")
_ALT = re.compile(r'\balt="([^"]*)"')
_ID = re.compile(r"([0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12})(?![0-9a-f])", re.IGNORECASE)

# A synced copy whose original the connection cannot see comes without its content.
_EMPTY_COPY = re.compile(r"<synced[-_]block[-_]reference\b[^>]*>\s*</synced[-_]block[-_]reference>")

# More placeholders than this in one answer, or subtrees than that in all, and the block tree is cheaper.
FEW_SUBTREES = 20
MAX_SUBTREES = 200
# Blocks of one page whose children are asked for, one request each.
MOST_PARENTS = 20_000
# After so many pages in a row without an answer, the endpoint is taken to be missing.
GIVE_UP_MARKDOWN_AFTER = 5


@dataclass(frozen=True, slots=True)
class Body:
    """Markdown of a page, pages it links to besides, and in words what of it could not be read.

    `unknown_types` names the types of blocks that could not be shown in full.
    """

    markdown: str
    links: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()
    unknown_types: tuple[str, ...] = ()


class BodyReader:
    """Reads bodies, remembering whether this API has the Markdown endpoint."""

    def __init__(self, api: NotionApi) -> None:
        self._api = api
        self._refusals = 0

    def read(self, page_id: str) -> Body:
        """The body of one page.

        Raises:
            PageUnavailable: there is no such page for this token.
            PageRejected: neither way could read it.
            SourceUnavailable, TokenRevoked: see `NotionApi.call`.
        """
        if self._refusals < GIVE_UP_MARKDOWN_AFTER:
            try:
                body = self._from_markdown(page_id)
            except (PageUnavailable, PageRejected) as error:
                log.info("page %s: no markdown (%s), reading its blocks", page_id, error)
                body = self._from_blocks(page_id)
                self._refusals += 1
            else:
                self._refusals = 0
            return body
        return self._from_blocks(page_id)

    def _from_markdown(self, page_id: str) -> Body:
        answer = self._markdown(page_id)
        if notion_id(answer.get("id")) != page_id:
            raise AnswerUnusable(f"Notion answered the markdown of {page_id} with another page's")
        text: str = answer["markdown"]
        waiting = _unknown_ids(answer)
        if len(waiting) > FEW_SUBTREES:
            return self._from_blocks(page_id)  # a hundred children cost one request there
        seen = {page_id}
        links: list[str] = []
        unknown_types: list[str] = []
        problems: list[str] = []
        unreadable = 0
        while waiting:
            block_id = waiting.pop(0)
            if block_id in seen:
                continue
            if len(seen) > MAX_SUBTREES:
                return self._from_blocks(page_id)
            seen.add(block_id)
            try:
                part = self._markdown(block_id)
            except PageUnavailable:
                unreadable += 1  # not shared with the connection: not ours to show
                continue
            except PageRejected:
                subtree = self._subtree(block_id)
                links += subtree.links
                unknown_types += subtree.unknown_types
                problems += subtree.partial
                part = {"markdown": subtree.markdown}
            if part["markdown"].lstrip().startswith("<unknown"):
                return self._from_blocks(page_id)  # it renders no such part (a table's row) by itself
            text = _fill(text, block_id, part["markdown"])
            waiting += _unknown_ids(part)
        for block_id in _unrendered(text):
            if block_id not in seen:
                seen.add(block_id)
                subtree = self._subtree(block_id)
                links += subtree.links
                unknown_types += subtree.unknown_types
                problems += subtree.partial
                text = _fill(text, block_id, subtree.markdown)
        unreadable += len(_EMPTY_COPY.findall(_without_code(text, "<synced")))
        if unreadable:
            problems.append(f"parts that are not shared with the connection: {unreadable}")
        return Body(text, tuple(links), tuple(problems), (*unknown_types, *_left_unknown(text)))

    def _markdown(self, any_id: str) -> dict[str, Any]:
        # notion-client 3.1 has a method for this path, but drops markdown_version.
        answer = self._api.call("GET", f"pages/{path_id(any_id)}/markdown", query={"markdown_version": "v2"})
        if answer["object"] != "page_markdown" or not isinstance(answer.get("markdown"), str):
            raise AnswerUnusable(f"Notion answered the markdown of {any_id} with something else")
        return answer

    def _from_blocks(self, page_id: str) -> Body:
        rendered = render(page_id, self._children_of_one_page())
        return Body(rendered.markdown, rendered.links, rendered.problems, tuple(rendered.unknown_types))

    def _subtree(self, block_id: str) -> Body:
        try:
            block = self._api.call("GET", f"blocks/{path_id(block_id)}")
        except (PageUnavailable, PageRejected) as error:
            return Body("", partial=(str(error),))
        if block["object"] != "block" or notion_id(block.get("id")) != block_id:
            raise AnswerUnusable(f"Notion answered the block {block_id} with something else")

        below = self._children_of_one_page()

        def children(any_id: str) -> Iterator[dict[str, Any]]:
            return iter([block]) if any_id == "" else below(any_id)

        rendered = render("", children)
        return Body(rendered.markdown, rendered.links, rendered.problems, tuple(rendered.unknown_types))

    def _children_of_one_page(self) -> Callable[[str], Iterator[dict[str, Any]]]:
        asked = itertools.count(1)

        def children(block_id: str) -> Iterator[dict[str, Any]]:
            if next(asked) > MOST_PARENTS:
                raise PageRejected(f"the page has more than {MOST_PARENTS} blocks with others in them")
            return items(self._api, f"blocks/{path_id(block_id)}/children")

        return children


def _unknown_ids(answer: dict[str, Any]) -> list[str]:
    """
    Raises:
        AnswerUnusable: it names parts by what is no id; without them the page would be shorter.
    """
    listed = answer.get("unknown_block_ids") or []
    found = [notion_id(value) for value in listed] if isinstance(listed, list) else [None]
    if None in found:
        raise AnswerUnusable("Notion names parts of a page by something that is no id")
    return [block_id for block_id in found if block_id is not None]


def _unrendered(text: str) -> list[str]:
    """Ids of blocks that the endpoint does not render (a link preview, a link to a page) but that have words."""
    found = []
    for placeholder in _UNKNOWN.finditer(_without_code(text)):
        alt, ids = _ALT.search(placeholder[1]), _ID.findall(placeholder[1])
        if alt and ids and alt[1] not in _WORDLESS:
            found.append(path_id(ids[-1]))
    return found


def _left_unknown(text: str) -> list[str]:
    """Types of the placeholders that stay: blocks without words of their own."""
    return [alt[1] for placeholder in _UNKNOWN.finditer(_without_code(text)) if (alt := _ALT.search(placeholder[1]))]


def _fill(text: str, block_id: str, part: str) -> str:
    """Put a subtree where its placeholder stands, or at the end when there is none."""
    bare = block_id.replace("-", "")
    placeholder = re.compile(rf"[ \t]*<unknown\b[^>]*(?:{bare}|{block_id})[^>]*?/?>(?:</unknown>)?")
    found = placeholder.search(_without_code(text))
    if found is None:
        return f"{text}\n\n{part}"
    return f"{text[: found.start()]}\n\n{part}\n\n{text[found.end() :]}"


def _without_code(text: str, tag: str = "<unknown") -> str:
    """`text` without its code and escapes, which may speak of such tags; as long as it was."""
    return without_literals(text) if ("`" in text or "\\" in text) and tag in text else text
