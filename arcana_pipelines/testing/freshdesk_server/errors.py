"""Refusals, in the two shapes of body that the API has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from arcana_pipelines.testing.freshdesk_server.wire import encode


class Refused(Exception):
    """An answer that is not 200."""

    def __init__(self, status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = b"" if body is None else encode(body)
        self.headers = dict(headers or {})


def coded(status: int, code: str, message: str) -> Refused:
    """`{"code": …, "message": …}`."""
    return Refused(status, {"code": code, "message": message})


def invalid(field: str, message: str, code: str = "invalid_value") -> Refused:
    """400 with `{"description": …, "errors": […]}`."""
    error = {"field": field, "message": message, "code": code}
    return Refused(400, {"description": "Validation failed", "errors": [error]})


def not_found() -> Refused:
    """404, with an empty body."""
    return Refused(404)


def unauthorized() -> Refused:
    """No such key, or its agent is not active."""
    return coded(401, "invalid_credentials", "You have to be logged in to perform this action.")


def denied() -> Refused:
    """Outside of what the key may see."""
    return coded(403, "access_denied", "You are not authorized to perform this action.")


def suspended() -> Refused:
    """The whole account is closed."""
    return coded(403, "account_suspended", "Your account has been suspended.")


def without_feature(name: str) -> Refused:
    """The plan lacks it."""
    message = f"The {name} feature(s) is/are not supported in your plan. Please upgrade your account to use it."
    return coded(403, "require_feature", message)


def throttled(retry_after: str | None, per: str = "minute") -> Refused:
    """Too many calls."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Refused(429, {"message": f"You have exceeded the limit of requests per {per}"}, headers)
