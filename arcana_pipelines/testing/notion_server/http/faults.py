"""Faults on command: what goes wrong, for which requests, and how often."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Literal

from arcana_pipelines.testing.notion_server.http.errors import ApiError, restricted, unauthorized
from arcana_pipelines.testing.notion_server.model.objects import Json

STATUSES: dict[str, tuple[int, str, str]] = {
    "409": (409, "conflict_error", "Conflict occurred while saving. Please try again."),
    "500": (500, "internal_server_error", "Unexpected error occurred."),
    "502": (502, "bad_gateway", "Bad gateway."),
    "503": (503, "service_unavailable", "Notion is unavailable. Please try again later."),
    "504": (504, "gateway_timeout", "The request timed out."),
    "529": (529, "service_overload", "Notion is overloaded. Please try again later."),
}
LISTING = frozenset({"repeat_cursor", "incomplete", "short", "twice"})
KINDS = frozenset({"429", *STATUSES, "401", "403", "html", "empty", "drop", "hang", *LISTING})

RetryAfter = Literal["seconds", "date", "missing"]


@dataclass(slots=True)
class Fault:
    """One fault that waits for its requests (see `Faults.add`).

    Attributes:
        match: a request meets the fault when this is found in its `METHOD /path`.
        kind: one of `KINDS`: a status, or how the answer is spoiled.
        times: how many requests meet it; None: all there are.
        skip: matching requests that still pass unharmed before the first one meets it; counted down.
        retry_after: of a 429: seconds that it asks to wait.
        retry_after_form: of a 429: how its header says so. `seconds` is a number, `date` an HTTP date; with `missing`
            neither header nor body says anything.
        rate_limit_reason: of a 429: the word in its body that says whose allowance is used up.
        seconds: of `hang`: how long the answer is held back.
        keep: of `short` and `incomplete`: results that are left in the list; None: half of them.
        hits: requests that have met it so far.
        cursor: of `repeat_cursor`: the one that every answer names; None before the first answer with a next page.
    """

    match: re.Pattern[str]
    kind: str
    times: int | None = 1
    skip: int = 0
    retry_after: int = 1
    retry_after_form: RetryAfter = "seconds"
    rate_limit_reason: str = "public_api_request_rate_limit"
    seconds: float = 1.0
    keep: int | None = None
    hits: int = 0
    cursor: str | None = field(default=None, repr=False)

    def error(self, now: datetime) -> ApiError:
        """The error that this fault answers with."""
        if self.kind == "401":
            return unauthorized()
        if self.kind == "403":
            return restricted()
        if self.kind == "429":
            return rate_limited(self.retry_after, now, form=self.retry_after_form, reason=self.rate_limit_reason)
        status, code, message = STATUSES[self.kind]
        return ApiError(status, code, message)

    def spoil(self, body: Json) -> Json:
        """Damage a list the way this fault does."""
        if self.kind == "repeat_cursor":
            if self.cursor is None:
                self.cursor = body["next_cursor"]
            if self.cursor is None:
                return body
            return {**body, "next_cursor": self.cursor, "has_more": True}
        if self.kind == "twice":
            return {**body, "results": [*body["results"], *body["results"]]}
        kept = len(body["results"]) // 2 if self.keep is None else self.keep
        cut = {**body, "results": body["results"][:kept], "next_cursor": None, "has_more": False}
        if self.kind == "incomplete":
            cut["request_status"] = {"type": "incomplete", "incomplete_reason": "query_result_limit_reached"}
        return cut


class Faults:
    """The faults that wait for their requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(
        self,
        match: str = "",
        kind: str | int = "500",
        *,
        times: int | None = 1,
        skip: int = 0,
        retry_after: int = 1,
        retry_after_form: RetryAfter = "seconds",
        rate_limit_reason: str = "public_api_request_rate_limit",
        seconds: float = 1.0,
        keep: int | None = None,
    ) -> Fault:
        """Let requests whose `"METHOD /path"` matches the regular expression fail.

        Kinds: a status (429, 500, 502, 503, 504, 529, 409, 401, 403); `html` and `empty` (status 200 with
        such a body); `drop` (the connection ends without an answer); `hang` (the answer comes after
        `seconds`); and of lists `repeat_cursor` (all answers name the first one's cursor: needs
        `times=None`), `incomplete` (cut, saying so), `short` (cut silently; `keep` results stay, half by
        default) and `twice` (each answer lists everything twice). The options about retrying and rate limits are
        those of a 429.
        """
        name = str(kind)
        if name not in KINDS:
            raise ValueError(f"There is no fault {name!r}; there are {', '.join(sorted(KINDS))}.")
        fault = Fault(
            re.compile(match),
            name,
            times,
            skip,
            retry_after,
            retry_after_form,
            rate_limit_reason,
            seconds,
            keep,
        )
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Let everything go well again."""
        with self._lock:
            self._faults.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets, counted."""
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults:
                if not fault.match.search(f"{method} {path}"):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.hits += 1
                if fault.times is not None and fault.hits >= fault.times:
                    self._faults.remove(fault)
                return fault
        return None


def rate_limited(seconds: int, now: datetime, *, form: RetryAfter, reason: str) -> ApiError:
    """A 429 with its header and its reason."""
    data: Json = {"rate_limit_reason": reason}
    headers = {}
    if form != "missing":
        data["retry_after"] = str(seconds)
        until = format_datetime(now + timedelta(seconds=seconds), usegmt=True)
        headers["Retry-After"] = str(seconds) if form == "seconds" else until
    message = "You have been rate limited. Please try again in a few minutes."
    return ApiError(429, "rate_limited", message, additional_data=data, headers=headers)
