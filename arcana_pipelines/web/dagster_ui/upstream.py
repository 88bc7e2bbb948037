"""Requests to Dagster's web server, and its answers as they come."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urljoin, urlsplit

import httpx
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.net.certificates import trusted_certificates
from arcana_pipelines.ui.address import INFO, PREFIX, is_below, is_dagster
from arcana_pipelines.web.dagster_ui.headers import Pairs, back, there

log = logging.getLogger(__name__)

# Of an operation that is sent: one that starts runs names their partitions, of which there may be ten thousands.
LARGEST_BODY = 8 * 2**20
# Pauses that Dagster may make: some queries take long.
TIMEOUTS = {"connect": 3.0, "read": 60.0, "write": 30.0, "pool": 5.0}
# Dagster's web server keeps an idle connection for five seconds: ours is given up before.
_LIMITS = httpx.Limits(max_connections=50, max_keepalive_connections=20, keepalive_expiry=2.0)
_LARGEST_INFO = 64 * 1024


class DagsterAway(ArcanaError):
    """Dagster's web server does not answer, or what answers is none. The message names the next step."""


class Upstream:
    """Dagster's web server. Belongs to one event loop.

    Attributes:
        url: of the server, without a path.
    """

    def __init__(self, url: str) -> None:
        """
        Raises:
            InvalidSetting: the environment's certificates cannot be read.
        """
        self.url = url
        # The transport and not a client, who would follow redirects and remember cookies.
        verify = trusted_certificates() if url.startswith("https:") else False
        self._transport = httpx.AsyncHTTPTransport(verify=verify, limits=_LIMITS, trust_env=False)
        self._is_known = False

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def require_dagster(self) -> None:
        """See that it is Dagster's web server with our prefix; once, and after it was away.

        Raises:
            DagsterAway: it is not.
        """
        if self._is_known:
            return
        async with self._sent("GET", INFO.encode(), [], b"") as answer:
            body = b""
            async for part in answer.aiter_raw():
                body += part
                if len(body) > _LARGEST_INFO:
                    break
        if answer.status_code == 403:  # our own guard
            raise DagsterAway(
                "Dagster's web server is not asked by the name that DAGSTER_UI_URL has for it: ARCANA_UI_HOSTS of that "
                "server has to have this name."
            )
        if not is_dagster(answer.status_code, body):
            raise DagsterAway(
                f"What answers at DAGSTER_UI_URL is not Dagster's web server below {PREFIX}. Start it by `python -P -m "
                f"arcana_pipelines.defs.webserver`, or by `dagster-webserver --path-prefix {PREFIX}`."
            )
        self._is_known = True

    async def forward(self, scope: Scope, receive: Receive, send: Send, body: bytes) -> None:
        """Send a request on, whose path is one of the UI's, and answer with what comes.

        Raises:
            DagsterAway: nothing comes, or a redirect to somewhere else.
        """
        await self.require_dagster()
        path = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        async with self._sent(scope["method"], path, there(scope["headers"]), body) as answer:
            headers = back(answer.headers.raw, scope["path"], answer.status_code)
            if "location" in answer.headers:
                headers.append((b"location", self._location(path, answer.headers["location"])))
            response = StreamingResponse(_whole(answer), answer.status_code)
            response.raw_headers = headers
            await response(scope, receive, send)

    @asynccontextmanager
    async def _sent(self, method: str, path: bytes, headers: Pairs, body: bytes) -> AsyncIterator[httpx.Response]:
        url = httpx.URL(self.url).copy_with(raw_path=path)
        request = httpx.Request(method, url, headers=headers, content=body or None, extensions={"timeout": TIMEOUTS})
        try:
            answer = await self._transport.handle_async_request(request)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            self._is_known = False
            raise self.away(error) from error
        try:
            yield answer
        finally:
            await answer.aclose()

    def away(self, error: Exception) -> DagsterAway:
        """What to say where it does not answer; the log has what happened."""
        log.warning("Dagster's web server at %s does not answer: %r", self.url, error)
        return DagsterAway(
            "Dagster's web server does not answer at DAGSTER_UI_URL. Start it, and look with `arcana doctor`."
        )

    def _location(self, path: bytes, location: str) -> bytes:
        """Where a redirect leads, as an address of ours."""
        try:
            found = urlsplit(urljoin(self.url + path.decode("ascii"), location))
            is_same = (found.scheme, found.netloc) == urlsplit(self.url)[:2]
        except ValueError:
            is_same = False
        if not is_same or not is_below(found.path) or not location.isascii() or not location.isprintable():
            raise DagsterAway("Dagster's web server leads elsewhere, where nobody is sent. Look at DAGSTER_UI_URL.")
        return (found.path + (f"?{found.query}" if found.query else "")).encode()


async def _whole(answer: httpx.Response) -> AsyncIterator[bytes]:
    """The body of an answer as it comes. One that breaks off is not ended as if it were whole."""
    async for part in answer.aiter_raw():
        yield part


async def check(url: str, seconds: float) -> None:
    """See whether Dagster's web server answers at a URL.

    Raises:
        DagsterAway: not within so many seconds.
        InvalidSetting: the environment's certificates cannot be read.
    """
    upstream = Upstream(url)
    try:
        async with asyncio.timeout(seconds):
            await upstream.require_dagster()
    except TimeoutError as error:
        raise upstream.away(error) from error
    finally:
        await upstream.close()
