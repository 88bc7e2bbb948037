"""Requests to other people's servers: one deadline for the whole of an answer, a bound on its size, no redirects.

A server can send its headers or its body byte by byte for days, more than fits into memory, or a megabyte that unpacks
to gigabytes. So every request of ours goes through here: Notion, embedders, rerankers, alerts. Addresses that others
have chosen go through `net.outside`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import urllib3

from arcana_pipelines.net.answer_size import AnswerTooLarge
from arcana_pipelines.net.deadline import pool_classes
from arcana_pipelines.net.proxies import connection_pool

_PIECE = 2**16


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer.

    Attributes:
        status: of HTTP; redirects are not followed.
        headers: found by names in any case.
        data: the body, unpacked.
    """

    status: int
    headers: Mapping[str, str]
    data: bytes


class Server:
    """Connections to one server, through the proxy that the environment names for it. Safe to share between threads.

    `timeout` is how many seconds the server may pause, `seconds` how many its whole answer may take from the moment the
    request is sent, `most_bytes` how large it may be, counted unpacked.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float | urllib3.Timeout,
        seconds: float,
        most_bytes: int,
        connections: int = 1,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """
        Raises:
            InvalidSetting: the proxy is of another kind, or the environment's certificates cannot be read.
        """
        self._most_bytes = most_bytes
        self._headers = dict(headers or {})
        self._pool = connection_pool(
            base_url, maxsize=connections, timeout=timeout, retries=False, headers=self._headers
        )
        self._pool.pool_classes_by_scheme = pool_classes(seconds)

    def send(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        most_bytes: int | None = None,
    ) -> Answer:
        """Send one request, once, and read its answer; `most_bytes` is for this one.

        Raises:
            AnswerTooLarge, urllib3.exceptions.HTTPError: there is none, or none of this size in this time.
        """
        response = self.open(method, url, body, headers)
        data = b"".join(self.pieces(response, most_bytes))
        return Answer(response.status, response.headers, data)

    def open(
        self,
        method: str,
        url: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Send one request and read its answer up to the headers; `pieces` reads the rest."""
        return self._pool.request(
            method,
            url,
            body=body,
            headers=self._headers | dict(headers or {}),
            redirect=False,
            retries=False,
            preload_content=False,
        )

    def pieces(self, response: urllib3.BaseHTTPResponse, most_bytes: int | None = None) -> Iterator[bytes]:
        """The body of an answer, unpacked, in small pieces.

        Raises:
            AnswerTooLarge, urllib3.exceptions.HTTPError: see `send`.
        """
        size, most = 0, self._most_bytes if most_bytes is None else most_bytes
        try:
            for piece in response.stream(_PIECE, decode_content=True):
                size += len(piece)
                if size > most:
                    raise AnswerTooLarge(f"the answer has more than {most >> 20} MiB")
                yield piece
        except BaseException:
            response.close()  # what is left of it must not be taken for the next answer
            raise

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()
