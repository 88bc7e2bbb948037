"""What the codes and ids in a ticket are called: statuses, priorities, fields, groups, companies.

Statuses from 6 on are the account's own, and any may be renamed without a ticket's time showing it: names are read once
a run, and a listing of everything compares them. Codes that nobody names are shown as they are.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from arcana_pipelines.errors import PageRejected, PageUnavailable
from arcana_pipelines.sources.freshdesk.api import FreshdeskApi
from arcana_pipelines.sources.freshdesk.values import line, listed, mapping, number
from arcana_pipelines.sources.freshdesk.values import name as called

log = logging.getLogger(__name__)

STATUSES = {2: "Open", 3: "Pending", 4: "Resolved", 5: "Closed"}
PRIORITIES = {1: "Low", 2: "Medium", 3: "High", 4: "Urgent"}
SOURCES = {
    1: "Email", 2: "Portal", 3: "Phone", 5: "Twitter", 6: "Facebook", 7: "Chat", 9: "Feedback Widget",
    10: "Outbound Email", 13: "WhatsApp", 14: "Outgoing", 15: "Web Chat",
}  # fmt: skip
# So many companies are asked for by themselves before all are listed.
MOST_LOOKS = 5
_KINDS = {
    "custom_number": "number", "custom_decimal": "number", "custom_date": "date", "custom_checkbox": "checkbox",
    "custom_dropdown": "select", "nested_field": "select",
}  # fmt: skip


_CODE = re.compile("[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of tickets that the account made.

    Attributes:
        label: as agents see it.
        kind: `number`, `date`, `checkbox`, `select` or `rich_text`.
    """

    label: str
    kind: str


@dataclass(frozen=True, slots=True)
class _Fields:
    statuses: Mapping[int, str]
    priorities: Mapping[int, str]
    sources: Mapping[int, str]
    custom: Mapping[str, Field]


class Names:
    """The names that one account gives. Safe to share between threads.

    Every method raises SourceUnavailable and TokenRevoked (see `FreshdeskApi.get`): a name that could not be had now is
    not one that there is none of.
    """

    def __init__(self, api: FreshdeskApi) -> None:
        self._api = api
        self._fields: _Fields | None = None
        self._groups: dict[int, str] | None = None
        self._companies: dict[int, str] = {}
        self._looks = 0
        self._lock = threading.RLock()

    def status(self, code: object) -> str:
        """As agents see it."""
        return _name(self._known().statuses, code, "status")

    def priority(self, code: object) -> str:
        """As agents see it."""
        return _name(self._known().priorities, code, "priority")

    def source(self, code: object) -> str:
        """How the ticket came."""
        return _name(self._known().sources, code, "source")

    def custom_field(self, name: str) -> Field:
        """The field of this name; one that the account does not tell of is called by its name."""
        return self._known().custom.get(name) or Field(line(name.removeprefix("cf_")), "rich_text")

    def group(self, group_id: object) -> str:
        """Empty: it has none, or the key may not read groups."""
        key = number(group_id)
        if key is None:
            return ""
        with self._lock:
            if self._groups is None:
                self._groups = dict(self._listed("groups"))
            return self._groups.get(key, "")

    def company(self, company_id: object) -> str:
        """Empty: it has none, or the key may not read companies."""
        key = number(company_id)
        if key is None:
            return ""
        with self._lock:
            if key not in self._companies:
                self._companies[key] = self._look(key)
            return self._companies[key]

    def note_company(self, company: object) -> None:
        """Remember a company that came with a ticket."""
        key, name = _named(mapping(company))
        if key is not None:
            with self._lock:
                self._companies[key] = name

    def _look(self, key: int) -> str:
        self._looks += 1
        if self._looks == MOST_LOOKS + 1:
            self._companies = {**dict(self._listed("companies")), **self._companies}
            if key in self._companies:
                return self._companies[key]
        try:
            return called(self._api.get(f"companies/{key}").get("name"))
        except (PageRejected, PageUnavailable):
            return ""

    def _listed(self, path: str) -> Iterable[tuple[int, str]]:
        try:
            rows = self._api.all(path)
        except (PageRejected, PageUnavailable) as error:
            log.warning("the names of %s cannot be read: %s", path, error)
            return
        for row in rows:
            key, name = _named(row)
            if key is not None:
                yield key, name

    def _known(self) -> _Fields:
        with self._lock:
            if self._fields is None:
                self._fields = self._read()
            return self._fields

    def _read(self) -> _Fields:
        try:
            rows = self._api.unpaged("ticket_fields")
        except (PageRejected, PageUnavailable) as error:
            log.warning("the fields of tickets cannot be read: %s", error)
            rows = []
        statuses, priorities, sources = dict(STATUSES), dict(PRIORITIES), dict(SOURCES)
        custom: dict[str, Field] = {}
        for row in rows:
            name, kind, choices = line(row.get("name")), line(row.get("type")), row.get("choices")
            if kind == "default_status":
                # Two labels: that of agents, then that of customers.
                codes_of = mapping(choices).items()
                statuses |= {int(code): _first(labels) for code, labels in codes_of if _CODE.fullmatch(code)}
            elif kind in ("default_priority", "default_source"):
                codes = {code: called(label) for label, each in mapping(choices).items() if (code := number(each))}
                (priorities if kind == "default_priority" else sources).update(codes)
            elif name and not kind.startswith("default_"):
                custom[name] = Field(line(row.get("label")) or name, _KINDS.get(kind, "rich_text"))
                for level in listed(row.get("nested_ticket_fields")):
                    inner = mapping(level)
                    if inner_name := line(inner.get("name")):
                        custom[inner_name] = Field(line(inner.get("label")) or inner_name, "select")
        return _Fields(statuses, priorities, sources, custom)


def _name(names: Mapping[int, str], code: object, what: str) -> str:
    key = number(code)
    return "" if key is None else names.get(key) or f"{what} {key}"


def _first(labels: object) -> str:
    return called(labels) or next((called(label) for label in listed(labels)), "")


def _named(row: Mapping[str, Any]) -> tuple[int | None, str]:
    return number(row.get("id")), called(row.get("name"))
