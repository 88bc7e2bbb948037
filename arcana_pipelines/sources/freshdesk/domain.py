"""Whose account a workspace reads: its name before `.freshdesk.com`. A key is about to be sent there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from arcana_pipelines.errors import InvalidSetting, WrongUse

_SUFFIX = ".freshdesk.com"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def normalise_domain(given: str) -> str:
    """`acme` of `acme`, `ACME.freshdesk.com` and `https://acme.freshdesk.com/a/tickets/1`.

    Raises:
        WrongUse: it is an address elsewhere, or none.
    """
    host = given.strip().lower()
    if "://" in host:
        scheme, _, host = host.partition("://")
        if scheme != "https":
            raise _refused(given)
    host = re.split(r"[/?#]", host, maxsplit=1)[0].removesuffix(".")
    name = host.removesuffix(_SUFFIX)
    if not _NAME.fullmatch(name):
        raise _refused(given)
    return name


def domain_of(config: Mapping[str, Any], default: str | None) -> str:
    """The domain that a workspace names, or that FRESHDESK_DOMAIN does (`default`).

    Raises:
        WrongUse: the workspace names none of Freshdesk's.
        InvalidSetting: neither names one.
    """
    if named := config.get("domain"):
        return normalise_domain(str(named))
    if not default:
        raise InvalidSetting(
            "FRESHDESK_DOMAIN is not set: put the name of the account there (acme, of acme.freshdesk.com), or give it "
            "to the workspace with --domain."
        )
    try:
        return normalise_domain(default)
    except WrongUse as error:
        raise InvalidSetting(f"FRESHDESK_DOMAIN: {error}") from error


def web_address(domain: str) -> str:
    """Where the account is."""
    return f"https://{domain}{_SUFFIX}"


def _refused(given: str) -> WrongUse:
    shown = given.strip()[:100] if given.isprintable() else "that"
    return WrongUse(
        f"{shown!r} is not the name of a Freshdesk account: give acme, of acme.freshdesk.com. A domain of your own "
        "leads to the portal for customers, not to the API."
    )
