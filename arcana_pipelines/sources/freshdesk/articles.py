"""The knowledge base: categories, folders in them and in each other, published articles.

There is no list of changes and no trash: everything is listed each time, and what is not there any more is looked at.
Drafts and translations are not read. Counters of views and votes change without an edit and are left out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from arcana_pipelines.errors import PageRejected, PageUnavailable
from arcana_pipelines.sources.freshdesk.api import FeatureMissing, FreshdeskApi
from arcana_pipelines.sources.freshdesk.domain import web_address
from arcana_pipelines.sources.freshdesk.html import markdown_of
from arcana_pipelines.sources.freshdesk.values import line, listed, moment, number, text
from arcana_pipelines.sources.protocol import PageRef

log = logging.getLogger(__name__)

ARTICLE, FOLDER, CATEGORY = "article-", "folder-", "category-"
PUBLISHED = 2
FOR_AGENTS = 3
_VISIBILITY = {1: "public", 2: "logged-in users", FOR_AGENTS: "agents", 4: "selected companies"}
DEEPEST_FOLDER = 10
_FEATURE = "solutions"

Row = Mapping[str, Any]


class KnowledgeBase:
    """The articles of one account."""

    def __init__(self, api: FreshdeskApi, domain: str) -> None:
        self._api = api
        self._address = web_address(domain)
        self._visibility: dict[int, int | None] = {}

    def listed(self) -> Iterator[list[PageRef]]:
        """Categories and folders before what is in them, then articles.

        Raises:
            SourceError: see `FreshdeskApi.get`. What was listed before is not all that there is.
        """
        try:
            categories = self._api.all("solutions/categories", _FEATURE)
        except FeatureMissing as error:
            log.warning("there is no knowledge base: %s", error)
            return
        yield [ref for row in categories if (ref := _container(row, CATEGORY, "workspace", None)) is not None]
        for category in map(_id, categories):
            if category is not None:
                above = "category", f"{CATEGORY}{category}"
                yield from self._folders(f"solutions/categories/{category}/folders", above, 0)

    def _folders(self, path: str, above: tuple[str, str], depth: int) -> Iterator[list[PageRef]]:
        try:
            folders = self._api.all(path)
        except (PageRejected, PageUnavailable):
            if depth == 0:
                raise
            return  # accounts without folders in folders
        yield [ref for row in folders if (ref := _container(row, FOLDER, *above)) is not None]
        for row in folders:
            folder = _id(row)
            if folder is None:
                continue
            self._note(row)
            rows = self._api.all(f"solutions/folders/{folder}/articles")
            published = [each for each in rows if each.get("status") == PUBLISHED and _id(each) is not None]
            yield [self._ref(each, folder) for each in published]
            if row.get("sub_folders_count") != 0 and depth < DEEPEST_FOLDER:
                inside = f"solutions/folders/{folder}/subfolders"
                yield from self._folders(inside, ("folder", f"{FOLDER}{folder}"), depth + 1)

    def look(self, external_id: str) -> tuple[PageRef, Row] | None:
        """One article as it is now; None: it is no published one. Raises what `FreshdeskApi.get` does."""
        key = id_of(external_id, ARTICLE)
        if key is None:
            return None
        row = self._api.get(f"solutions/articles/{key}")
        folder = number(row.get("folder_id"))
        if _id(row) != key or folder is None or row.get("status") != PUBLISHED:
            return None
        if folder not in self._visibility:
            self._note(self._api.get(f"solutions/folders/{folder}"))
        return self._ref(row, folder), row

    def container(self, external_id: str) -> PageRef | None:
        """A category or folder as it is now; None: it is neither. Raises what `FreshdeskApi.get` does."""
        if (key := id_of(external_id, CATEGORY)) is not None:
            return _container(self._api.get(f"solutions/categories/{key}"), CATEGORY, "workspace", None)
        key = id_of(external_id, FOLDER)
        if key is None:
            return None
        row = self._api.get(f"solutions/folders/{key}")
        parent, category = number(row.get("parent_folder_id")), number(row.get("category_id"))
        if parent is not None:
            return _container(row, FOLDER, "folder", f"{FOLDER}{parent}")
        if category is not None:
            return _container(row, FOLDER, "category", f"{CATEGORY}{category}")
        return _container(row, FOLDER, "workspace", None)

    def _note(self, folder: Row) -> None:
        key, visibility = _id(folder), number(folder.get("visibility"))
        if key is not None:
            self._visibility[key] = visibility

    def _ref(self, row: Row, folder: int) -> PageRef:
        visibility = self._visibility.get(folder)
        shown = _VISIBILITY.get(visibility or 0, "others")
        tags = [tag for tag in map(line, listed(row.get("tags"))) if tag]
        properties: dict[str, dict[str, Any]] = {
            "Visibility": {"type": "select", "text": shown, "value": shown, "hidden": True}
        }
        if tags:
            properties["Tags"] = {"type": "multi_select", "text": ", ".join(tags), "value": tags, "hidden": True}
        return PageRef(
            external_id=f"{ARTICLE}{_id(row)}",
            kind="article",
            parent_kind="folder",
            parent_id=f"{FOLDER}{folder}",
            title=line(row.get("title")),
            url=f"{self._address}/support/solutions/articles/{_id(row)}",
            revision=text(row.get("updated_at")),
            last_edited_at=moment(row.get("updated_at")),
            properties=properties,
            # What the help centre does not show to customers. What does not plainly say who sees it is taken for that.
            is_internal=visibility is None or visibility == FOR_AGENTS,
        )


def article_text(row: Row) -> str:
    """What an article says, as Markdown."""
    return markdown_of(row.get("description"), row.get("description_text"), is_mail=False)


def attachments_of(row: Row) -> Sequence[Row]:
    """The files of an article, in the API's words."""
    return [each for each in listed(row.get("attachments")) if isinstance(each, Mapping)]


def id_of(external_id: str, prefix: str) -> int | None:
    """The number behind a prefix; None: it is an id of another kind."""
    digits = external_id.removeprefix(prefix)
    is_one = external_id.startswith(prefix) and digits.isascii() and digits.isdecimal() and len(digits) <= 18
    return int(digits) if is_one else None


def _id(row: Row) -> int | None:
    return number(row.get("id"))


def _container(row: Row, prefix: str, parent_kind: str, parent_id: str | None) -> PageRef | None:
    key = _id(row)
    if key is None:
        return None
    updated = moment(row.get("updated_at"))
    return PageRef(
        external_id=f"{prefix}{key}",
        kind=prefix.removesuffix("-"),
        parent_kind=parent_kind,
        parent_id=parent_id,
        title=line(row.get("name")),
        url=None,
        revision=text(row.get("updated_at")),
        last_edited_at=min(updated, datetime.now(UTC)),
        is_container=True,
    )
