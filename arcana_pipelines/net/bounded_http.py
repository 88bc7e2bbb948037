"""The connections that the OpenAI library sends its requests over: bounded in time and size, without redirects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import urllib3
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as TimedOut

from arcana_pipelines.net.answer_size import check_values
from arcana_pipelines.net.http_client import Server
from arcana_pipelines.settings import Settings

# Hop by hop, or no longer true of a body that is unpacked.
_NOT_PASSED_ON = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection"})


def bounded_client(
    settings: Settings,
    most_bytes: int,
    seconds: float,
    most_values: int | None = None,
    *,
    base_url: str | None = None,
    timeout: float | None = None,
) -> Any:
    """An `http_client` for `openai.OpenAI`, which takes httpx's of the release (httpx, httpx2) that it uses itself.

    With `most_values` an answer is JSON that holds no more of them, without it is a file. `base_url` and `timeout` (in
    seconds, of a pause) are for other endpoints than OPENAI_BASE_URL.
    A redirect is an error: texts and the organisation's name must not go to a host that is not set.
    """
    timeout = settings.openai_timeout if timeout is None else timeout
    server = Server(
        base_url or settings.openai_base_url,
        timeout=timeout,
        seconds=seconds,
        most_bytes=most_bytes,
        connections=settings.max_concurrent_requests,
    )
    return httpx.Client(transport=_Transport(server, most_values), follow_redirects=False, timeout=timeout)


class _Transport(httpx.BaseTransport):
    def __init__(self, server: Server, most_values: int | None) -> None:
        self._server = server
        self._most_values = most_values

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        # httpx offers whatever it can unpack; here it is urllib3 that unpacks.
        sent = {**request.headers, "accept-encoding": "gzip, deflate"}
        # Without either header there is no body; urllib3 would send an empty one in chunks.
        has_body = "content-length" in sent or "transfer-encoding" in sent
        body = iter(request.stream) if has_body else None
        try:
            response = self._server.open(request.method, str(request.url), body, sent)
        except HTTPError as error:
            raise _as_httpx(error, request) from error
        headers = [(name, value) for name, value in response.headers.items() if name.lower() not in _NOT_PASSED_ON]
        return httpx.Response(
            response.status,
            headers=headers,
            stream=_Body(self._server, response, request, self._most_values),
            request=request,
        )

    def close(self) -> None:
        self._server.close()


class _Body(httpx.SyncByteStream):
    def __init__(
        self, server: Server, response: urllib3.BaseHTTPResponse, request: httpx.Request, most_values: int | None
    ) -> None:
        self._server = server
        self._response = response
        self._request = request
        self._most_values = most_values

    def __iter__(self) -> Iterator[bytes]:
        try:
            if self._most_values is None:
                yield from self._server.pieces(self._response)
                return
            whole = b"".join(self._server.pieces(self._response))
            check_values(whole, self._most_values)
            yield whole
        except HTTPError as error:
            raise _as_httpx(error, self._request) from error

    def close(self) -> None:
        with suppress(HTTPError):
            self._response.close()


def _as_httpx(error: HTTPError, request: httpx.Request) -> httpx.RequestError:
    kind = httpx.ReadTimeout if isinstance(error, TimedOut) else httpx.ReadError
    return kind(f"{type(error).__name__}: {error}", request=request)
