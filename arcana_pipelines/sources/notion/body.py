"""The text of one page: the Markdown endpoint, followed to its end, or the block tree.

`GET /v1/pages/{id}/markdown` is one request a page. It leaves placeholders for what it did not render and
lists their ids (at most 100 an answer) for one more request each
(https://developers.notion.com/guides/data-apis/working-with-markdown-content). Where the endpoint does not
answer for a page that is there, the block tree is read instead.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from arcana_pipelines.errors import AnswerUnusable, PageRejected, PageTooLarge, PageUnavailable
from arcana_pipelines.markdown.share import Share
from arcana_pipelines.sources.notion.api import NotionApi
from arcana_pipelines.sources.notion.blocks import Rendered, render
from arcana_pipelines.sources.notion.files import Medium
from arcana_pipelines.sources.notion.lists import items
from arcana_pipelines.sources.notion.markdown_media import media_in
from arcana_pipelines.sources.notion.pages import notion_id, path_id
from arcana_pipelines.sources.notion.placeholders import empty_copies, fill, left_unknown, unrendered

log = logging.getLogger(__name__)

# More placeholders than this in one answer, or subtrees than that in all, and the block tree is cheaper.
FEW_SUBTREES = 20
MAX_SUBTREES = 200
# Blocks of one page whose children are asked for, one request each.
MOST_PARENTS = 20_000
# After so many pages in a row without an answer, the endpoint is taken to be missing.
GIVE_UP_MARKDOWN_AFTER = 5


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a page.

    Attributes:
        links: ids of pages that it points to where its Markdown does not show it.
        partial: what of it could not be read, in words; empty for a whole body.
        unknown_types: the types of blocks that could not be shown in full.
        media: pictures, files, recordings and films, in their order; those of parts that were read apart come last.
    """

    markdown: str
    links: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()
    unknown_types: tuple[str, ...] = ()
    media: tuple[Medium, ...] = ()


class BodyReader:
    """Reads bodies, remembering whether this API has the Markdown endpoint."""

    def __init__(self, api: NotionApi, with_media: bool = False) -> None:
        self._api = api
        self._with_media = with_media
        self._refusals = 0

    def read(self, page_id: str) -> Body:
        """The body of one page.

        Raises:
            PageUnavailable: there is no such page for this token.
            PageRejected: neither way could read it, or it takes more time than one page may.
            SourceUnavailable, TokenRevoked: see `NotionApi.request`.
        """
        if self._refusals < GIVE_UP_MARKDOWN_AFTER:
            try:
                body = self._from_markdown(page_id)
            except PageTooLarge as error:
                raise PageRejected(str(error)) from error
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
        share = Share()
        seen = {page_id}
        links: list[str] = []
        unknown_types: list[str] = []
        problems: list[str] = []
        media: list[Medium] = []
        unreadable = 0
        while waiting:
            parts: dict[str, str] = {}
            listed: list[str] = []
            for block_id in waiting:
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
                    media += subtree.media
                    part = {"markdown": subtree.markdown}
                if part["markdown"].lstrip().startswith("<unknown"):
                    return self._from_blocks(page_id)  # it renders no such part (a table's row) by itself
                parts[block_id] = part["markdown"]
                listed += _unknown_ids(part)
            share.check()
            text = fill(text, parts)
            waiting = listed
        parts = {}
        share.check()
        for block_id in unrendered(text):
            if block_id not in seen:
                seen.add(block_id)
                subtree = self._subtree(block_id)
                links += subtree.links
                unknown_types += subtree.unknown_types
                problems += subtree.partial
                media += subtree.media
                parts[block_id] = subtree.markdown
        share.check()
        text = fill(text, parts)
        unreadable += empty_copies(text)
        if unreadable:
            problems.append(f"parts that are not shared with the connection: {unreadable}")
        share.check()
        return Body(
            text,
            tuple(links),
            tuple(problems),
            (*unknown_types, *left_unknown(text)),
            (*media_in(text), *media) if self._with_media else (),
        )

    def _markdown(self, any_id: str) -> dict[str, Any]:
        # notion-client 3.1 has a method for this path, `pages.retrieve_markdown`, but drops markdown_version.
        answer = self._api.request(f"pages/{path_id(any_id)}/markdown", "GET", query={"markdown_version": "v2"})
        if answer["object"] != "page_markdown" or not isinstance(answer.get("markdown"), str):
            raise AnswerUnusable(f"Notion answered the markdown of {any_id} with something else")
        return answer

    def _from_blocks(self, page_id: str) -> Body:
        return _body(render(page_id, self._children_of_one_page()))

    def _subtree(self, block_id: str) -> Body:
        try:
            block = self._api.blocks.retrieve(path_id(block_id))
        except (PageUnavailable, PageRejected) as error:
            return Body("", partial=(str(error),))
        if block["object"] != "block" or notion_id(block.get("id")) != block_id:
            raise AnswerUnusable(f"Notion answered the block {block_id} with something else")

        below = self._children_of_one_page()

        def children(any_id: str) -> Iterator[dict[str, Any]]:
            return iter([block]) if any_id == "" else below(any_id)

        return _body(render("", children))

    def _children_of_one_page(self) -> Callable[[str], Iterator[dict[str, Any]]]:
        asked = itertools.count(1)

        def children(block_id: str) -> Iterator[dict[str, Any]]:
            if next(asked) > MOST_PARENTS:
                raise PageRejected(f"the page has more than {MOST_PARENTS} blocks with others in them")
            parent = path_id(block_id)
            return items(partial(self._api.blocks.children.list, parent), f"blocks/{parent}/children")

        return children


def _body(rendered: Rendered) -> Body:
    return Body(rendered.markdown, rendered.links, rendered.problems, tuple(rendered.unknown_types), rendered.media)


def _unknown_ids(answer: dict[str, Any]) -> list[str]:
    """
    Raises:
        AnswerUnusable: it names parts by what is not an id; without them the page would be shorter.
    """
    listed = answer.get("unknown_block_ids") or []
    ids = [notion_id(value) for value in listed] if isinstance(listed, list) else [None]
    if None in ids:
        raise AnswerUnusable("Notion names parts of a page by something that is not an id")
    return [block_id for block_id in ids if block_id is not None]
