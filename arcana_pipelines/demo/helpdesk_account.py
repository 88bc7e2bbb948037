"""The helpdesk of the sample: an account of Freshdesk that lies in files, and what its API says of it.

A file a ticket, in `helpdesk/tickets/`, for people to read; `helpdesk/account.yaml` has what they share. Everything
fits on one page of a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "helpdesk"
DOMAIN = "sample.haneul-robotics"
"""No account is called so: names of Freshdesk's accounts have no dot."""

_PRIORITIES = {"Low": 1, "Medium": 2, "High": 3, "Urgent": 4}
_SOURCES = {"Email": 1, "Portal": 2, "Phone": 3}
_REPLY, _NOTE = 0, 2

Json = dict[str, Any]


class HelpdeskAccount:
    """The tickets of a folder. Each is a row as the API shows it, with its messages under `conversations`."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = sorted((folder / "tickets").glob("*.yaml"))
        self._account = _read(folder / "account.yaml")
        self.domain = DOMAIN

    def answer(self, path: str, query: Mapping[str, str]) -> list[Json] | Json | None:
        """What a GET of a path below `/api/v2/` brings; None: there is no such thing."""
        match path.split("/"):
            case ["tickets"]:
                return self._listed(query)
            case ["tickets", "archived", number]:
                return self._ticket(number, is_archived=True)
            case ["tickets", "archived", number, "conversations"]:
                return _messages(self._ticket(number, is_archived=True))
            case ["tickets", number]:
                return self._ticket(number, is_archived=False)
            case ["tickets", number, "conversations"]:
                return _messages(self._ticket(number, is_archived=False))
            case ["agents", "me"]:
                return {"ticket_scope": 1}
            case [("companies" | "contacts") as kind, number]:
                return next((row for row in self._lists[kind] if str(row["id"]) == number), None)
            case [kind]:
                return self._lists.get(kind)
        return None

    def attachment(self, attachment_id: int) -> bytes | None:
        """The bytes of a file; None: there is none of this id."""
        return self._attachments.get(attachment_id)

    def _listed(self, query: Mapping[str, str]) -> list[Json]:
        """Those that are neither archived nor older than asked for, by time; the trash and spam are empty."""
        if "filter" in query or query.get("page", "1") != "1":
            return []
        since = query.get("updated_since", "")
        return [row for row in self._rows if not row["archived"] and row["updated_at"] >= since]

    def _ticket(self, number: str, *, is_archived: bool) -> Json | None:
        return next((row for row in self._rows if str(row["id"]) == number and row["archived"] is is_archived), None)

    @cached_property
    def _lists(self) -> Mapping[str, list[Json]]:
        account = self._account
        agents = [
            {"id": 101 + at, "contact": {"name": name, "email": _address(key)}}
            for at, (key, name) in enumerate(account["agents"].items())
        ]
        companies = [{"id": 301 + at, "name": name} for at, name in enumerate(account["companies"])]
        people = [
            (key, name, company["id"])
            for company, each in zip(companies, account["companies"].values(), strict=True)
            for key, name in each.items()
        ]
        contacts = [
            {"id": 201 + at, "name": name, "email": _address(key), "company_id": company}
            for at, (key, name, company) in enumerate(people)
        ]
        fields: list[Json] = [
            {"name": "status", "type": "default_status", "choices": _labels(account["statuses"])},
            {"name": "priority", "type": "default_priority", "choices": _PRIORITIES},
            {"name": "source", "type": "default_source", "choices": _SOURCES},
            *({"name": name, **field} for name, field in account["fields"].items()),
        ]
        groups = [{"id": 401 + at, "name": name} for at, name in enumerate(account["groups"])]
        return {
            "agents": agents, "companies": companies, "contacts": contacts, "ticket_fields": fields, "groups": groups,
        }  # fmt: skip

    @cached_property
    def _attachments(self) -> Mapping[int, bytes]:
        return {
            file["id"]: file["text"].encode()
            for row in self._rows
            for holder in (row, *row["conversations"])
            for file in holder["attachments"]
        }

    @cached_property
    def _rows(self) -> list[Json]:
        return sorted(map(self._row, self._files), key=lambda row: (row["updated_at"], row["id"]))

    def _row(self, file: Path) -> Json:
        written, number = _read(file), int(file.stem)
        people, lists = self._people, self._lists
        requester = people[written["requester"]]
        messages = [self._message(number, at, said) for at, said in enumerate(written["messages"], start=1)]
        return {
            "id": number,
            "subject": written["subject"],
            "description": written["text"],
            "status": next(code for code, name in self._account["statuses"].items() if name == written["status"]),
            "priority": _PRIORITIES[written["priority"]],
            "source": _SOURCES[written["source"]],
            "type": written["type"],
            "tags": written["tags"],
            "custom_fields": {name: _plain(value) for name, value in written["custom_fields"].items()},
            "requester": {name: requester[name] for name in ("id", "name", "email")},
            "requester_id": requester["id"],
            "company_id": requester["company_id"],
            "responder_id": people[written["agent"]]["id"],
            "group_id": next(row["id"] for row in lists["groups"] if row["name"] == written["group"]),
            "archived": written.get("archived", False),
            "created_at": _time(written["created_at"]),
            "updated_at": max([_time(written["created_at"]), *(message["created_at"] for message in messages)]),
            "attachments": _attached(number * 1000, written),
            "conversations": messages,
        }

    def _message(self, ticket: int, at: int, said: Mapping[str, Any]) -> Json:
        author = self._people[said["by"]]
        return {
            "id": ticket * 100 + at,
            "ticket_id": ticket,
            "body": said["text"],
            "user_id": author["id"],
            "incoming": "company_id" in author,
            "private": said.get("note") == "private",
            "source": _NOTE if "note" in said else _REPLY,
            "auto_response": said.get("auto", False),
            "automation_id": None,
            "created_at": _time(said["at"]),
            "updated_at": _time(said["at"]),
            "attachments": _attached(ticket * 1000 + at * 10, said),
        }

    @cached_property
    def _people(self) -> Mapping[str, Json]:
        """By the first part of their address."""
        contacts = {row["email"].partition("@")[0]: row for row in self._lists["contacts"]}
        agents = {row["contact"]["email"].partition("@")[0]: row for row in self._lists["agents"]}
        return contacts | agents


def _messages(ticket: Json | None) -> list[Json] | None:
    return None if ticket is None else list(ticket["conversations"])


def _attached(first: int, holder: Mapping[str, Any]) -> list[Json]:
    return [
        {
            "id": first + at, "name": file["name"], "content_type": "text/plain", "size": len(file["text"].encode()),
            "text": file["text"],
        }
        for at, file in enumerate(holder.get("attachments", ()), start=1)
    ]  # fmt: skip


def _labels(statuses: Mapping[int, str]) -> Json:
    """Two labels: that of agents, then that of customers."""
    return {str(code): [name, name] for code, name in statuses.items()}


def _address(name: str) -> str:
    return f"{name}@example.com"


def _time(written: str) -> str:
    return f"{datetime.fromisoformat(written).replace(tzinfo=UTC):%Y-%m-%dT%H:%M:%SZ}"


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


def _read(file: Path) -> Json:
    read: Json = yaml.safe_load(file.read_text(encoding="utf-8"))
    return read
