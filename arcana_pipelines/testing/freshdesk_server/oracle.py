"""What an index must hold of a world. It is written from the world and knows no code of a source.

for external_id, expected in expectations(world, private_notes=True).items():
    ...
    assert problems_of(expected, title, markdown) == []
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from arcana_pipelines.testing.freshdesk_server.model import (
    FORWARD,
    NOTE,
    PRIORITIES,
    PUBLISHED,
    SOURCES,
    WEB_CHAT,
    Conversation,
    Html,
    Ticket,
)
from arcana_pipelines.testing.freshdesk_server.world import FreshdeskWorld

State = Literal["alive", "trashed", "archived", "gone"]

_VISIBILITIES = {1: "public", 2: "logged-in users", 3: "agents", 4: "selected companies", 5: "bots"}
_PRIORITY_NAMES = {code: name for name, code in PRIORITIES.items()}
_SOURCE_NAMES = {code: name for name, code in SOURCES.items()}
# A phrase this long stands as often in a document as messages say it; shorter ones are words that come again.
_LONG = 20
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")


@dataclass(frozen=True, slots=True)
class ExpectedMessage:
    """A message of a ticket.

    Attributes:
        message_type: `public`, `private` (private notes, and what was forwarded to somebody else) or `note`.
        author_type: `agent`, `customer` or `system`.
        attachments: the names of its files.
    """

    conversation_id: str
    message_type: Literal["public", "private", "note"]
    author_type: Literal["agent", "customer", "system"]
    author_name: str | None
    author_email: str | None
    phrases: tuple[str, ...]
    hidden: tuple[str, ...]
    attachments: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Expected:
    """What must be known of one item.

    Attributes:
        kind: `ticket`, `notes`, `article`, `folder` or `category`.
        state: `archived` is alive, but no list shows it. Of what is `gone` nothing else is told.
        revision: of a ticket its `updated_at` as the API writes it.
        is_internal: not for customers: private notes, and articles that only agents may read.
        parent_id: the container's id; None where it has none. Of notes: their ticket.
        phrases: what a reader finds in its text, in order; the title is not among them.
        hidden: what must not be in it.
        messages: in order of time; of a ticket the public ones, of notes the private ones.
        attachments: names of the files that hang on it, as their senders gave them.
        links: external ids that it points to.
        properties: names to texts, as people call things; those without a value are left out.
        record: of a ticket what is kept besides its text: `requester_email`, `assignee_name` …
    """

    external_id: str
    kind: str
    state: State
    title: str = ""
    revision: str = ""
    is_internal: bool = False
    is_container: bool = False
    parent_id: str | None = None
    phrases: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    messages: tuple[ExpectedMessage, ...] = ()
    attachments: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    record: Mapping[str, object] = field(default_factory=dict)


def expectations(
    world: FreshdeskWorld, *, private_notes: bool = False, articles: bool = False, agent: int | None = None
) -> dict[str, Expected]:
    """Every item that there is or was, by external id.

    Args:
        private_notes: they are documents of their own, beside their tickets.
        articles: the knowledge base is read.
        agent: whose key reads; what that agent may not see is left out. None: one who sees everything.
    """
    with world.lock:
        found = [Expected(str(ticket), "ticket", "gone") for ticket in world.gone]
        for ticket in world.tickets.values():
            if agent is not None and not _may_see(world, agent, ticket):
                continue
            found.append(_ticket(world, ticket))
            if private_notes and any(_is_private(each) for each in ticket.conversations):
                found.append(_notes(world, ticket))
        if articles:
            found += _knowledge_base(world)
        return {each.external_id: each for each in found}


def problems_of(expected: Expected, title: str, markdown: str) -> list[str]:
    """What is wrong with a document, in words; empty: nothing.

    The title and each phrase must be there, in order and not more often than they are said; nothing that is hidden.
    """
    problems = [] if flat(title) == flat(expected.title) else [f"title is {title!r}, not {expected.title!r}"]
    text = flat(markdown)
    place = 0
    for phrase in expected.phrases:
        at = text.find(flat(phrase), place)
        if at >= 0:
            place = at + len(flat(phrase))
        elif flat(phrase) in text:
            problems.append(f"out of order: {phrase!r}")
        else:
            problems.append(f"missing: {phrase!r}")
    said = Counter(flat(phrase) for phrase in expected.phrases)
    for phrase in said:
        most = sum(times * other.count(phrase) for other, times in said.items())
        if len(phrase) >= _LONG and text.count(phrase) > most:
            problems.append(f"{text.count(phrase)} times instead of {most}: {phrase!r}")
    own = " ".join(said)
    problems += [
        f"not to be shown: {each!r}" for each in expected.hidden if flat(each) in text and flat(each) not in own
    ]
    return problems


def flat(text: str) -> str:
    """Text without Markdown's escapes, entities, emphasis and line breaks, to find phrases in."""
    plain = html.unescape(_ESCAPED.sub(r"\1", text))
    return " ".join(re.sub(r"\*\*|__|<br\s*/?>", " ", plain).split())


def _ticket(world: FreshdeskWorld, ticket: Ticket) -> Expected:
    messages = tuple(_message(world, each) for each in _in_order(ticket))
    public = tuple(each for each in messages if each.message_type != "private")
    private = tuple(each for each in messages if each.message_type == "private")
    question = _question(ticket)
    files = [*(each.name for each in ticket.attachments), *(name for each in public for name in each.attachments)]
    return Expected(
        str(ticket.id),
        "ticket",
        "trashed" if ticket.deleted or ticket.spam else "archived" if ticket.archived else "alive",
        ticket.subject or "",
        f"{ticket.updated_at:%Y-%m-%dT%H:%M:%SZ}",
        phrases=(*question.phrases, *(phrase for each in public for phrase in each.phrases)),
        hidden=(
            *question.hidden,
            *(phrase for each in public for phrase in each.hidden),
            *(phrase for each in private for phrase in each.phrases),
            *ticket.withdrawn,
        ),
        messages=public,
        attachments=tuple(files),
        links=(str(ticket.merged_into),) if ticket.merged_into else (),
        properties=_properties(world, ticket, "public"),
        record=_record(world, ticket),
    )


def _notes(world: FreshdeskWorld, ticket: Ticket) -> Expected:
    whole = _ticket(world, ticket)
    private = tuple(_message(world, each) for each in _in_order(ticket) if _is_private(each))
    return Expected(
        f"{ticket.id}-notes",
        "notes",
        whole.state,
        whole.title,
        whole.revision,
        is_internal=True,
        parent_id=str(ticket.id),
        phrases=tuple(phrase for each in private for phrase in each.phrases),
        hidden=(*(phrase for each in private for phrase in each.hidden), *ticket.withdrawn),
        messages=private,
        attachments=tuple(name for each in private for name in each.attachments),
        properties=_properties(world, ticket, "private"),
    )


def _question(ticket: Ticket) -> Html:
    """What the requester asked; of a web chat nothing, where the first message says it again."""
    first = next((each for each in _in_order(ticket) if not _is_private(each)), None)
    if ticket.source == WEB_CHAT and first is not None and first.text.source == ticket.text.source:
        return Html("")
    return ticket.text


def _message(world: FreshdeskWorld, message: Conversation) -> ExpectedMessage:
    agent = world.agents.get(message.user_id)
    contact = world.contacts.get(message.user_id)
    author = agent or contact
    automatic = message.auto_response or message.automation_id is not None
    return ExpectedMessage(
        str(message.id),
        "private" if _is_private(message) else "note" if message.source == NOTE else "public",
        "system" if automatic else "agent" if agent else "customer",
        author.name if author else None,
        author.email if author else None,
        message.text.phrases,
        message.text.hidden,
        tuple(each.name for each in message.attachments),
        message.created_at,
    )


def _properties(world: FreshdeskWorld, ticket: Ticket, visibility: str) -> dict[str, str]:
    contact = world.contacts.get(ticket.requester_id)
    company = world.companies.get(contact.company_id or 0) if contact else None
    assignee = world.agents.get(ticket.responder_id or 0)
    shown: dict[str, str | None] = {
        "Status": world.statuses[ticket.status][0] if ticket.status in world.statuses else None,
        "Priority": _PRIORITY_NAMES.get(ticket.priority),
        "Type": ticket.type,
        "Source": _SOURCE_NAMES.get(ticket.source),
        "Tags": ", ".join(ticket.tags) or None,
        "Group": world.groups.get(ticket.group_id or 0),
        "Company": company.name if company else None,
        "Assignee": assignee.name if assignee else None,
        "Visibility": visibility,
    }
    return {name: text for name, text in shown.items() if text is not None}


def _record(world: FreshdeskWorld, ticket: Ticket) -> dict[str, object]:
    requester = world.contacts.get(ticket.requester_id) or world.agents.get(ticket.requester_id)
    assignee = world.agents.get(ticket.responder_id or 0)
    names = {each.name: each.label for each in world.custom_fields.values()}
    names |= {name: label for each in world.custom_fields.values() for name, label in each.levels}
    return {
        "requester_email": requester.email if requester else None,
        "requester_name": requester.name if requester else None,
        "assignee_email": assignee.email if assignee else None,
        "assignee_name": assignee.name if assignee else None,
        "tags": list(ticket.tags),
        "custom_fields": {
            names[name]: value for name, value in ticket.custom_fields.items() if name in names and value is not None
        },
    }


def _knowledge_base(world: FreshdeskWorld) -> list[Expected]:
    found = [Expected(f"article-{article}", "article", "gone") for article in world.gone_articles]
    found += [
        Expected(f"category-{each.id}", "category", "alive", each.name, is_container=True)
        for each in world.categories.values()
    ]
    for folder in world.folders.values():
        above = f"category-{folder.category_id}" if folder.parent_id is None else f"folder-{folder.parent_id}"
        found.append(
            Expected(f"folder-{folder.id}", "folder", "alive", folder.name, is_container=True, parent_id=above)
        )
    for article in world.articles.values():
        if article.status != PUBLISHED:
            found.append(Expected(f"article-{article.id}", "article", "gone"))
            continue
        visibility = world.folders[article.folder_id].visibility
        text = article.draft if world.shows_drafts and article.draft else article.text
        unread = [each for each in (article.text, article.draft) if each is not None and each is not text]
        found.append(
            Expected(
                f"article-{article.id}",
                "article",
                "alive",
                article.title,
                is_internal=visibility == 3,
                parent_id=f"folder-{article.folder_id}",
                phrases=text.phrases,
                hidden=(*text.hidden, *(phrase for each in unread for phrase in each.phrases)),
                attachments=tuple(each.name for each in article.attachments),
                properties={"Visibility": _VISIBILITIES.get(visibility, f"visibility {visibility}")},
            )
        )
    return found


def _in_order(ticket: Ticket) -> list[Conversation]:
    return sorted(ticket.conversations, key=lambda each: (each.created_at, each.id))


def _is_private(message: Conversation) -> bool:
    return message.private or message.source == FORWARD


def _may_see(world: FreshdeskWorld, agent: int, ticket: Ticket) -> bool:
    who = world.agents[agent]
    own = ticket.responder_id == agent
    return who.scope == 1 or own or (who.scope == 2 and ticket.group_id in who.group_ids)
