"""Whom alerts are sent to: `ALERT_ROUTES`, as people write it.

Routes stand with semicolons between them. Each is a receiver, severities and workspaces, with commas between several;
`*`, or nothing, is all of them: `pagerduty broken; email * acme,globex-*; ops@acme.example waiting acme`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

RECEIVERS = ("webhook", "email", "pagerduty")
SEVERITIES = ("broken", "waiting")
# What a pattern calls alerts that concern no single workspace.
INSTALLATION = "@installation"

_PATTERN = re.compile(r"@installation|[a-z0-9_*?\[\]!-]+")


@dataclass(frozen=True, slots=True)
class Route:
    """Alerts of some severities and workspaces go to this receiver.

    Attributes:
        receiver: one of `RECEIVERS`, or an e-mail address.
        severities: some of `SEVERITIES`.
        workspaces: patterns of slugs, as a shell has them; `INSTALLATION` is what concerns no single workspace.
    """

    receiver: str
    severities: Sequence[str]
    workspaces: Sequence[str]


def parse(text: str) -> list[Route]:
    """The routes of `ALERT_ROUTES`.

    Raises:
        ValueError: one of them cannot be read; the message says which part.
    """
    return [_route(part) for part in text.split(";") if part.strip()]


def leads_to(routes: Sequence[Route], receiver: str, severity: str, workspace: str) -> bool:
    """Whether an alert goes to a receiver; without any routes it does."""
    return not routes or any(
        route.receiver == receiver
        and severity in route.severities
        and any(fnmatchcase(workspace or INSTALLATION, pattern) for pattern in route.workspaces)
        for route in routes
    )


def _route(text: str) -> Route:
    words = re.sub(r"\s*,\s*", ",", text.strip()).split()
    if len(words) > 3:
        raise ValueError(f"'{text.strip()}' has more than a receiver, severities and workspaces")
    receiver, severities, workspaces = [*words, *["*"] * (3 - len(words))]
    if receiver not in RECEIVERS and not is_address(receiver):
        raise ValueError(f"'{receiver}' is neither {', '.join(RECEIVERS)} nor an e-mail address")
    chosen = SEVERITIES if severities == "*" else tuple(severities.split(","))
    if wrong := [each for each in chosen if each not in SEVERITIES]:
        raise ValueError(f"'{wrong[0]}' is neither {' nor '.join(SEVERITIES)} nor *")
    patterns = tuple(workspaces.split(","))
    if odd := [each for each in patterns if not _PATTERN.fullmatch(each)]:
        raise ValueError(f"'{odd[0]}' is no pattern of names of workspaces")
    return Route(receiver, chosen, patterns)


def is_address(text: str) -> bool:
    """Whether this is an e-mail address that every mail server takes: of ASCII alone, without quotes."""
    return _ADDRESS.fullmatch(text) is not None


_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
