"""Every request to Freshdesk goes through `FreshdeskApi.get`: limits, retry, classification, counting.

- Basic authentication, the key as the user's name. The rights are those of its agent.
- An account has so many credits a minute, all keys and apps together, failed calls included. A call is one; each
  `include` adds two, `include=conversations` one. `X-RateLimit-Total` says how many there are, `Retry-After` how long
  to wait. Lists of tickets have a limit of their own besides, which no header says.
https://developers.freshdesk.com/api/#ratelimit
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from pydantic import SecretStr

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
from arcana_pipelines.net.http_client import Answer
from arcana_pipelines.net.retry import TryAgain
from arcana_pipelines.net.retry_after import http_date, number_of_seconds, retry_after
from arcana_pipelines.sources.client import MOST_BYTES, TOKEN_GOES, ApiClient, Patience, error_details, fingerprint
from arcana_pipelines.sources.freshdesk import values
from arcana_pipelines.sources.limiter import RateLimiter

PER_PAGE = 100
# Others use the account too: its agents' apps above all.
SHARE = 0.8
# What is begun with before an answer has said what the account has: the share of a trial.
FIRST_PER_MINUTE = 40
# Of lists of tickets: the share of the smallest plan that has a limit for them, and of the largest.
FIRST_LISTS_PER_MINUTE, MOST_LISTS_PER_MINUTE = 16, 160
LISTS = "tickets"
"""The path whose requests are counted by themselves, too."""
# Of one ticket with its messages; a list that is larger is asked for without descriptions.
MOST_TICKET_BYTES = 64 * 2**20
HOURLY = "requests per hour"
MOST_PAGES = 1000
_NEXT = re.compile(r";\s*rel=\"?next\b", re.I)


class FeatureMissing(PageRejected):
    """The account's plan lacks what was asked for: it is not asked for again."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list.

    Attributes:
        rows: objects.
        has_more: there is a page behind it.
        date: the server's clock; None: it does not say.
    """

    rows: Sequence[dict[str, Any]]
    has_more: bool
    date: datetime | None


class FreshdeskApi(ApiClient):
    """The API of one account with one key, safe to share between threads."""

    title: ClassVar[str] = "Freshdesk"

    def __init__(
        self,
        key: SecretStr,
        base_url: str,
        limiter: RateLimiter,
        lists: RateLimiter,
        patience: Patience,
        connections: int = 10,
        learns_limit: bool = True,
        token_goes: str = TOKEN_GOES,
    ) -> None:
        """`limiter` is the account's, `lists` that of its lists of tickets; `learns_limit` from what answers say.

        `token_goes`: what a person does with a new key, as a part of a sentence.
        """
        self.credential = fingerprint(key)
        self._limiter = limiter
        self._token_goes = token_goes
        self._lists = lists
        self._learns_limit = learns_limit
        self._root = f"{base_url.rstrip('/')}/api/v2/"
        self._missing: dict[str, str] = {}
        self._is_hourly: bool | None = None
        login = base64.b64encode(f"{key.get_secret_value()}:X".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Accept": "application/json"}
        super().__init__(base_url, headers, patience, connections)

    def get(self, path: str, feature: str = "", **query: object) -> dict[str, Any]:
        """The object at a path below `/api/v2/`.

        Args:
            feature: what plans may lack; once the account has been found to, it is not asked for again.

        Raises:
            TokenRevoked: 401.
            PageUnavailable: 404.
            FeatureMissing: the plan lacks it.
            PageRejected: 403 and other refusals that concern what was asked for; the answer is too large.
            RequestInvalid: 400.
            SourceUnavailable: no proper answer after all attempts, or a pause too long to sit out.
        """
        _, result = self._ask(path, feature, query)
        if not isinstance(result, dict):
            raise AnswerUnusable(f"Freshdesk answered GET {path} with something other than an object.")
        return result

    def page(self, path: str, feature: str = "", **query: object) -> Page:
        """One page of the list at a path; raises what `get` does."""
        answer, result = self._ask(path, feature, {"per_page": PER_PAGE, **query})
        result = _rows(result, path)
        has_more = _NEXT.search(answer.headers.get("link") or "") is not None
        if has_more and not result:
            raise AnswerUnusable(f"Freshdesk says that GET {path} has more, and lists nothing.")
        return Page(result, has_more, http_date(answer.headers.get("date")))

    def unpaged(self, path: str) -> list[dict[str, Any]]:
        """A list that has no pages; raises what `get` does."""
        return _rows(self._ask(path, "", {})[1], path)

    def all(self, path: str, feature: str = "", **query: object) -> list[dict[str, Any]]:
        """All rows of a list that does not change much; raises what `get` does."""
        rows: dict[int | str, dict[str, Any]] = {}
        for number in range(1, MOST_PAGES + 1):
            page = self.page(path, feature, page=number, **query)
            # One without an id is nobody's twin.
            rows.update((values.number(row.get("id")) or f"{number} {at}", row) for at, row in enumerate(page.rows))
            if not page.has_more:
                return list(rows.values())
        raise AnswerUnusable(f"Freshdesk says that GET {path} has more than {MOST_PAGES} pages.")

    def _ask(self, path: str, feature: str, query: dict[str, object]) -> tuple[Answer, Any]:
        if feature and (missing := self._missing.get(feature)):
            raise FeatureMissing(missing)
        cost = 1 + sum(1 if each == "conversations" else 2 for each in str(query.get("include", "")).split(",") if each)
        url = f"{self._root}{path}?{urlencode(query)}" if query else self._root + path

        def take() -> None:
            if path == LISTS:
                self._lists.acquire()
            self._limiter.acquire(cost)

        try:
            most = MOST_BYTES if path == LISTS else MOST_TICKET_BYTES
            answer, result = self._read("GET", url, f"GET {path}", take, most_bytes=most)
        except FeatureMissing as error:
            if feature:
                self._missing[feature] = str(error)
            raise
        used = number_of_seconds(answer.headers.get("x-ratelimit-used-currentrequest"))
        if used is not None:
            self._limiter.correct(round(min(max(used, 1.0), 1000.0)) - cost)
        return answer, result

    def _is_answer(self, result: Any) -> bool:
        return result is None or isinstance(result, list | dict)  # None: 204

    def _noted(self, answer: Answer) -> None:
        super()._noted(answer)
        # Decimals: the reference's own example is 700.0.
        total = number_of_seconds(answer.headers.get("x-ratelimit-total"))
        if total and self._learns_limit:
            if self._is_hourly is None:
                self._is_hourly = self._limiter.last_reason() == HOURLY
            self._limiter.allow(max(1.0, round(total * SHARE / (60 if self._is_hourly else 1), 1)))

    def _refused(self, answer: Answer, where: str) -> Exception:
        details = error_details(answer.data)
        code, said = _said(answer.status, details)
        if answer.status == 401:
            return TokenRevoked(
                f"Freshdesk does not accept the key ({said}). Nothing was removed. Copy the API key of an agent from "
                f"their profile settings, {self._token_goes}, and sync again."
            )
        if answer.status == 403:
            if code == "require_feature":
                return FeatureMissing(f"{where}: {said}")
            if code == "account_suspended":
                return SourceUnavailable(f"{where}: {said}")
            return PageRejected(f"{where}: {said}")
        if answer.status == 404 and (details or not answer.data.strip()):
            return PageUnavailable(f"{where}: {said}")
        if answer.status == 429:
            return self._throttled(answer, details, where)
        if answer.status >= 500 or answer.status in (404, 408, 425) or answer.status < 400:
            # A redirect, or a 404 with a page of HTML, is a gateway's, and says nothing of the ticket.
            return self._again(answer, said)
        return (RequestInvalid if answer.status == 400 else PageRejected)(f"{where}: {said}")

    def _throttled(self, answer: Answer, details: dict[str, Any], where: str) -> Exception:
        reason = HOURLY if "hour" in _string(details.get("message")) else "requests per minute"
        pause = retry_after(answer.headers.get("retry-after"), answer.headers.get("date"))
        left = number_of_seconds(answer.headers.get("x-ratelimit-remaining"))
        if where == f"GET {LISTS}" and left:
            # The account has some left: it is the limit of lists, which no header says.
            self._lists.throttled(pause or 0.0, "lists of tickets", shrink=True)
        else:
            self._is_hourly = reason == HOURLY
            self._limiter.throttled(pause or 0.0, reason, shrink=False)
        if pause is not None and pause > self._patience.longest_pause:
            return SourcePaused(f"Freshdesk asks to wait {pause:.0f} s ({reason}); the next sync goes on from here.")
        return TryAgain(f"429 {reason}", pause)


def _rows(result: Any, path: str) -> list[dict[str, Any]]:
    """
    Raises:
        AnswerUnusable: it is no list of objects.
    """
    result = [] if result is None else result
    if not isinstance(result, list) or not all(isinstance(row, dict) for row in result):
        raise AnswerUnusable(f"Freshdesk answered GET {path} with something other than a list of objects.")
    return result


def _said(status: int, details: dict[str, Any]) -> tuple[str, str]:
    """The code of a refusal, and what it says, in the two shapes of body that there are."""
    errors = details.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    code = _string(details.get("code")) or _string(first.get("code"))
    field = _string(first.get("field"))
    message = _string(first.get("message")) or _string(details.get("message")) or _string(details.get("description"))
    words = ": ".join(filter(None, [f"{status} {code}".strip()[:100], field[:50], message[:300]]))
    return code, clean(words)


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
