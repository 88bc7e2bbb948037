"""An account: its clock, its people, its ticket fields and its files."""

from __future__ import annotations

import hashlib
import mimetypes
import threading
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from arcana_pipelines.testing.clock import Clock
from arcana_pipelines.testing.freshdesk_server.model import Agent, Attachment, Company, Contact, CustomField

Upload = tuple[str, bytes]

# Agents and contacts share one space of ids; so large are those of real accounts.
_FIRST_ID = 43_000_000_001


class Account:
    """What tickets and articles need around them.

    Attributes:
        lock: held while anything is changed or read.
        domain: the account's sub-domain.
        statuses: code to the label for agents and the label for customers.
        gone: ids of tickets that were deleted for ever.
        events: what automation rules would announce, oldest first: a ticket's id and what happened.
        tickets_version: rises with every change of what lists of tickets show.
        names_version: rises when a person or a company is added or renamed.
    """

    def __init__(self, *, seed: int = 1, clock: Clock | None = None, domain: str = "acme") -> None:
        self.lock = threading.RLock()
        self.clock = clock or Clock()
        self.seed = seed
        self.domain = domain
        self.agents: dict[int, Agent] = {}
        self.contacts: dict[int, Contact] = {}
        self.companies: dict[int, Company] = {}
        self.groups: dict[int, str] = {}
        self.statuses: dict[int, tuple[str, str]] = {
            2: ("Open", "Being Processed"),
            3: ("Pending", "Awaiting your Reply"),
            4: ("Resolved", "This ticket has been Resolved"),
            5: ("Closed", "This ticket has been Closed"),
            6: ("Waiting on Customer", "Awaiting your Reply"),
            7: ("Waiting on Third Party", "Being Processed"),
        }
        self.types: list[str] = ["Question", "Incident", "Problem", "Feature Request", "Refund"]
        self.custom_fields: dict[str, CustomField] = {}
        self.attachments: dict[int, Attachment] = {}
        self.gone: set[int] = set()
        self.events: list[tuple[int, str]] = []
        self.tickets_version = 0
        self.names_version = 0
        self._last_id = _FIRST_ID - 1
        first = self.add_group("Billing")
        second = self.add_group("고객지원")
        self.agent = self.add_agent("Grace Hopper", "grace@acme.example", groups=(first, second))
        self.group_agent = self.add_agent("이수민", "sumin@acme.example", scope=2, groups=(second,))
        self.restricted_agent = self.add_agent("Linus Weber", "linus@acme.example", scope=3, groups=(first,))

    @property
    def key(self) -> str:
        """The API key of the agent who sees everything."""
        return self.agents[self.agent].key

    def now(self) -> datetime:
        """The time in whole seconds, as the account records it."""
        return self.clock.now().replace(microsecond=0)

    def new_id(self) -> int:
        """The next id of whatever is not a ticket."""
        self._last_id += 1
        return self._last_id

    # --- people ----------------------------------------------------------------------------------

    def add_group(self, name: str) -> int:
        """A group of agents; returns its id."""
        with self.lock:
            group = self.new_id()
            self.groups[group] = name
            return group

    def add_agent(self, name: str, email: str, *, scope: int = 1, groups: tuple[int, ...] = ()) -> int:
        """An agent with an API key of their own; returns the id."""
        with self.lock:
            now, new = self.now(), self.new_id()
            key = hashlib.sha256(f"{self.domain} {self.seed} {new}".encode()).hexdigest()[:20]
            self.agents[new] = Agent(new, name, email, scope, key, groups, created_at=now, updated_at=now)
            self.names_version += 1
            return new

    def rename_agent(self, agent: int, name: str) -> None:
        """No ticket moves."""
        self._rename(self.agents[agent], name)

    def deactivate_agent(self, agent: int) -> None:
        """The agent's key opens nothing any more."""
        with self.lock:
            self.agents[agent].active = False
            self.agents[agent].updated_at = self.now()

    def add_company(self, name: str) -> int:
        """A company that contacts belong to; returns its id."""
        with self.lock:
            now, new = self.now(), self.new_id()
            self.companies[new] = Company(new, name, created_at=now, updated_at=now)
            self.names_version += 1
            return new

    def rename_company(self, company: int, name: str) -> None:
        """No ticket moves."""
        self._rename(self.companies[company], name)

    def add_contact(self, name: str, email: str | None = None, *, company: int | None = None) -> int:
        """A customer; returns the id."""
        with self.lock:
            now, new = self.now(), self.new_id()
            self.contacts[new] = Contact(new, name, email, company, created_at=now, updated_at=now)
            self.names_version += 1
            return new

    def rename_contact(self, contact: int, name: str) -> None:
        """No ticket moves."""
        self._rename(self.contacts[contact], name)

    def delete_contact(self, contact: int) -> None:
        """A direct look says 404 from now on; only the list of the deleted shows them. No ticket moves."""
        with self.lock:
            self.contacts[contact].state = "deleted"
            self.contacts[contact].updated_at = self.now()
            self.names_version += 1

    def _rename(self, somebody: Agent | Company | Contact, name: str) -> None:
        with self.lock:
            somebody.name = name
            somebody.updated_at = self.now()
            self.names_version += 1

    # --- ticket fields ---------------------------------------------------------------------------

    def add_status(self, name: str, for_customers: str | None = None) -> int:
        """A status of the account's own; returns its code."""
        with self.lock:
            code = max(self.statuses) + 1
            self.statuses[code] = (name, for_customers or name)
            return code

    def rename_status(self, code: int, name: str) -> None:
        """No ticket moves."""
        with self.lock:
            self.statuses[code] = (name, self.statuses[code][1])

    def add_field(
        self, name: str, label: str, kind: str, choices: Any = None, levels: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """A custom field; see `CustomField`. Tickets have no value in it until one is set."""
        with self.lock:
            self.custom_fields[name] = CustomField(name, label, kind, choices, levels)
            self.names_version += 1

    def rename_field(self, name: str, label: str) -> None:
        """No ticket moves."""
        with self.lock:
            self.custom_fields[name].label = label

    # --- files -----------------------------------------------------------------------------------

    def store(self, uploads: Iterable[Upload]) -> tuple[Attachment, ...]:
        """Keep files; each is a name and its bytes."""
        kept = []
        for name, content in uploads:
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            kept.append(Attachment(self.new_id(), name, kind, content, self.now()))
            self.attachments[kept[-1].id] = kept[-1]
        return tuple(kept)
