"""A ticket's messages as Markdown and as a record: who says what, what is internal, what is said twice."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from arcana_pipelines.documents.messages import BY_AGENT
from arcana_pipelines.markdown.inline import compose
from arcana_pipelines.sources.file_names import file_label
from arcana_pipelines.sources.freshdesk.html import markdown_of
from arcana_pipelines.sources.freshdesk.names import Names
from arcana_pipelines.sources.freshdesk.people import People, Person
from arcana_pipelines.sources.freshdesk.values import iso, line, listed, mapping, moment, name, number
from arcana_pipelines.sources.ticket_record import AttachmentRecord, ConversationRecord, TicketRecord

NOTE, FORWARD = 2, 8
WEB_CHAT = 15
# The description of these is what the company wrote.
OUTGOING = frozenset({10, 14})
CLOSED = 5
# A merged ticket is closed with a note that names the other; no field does.
_MERGED = re.compile(r"(?:merged? (?:in)?to|병합)\D{0,40}(\d{1,15})|(\d{1,15})\D{0,40}병합", re.I)


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        text: Markdown.
        body: the HTML that it was made of.
        is_private: only agents see it.
        author_type: as in `ConversationRecord`.
        files: what is attached, in the API's words; with signed addresses.
    """

    message_id: int
    text: str
    body: object
    is_private: bool
    is_note: bool
    is_forward: bool
    author: Person
    author_type: Literal["agent", "customer", "system"]
    created_at: datetime
    files: Sequence[Mapping[str, Any]]

    @property
    def heading(self) -> str:
        """Who says it, and when (UTC). Customers have no name."""
        name = f" {self.author.name}" if self.author.name and self.author.is_agent else ""
        by = f" by{name}" if name else ""
        if self.author_type == "customer":
            who = "Customer"
        elif self.is_private:
            who = f"{'Forwarded' if self.is_forward else 'Private note'}{by}"
        elif self.author_type == "system":
            who = "Automatic reply"
        else:
            who = f"Public note{by}" if self.is_note else f"{BY_AGENT}{name}"
        return f"## {compose([('text', who)])} · {self.created_at:%Y-%m-%d %H:%M}"

    def written(self) -> str:
        """As it stands in the document; empty where it says nothing and has no files."""
        said = [self.text, files_line(self.files)]
        return "\n\n".join([self.heading, *filter(None, said)]) if any(said) else ""

    def record(self) -> ConversationRecord:
        """The same for the table of messages."""
        return {
            "conversation_id": str(self.message_id),
            "content": self.text,
            "message_type": "private" if self.is_private else "note" if self.is_note else "public",
            "author_email": self.author.email,
            "author_name": self.author.name,
            "author_type": self.author_type,
            "attachments": [_attachment(file) for file in self.files],
            "created_at": self.created_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Thread:
    """A ticket with its messages.

    Attributes:
        description: the question, Markdown.
        is_outgoing: the description is what the company wrote.
        is_repeated: the first message says the same as the description.
        opened_by: the agent who has an outgoing ticket; None: nobody, or the question is a customer's.
        files: of the description.
        messages: by time.
    """

    row: Mapping[str, Any]
    description: str
    is_outgoing: bool
    is_repeated: bool
    opened_by: Person | None
    files: Sequence[Mapping[str, Any]]
    messages: Sequence[Message]

    def markdown(self) -> str:
        """What the customer sees of it."""
        said = ["" if self.is_repeated else self.description, files_line(self.files)]
        if self.is_outgoing and any(said):
            name = f" {self.opened_by.name}" if self.opened_by and self.opened_by.name else ""
            heading = f"## {compose([('text', f'Agent{name}')])} · {moment(self.row.get('created_at')):%Y-%m-%d %H:%M}"
            said = [heading, *said]
        parts = [*said, *(message.written() for message in self.messages if not message.is_private)]
        return "\n\n".join(filter(None, parts))

    def notes(self) -> str:
        """What only agents see; empty where there is nothing."""
        written = (message.written() for message in self.messages if message.is_private)
        return "\n\n".join(filter(None, written))

    def public_bodies(self) -> list[object]:
        """The HTML of what the customer sees, without the description."""
        return [message.body for message in self.messages if not message.is_private]

    def public_files(self) -> list[Mapping[str, Any]]:
        """What is attached to the description and to what the customer sees."""
        return [*self.files, *(file for message in self.messages if not message.is_private for file in message.files)]

    def private_files(self) -> list[Mapping[str, Any]]:
        """What is attached to what only agents see."""
        return [file for message in self.messages if message.is_private for file in message.files]

    def merged_into(self) -> int | None:
        """The ticket that this one was merged into; None: it was not."""
        if self.row.get("status") != CLOSED:
            return None
        for message in reversed(self.messages):
            if message.is_note and (found := _MERGED.search(message.text[:500])):
                other = int(found[1] or found[2])
                return other if other != self.row.get("id") else None
        return None

    def record(self, names: Names, people: People, with_private: bool) -> TicketRecord:
        """The same for the tables of tickets; raises what `read_thread` does."""
        row = self.row
        requester = people.anyone(row.get("requester_id"))
        assignee = people.agent(row.get("responder_id"))
        custom = mapping(row.get("custom_fields"))
        return {
            "ticket_id": str(row.get("id")),
            "description": self.description,
            "status": names.status(row.get("status")),
            "priority": names.priority(row.get("priority")),
            "requester_email": requester.email,
            "requester_name": requester.name,
            "assignee_email": assignee.email if assignee else None,
            "assignee_name": assignee.name if assignee else None,
            "tags": [tag for tag in map(line, listed(row.get("tags"))) if tag],
            "custom_fields": {
                names.custom_field(name).label: value for name, value in custom.items() if value is not None
            },
            "conversations": [message.record() for message in self.messages if with_private or not message.is_private],
            "created_at": iso(row.get("created_at")),
            "updated_at": iso(row.get("updated_at")),
        }


def read_thread(row: Mapping[str, Any], conversations: Sequence[Mapping[str, Any]], people: People) -> Thread:
    """A ticket and what was said, put in order.

    Raises:
        SourceUnavailable, TokenRevoked: the name of somebody could not be asked for (see `People`).
    """
    # One that is told twice counts once; where one of its tellings is private, it is.
    distinct: dict[int, Mapping[str, Any]] = {}
    for said in conversations:
        key = number(said.get("id"))
        if key is not None and (key not in distinct or said.get("private") is not False):
            distinct[key] = said
    messages = sorted(
        (_message(said, people) for said in distinct.values()),
        key=lambda message: (message.created_at, message.message_id),
    )
    description = markdown_of(row.get("description"), row.get("description_text"))
    source = number(row.get("source"))
    first = next((each.text for each in messages if not each.is_private), "")
    is_outgoing = source in OUTGOING
    return Thread(
        row=row,
        description=description,
        is_outgoing=is_outgoing,
        is_repeated=source == WEB_CHAT and description in first,
        opened_by=people.agent(row.get("responder_id")) if is_outgoing else None,
        files=[mapping(file) for file in listed(row.get("attachments"))],
        messages=messages,
    )


def files_line(files: Sequence[Mapping[str, Any]]) -> str:
    """The names of what is attached, for the text; empty where nothing is."""
    names = [file_label(line(file.get("name")), "", "file") for file in files]
    return compose([("text", f"Files: {', '.join(names)}")]) if names else ""


def _message(said: Mapping[str, Any], people: People) -> Message:
    source = number(said.get("source"))
    is_forward = source == FORWARD
    author = people.anyone(said.get("user_id"))
    author_type: Literal["agent", "customer", "system"] = "agent"
    # Where nothing plainly says who writes, nobody speaks as an agent who is none.
    if said.get("incoming") is True or (said.get("incoming") is not False and not author.is_agent):
        author_type = "customer"
    elif said.get("auto_response") is True or said.get("automation_id") is not None:
        author_type = "system"
    if author.email is None and author_type == "customer" and (address := name(said.get("from_email"))):
        author = Person(author.name, address, author.is_agent)
    return Message(
        message_id=number(said.get("id")) or 0,
        text=markdown_of(said.get("body"), said.get("body_text")),
        body=said.get("body"),
        # Text to a third party is internal, too. What does not plainly say that customers see it is taken for private.
        is_private=said.get("private") is not False or is_forward,
        is_note=source == NOTE,
        is_forward=is_forward,
        author=author,
        author_type=author_type,
        created_at=moment(said.get("created_at")),
        files=[mapping(file) for file in listed(said.get("attachments"))],
    )


def _attachment(file: Mapping[str, Any]) -> AttachmentRecord:
    size = file.get("size")
    return {
        "name": file_label(line(file.get("name")), "", "file"),
        "content_type": line(file.get("content_type")) or None,
        "size": size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
    }
