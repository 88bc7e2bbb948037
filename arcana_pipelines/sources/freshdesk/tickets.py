"""A ticket of the list, or looked at directly, as a page reference: what it is called, and its properties."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from arcana_pipelines.sources.freshdesk.domain import web_address
from arcana_pipelines.sources.freshdesk.names import Names
from arcana_pipelines.sources.freshdesk.people import People
from arcana_pipelines.sources.freshdesk.values import LONG_AGO, line, listed, mapping, moment, number, text
from arcana_pipelines.sources.protocol import PageRef

NOTES = "-notes"
# Of what the list shows, what is needed when the messages are read.
_KEPT = (
    "id", "description", "description_text", "source", "status", "priority", "tags", "custom_fields", "requester",
    "requester_id", "responder_id", "created_at", "updated_at",
)  # fmt: skip
# Inline pictures have signed addresses.
_TOKEN = re.compile(r"[?&](?:amp;)?token=[^\"'&\s<>]*")

Properties = dict[str, dict[str, Any]]


def ticket_id(external_id: str) -> int | None:
    """The number of a ticket by its id, or by that of its private notes; None: it is neither."""
    digits = external_id.removesuffix(NOTES)
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 18 else None


def is_removed(row: Mapping[str, Any]) -> bool:
    """True when a ticket says of itself that it is in the trash, or spam."""
    return row.get("deleted") is True or row.get("spam") is True


class Tickets:
    """Rows of one account as references."""

    def __init__(self, domain: str, names: Names, people: People) -> None:
        self._address = web_address(domain)
        self._names = names
        self._people = people

    def ref(self, row: Mapping[str, Any], with_record: bool = False) -> PageRef:
        """The reference of a ticket that has an id; one that cannot be understood otherwise says so (`problem`).

        Args:
            with_record: the row has the description: it is kept until the messages are read.

        Raises:
            SourceUnavailable, TokenRevoked: a name could not be asked for (see `Names`).
        """
        external_id = str(row["id"])
        if moment(row.get("updated_at")) == LONG_AGO:
            problem = "the source lists it without a time that can be read"
            return PageRef(external_id, "ticket", "workspace", None, "", None, "", LONG_AGO, problem=problem)
        if with_record:
            self._people.note(row.get("requester"))
            self._names.note_company(row.get("company"))
        return PageRef(
            external_id=external_id,
            kind="ticket",
            parent_kind="workspace",
            parent_id=None,
            title=line(row.get("subject")),
            url=f"{self._address}/a/tickets/{external_id}",
            revision=text(row.get("updated_at")),
            last_edited_at=moment(row.get("updated_at")),
            in_trash=is_removed(row),
            properties=self.properties(row),
            record=_record(row) if with_record else None,
        )

    def properties(self, row: Mapping[str, Any]) -> Properties:
        """What filters compare; raises what `ref` does. No time of a service level: those change by themselves."""
        names = self._names
        agent = self._people.agent(row.get("responder_id"))
        properties = {
            "Status": _option("status", names.status(row.get("status"))),
            "Priority": _option("select", names.priority(row.get("priority"))),
            "Type": _option("select", line(row.get("type"))),
            "Source": _option("select", names.source(row.get("source"))),
            "Tags": _options([line(tag) for tag in listed(row.get("tags"))]),
            "Group": _option("select", names.group(row.get("group_id"))),
            "Company": _text(names.company(row.get("company_id"))),
            "Assignee": _text(agent.name or "" if agent else ""),
            "Created": _date(text(row.get("created_at"))),
            "Visibility": _option("select", "public"),
        }
        for name, value in mapping(row.get("custom_fields")).items():
            if value is None:
                continue
            field = names.custom_field(name)
            label = field.label if field.label and field.label not in properties else f"{field.label} ({line(name)})"
            properties[label] = _custom(field.kind, value)
        return {name: {**value, "hidden": True} for name, value in properties.items() if value["text"]}


def notes_ref(ticket: PageRef) -> PageRef:
    """The reference of a ticket's private notes."""
    return PageRef(
        external_id=f"{ticket.external_id}{NOTES}",
        kind="notes",
        parent_kind="ticket",
        parent_id=ticket.external_id,
        title=ticket.title,
        url=ticket.url,
        revision=ticket.revision,
        last_edited_at=ticket.last_edited_at,
        properties={**ticket.properties, "Visibility": {**_option("select", "private"), "hidden": True}},
        is_internal=True,
    )


def _record(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is kept of a row; None where the list did not bring the description."""
    if not isinstance(row.get("description"), str):
        return None
    kept = {name: row[name] for name in _KEPT if name in row}
    return {**kept, "description": _TOKEN.sub("", kept["description"])}


def _option(kind: str, name: str) -> dict[str, Any]:
    return {"type": kind, "text": name, "value": name or None}


def _options(names: list[str]) -> dict[str, Any]:
    names = [name for name in names if name]
    return {"type": "multi_select", "text": ", ".join(names), "value": names}


def _text(said: str) -> dict[str, Any]:
    return {"type": "rich_text", "text": said, "value": said or None}


def _date(said: str) -> dict[str, Any]:
    date, separator, time = line(said).partition("T")
    shown = f"{date} {time[:5]}" if separator else date
    return {"type": "date", "text": shown, "value": {"start": said, "end": None, "time_zone": None} if said else None}


def _custom(kind: str, value: object) -> dict[str, Any]:
    """A value of an account's own field; one of another type than its field has is text."""
    if isinstance(value, bool):
        return {"type": "checkbox", "text": "Yes" if value else "No", "value": value}
    if isinstance(value, int | float):
        return {"type": "number", "text": str(value), "value": value}
    if isinstance(value, list):
        return _options([line(each) for each in value])
    said = line(value)
    if kind == "number" and (found := _number(said)) is not None:
        return {"type": "number", "text": said, "value": found}
    if kind == "date" and moment(said) != LONG_AGO:
        return _date(said)
    return _option("select", said) if kind == "select" else _text(said)


def _number(said: str) -> float | None:
    try:
        found = float(said)
    except ValueError:
        return None
    return found if abs(found) < 1e15 else None


def row_id(row: Mapping[str, Any]) -> int | None:
    """The id of a row; None: it has none."""
    return number(row.get("id"))
