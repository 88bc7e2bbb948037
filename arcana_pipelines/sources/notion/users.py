"""Names of users, asked for once a run and only when an answer names one by its id alone."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from arcana_pipelines.errors import PageRejected, PageUnavailable, SourceUnavailable
from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.sources.notion.api import NotionApi
from arcana_pipelines.sources.notion.lists import items
from arcana_pipelines.sources.notion.pages import notion_id
from arcana_pipelines.sources.protocol import PageRef

log = logging.getLogger(__name__)


class UserNames:
    """id -> name of everybody that `GET /v1/users` lists. Safe to share between threads."""

    def __init__(self, api: NotionApi) -> None:
        self._api = api
        self._names: dict[str, str] | None = None
        self._lock = threading.Lock()

    def name(self, user_id: object) -> str:
        """The name, or nothing for someone unknown (a guest, or the connection may not read users)."""
        if not isinstance(user_id, str) or not user_id:
            return ""
        with self._lock:
            if self._names is None:
                self._names = self._read()
            return self._names.get(user_id, "")

    def complete(self, ref: PageRef) -> PageRef:
        """The reference with the names of people that the listing gave by id alone.

        The name of its editor is no reason to ask: it is taken from the page's own properties, or from the names that
        properties have asked for before.
        """
        properties = {name: self._property(value) for name, value in ref.properties.items()}
        editor_name = ref.editor_name
        if ref.editor_id and not editor_name:
            shown = {person["id"]: person["name"] for value in properties.values() for person in _people(value)}
            editor_name = shown.get(ref.editor_id) or (self._names or {}).get(ref.editor_id)
        if properties == ref.properties and editor_name == ref.editor_name:
            return ref
        return replace(ref, properties=properties, editor_name=editor_name)

    def _property(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        if not any(person["id"] and not person["name"] for person in _people(given)):
            return given
        value = given["value"]
        people = value if isinstance(value, list) else [value]
        named = [person and {**person, "name": person["name"] or self.name(person["id"]) or None} for person in people]
        text = ", ".join(person["name"] for person in named if person and person["name"])
        return {**given, "text": text, "value": named if isinstance(value, list) else named[0]}

    def _read(self) -> dict[str, str]:
        try:
            users = list(items(self._api.users.list, "users"))
        except (PageRejected, PageUnavailable, SourceUnavailable) as error:
            log.warning("the names of users cannot be read: %s", error)
            return {}
        named = [(notion_id(user.get("id")), user.get("name")) for user in users]
        return {user_id: clean(name) for user_id, name in named if user_id and isinstance(name, str) and name}


def _people(given: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The people in a property, each with `id` and `name`; none in one of another type."""
    if given["type"] not in ("people", "created_by", "last_edited_by"):
        return []
    value = given["value"]
    return [person for person in (value if isinstance(value, list) else [value]) if person]
