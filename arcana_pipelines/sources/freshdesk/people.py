"""Who is who: agents are listed once a run, contacts come with their tickets or are looked at once each.

Both share one space of ids in what tickets and messages say, and have two endpoints.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from arcana_pipelines.errors import PageRejected, PageUnavailable
from arcana_pipelines.sources.freshdesk.api import FreshdeskApi
from arcana_pipelines.sources.freshdesk.values import mapping, name, number

log = logging.getLogger(__name__)

# Contacts that are known at once; those that were known first are forgotten.
MOST_CONTACTS = 20_000


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody.

    Attributes:
        name: None: not known.
        email: None: not known, or there is none.
        is_agent: answers tickets.
    """

    name: str | None = None
    email: str | None = None
    is_agent: bool = False


NOBODY = Person()


class People:
    """Agents and contacts of one account. Safe to share between threads."""

    def __init__(self, api: FreshdeskApi) -> None:
        self._api = api
        self._agents: dict[int, Person] | None = None
        self._contacts: dict[int, Person] = {}
        self._lock = threading.Lock()

    def agent(self, agent_id: object) -> Person | None:
        """The agent of this id; None: it is none's.

        Raises:
            SourceUnavailable, TokenRevoked: see `FreshdeskApi.get`.
        """
        key = number(agent_id)
        if key is None:
            return None
        with self._lock:
            if self._agents is None:
                self._agents = self._listed()
            return self._agents.get(key)

    def anyone(self, user_id: object) -> Person:
        """The agent or contact of this id; raises what `agent` does."""
        key = number(user_id)
        if key is None:
            return NOBODY
        if (agent := self.agent(key)) is not None:
            return agent
        with self._lock:
            known = self._contacts.get(key)
        return known if known is not None else self._keep(key, self._looked_at(key))

    def note(self, contact: object) -> None:
        """Remember a contact that came with a ticket."""
        said = mapping(contact)
        key = number(said.get("id"))
        if key is not None:
            self._keep(key, _person(said))

    def _keep(self, key: int, person: Person) -> Person:
        """Who it is; a ticket may have brought the contact while another thread asked for it in vain."""
        with self._lock:
            if person is NOBODY:
                person = self._contacts.get(key, NOBODY)
            self._contacts[key] = person
            while len(self._contacts) > MOST_CONTACTS:
                self._contacts.pop(next(iter(self._contacts)))
            return person

    def _listed(self) -> dict[int, Person]:
        try:
            rows = self._api.all("agents")
        except (PageRejected, PageUnavailable) as error:
            log.warning("the names of agents cannot be read: %s", error)
            return {}
        agents: dict[int, Person] = {}
        for row in rows:
            if (key := number(row.get("id"))) is not None:
                agents[key] = _person(mapping(row.get("contact")), is_agent=True)
        return agents

    def _looked_at(self, key: int) -> Person:
        try:
            return _person(self._api.get(f"contacts/{key}"))
        except (PageRejected, PageUnavailable):
            return NOBODY  # deleted, or merged into another


def _person(said: Mapping[str, Any], is_agent: bool = False) -> Person:
    return Person(name(said.get("name")) or None, name(said.get("email")) or None, is_agent)
