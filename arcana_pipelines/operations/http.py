"""One small request to a server outside: its status and nothing else, by a deadline."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

from arcana_pipelines.errors import ArcanaError

DEADLINE_SECONDS = 10.0


class NoAnswer(ArcanaError):
    """Nothing answered in time. The message names the host, never the path: that of a webhook is its secret."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other: nothing is sent to another address."""

    def redirect_request(self, *_: Any) -> None:
        return None


def status_of(url: str, headers: dict[str, str], body: bytes | None = None) -> int:
    """Send a request (POST with a body) and return the answer's status. The answer's body is not read.

    Proxies are those of the environment.

    Raises:
        NoAnswer: nothing answered, or not within the deadline, all in all.
    """
    answers: SimpleQueue[int | Exception] = SimpleQueue()

    def ask() -> None:
        request = urllib.request.Request(url, data=body, headers={"User-Agent": "arcana-pipelines", **headers})
        try:
            with urllib.request.build_opener(_Stay).open(request, timeout=DEADLINE_SECONDS) as answer:
                answers.put(int(answer.status))
        except urllib.error.HTTPError as error:
            error.close()
            answers.put(error.code)
        except Exception as error:  # whatever a stranger's server provokes, it is put into words below
            answers.put(error)

    # The timeout of a socket begins anew with each byte: a thread that is left behind keeps the deadline.
    threading.Thread(target=ask, name="request", daemon=True).start()
    try:
        answer = answers.get(timeout=DEADLINE_SECONDS)
    except Empty:
        raise NoAnswer(f"{host_of(url)} did not answer within {DEADLINE_SECONDS:.0f} seconds") from None
    if isinstance(answer, Exception):
        raise NoAnswer(f"{host_of(url)} cannot be reached ({_in_words(answer)})") from None
    return answer


def host_of(url: str) -> str:
    """The host of an address, and its port when it says one."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else f"{parts.hostname}"


def _in_words(error: Exception) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    words = reason.strerror if isinstance(reason, OSError) else None
    return words or type(reason).__name__
