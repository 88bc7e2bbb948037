"""The endpoints: requests checked as Freshdesk checks them, answered from the world."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode

from arcana_pipelines.testing.freshdesk_server.errors import denied, invalid, not_found, without_feature
from arcana_pipelines.testing.freshdesk_server.model import (
    GLOBAL,
    GROUP,
    OPEN,
    Agent,
    Article,
    Folder,
    Ticket,
)
from arcana_pipelines.testing.freshdesk_server.plans import Plan
from arcana_pipelines.testing.freshdesk_server.wire import Wire, encode, ordered
from arcana_pipelines.testing.freshdesk_server.world import FreshdeskWorld

Item = TypeVar("Item")

LAST_PAGE = 300
MOST_PER_PAGE = 100
SHOWN_DAYS = 30

_PAGING = frozenset({"page", "per_page"})
_LIST_PARAMETERS = _PAGING | {
    "filter",
    "updated_since",
    "order_by",
    "order_type",
    "include",
    "requester_id",
    "email",
    "company_id",
    "unique_external_id",
}
_LIST_INCLUDES = ("description", "requester", "stats", "company")
_VIEW_INCLUDES = ("conversations", "requester", "company", "stats", "sla_policy")
_FILTERS = ("new_and_my_open", "watching", "spam", "deleted")
_ORDERS: dict[str, Callable[[Ticket], Any]] = {
    "created_at": lambda ticket: (ticket.created_at, ticket.id),
    "due_by": lambda ticket: (ticket.created_at, ticket.id),
    "updated_at": lambda ticket: (ticket.updated_at, ticket.id),
    "status": lambda ticket: (ticket.status, ticket.id),
}
_TERM = re.compile(r"(status|priority|type|tag|agent_id|group_id):('[^']*'|[^\s()]+)")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was admitted.

    Attributes:
        parts: what stands in the path: `id`, `language`.
        agent: whose key it came with.
    """

    endpoint: str
    path: str
    parts: Mapping[str, str]
    query: Mapping[str, str]
    agent: Agent


@dataclass(frozen=True, slots=True)
class Found:
    """A good answer: its body, and its `Link` header where there is a next page."""

    body: bytes
    link: str | None = None


class Api:
    """Answers from one world."""

    def __init__(self, world: FreshdeskWorld, wire: Wire, plan: Plan) -> None:
        self.world = world
        self.wire = wire
        self.plan = plan
        self._sorted: dict[tuple[str, str], tuple[int, list[Ticket]]] = {}

    def answer(self, asked: Asked) -> Found:
        """The answer; the world's lock is held. Raises `Refused`."""
        return _ANSWERS[asked.endpoint](self, asked)

    # --- tickets ---------------------------------------------------------------------------------

    def tickets(self, asked: Asked) -> Found:
        """Lists, of the trash and of spam, too."""
        _check(asked.query, _LIST_PARAMETERS)
        include = _include(asked.query, _LIST_INCLUDES)
        page, per_page = _paging(asked.query)
        if page > LAST_PAGE:
            message = "You cannot access tickets beyond the 300th page. Please provide a smaller page number."
            raise invalid("page", message)
        order = _one_of(asked.query, "order_by", tuple(_ORDERS), "created_at")
        direction = _one_of(asked.query, "order_type", ("asc", "desc"), "desc")
        wanted = _one_of(asked.query, "filter", _FILTERS, "")
        since = _moment(asked.query, "updated_since")
        if wanted in ("spam", "deleted") and not self.world.trash_takes_updated_since:
            since, order, direction = datetime.min.replace(tzinfo=UTC), "created_at", "desc"
        rows = self._in_order(wanted, order)
        if since is None:
            first = self.world.now() - timedelta(days=SHOWN_DAYS)
            rows = [each for each in rows if each.created_at >= first]
        elif order == "updated_at":
            rows = rows[bisect_left(rows, since, key=lambda each: each.updated_at) :]
        else:
            rows = [each for each in rows if each.updated_at >= since]
        rows = self._chosen(rows, wanted, asked)
        begin = (page - 1) * per_page
        shown = rows[::-1][begin : begin + per_page] if direction == "desc" else rows[begin : begin + per_page]
        body = b"[" + b",".join(self.wire.row(each, include) for each in shown) + b"]"
        return Found(body, self._link(asked, page, len(rows) > begin + per_page))

    def _in_order(self, wanted: str, order: str) -> list[Ticket]:
        kept = self._sorted.get((wanted, order))
        if kept is not None and kept[0] == self.world.tickets_version:
            return kept[1]
        tickets = self.world.tickets.values()
        if wanted == "deleted":
            chosen = [each for each in tickets if each.deleted]
        elif wanted == "spam":
            chosen = [each for each in tickets if each.spam and not each.deleted]
        else:
            chosen = [each for each in tickets if each.is_listed]
        rows = sorted(chosen, key=_ORDERS[order])
        self._sorted[wanted, order] = self.world.tickets_version, rows
        return rows

    def _chosen(self, rows: list[Ticket], wanted: str, asked: Asked) -> list[Ticket]:
        if asked.agent.scope != GLOBAL:
            rows = [each for each in rows if self._may_see(asked.agent, each)]
        if wanted == "watching":
            return []
        if wanted == "new_and_my_open":
            mine = (None, asked.agent.id)
            rows = [each for each in rows if each.status == OPEN and each.responder_id in mine]
        for name, value in asked.query.items():
            if name == "requester_id":
                rows = [each for each in rows if str(each.requester_id) == value]
            elif name == "email":
                ids = {each.id for each in self.world.contacts.values() if each.email == value}
                rows = [each for each in rows if each.requester_id in ids]
            elif name == "company_id":
                ids = {each.id for each in self.world.contacts.values() if str(each.company_id) == value}
                rows = [each for each in rows if each.requester_id in ids]
            elif name == "unique_external_id":
                return []
        return rows

    def _may_see(self, agent: Agent, ticket: Ticket) -> bool:
        if agent.scope == GLOBAL or ticket.responder_id == agent.id:
            return True
        return agent.scope == GROUP and ticket.group_id in agent.group_ids

    def ticket(self, asked: Asked) -> Found:
        """A direct look: trash and spam are shown, archived tickets are not."""
        _check(asked.query, {"include"})
        include = _include(asked.query, _VIEW_INCLUDES)
        return Found(encode(self.wire.view(self._ticket(asked, archived=False), include)))

    def conversations(self, asked: Asked) -> Found:
        """A page of messages, oldest first."""
        found = self._ticket(asked, archived=False)
        return self._page(asked, ordered(found), self.wire.conversation)

    def archived(self, asked: Asked) -> Found:
        """An archived ticket, where the plan has them."""
        found = self._ticket(asked, archived=True)
        return Found(encode(self.wire.view(found, _include(asked.query, _VIEW_INCLUDES))))

    def archived_conversations(self, asked: Asked) -> Found:
        """Its messages."""
        found = self._ticket(asked, archived=True)
        return self._page(asked, ordered(found), self.wire.conversation)

    def _ticket(self, asked: Asked, *, archived: bool) -> Ticket:
        if archived and not self.plan.archives:
            raise without_feature("Archive Tickets")
        ticket = self.world.tickets.get(_number(asked.parts["id"]))
        if ticket is None or ticket.archived != archived:
            raise not_found()
        if not self._may_see(asked.agent, ticket):
            raise denied() if self.world.scope_status == 403 else not_found()
        return ticket

    def search(self, asked: Asked) -> Found:
        """Terms joined by AND: thirty results a page, ten pages, nothing archived."""
        _check(asked.query, {"query", "page"})
        query = asked.query.get("query", "")
        if not (query.startswith('"') and query.endswith('"') and len(query) > 2) or len(query) > 512:
            raise invalid("query", "Given query is invalid", "invalid_value")
        page = _positive(asked.query, "page", 1)
        if page > 10:
            raise invalid("page", "It should be a Positive Integer less than or equal to 10")
        terms = [(name, value.strip("'")) for name, value in _TERM.findall(query[1:-1])]
        rows = self._chosen(self._in_order("", "created_at"), "", asked)
        found = [each for each in rows if all(_matches(each, name, value) for name, value in terms)]
        shown = found[(page - 1) * 30 : page * 30]
        body = b",".join(self.wire.row(each, ("description",)) for each in shown)
        return Found(b'{"total":%d,"results":[%s]}' % (len(found), body))

    # --- people and fields -----------------------------------------------------------------------

    def me(self, asked: Asked) -> Found:
        """The agent of the key."""
        return Found(encode(self.wire.agent(asked.agent)))

    def agents(self, asked: Asked) -> Found:
        """All agents, those who left among them."""
        return self._page(asked, list(self.world.agents.values()), self.wire.agent, {"email", "state", "type"})

    def agent(self, asked: Asked) -> Found:
        """One agent."""
        return self._one(asked, self.world.agents, self.wire.agent)

    def groups(self, asked: Asked) -> Found:
        """Groups of agents."""
        return self._page(asked, list(self.world.groups.items()), lambda each: {"id": each[0], "name": each[1]})

    def companies(self, asked: Asked) -> Found:
        """All companies."""
        return self._page(asked, list(self.world.companies.values()), self.wire.company, {"updated_since"})

    def company(self, asked: Asked) -> Found:
        """One company."""
        return self._one(asked, self.world.companies, self.wire.company)

    def contacts(self, asked: Asked) -> Found:
        """Contacts; `_updated_since` with its underscore. Those who were deleted only show when `state` says so."""
        allowed = {"_updated_since", "state", "email", "mobile", "phone", "company_id"}
        state = _one_of(asked.query, "state", ("deleted", "blocked", "unverified", "verified"), "")
        since = _moment(asked.query, "_updated_since")
        rows = [
            each
            for each in self.world.contacts.values()
            if (each.state == state if state else each.state not in ("deleted", "blocked"))
            and (since is None or each.updated_at >= since)
            and asked.query.get("email") in (None, each.email)
            and asked.query.get("company_id") in (None, str(each.company_id))
        ]
        return self._page(asked, rows, self.wire.contact, allowed)

    def contact(self, asked: Asked) -> Found:
        """One contact; 404 for one that was deleted."""
        found = {key: each for key, each in self.world.contacts.items() if each.state != "deleted"}
        return self._one(asked, found, self.wire.contact)

    def ticket_fields(self, asked: Asked) -> Found:
        """The fields of tickets, with names for their codes."""
        _check(asked.query, {"type"})
        return Found(encode(self.wire.ticket_fields()))

    # --- knowledge base --------------------------------------------------------------------------

    def categories(self, asked: Asked) -> Found:
        """All categories."""
        self._language(asked)
        return self._page(asked, list(self.world.categories.values()), self.wire.category)

    def category(self, asked: Asked) -> Found:
        """One category."""
        self._language(asked)
        return self._one(asked, self.world.categories, self.wire.category)

    def folders(self, asked: Asked) -> Found:
        """The folders right below a category."""
        self._language(asked)
        above = _known(self.world.categories, asked)
        rows = [each for each in self.world.folders.values() if each.category_id == above.id and each.parent_id is None]
        return self._page(asked, rows, self.wire.folder)

    def folder(self, asked: Asked) -> Found:
        """One folder."""
        self._language(asked)
        return self._one(asked, self.world.folders, self.wire.folder)

    def subfolders(self, asked: Asked) -> Found:
        """The folders right in a folder."""
        self._language(asked)
        above: Folder = _known(self.world.folders, asked)
        return self._page(
            asked, [each for each in self.world.folders.values() if each.parent_id == above.id], self.wire.folder
        )

    def articles(self, asked: Asked) -> Found:
        """The articles of a folder, drafts among them; in another language those that are translated."""
        language = self._language(asked)
        above: Folder = _known(self.world.folders, asked)
        rows = [
            each
            for each in self.world.articles.values()
            if each.folder_id == above.id and (language is None or language in each.translations)
        ]
        return self._page(asked, rows, lambda each: self.wire.article(each, language))

    def article(self, asked: Asked) -> Found:
        """One article; 404 where it is not translated."""
        language = self._language(asked)
        found: Article = _known(self.world.articles, asked)
        if language is not None and language not in found.translations:
            raise not_found()
        return Found(encode(self.wire.article(found, language)))

    def _language(self, asked: Asked) -> str | None:
        language = asked.parts.get("language")
        if language is not None and not self.plan.multilingual:
            raise without_feature("Multilingual")
        return None if language == "en" else language

    # --- inside ----------------------------------------------------------------------------------

    def _one(self, asked: Asked, kept: Mapping[int, Item], shown: Callable[[Item], Any]) -> Found:
        return Found(encode(shown(_known(kept, asked))))

    def _page(
        self, asked: Asked, rows: Sequence[Item], shown: Callable[[Item], Any], allowed: Collection[str] = ()
    ) -> Found:
        _check(asked.query, _PAGING | set(allowed))
        page, per_page = _paging(asked.query)
        begin = (page - 1) * per_page
        body = encode([shown(each) for each in rows[begin : begin + per_page]])
        return Found(body, self._link(asked, page, len(rows) > begin + per_page))

    def _link(self, asked: Asked, page: int, more: bool) -> str | None:
        if not more:
            return None
        query = urlencode({**asked.query, "page": page + 1})
        return f'<{self.wire.address}/api/v2{asked.path}?{query}>; rel="next"'


def _known(kept: Mapping[int, Item], asked: Asked) -> Item:
    found = kept.get(_number(asked.parts["id"]))
    if found is None:
        raise not_found()
    return found


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise not_found()
    return int(text)


def _check(query: Mapping[str, str], allowed: Collection[str]) -> None:
    for name in query:
        if name not in allowed:
            raise invalid(name, "Unexpected/invalid field in request", "invalid_field")


def _positive(query: Mapping[str, str], name: str, otherwise: int, most: int | None = None) -> int:
    text = query.get(name)
    if text is None:
        return otherwise
    if not text.isascii() or not text.isdigit() or int(text) < 1 or (most is not None and int(text) > most):
        limit = "" if most is None else f" less than or equal to {most}"
        raise invalid(name, f"It should be a Positive Integer{limit}")
    return int(text)


def _paging(query: Mapping[str, str]) -> tuple[int, int]:
    return _positive(query, "page", 1), _positive(query, "per_page", 30, MOST_PER_PAGE)


def _one_of(query: Mapping[str, str], name: str, allowed: Sequence[str], otherwise: str) -> str:
    value = query.get(name, otherwise)
    if value != otherwise and value not in allowed:
        raise invalid(name, f"It should be one of these values: '{','.join(allowed)}'")
    return value


def _include(query: Mapping[str, str], allowed: Sequence[str]) -> tuple[str, ...]:
    include = tuple(part for part in query.get("include", "").split(",") if part)
    for part in include:
        if part not in allowed:
            raise invalid("include", f"It should be one of these values: '{','.join(allowed)}'")
    return include


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(name, "It should be in the 'combined date and time ISO8601' format", "invalid_date") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _matches(ticket: Ticket, name: str, value: str) -> bool:
    if name == "tag":
        return value in ticket.tags
    shown = {
        "status": ticket.status,
        "priority": ticket.priority,
        "type": ticket.type,
        "agent_id": ticket.responder_id,
        "group_id": ticket.group_id,
    }[name]
    return ("null" if shown is None else str(shown)) == value


_ANSWERS: dict[str, Callable[[Api, Asked], Found]] = {
    "agents/me": Api.me,
    "agents": Api.agents,
    "agents/view": Api.agent,
    "groups": Api.groups,
    "ticket_fields": Api.ticket_fields,
    "companies": Api.companies,
    "companies/view": Api.company,
    "contacts": Api.contacts,
    "contacts/view": Api.contact,
    "tickets": Api.tickets,
    "tickets/deleted": Api.tickets,
    "tickets/spam": Api.tickets,
    "tickets/view": Api.ticket,
    "tickets/conversations": Api.conversations,
    "tickets/archived": Api.archived,
    "tickets/archived/conversations": Api.archived_conversations,
    "search/tickets": Api.search,
    "solutions/categories": Api.categories,
    "solutions/categories/view": Api.category,
    "solutions/folders": Api.folders,
    "solutions/folders/view": Api.folder,
    "solutions/subfolders": Api.subfolders,
    "solutions/articles": Api.articles,
    "solutions/articles/view": Api.article,
}
