"""Every request to Notion goes through `NotionApi.request`: limit, retry, classification, counting.

Every request we send is a read, search and query POSTs included, so every one may be repeated. urllib3 instead of
notion-client's own transport: docs/decisions/026-notion-client-on-our-transport.md.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import re
import threading
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from notion_client.errors import APIErrorCode, InvalidPathParameterError, validate_request_path
from pydantic import SecretStr
from tenacity.wait import wait_random_exponential
from urllib3.exceptions import HTTPError, SSLError

from arcana_pipelines.errors import (
    AnswerUnusable,
    PageRejected,
    PageUnavailable,
    RequestInvalid,
    SourcePaused,
    SourceUnavailable,
    TokenRevoked,
)
from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.net import workers
from arcana_pipelines.net.answer_size import AnswerTooLarge, check_values
from arcana_pipelines.net.failures import timed_out
from arcana_pipelines.net.http_client import Answer, Server
from arcana_pipelines.net.retry import Tried, TryAgain, until_answered
from arcana_pipelines.net.retry_after import http_date, retry_after
from arcana_pipelines.sources.notion.endpoints import Endpoints
from arcana_pipelines.sources.notion.limiter import RateLimiter

log = logging.getLogger(__name__)

NOTION_VERSION = "2026-03-11"
# https://developers.notion.com/reference/status-codes: up to six attempts, 2^n seconds, capped at 30.
MAX_ATTEMPTS = 6
MAX_THROTTLED_ATTEMPTS = 20
# Of one answer: a hundred rows or blocks have a few. Markdown is a whole page, of `LARGEST_PAGE` characters at most.
MOST_BYTES = 16 * 2**20
MOST_MARKDOWN_BYTES = 64 * 2**20
# A hundred rows of five hundred properties have some six hundred thousand.
MOST_VALUES = 1_000_000
# Larger answers are read one after the other: read, they take many times their size of memory.
_LARGE = 4 * 2**20
_one_large = threading.Lock()
RETRIED_STATUSES = frozenset({409, 429, 500, 502, 503, 504, 529})
# A longer Retry-After means that the run should give up its place; what is left is picked up later.
LONGEST_PAUSE_SECONDS = 60.0
# Names and ids. What comes from outside must not lead to another path of the API's host: no dots, no empty parts.
_PATH = re.compile(r"[a-z_]+(?:/[A-Za-z0-9_~%-]+)*")


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
class Traffic:
    """What was asked of Notion so far.

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


class NotionApi(Endpoints):
    """The Notion API for one token, safe to share between threads."""

    def __init__(
        self, token: SecretStr, base_url: str, limiter: RateLimiter, patience: Patience, connections: int = 10
    ) -> None:
        super().__init__()
        self.traffic = Traffic()
        self.credential = fingerprint(token)
        self.base_url = base_url
        self._limiter = limiter
        self._patience = patience
        self._server_time: datetime | None = None
        self._root = f"{base_url.rstrip('/')}/v1/"
        self._server = Server(
            base_url,
            timeout=patience.timeout,
            seconds=2 * patience.timeout,
            most_bytes=MOST_BYTES,
            connections=connections + 2,
            headers={
                "Authorization": f"Bearer {token.get_secret_value()}",
                "Notion-Version": NOTION_VERSION,
                "Content-Type": "application/json",
                "Accept-Encoding": "gzip, deflate",
                "User-Agent": "arcana-pipelines",
            },
        )

    @property
    def server_time(self) -> datetime | None:
        """The newest `Date` header, or None before the first answer."""
        return self._server_time

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def request(
        self,
        path: str,
        method: str,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        form_data: None = None,
        auth: None = None,
    ) -> dict[str, Any]:
        """Send one read and return its JSON object (see `Endpoints.request`).

        Raises:
            AnswerUnusable: the answer is JSON, and nothing that Notion says.
            TokenRevoked: 401.
            PageUnavailable: 404.
            RequestInvalid: 400.
            PageRejected: 403 and other refusals that concern what was asked for; the answer is too large.
            SourceUnavailable: no proper answer after all attempts, or a pause too long to sit out.
        """
        try:
            return until_answered(
                lambda: self._attempt(method, path, query, body), backoff=_backoff, gives_up=self._gives_up, wait=_wait
            )
        except TryAgain as error:
            raise SourceUnavailable(f"Notion did not answer {method} {path}: {error}") from error

    def _gives_up(self, tried: Tried) -> bool:
        named = tried.pause is not None
        return tried.attempts >= (self._patience.throttled_attempts if named else self._patience.attempts)

    def _attempt(
        self, method: str, path: str, query: Mapping[str, Any] | None, body: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        _check_path(path)
        workers.pause(0)
        self._limiter.acquire()
        url = f"{self._root}{path}?{urlencode(query, doseq=True)}" if query else self._root + path
        try:
            sent = None if body is None else json.dumps(body).encode()
            most = MOST_MARKDOWN_BYTES if path.endswith("/markdown") else MOST_BYTES
            answer = self._server.send(method, url, sent, most_bytes=most)
        except AnswerTooLarge as error:
            self.traffic.count(0)
            raise PageRejected(f"{method} {path}: {error}") from error
        except HTTPError as error:
            self.traffic.count(0)
            if timed_out(error):
                raise TryAgain("it timed out") from error
            if isinstance(error, SSLError):
                raise TryAgain(f"{error}; SSL_CERT_FILE may name authorities of your own") from error
            raise TryAgain(f"the connection failed ({type(error).__name__})") from error
        self._note(answer)
        if answer.status >= 300:
            raise self._classified(answer, method, path)
        try:
            with _one_large if len(answer.data) > _LARGE else nullcontext():
                result = _json(answer.data)
        except AnswerTooLarge as error:
            raise PageRejected(f"{method} {path}: {error}") from error
        except ValueError as error:
            raise TryAgain("status 200 with a body that is not JSON") from error
        except RecursionError as error:
            raise AnswerUnusable(f"Notion answered {method} {path} with JSON that is nested too deeply.") from error
        if not isinstance(result, dict) or not isinstance(result.get("object"), str):
            raise TryAgain("status 200 with a body that is not a Notion object")
        return result

    def _note(self, answer: Answer) -> None:
        self.traffic.count(answer.status)
        seen = http_date(answer.headers.get("date"))
        if seen is not None:
            self._server_time = seen

    def _classified(self, answer: Answer, method: str, path: str) -> Exception:
        details = _error_details(answer.data)
        code = _string(details.get("code"))[:100] or answer.status
        said = clean(f"{answer.status} {code}: {_string(details.get('message'))[:300]}".rstrip(": "))
        where = f"{method} {path}"
        if answer.status == 401:
            return TokenRevoked(
                f"Notion does not accept the token (401 {code}). Nothing was removed. Make a new token in Notion's "
                "integration settings, put it into the workspace's token variable (or, where the database keeps it, "
                "`arcana workspace set SLUG --token-stdin`), and sync again."
            )
        if answer.status == 404 and details.get("object") == "error":
            # Only this code says that the page is not there; a path that is none answers 404 as well.
            return (PageUnavailable if code == APIErrorCode.ObjectNotFound else PageRejected)(f"{where}: {said}")
        if answer.status == 429:
            return self._throttled(answer, details, where)
        if answer.status in RETRIED_STATUSES or answer.status == 404 or answer.status < 400:
            # A redirect, or a 404 without Notion's error, is a gateway's, and says nothing of the page.
            pause = retry_after(answer.headers.get("retry-after"), answer.headers.get("date"))
            return TryAgain(said, pause if pause is None else min(pause, self._patience.longest_pause))
        return (RequestInvalid if answer.status == 400 else PageRejected)(f"{where}: {said}")

    def _throttled(self, answer: Answer, details: dict[str, Any], where: str) -> Exception:
        more = details.get("additional_data")
        more = more if isinstance(more, dict) else {}
        reason = clean(_string(more.get("rate_limit_reason"))[:100] or "rate_limited")
        if reason == "public_api_request_blocked":
            return SourceUnavailable(f"Notion has blocked this connection ({where}: {reason}). Ask Notion's support.")
        date = answer.headers.get("date")
        said = more.get("retry_after")
        pause = retry_after(
            answer.headers.get("retry-after") or (str(said) if isinstance(said, str | int | float) else None), date
        )
        # Others may use up the whole workspace's or one endpoint's allowance: ours is not too large for that.
        ours = reason not in ("public_api_space_request_rate_limit", "public_api_endpoint_rate_limit")
        self._limiter.throttled(pause or 0.0, reason, shrink=ours)
        if pause is not None and pause > self._patience.longest_pause:
            return SourcePaused(f"Notion asks to wait {pause:.0f} s ({reason}); the next sync goes on from here.")
        return TryAgain(f"429 {reason}", pause)


def _check_path(path: str) -> None:
    """
    Raises:
        PageRejected: what stands for an id in it is none, or leads to another path.
    """
    try:
        validate_request_path(path)  # two dots in any writing
        is_one = _PATH.fullmatch(path) is not None
    except InvalidPathParameterError:
        is_one = False
    if not is_one:
        raise PageRejected(f"{clean(path)[:200]!r} is not a path of Notion's API: an id in it is malformed.")


def fingerprint(token: SecretStr) -> str:
    """What a token is known by where the token itself must not be kept."""
    return hashlib.blake2b(token.get_secret_value().encode(), digest_size=16).hexdigest()


_backoff = wait_random_exponential(multiplier=0.5, max=30)


def _wait(tried: Tried) -> float:
    return 0.25 + tried.backoff if tried.pause is None else tried.pause


def _json(data: bytes) -> Any:
    """What an answer holds. A number that JSON does not have (NaN, 1e999) is null: nothing could store it.

    Raises:
        AnswerTooLarge: it has more values than anything that Notion says.
        ValueError: it is not JSON.
        RecursionError: it is nested so deeply that it cannot be read.
    """
    check_values(data, MOST_VALUES)
    return json.loads(data, parse_constant=lambda _: None, parse_float=_finite)


def _error_details(data: bytes) -> dict[str, Any]:
    try:
        body = _json(data)
    except (AnswerTooLarge, ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
