"""What a help desk consists of: plain records, without rules. Times are aware UTC in whole seconds."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

OPEN, PENDING, RESOLVED, CLOSED = 2, 3, 4, 5
LOW, MEDIUM, HIGH, URGENT = 1, 2, 3, 4
PRIORITIES = {"Low": 1, "Medium": 2, "High": 3, "Urgent": 4}
EMAIL, PORTAL, PHONE, CHAT, FEEDBACK_WIDGET, OUTBOUND_EMAIL, WEB_CHAT = 1, 2, 3, 7, 9, 10, 15
SOURCES = {"Email": 1, "Portal": 2, "Phone": 3, "Chat": 7, "Feedback Widget": 9, "Outbound Email": 10}
REPLY, NOTE, FORWARD = 0, 2, 8
GLOBAL, GROUP, RESTRICTED = 1, 2, 3
DRAFT, PUBLISHED = 1, 2

_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Html:
    """A text as HTML, with what a reader must find in it.

    Attributes:
        source: the HTML. `inline:NUMBER` in it becomes the signed address of that attachment at each read.
        phrases: pieces of text that a reader of the message sees, in order; markup breaks none of them.
        hidden: pieces that are no part of the message: quoted history, signatures, scripts.
        plain: what `description_text` or `body_text` says; None: the text of the HTML.
    """

    source: str
    phrases: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    plain: str | None = None


Text = str | Html


def as_html(text: Text) -> Html:
    """Plain text as Freshdesk's editor writes it: a `div` a line; each line that has text is a phrase."""
    if isinstance(text, Html):
        return text
    lines = text.split("\n")
    phrases = tuple(phrase for line in lines if (phrase := _SPACE.sub(" ", line).strip()))
    return Html("".join(f"<div>{html.escape(line, quote=False) or '<br>'}</div>" for line in lines), phrases)


@dataclass(slots=True)
class Attachment:
    """A file or an inline image; its bytes are served under addresses that change at every read."""

    id: int
    name: str
    content_type: str
    content: bytes
    created_at: datetime


@dataclass(slots=True)
class Agent:
    """Somebody who answers tickets.

    Attributes:
        scope: 1 sees every ticket, 2 those of the own groups and the own ones, 3 the own ones.
        key: the API key.
    """

    id: int
    name: str
    email: str
    scope: int
    key: str
    group_ids: tuple[int, ...] = ()
    active: bool = True
    created_at: datetime = field(kw_only=True)
    updated_at: datetime = field(kw_only=True)


@dataclass(slots=True)
class Contact:
    """Somebody who asks.

    Attributes:
        state: `verified`, `unverified`, `blocked` or `deleted`.
    """

    id: int
    name: str
    email: str | None
    company_id: int | None = None
    state: str = "verified"
    created_at: datetime = field(kw_only=True)
    updated_at: datetime = field(kw_only=True)


@dataclass(slots=True)
class Company:
    """What contacts belong to."""

    id: int
    name: str
    created_at: datetime = field(kw_only=True)
    updated_at: datetime = field(kw_only=True)


@dataclass(slots=True)
class CustomField:
    """A field of tickets that the account made.

    Attributes:
        name: such as `cf_product`.
        label: what agents see.
        kind: `custom_text`, `custom_paragraph`, `custom_number`, `custom_decimal`, `custom_date`, `custom_checkbox`,
            `custom_dropdown` or `nested_field`.
        choices: of a dropdown its list; of a nested field its object.
        levels: of a nested field the names of its second and third level.
    """

    name: str
    label: str
    kind: str
    choices: Any = None
    levels: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Conversation:
    """A message of a ticket.

    Attributes:
        user_id: who wrote it: an agent or a contact.
        incoming: a customer wrote it.
        automation_id: the rule that wrote it; None: a person did.
    """

    id: int
    ticket_id: int
    text: Html
    user_id: int
    incoming: bool
    private: bool
    source: int
    created_at: datetime
    updated_at: datetime
    auto_response: bool = False
    automation_id: int | None = None
    edited_by: int | None = None
    attachments: tuple[Attachment, ...] = ()
    inline: tuple[Attachment, ...] = ()


@dataclass(slots=True)
class Ticket:
    """A ticket and its messages, oldest first.

    Attributes:
        cc_emails: a list, or text where the API slips.
        deleted: it is in the trash.
        archived: it left every list, for good.
        merged_into: the ticket that it was merged into; the API does not say.
        closed_at: when its status became closed or resolved last.
        withdrawn: phrases that somebody said and that were edited away or deleted.
        version: counts what a row of the list shows.
    """

    id: int
    subject: str | None
    text: Html
    requester_id: int
    status: int
    priority: int
    source: int
    type: str | None
    responder_id: int | None
    group_id: int | None
    tags: tuple[str, ...]
    custom_fields: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    cc_emails: list[str] | str = field(default_factory=list)
    conversations: list[Conversation] = field(default_factory=list)
    attachments: tuple[Attachment, ...] = ()
    inline: tuple[Attachment, ...] = ()
    spam: bool = False
    deleted: bool = False
    archived: bool = False
    merged_into: int | None = None
    closed_at: datetime | None = None
    withdrawn: tuple[str, ...] = ()
    version: int = 0

    @property
    def is_listed(self) -> bool:
        """It is in the list that knows neither spam nor trash nor archive."""
        return not (self.spam or self.deleted or self.archived)


@dataclass(slots=True)
class Category:
    """The top level of the knowledge base."""

    id: int
    name: str
    description: str
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class Folder:
    """The level below; a folder may lie in another one.

    Attributes:
        visibility: 1 all, 2 logged-in users, 3 agents, 4 selected companies.
    """

    id: int
    name: str
    category_id: int
    parent_id: int | None
    visibility: int
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class Article:
    """An article.

    Attributes:
        status: 1 draft, 2 published.
        draft: of a published one: the newer text that nobody has published yet.
        translations: language code to title and text.
    """

    id: int
    title: str
    text: Html
    folder_id: int
    status: int
    agent_id: int
    tags: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    type: int = 1
    draft: Html | None = None
    translations: dict[str, tuple[str, Html]] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()
    hits: int = 0
