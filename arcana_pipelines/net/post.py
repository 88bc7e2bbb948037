"""One small request to a server outside: its status and nothing else, by a deadline."""

from __future__ import annotations

from urllib.parse import urlsplit

from urllib3 import Timeout
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError

from arcana_pipelines.errors import ArcanaError, InvalidSetting
from arcana_pipelines.net.failures import timed_out
from arcana_pipelines.net.http_client import Server

DEADLINE_SECONDS = 10.0


class NoAnswer(ArcanaError):
    """Nothing answered in time. The message names the host, never the path: that of a webhook is its secret.

    `was_sent` says that the server was connected and is silent: it has got the request, most likely.
    """

    def __init__(self, message: str, *, was_sent: bool = False) -> None:
        super().__init__(message)
        self.was_sent = was_sent


def status_of(url: str, headers: dict[str, str], body: bytes | None = None, answer_seconds: float | None = None) -> int:
    """Send a request (POST with a body) and return the answer's status. The answer's body is not read.

    Proxies are those of the environment. A redirect is an answer like any other. One half of `DEADLINE_SECONDS` is for
    connecting and sending, the other, or `answer_seconds`, for the answer.

    Raises:
        NoAnswer: nothing answered, or not within the deadline, all in all.
    """
    half = DEADLINE_SECONDS / 2
    answer = answer_seconds or half
    try:
        server = Server(
            url,
            timeout=Timeout(connect=half, read=answer),
            seconds=answer,
            most_bytes=0,
            headers={"User-Agent": "arcana-pipelines"},
        )
        try:
            response = server.open("GET" if body is None else "POST", url, body, headers)
            response.close()
        finally:
            server.close()
    except (HTTPError, InvalidSetting, ValueError) as error:
        if timed_out(error):
            sent = not isinstance(error, ConnectTimeoutError)
            raise NoAnswer(f"{host_of(url)} did not answer within {half + answer:.0f} seconds", was_sent=sent) from None
        raise NoAnswer(f"{host_of(url)} cannot be reached ({_in_words(error)})") from None
    return response.status


def host_of(url: str) -> str:
    """The host of an address, and its port when it says one."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else f"{parts.hostname}"


def _in_words(error: Exception) -> str:
    """Without what the libraries say, which may name the whole address."""
    if isinstance(error, NameResolutionError):
        return "its name is not known"
    cause = error.__cause__
    words = cause.strerror if isinstance(cause, OSError) else None
    return words or type(error).__name__
