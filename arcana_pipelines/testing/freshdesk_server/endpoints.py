"""The endpoints' names, by which requests are counted and faults are set, and their paths."""

from __future__ import annotations

import re

# In the order in which they are tried: `agents/me` is no agent's id.
PATHS = {
    "agents/me": "/agents/me",
    "agents": "/agents",
    "agents/view": "/agents/(?P<id>[^/]+)",
    "groups": "/groups",
    "ticket_fields": "/ticket_fields",
    "companies": "/companies",
    "companies/view": "/companies/(?P<id>[^/]+)",
    "contacts": "/contacts",
    "contacts/view": "/contacts/(?P<id>[^/]+)",
    "tickets": "/tickets",
    "tickets/archived": "/tickets/archived/(?P<id>[^/]+)",
    "tickets/archived/conversations": "/tickets/archived/(?P<id>[^/]+)/conversations",
    "tickets/view": "/tickets/(?P<id>[^/]+)",
    "tickets/conversations": "/tickets/(?P<id>[^/]+)/conversations",
    "search/tickets": "/search/tickets",
    "solutions/categories": "/solutions/categories(?:/(?P<language>[a-z]{2}(?:-[A-Z]{2})?))?",
    "solutions/categories/view": r"/solutions/categories/(?P<id>\d+)(?:/(?P<language>[a-z]{2}(?:-[A-Z]{2})?))?",
    "solutions/folders": r"/solutions/categories/(?P<id>\d+)/folders(?:/(?P<language>[a-z]{2}(?:-[A-Z]{2})?))?",
    "solutions/folders/view": r"/solutions/folders/(?P<id>\d+)(?:/(?P<language>[a-z]{2}(?:-[A-Z]{2})?))?",
    "solutions/subfolders": r"/solutions/folders/(?P<id>\d+)/subfolders(?:/(?P<language>[a-z]{2}(?:-[A-Z]{2})?))?",
    "solutions/articles": r"/solutions/folders/(?P<id>\d+)/articles(?:/(?P<language>[a-z]{2}(?:-[A-Z]{2})?))?",
    "solutions/articles/view": r"/solutions/articles/(?P<id>\d+)(?:/(?P<language>[a-z]{2}(?:-[A-Z]{2})?))?",
}
# The lists of the trash and of spam have names of their own; `attachment` is the bytes of a file.
ENDPOINTS = frozenset({*PATHS, "tickets/deleted", "tickets/spam", "attachment"})

_COMPILED = [(name, re.compile(pattern)) for name, pattern in PATHS.items()]


def find(path: str) -> tuple[str, dict[str, str]] | None:
    """The endpoint of a path below `/api/v2`, and what stands in it; None: there is none."""
    for name, pattern in _COMPILED:
        found = pattern.fullmatch(path)
        if found:
            return name, {key: value for key, value in found.groupdict().items() if value is not None}
    return None
