"""What the clients of sources' APIs share: a read is limited, sent, counted, tried again and read as JSON.

Every request that we send to a source is a read, so every one may be repeated.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from pydantic import SecretStr
from tenacity.wait import wait_random_exponential
from urllib3.exceptions import HTTPError, SSLError

from arcana_pipelines.errors import AnswerUnusable, PageRejected, SourceUnavailable
from arcana_pipelines.net import workers
from arcana_pipelines.net.answer_size import AnswerTooLarge, check_values
from arcana_pipelines.net.failures import timed_out
from arcana_pipelines.net.http_client import Answer, Server
from arcana_pipelines.net.retry import Tried, TryAgain, until_answered
from arcana_pipelines.net.retry_after import http_date, retry_after

# Six attempts, 2^n seconds between them, capped at 30 (https://developers.notion.com/reference/status-codes).
MAX_ATTEMPTS = 6
MAX_THROTTLED_ATTEMPTS = 20
# Of one answer: a hundred rows have a few.
MOST_BYTES = 16 * 2**20
# A hundred rows of five hundred properties have some six hundred thousand.
MOST_VALUES = 1_000_000
# Larger answers are read one after the other: read, they take many times their size of memory.
_LARGE = 4 * 2**20
_one_large = threading.Lock()
# A longer Retry-After means that the run should give up its place; what is left is picked up later.
LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one call may take.

    Attributes:
        attempts: how often a request is sent before it counts as failed, while the server names no pause.
        throttled_attempts: the same while the server says how long to wait.
        timeout: seconds that the server may pause within an answer; the whole answer may take twice as many.
        longest_pause: seconds of a pause to sit out; a 429 that asks for more ends the call.
    """

    attempts: int = MAX_ATTEMPTS
    throttled_attempts: int = MAX_THROTTLED_ATTEMPTS
    timeout: float = 60.0
    longest_pause: float = LONGEST_PAUSE_SECONDS


# A look whether anything changed is taken again soon; it must not hold up other workspaces' looks.
HURRIED = Patience(attempts=1, throttled_attempts=1, timeout=5.0, longest_pause=1.0)


@dataclass(slots=True)
class RequestCount:
    """What was asked of a source so far.

    Attributes:
        requests: HTTP requests sent, repeated ones included.
        throttled: those of them answered by 429.
    """

    requests: int = 0
    throttled: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, status: int) -> None:
        """Note one answer."""
        with self._lock:
            self.requests += 1
            self.throttled += status == 429


# What to do with a new token, where it is not known how the workspace has it.
TOKEN_GOES = (
    "put it into the workspace's token variable (or, where the database keeps it, `arcana workspace set SLUG "
    "--token-stdin`)"
)


class ApiClient(ABC):
    """A client of a source's API, safe to share between threads. Who inherits says what a refusal means."""

    title: ClassVar[str]
    """How people call the source."""

    def __init__(self, base_url: str, headers: Mapping[str, str], patience: Patience, connections: int) -> None:
        self.traffic = RequestCount()
        self.base_url = base_url
        self._patience = patience
        self._server_time: datetime | None = None
        self._server = Server(
            base_url,
            timeout=patience.timeout,
            seconds=2 * patience.timeout,
            most_bytes=MOST_BYTES,
            connections=connections + 2,
            headers={"Accept-Encoding": "gzip, deflate", "User-Agent": "arcana-pipelines", **headers},
        )

    @property
    def server_time(self) -> datetime | None:
        """The newest `Date` header, or None before the first answer."""
        return self._server_time

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def _read(
        self,
        method: str,
        url: str,
        where: str,
        take: Callable[[], None],
        body: bytes | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> tuple[Answer, Any]:
        """Send one read, as often as it takes; its answer, and the JSON in it.

        Args:
            where: what was asked, for errors.
            take: waits until a request may be sent (see `RateLimiter.acquire`).

        Raises:
            AnswerUnusable: the answer is JSON, and nothing that the source says.
            PageRejected: the answer is too large.
            SourceUnavailable: no proper answer after all attempts.
            SourceError: what `_refused` makes of a refusal.
        """

        def attempt() -> tuple[Answer, Any]:
            workers.pause(0)
            take()
            return self._attempt(method, url, where, body, most_bytes)

        try:
            return until_answered(attempt, backoff=_backoff, gives_up=self._gives_up, wait=_wait)
        except TryAgain as error:
            raise SourceUnavailable(f"{self.title} did not answer {where}: {error}") from error

    @abstractmethod
    def _refused(self, answer: Answer, where: str) -> Exception:
        """What an answer of another status than 2xx means: a `SourceError`, or `TryAgain` (see `_again`)."""

    @abstractmethod
    def _is_answer(self, result: Any) -> bool:
        """Whether the source answers so; what a gateway says in its place is asked for again."""

    def _noted(self, answer: Answer) -> None:
        """Look at an answer of any status."""
        self.traffic.count(answer.status)
        seen = http_date(answer.headers.get("date"))
        if seen is not None:
            self._server_time = seen

    def _again(self, answer: Answer, said: str) -> TryAgain:
        """After a failure that the server may have a pause for; a long one is cut short: the next attempt tells."""
        pause = retry_after(answer.headers.get("retry-after"), answer.headers.get("date"))
        return TryAgain(said, pause if pause is None else min(pause, self._patience.longest_pause))

    def _gives_up(self, tried: Tried) -> bool:
        named = tried.pause is not None
        return tried.attempts >= (self._patience.throttled_attempts if named else self._patience.attempts)

    def _attempt(self, method: str, url: str, where: str, body: bytes | None, most: int) -> tuple[Answer, Any]:
        try:
            answer = self._server.send(method, url, body, most_bytes=most)
        except AnswerTooLarge as error:
            self.traffic.count(0)
            raise PageRejected(f"{where}: {error}") from error
        except HTTPError as error:
            self.traffic.count(0)
            if timed_out(error):
                raise TryAgain("it timed out") from error
            if isinstance(error, SSLError):
                raise TryAgain(f"{error}; SSL_CERT_FILE may name authorities of your own") from error
            raise TryAgain(f"the connection failed ({type(error).__name__})") from error
        self._noted(answer)
        if answer.status >= 300:
            raise self._refused(answer, where)
        try:
            with _one_large if len(answer.data) > _LARGE else nullcontext():
                result = None if answer.status == 204 else read_json(answer.data)
        except AnswerTooLarge as error:
            raise PageRejected(f"{where}: {error}") from error
        except ValueError as error:
            raise TryAgain(f"status {answer.status} with a body that is not JSON") from error
        except RecursionError as error:
            raise AnswerUnusable(f"{self.title} answered {where} with JSON that is nested too deeply.") from error
        if not self._is_answer(result):
            raise TryAgain(f"status {answer.status} with a body that is none of {self.title}'s")
        return answer, result


def fingerprint(token: SecretStr) -> str:
    """What a token is known by where the token itself must not be kept."""
    return hashlib.blake2b(token.get_secret_value().encode(), digest_size=16).hexdigest()


def read_json(data: bytes) -> Any:
    """What an answer holds. A number that JSON does not have (NaN, 1e999) is null: nothing could store it.

    Raises:
        AnswerTooLarge: it has more values than anything that a source says.
        ValueError: it is not JSON.
        RecursionError: it is nested so deeply that it cannot be read.
    """
    check_values(data, MOST_VALUES)
    return json.loads(data, parse_constant=lambda _: None, parse_float=_finite)


def error_details(data: bytes) -> dict[str, Any]:
    """The object in the body of a refusal; empty where there is none."""
    try:
        body = read_json(data)
    except (AnswerTooLarge, ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


_backoff = wait_random_exponential(multiplier=0.5, max=30)


def _wait(tried: Tried) -> float:
    return 0.25 + tried.backoff if tried.pause is None else tried.pause


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None
