"""What is said to a person instead of what was asked for."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.web.problems import RETRY_SECONDS, Refused, kind_of, request_id

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something was not done.

    Attributes:
        status: of the answer.
        kind: of the problem, by which the page has words for it.
        detail: in the server's words; empty where they say no more, or nothing that is a visitor's business.
        wait: seconds until it may be tried again.
    """

    status: int
    kind: str
    detail: str = ""
    wait: int | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """What its answer says besides."""
        return {} if self.wait is None else {"Retry-After": str(self.wait)}


def failure_of(request: Request, error: Exception) -> Failure:
    """What to say of an error."""
    if isinstance(error, Refused):
        wait = error.headers.get("Retry-After")
        # These are told whole by their kind and the seconds, in the visitor's language.
        is_told = error.kind in ("rate-limited", "not-found", "unavailable", "form-over", "is-token", "unauthorized")
        return Failure(error.status, error.kind, "" if is_told else error.detail, int(wait) if wait else None)
    if isinstance(error, ArcanaError):
        status, kind = kind_of(error)
        if status < 500:
            # Why a cursor is refused is nothing that a reader chooses: the page is asked for again, whichever it is.
            return Failure(status, kind, "" if kind == "cursor-refused" else str(error))
        log.error("request %s: %s", request_id(request), error)
        return Failure(503, kind, wait=RETRY_SECONDS) if status == 503 else Failure(500, "internal")
    if isinstance(error, RequestValidationError | ValidationError):
        return Failure(422, "invalid-request")
    if isinstance(error, HTTPException):
        return Failure(413, "too-large") if error.status_code == 413 else Failure(422, "invalid-request")
    log.error("request %s failed", request_id(request), exc_info=error)
    return Failure(500, "internal")
