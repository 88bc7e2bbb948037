"""What a foreign web page may do to a server on this machine: nothing.

Dagster's web server knows no log-in, runs mutations by GET, and asks neither for whom nor from where a request comes:
any page that the operator opens could start and stop runs. Programs without a browser (curl, scripts) are not kept out;
who else can reach the port is a matter of the address that it listens at.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
# https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site: none is an address that a person typed.
_OF_OURS = frozenset({"same-origin", "none"})


class Guard:
    """An ASGI application in front of another: lets through what comes from its own pages, or from no page at all.

    `hosts` are the names by which people reach it, besides localhost and addresses in numbers: a page cannot make a
    browser say those of us when it was loaded from elsewhere (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset({"localhost", *(host.lower() for host in hosts)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `Guard`."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = refusal_of(scope, self._is_ours)
        if refusal is None:
            await self._app(scope, receive, unframed(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal})
        else:
            await PlainTextResponse(f"{refusal}\n", 403)(scope, receive, send)

    def _is_ours(self, name: str) -> bool:
        if name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def refusal_of(scope: Scope, is_ours: Callable[[str], bool]) -> str | None:
    """Why a request is not let through, or None. `is_ours` says of a name whether it is one of this server's."""
    headers = Headers(scope=scope)
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not is_ours(_name(hosts[0])):
        return "This host name is not one of this server's. ARCANA_UI_HOSTS names those that are."
    for origin in headers.getlist("origin"):
        if not _is_of(origin, hosts[0], scope.get("scheme", "http")):
            return "A page of another origin may not do this."
    site, method = headers.get("sec-fetch-site", "none"), scope.get("method", "GET")
    is_query = "graphql" in scope["path"].split("/")
    if site not in _OF_OURS:
        opens_a_page = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        if not (method == "GET" and opens_a_page and not is_query):
            return "A page of another site may not do this."
    if is_query and b"query" in parse_qs(scope["query_string"], keep_blank_values=True):
        return "A query is taken from the body of a POST, not from the address."
    if method not in _READING and headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        return "Only application/json is taken."
    return None


def _name(host: str) -> str:
    """The name in a Host header, without the port and without the brackets of IPv6."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_of(origin: str, host: str, scheme: str) -> bool:
    """Whether a page of this origin is one of the server's that was asked as `host`.

    Behind a proxy that ends TLS the request may be http and its page https. Not the other way round: a page that came
    unencrypted may be of any origin.
    """
    try:
        page = urlsplit(origin)
    except ValueError:
        return False
    schemes = ("https",) if scheme in ("https", "wss") else ("http", "https")
    return page.scheme in schemes and page.netloc.lower() == host.lower()


def unframed(send: Send) -> Send:
    """What an answer is sent by, so that no page frames it."""

    async def add_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.append("Content-Security-Policy", "frame-ancestors 'none'")
            headers["X-Frame-Options"] = "DENY"
            headers["X-Content-Type-Options"] = "nosniff"
        await send(message)

    return add_headers
