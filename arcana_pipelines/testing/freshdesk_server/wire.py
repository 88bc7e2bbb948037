"""How the API writes what is in the world: JSON as recorded of the real one."""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from arcana_pipelines.testing.freshdesk_server.model import (
    NOTE,
    PRIORITIES,
    SOURCES,
    Agent,
    Article,
    Attachment,
    Category,
    Company,
    Contact,
    Conversation,
    CustomField,
    Folder,
    Html,
    Ticket,
)
from arcana_pipelines.testing.freshdesk_server.world import FreshdeskWorld

Json = dict[str, Any]

_INLINE = re.compile(r"inline:(\d+)")
_BLOCK = re.compile(r"<(?:script|style).*?</(?:script|style)>|<[^>]*>", re.DOTALL | re.IGNORECASE)


def time(moment: datetime | None) -> str | None:
    """`2015-08-24T11:59:05Z`."""
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%S}Z"


def encode(value: Any) -> bytes:
    """JSON as bytes; a lone surrogate travels as its escape."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


class Wire:
    """Writes records of one world.

    Attributes:
        address: where files are served; `http://127.0.0.1:PORT`.
    """

    def __init__(self, world: FreshdeskWorld, address: str) -> None:
        self.world = world
        self.address = address
        self._reads = 0
        self._rows: dict[tuple[int, str], tuple[tuple[int, int], bytes]] = {}

    # --- tickets ---------------------------------------------------------------------------------

    def row(self, ticket: Ticket, include: Collection[str]) -> bytes:
        """A row of the list, encoded; kept until it or any name changes."""
        recent = self.world.sla_seconds and self._is_recent(ticket)
        key, version = (ticket.id, ",".join(include)), (ticket.version, self.world.names_version)
        kept = self._rows.get(key)
        if kept is not None and kept[0] == version and not recent:
            return kept[1]
        shown = self.ticket(ticket)
        if self.world.lists_attachments:
            shown["attachments"] = [self.attachment(each) for each in ticket.attachments]
        if "description" in include:
            shown |= self._text(ticket.text, ticket.inline, "description", "description_text")
        encoded = encode(shown | self.included(ticket, include))
        if not recent and not self.world.lists_attachments and not ("description" in include and ticket.inline):
            self._rows[key] = version, encoded
        return encoded

    def view(self, ticket: Ticket, include: Collection[str]) -> Json:
        """A ticket looked at directly."""
        shown = self.ticket(ticket) | self._text(ticket.text, ticket.inline, "description", "description_text")
        shown["attachments"] = [self.attachment(each) for each in ticket.attachments]
        if "conversations" in include:
            shown["conversations"] = [self.conversation(each) for each in ordered(ticket)[:10]]
        return shown | self.included(ticket, include)

    def ticket(self, ticket: Ticket) -> Json:
        """What rows and views share."""
        due = None if self._is_recent(ticket) else ticket.created_at + timedelta(days=3)
        shown: Json = {
            "cc_emails": ticket.cc_emails,
            "fwd_emails": [],
            "reply_cc_emails": [],
            "ticket_cc_emails": ticket.cc_emails,
            "fr_escalated": False,
            "spam": ticket.spam,
            "email_config_id": None,
            "group_id": ticket.group_id,
            "priority": ticket.priority,
            "requester_id": ticket.requester_id,
            "responder_id": ticket.responder_id,
            "source": ticket.source,
            "company_id": self._company_id(ticket),
            "status": ticket.status,
            "subject": ticket.subject,
            "association_type": None,
            "support_email": None,
            "to_emails": None,
            "product_id": None,
            "id": ticket.id,
            "type": ticket.type,
            "due_by": time(due),
            "fr_due_by": time(due and due - timedelta(days=2)),
            "is_escalated": False,
            "custom_fields": self._custom_fields(ticket),
            "created_at": time(ticket.created_at),
            "updated_at": time(ticket.updated_at),
            "associated_tickets_count": None,
            "tags": list(ticket.tags),
        }
        if ticket.deleted:
            shown["deleted"] = True
        if ticket.archived:
            shown["archived"] = True
        return shown

    def included(self, ticket: Ticket, include: Collection[str]) -> Json:
        """What `include` asks for besides the description and the conversations."""
        shown: Json = {}
        if "requester" in include:
            contact = self.world.contacts.get(ticket.requester_id) or self.world.agents.get(ticket.requester_id)
            shown["requester"] = contact and {
                "id": contact.id,
                "name": contact.name,
                "email": contact.email,
                "mobile": None,
                "phone": None,
            }
        if "company" in include:
            company = self.world.companies.get(self._company_id(ticket) or 0)
            shown["company"] = {"id": company.id, "name": company.name} if company else {}
        if "stats" in include:
            answers = [each.created_at for each in ordered(ticket) if not each.incoming and not each.private]
            questions = [each.created_at for each in ordered(ticket) if each.incoming]
            shown["stats"] = {
                "agent_responded_at": time(answers[-1] if answers else None),
                "requester_responded_at": time(questions[-1] if questions else None),
                "first_responded_at": time(answers[0] if answers else None),
                "status_updated_at": time(ticket.updated_at),
                "reopened_at": None,
                "resolved_at": time(ticket.closed_at),
                "closed_at": time(ticket.closed_at if ticket.status == 5 else None),
                "pending_since": time(ticket.updated_at if ticket.status == 3 else None),
            }
        if "sla_policy" in include:
            shown["sla_policy"] = {"id": 1, "name": "Default SLA Policy"}
        return shown

    def conversation(self, message: Conversation) -> Json:
        """A message, with its attachments."""
        agent = self.world.agents.get(message.user_id)
        contact = self.world.contacts.get(message.user_id)
        sender = f"{agent.name} <{agent.email}>" if agent else contact.email if contact else None
        shown: Json = {
            **self._text(message.text, message.inline, "body", "body_text"),
            "id": message.id,
            "incoming": message.incoming,
            "private": message.private,
            "user_id": message.user_id,
            "support_email": None,
            "source": message.source,
            "category": 1 if message.incoming else 2 if message.source == NOTE else 3,
            "to_emails": [],
            "from_email": None if message.source == NOTE else sender,
            "cc_emails": [],
            "bcc_emails": None,
            "email_failure_count": None,
            "outgoing_failures": None,
            "thread_id": None,
            "thread_message_id": None,
            "created_at": time(message.created_at),
            "updated_at": time(message.updated_at),
            "last_edited_at": time(message.updated_at) if message.edited_by else None,
            "last_edited_user_id": message.edited_by,
            "attachments": [self.attachment(each) for each in message.attachments],
            "automation_id": message.automation_id,
            "automation_type_id": None if message.automation_id is None else 1,
            "auto_response": message.auto_response,
            "ticket_id": message.ticket_id,
            "source_additional_info": None,
        }
        if self.world.new_fields:
            if message.id % 2:
                shown["summary_state"] = {"ai": {"status": "new", "score": 0.5}}
            if message.id % 3 == 0:
                shown["cc_emails"] = None
                for name in ("outgoing_failures", "thread_id", "email_failure_count", "automation_type_id"):
                    del shown[name]
        return shown

    # --- files -----------------------------------------------------------------------------------

    def attachment(self, attachment: Attachment) -> Json:
        """A file with an address that holds for a while."""
        shown: Json = {
            "id": attachment.id,
            "name": attachment.name,
            "content_type": attachment.content_type,
            "size": len(attachment.content),
            "created_at": time(attachment.created_at),
            "updated_at": time(attachment.created_at),
            "attachment_url": self.signed(
                attachment, f"/data/helpdesk/attachments/production/{attachment.id}/original"
            ),
        }
        if attachment.content_type.startswith("image/"):
            shown["thumb_url"] = self.signed(attachment, f"/data/helpdesk/attachments/production/{attachment.id}/thumb")
        return shown

    def signed(self, attachment: Attachment, folder: str) -> str:
        """An address of a file's bytes, another one at each call."""
        self._reads += 1
        expires = int(self.world.clock.now().timestamp()) + self.world.attachment_seconds
        token = f"{attachment.id}.{self._reads}.{expires}"
        return f"{self.address}{folder}/{quote(attachment.name)}?token={token}.{self._signature(token)}"

    def opened(self, token: str) -> Attachment | None:
        """The file that a token is good for at this moment."""
        claims, _, signature = token.rpartition(".")
        if not claims or signature != self._signature(claims):
            return None
        number, _, expires = claims.split(".")
        if self.world.clock.now().timestamp() > int(expires):
            return None
        return self.world.attachments.get(int(number))

    def _signature(self, claims: str) -> str:
        return hashlib.sha256(f"{self.world.domain} {self.world.seed} {claims}".encode()).hexdigest()[:24]

    # --- people ----------------------------------------------------------------------------------

    def agent(self, agent: Agent) -> Json:
        """An agent as lists and `agents/me` show one."""
        return {
            "available": True,
            "occasional": False,
            "id": agent.id,
            "ticket_scope": agent.scope,
            "group_ids": list(agent.group_ids),
            "role_ids": [self.world.agent - 3],
            "skill_ids": [],
            "signature": f"<div><p>{html.escape(agent.name)}</p></div>",
            "type": "support_agent",
            "available_since": None,
            "last_active_at": time(agent.updated_at),
            "focus_mode": True,
            "created_at": time(agent.created_at),
            "updated_at": time(agent.updated_at),
            "contact": {
                "active": agent.active,
                "email": agent.email,
                "job_title": None,
                "language": "en",
                "last_login_at": f"{agent.updated_at + timedelta(hours=9):%Y-%m-%dT%H:%M:%S}+09:00",
                "mobile": None,
                "name": agent.name,
                "phone": None,
                "time_zone": "Seoul",
                "created_at": time(agent.created_at),
                "updated_at": time(agent.updated_at),
            },
        }

    def contact(self, contact: Contact) -> Json:
        """A contact."""
        shown: Json = {
            "active": contact.state == "verified",
            "address": None,
            "company_id": contact.company_id,
            "description": None,
            "email": contact.email,
            "id": contact.id,
            "job_title": None,
            "language": "ko",
            "mobile": None,
            "name": contact.name,
            "phone": None,
            "time_zone": "Seoul",
            "twitter_id": None,
            "custom_fields": {},
            "created_at": time(contact.created_at),
            "updated_at": time(contact.updated_at),
        }
        if contact.state == "deleted":
            shown["deleted"] = True
        return shown

    def company(self, company: Company) -> Json:
        """A company."""
        return {
            "id": company.id,
            "name": company.name,
            "description": None,
            "note": None,
            "domains": [],
            "created_at": time(company.created_at),
            "updated_at": time(company.updated_at),
            "custom_fields": {},
            "health_score": None,
            "account_tier": None,
            "renewal_date": None,
            "industry": None,
        }

    # --- ticket fields ---------------------------------------------------------------------------

    def ticket_fields(self) -> list[Json]:
        """All fields of a ticket form, with the names of codes."""
        world = self.world
        statuses = {str(code): list(labels) for code, labels in world.statuses.items()}
        agents = {each.name: each.id for each in world.agents.values()}
        groups = {name: number for number, name in world.groups.items()}
        shown = [
            ("requester", "Search a requester", "default_requester", None),
            ("subject", "Subject", "default_subject", None),
            ("ticket_type", "Type", "default_ticket_type", list(world.types)),
            ("source", "Source", "default_source", SOURCES),
            ("status", "Status", "default_status", statuses),
            ("priority", "Priority", "default_priority", PRIORITIES),
            ("group", "Group", "default_group", groups),
            ("agent", "Agent", "default_agent", agents),
            ("description", "Description", "default_description", None),
            ("company", "Company", "default_company", None),
        ]
        fields = [self._field(at, name, label, kind, choices) for at, (name, label, kind, choices) in enumerate(shown)]
        fields += [self._custom_field(len(fields) + at, each) for at, each in enumerate(world.custom_fields.values())]
        return fields

    def _custom_field(self, at: int, field: CustomField) -> Json:
        shown = self._field(at, field.name, field.label, field.kind, field.choices)
        if field.kind == "nested_field":
            shown["nested_ticket_fields"] = [
                {"name": name, "label": label, "label_in_portal": label, "id": at * 10 + level, "level": level}
                for level, (name, label) in enumerate(field.levels, start=2)
            ]
        return shown

    def _field(self, at: int, name: str, label: str, kind: str, choices: Any) -> Json:
        shown: Json = {
            "id": self.world.agent - 100 + at,
            "name": name,
            "label": label,
            "description": "",
            "position": at + 1,
            "required_for_closure": False,
            "required_for_agents": kind.startswith("default_"),
            "type": kind,
            "default": kind.startswith("default_"),
            "customers_can_edit": False,
            "label_for_customers": label,
            "required_for_customers": False,
            "displayed_to_customers": True,
            "created_at": "2025-01-01T00:00:00Z",
            "updated_at": "2025-01-01T00:00:00Z",
        }
        if choices is not None:
            shown["choices"] = choices
        return shown

    # --- knowledge base --------------------------------------------------------------------------

    def category(self, category: Category) -> Json:
        """A category."""
        return {
            "id": category.id,
            "name": category.name,
            "description": category.description,
            "visible_in_portals": [1],
            "created_at": time(category.created_at),
            "updated_at": time(category.updated_at),
        }

    def folder(self, folder: Folder) -> Json:
        """A folder, with how many articles and folders lie in it."""
        articles = [each for each in self.world.articles.values() if each.folder_id == folder.id]
        inner = [each for each in self.world.folders.values() if each.parent_id == folder.id]
        return {
            "id": folder.id,
            "name": folder.name,
            "description": None,
            "parent_folder_id": folder.parent_id,
            "category_id": folder.category_id,
            "hierarchy": self._above(folder),
            "articles_count": len(articles),
            "sub_folders_count": len(inner),
            "visibility": folder.visibility,
            "created_at": time(folder.created_at),
            "updated_at": time(folder.updated_at),
        }

    def article(self, article: Article, language: str | None) -> Json:
        """An article; its counters differ at each read, and the times of its files have an offset."""
        article.hits += 1
        folder = self.world.folders[article.folder_id]
        newest = article.draft if self.world.shows_drafts and article.draft else article.text
        title, text = article.translations.get(language or "", (article.title, newest))
        files = [self.attachment(each) for each in article.attachments]
        for shown, kept in zip(files, article.attachments, strict=True):
            shown["created_at"] = shown["updated_at"] = (
                f"{kept.created_at + timedelta(hours=9):%Y-%m-%dT%H:%M:%S}+09:00"
            )
        return {
            "id": article.id,
            "type": article.type,
            "category_id": folder.category_id,
            "folder_id": article.folder_id,
            "hierarchy": [*self._above(folder), {"level": 9, "type": "folder", "data": {"id": folder.id}}],
            "thumbs_up": article.hits % 7,
            "thumbs_down": article.hits % 3,
            "hits": article.hits,
            "tags": list(article.tags),
            "seo_data": {"meta_title": title},
            "agent_id": article.agent_id,
            "title": title,
            **self._text(text, (), "description", "description_text"),
            "status": article.status,
            "language": language or "en",
            "attachments": files,
            "created_at": time(article.created_at),
            "updated_at": time(article.updated_at),
        }

    def _above(self, folder: Folder) -> list[Json]:
        category = self.world.categories[folder.category_id]
        above = [{"level": 0, "type": "category", "data": {"id": category.id, "name": category.name, "language": "en"}}]
        chain = []
        while folder.parent_id is not None:
            folder = self.world.folders[folder.parent_id]
            chain.append({"type": "folder", "data": {"id": folder.id, "name": folder.name, "language": "en"}})
        return above + [{"level": level, **each} for level, each in enumerate(reversed(chain), start=1)]

    # --- inside ----------------------------------------------------------------------------------

    def _text(self, text: Html, inline: tuple[Attachment, ...], html_name: str, text_name: str) -> Json:
        source = text.source
        if inline:

            def address(found: re.Match[str]) -> str:
                return self.signed(inline[int(found[1])], "/inline/attachment")

            source = _INLINE.sub(address, source)
        flat = " ".join(html.unescape(_BLOCK.sub(" ", text.source)).split()) if text.plain is None else text.plain
        return {html_name: source, text_name: flat}

    def _custom_fields(self, ticket: Ticket) -> Json:
        names = [
            name
            for field in self.world.custom_fields.values()
            for name in (field.name, *(level for level, _ in field.levels))
        ]
        return {name: ticket.custom_fields.get(name) for name in names}

    def _company_id(self, ticket: Ticket) -> int | None:
        contact = self.world.contacts.get(ticket.requester_id)
        return contact.company_id if contact else None

    def _is_recent(self, ticket: Ticket) -> bool:
        return (self.world.now() - ticket.updated_at).total_seconds() < self.world.sla_seconds


def ordered(ticket: Ticket) -> list[Conversation]:
    """Messages, oldest first."""
    return sorted(ticket.conversations, key=lambda each: (each.created_at, each.id))
